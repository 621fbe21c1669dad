import { createInterface } from "node:readline";
import { person } from "./snippet.mjs";

for await (const line of createInterface({ input: process.stdin })) {
  const said = await person(line).then(({ sub }) => ({ sub }), (error) => ({ refused: String(error) }));
  console.log(JSON.stringify(said));
}

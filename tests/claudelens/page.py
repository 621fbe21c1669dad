"""Runs what README.md gives ClaudeLens's page to do, in Node, with an answer of the real `/auth/token`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from messages import Answer

README = Path(__file__).parents[2] / "deploy/claudelens/README.md"
# What the page has around it: its store, a browser, and the lines in main.tsx.
AROUND = """
const found = { token: null, asked: [], renewed_after_ms: null, went: null, rendered: false };
const useStore = { getState: () => ({ setAccessToken: (token) => { found.token = token; } }) };
globalThis.fetch = async (url, { method }) => {
  found.asked.push([url, method]);
  return { status: ANSWER.status, ok: ANSWER.status < 300, json: async () => JSON.parse(ANSWER.body) };
};
globalThis.location = { ...PAGE, assign: (url) => { found.went = url; } };
globalThis.setTimeout = (_, ms) => { found.renewed_after_ms = ms; };
process.on('exit', () => console.log(JSON.stringify(found)));
"""


def code() -> str:
    """The block of README.md for a new file of the page."""
    block = README.read_text().split("```ts\n")[1].split("```")[0]
    lines = [line for line in block.splitlines() if not line.startswith("import ")]
    return "\n".join(lines).replace("export ", "")


def run_page(answer: Answer, page: str) -> dict:
    path, _, query = page.partition("?")
    given = {
        "ANSWER": {"status": answer.status, "body": answer.body.decode()},
        "PAGE": {"pathname": path, "search": f"?{query}" if query else ""},
    }
    constants = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in given.items())
    script = f"{constants}{AROUND}\n{code()}\nsignIn().then(() => {{ found.rendered = true; }});\n"
    ran = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=60)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    return json.loads(ran.stdout)

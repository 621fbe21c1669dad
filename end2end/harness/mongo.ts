// A real MongoDB server: the one of MONGODB_URI, else mongod, else the wire-compatible secantusd-py (PyPI: secantusdb).

import { accessSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

import { MongoClient, type Db } from 'mongodb';

import { freePort } from './ports.ts';
import { Process, type Start } from './process.ts';

export class Mongo {
  private constructor(
    readonly uri: string,
    readonly db: Db,
    readonly client: MongoClient,
    private readonly process: Process | undefined,
    private readonly ours: boolean,
  ) {}

  /** `name` is the database's, of this run alone. */
  static async start(directory: string, name: string): Promise<Mongo> {
    const given = process.env['MONGODB_URI'];
    if (given !== undefined) {
      const url = new URL(given);
      url.pathname = `/${name}`;
      return Mongo.#connect(url.toString(), name, undefined);
    }
    const port = await freePort();
    const server = new Process(serverCommand(directory, port));
    return Mongo.#connect(`mongodb://127.0.0.1:${port}/${name}`, name, server);
  }

  static async #connect(uri: string, name: string, server: Process | undefined): Promise<Mongo> {
    // A client for each try: one that has met a server on its way up may not look again for long.
    const connected = async (): Promise<MongoClient> => {
      const client = new MongoClient(uri, { serverSelectionTimeoutMS: 3_000 });
      try {
        await client.db(name).command({ ping: 1 });
        return client;
      } catch (error) {
        await client.close();
        throw error;
      }
    };
    try {
      const client = await (server === undefined ? connected() : server.ready(connected, 60_000));
      return new Mongo(uri, client.db(name), client, server, server !== undefined);
    } catch (error) {
      await server?.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (!this.ours) await this.db.dropDatabase();
    await this.client.close();
    await this.process?.stop();
  }
}

function serverCommand(directory: string, port: number): Start {
  const mongod = find('mongod', path());
  if (mongod !== undefined) {
    const data = join(directory, 'mongo');
    mkdirSync(data);
    return { command: mongod, args: ['--port', String(port), '--bind_ip', '127.0.0.1', '--dbpath', data] };
  }
  const tools = process.env['VESTIBULE_TOOLS'];
  const secantus = find('secantusd-py', [
    ...path(),
    ...(tools === undefined ? [] : [join(tools, 'venv', 'bin')]),
    resolve(import.meta.dirname, '../../.tools/venv/bin'),
  ]);
  if (secantus !== undefined) {
    const args = ['--host', '127.0.0.1', '--port', String(port), '--storage-path', ':memory:', '--standalone'];
    return { command: secantus, args, cwd: directory };
  }
  throw new Error('no MongoDB server: set MONGODB_URI, or install mongod, or run `make test` once (it installs secantusdb)');
}

function path(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter);
}

function find(program: string, directories: readonly string[]): string | undefined {
  return directories.map(directory => join(directory, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

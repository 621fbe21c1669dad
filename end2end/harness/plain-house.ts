// What a spec needs beside a provider that is a whole program of its own: ours and a database, on loopback without TLS.
// Ours is at `localhost` and the provider at 127.0.0.1, so that their cookies are apart.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Db } from 'mongodb';

import { Mongo } from './mongo.ts';
import { freePort } from './ports.ts';
import { Program } from './program.ts';

/** A `[[provider]]` of the settings. */
export interface Registration {
  readonly id: string;
  readonly issuer: string;
  readonly client: { readonly id: string; readonly secret: string };
  /** Beside those that are asked for anyway. */
  readonly scope?: string;
}

/** Where ours will be: providers must know it before it is started. */
export interface Site {
  readonly origin: string;
  readonly redirectUri: string;
  readonly postLogoutRedirectUri: string;
  readonly port: number;
}

export async function chooseSite(): Promise<Site> {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  return { origin, redirectUri: `${origin}/auth/oidc/callback`, postLogoutRedirectUri: `${origin}/auth/signed-out`, port };
}

export class PlainHouse {
  private constructor(
    readonly origin: string,
    readonly program: Program,
    readonly db: Db,
    readonly close: () => Promise<void>,
  ) {}

  /** Members of the group `staff` may sign in, those of `admins` are admins. */
  static async open({ origin, port }: Site, providers: readonly Registration[]): Promise<PlainHouse> {
    const directory = mkdtempSync(join(tmpdir(), 'vestibule-end2end-'));
    const undo: (() => Promise<void> | void)[] = [() => rmSync(directory, { recursive: true, force: true })];
    const close = async (): Promise<void> => {
      for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
    };
    try {
      const mongo = await Mongo.start(directory, `vestibule_end2end_plain_${process.pid}`);
      undo.push(() => mongo.stop());
      const program = await Program.start({ directory, port }, `
public_url = "${origin}"
listen = "127.0.0.1:${port}"
admin_listen = "127.0.0.1:${await freePort()}"
database = "${mongo.uri}"
secret_keys = ["${randomBytes(32).toString('base64url')}"]

[users]
allowed_groups = ["staff"]
admin_groups = ["admins"]
${providers.map(block).join('')}`);
      undo.push(() => program.stop());
      return new PlainHouse(origin, program, mongo.db, close);
    } catch (error) {
      await close();
      throw error;
    }
  }
}

function block({ id, issuer, client, scope }: Registration): string {
  return `
[[provider]]
id = "${id}"
issuer = "${issuer}"
client_id = "${client.id}"
client_secret = "${client.secret}"
${scope === undefined ? '' : `scopes = ["openid", "profile", "email", "${scope}"]`}
`;
}

// Two applications on unrelated domains and the host where their people sign in, as in life: browser -> nginx -> program or
// application, and the program as well as the browser -> nginx -> provider. One provider, so that nobody has to choose.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AutheliaProvider } from '../provider/authelia.ts';
import { BOARD_PREFIX, gate } from '../proxies/gate.ts';
import { Nginx } from '../proxies/nginx.ts';
import { Application } from './application.ts';
import { makeCertificates } from './certificates.ts';
import { BOARD, LOGIN_HOST, OP, WIKI } from './hosts.ts';
import { close, metadataOf, newClient, type Undo } from './house.ts';
import { freePort } from './ports.ts';
import { Program } from './program.ts';

/** An application behind the gate. */
export interface Place {
  readonly host: string;
  readonly origin: string;
  /** Where ours is on its host. */
  readonly prefix: string;
  readonly application: Application;
}

export interface GateParts {
  /** The login host. */
  readonly login: string;
  readonly wiki: Place;
  readonly board: Place;
  readonly provider: AutheliaProvider;
  readonly program: Program;
}

export class GateHouse {
  private constructor(
    readonly parts: GateParts,
    private readonly undo: Undo[],
  ) {}

  /** Of the wiki, `/public/` is everybody's and `/admin/` is bob's. */
  static async open(): Promise<GateHouse> {
    const undo: Undo[] = [];
    try {
      return new GateHouse(await build(undo), undo);
    } catch (error) {
      await close(undo);
      throw error;
    }
  }

  close(): Promise<void> {
    return close(this.undo);
  }
}

async function build(undo: Undo[]): Promise<GateParts> {
  const directory = mkdtempSync(join(tmpdir(), 'vestibule-end2end-'));
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  const certificates = makeCertificates(directory);
  const [port, providerPort, listen, adminListen, gateListen] = [
    await freePort(), await freePort(), await freePort(), await freePort(), await freePort(),
  ];
  const [login, wiki, board] = [
    `https://${LOGIN_HOST}:${port}`,
    await place(WIKI, port, '/auth', undo),
    await place(BOARD, port, BOARD_PREFIX, undo),
  ];
  const provider = await AutheliaProvider.start({
    issuer: `https://${OP}:${providerPort}/authelia`, client: newClient(), redirectUri: `${login}/auth/oidc/callback`,
  });
  undo.push(() => provider.stop());
  const fronts = {
    port, vestibule: listen, gate: gateListen, wiki: wiki.application.port, board: board.application.port,
    providers: { port: providerPort, authelia: provider.port },
  };
  const nginx = await Nginx.start(directory, certificates, gate(fronts, certificates));
  undo.push(() => nginx.stop());
  const program = await Program.start({ directory, port: listen }, `
public_url = "${login}"
listen = "127.0.0.1:${listen}"
admin_listen = "127.0.0.1:${adminListen}"
gate_listen = "127.0.0.1:${gateListen}"
database = "sqlite://${directory}/gate.db"
secret_keys = ["${randomBytes(32).toString('base64url')}"]
trusted_proxies = ["127.0.0.1/32"]

[[provider]]
id = "${provider.id}"
name = "${provider.name}"
issuer = "${provider.issuer}"
client_id = "${provider.client.id}"
client_secret = "${provider.client.secret}"
ca_file = "${certificates.authority}"

[[app]]
url = "${wiki.origin}"

[[app.rule]]
path = "/public/"
access = "anyone"

[[app.rule]]
path = "/admin/"
users = ["${provider.bob.login}"]

[[app]]
url = "${board.origin}"
prefix = "${board.prefix}"
token = true
`);
  undo.push(() => program.stop());
  await metadataOf(provider.id, login);
  return { login, wiki, board, provider, program };
}

export async function place(host: string, port: number, prefix: string, undo: Undo[]): Promise<Place> {
  const application = await Application.start();
  undo.push(() => application.stop());
  return { host, origin: `https://${host}:${port}`, prefix, application };
}

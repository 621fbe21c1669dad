// For a provider that logs people out by itself: two applications on unrelated domains and the host where their people sign
// in, behind nginx, and a second process on the same database, as behind a load balancer.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BOARD_PREFIX, gate } from '../proxies/gate.ts';
import { Nginx } from '../proxies/nginx.ts';
import { makeCertificates } from './certificates.ts';
import { place, type Place } from './gate-house.ts';
import { BOARD, LOGIN_HOST, OP, WIKI } from './hosts.ts';
import { close, type Undo } from './house.ts';
import type { Registration } from './plain-house.ts';
import { freePort } from './ports.ts';
import { Program } from './program.ts';

/** What a provider has to be told of us, and of itself. */
export interface Addresses {
  /** Where people and we find it. */
  readonly origin: string;
  /** Where it listens, without TLS. */
  readonly port: number;
  readonly redirectUri: string;
  readonly postLogoutRedirectUri: string;
  /** Of the first process, past nginx: it does not ask for a certificate that the provider would have to trust. */
  readonly backchannelLogoutUri: string;
}

/** Where proxies ask each process. */
export type Gates = readonly [string, string];

export class LogoutHouse {
  private constructor(
    readonly login: string,
    readonly places: readonly [Place, Place],
    readonly gates: Gates,
    readonly program: Program,
    private readonly undo: Undo[],
  ) {}

  /** `register` starts a provider that knows us. */
  static async open(register: (addresses: Addresses) => Promise<Registration>): Promise<LogoutHouse> {
    const undo: Undo[] = [];
    try {
      return await build(undo, register, (...parts) => new LogoutHouse(...parts, undo));
    } catch (error) {
      await close(undo);
      throw error;
    }
  }

  close(): Promise<void> {
    return close(this.undo);
  }
}

type Parts = [login: string, places: readonly [Place, Place], gates: Gates, program: Program];

async function build(
  undo: Undo[],
  register: (addresses: Addresses) => Promise<Registration>,
  made: (...parts: Parts) => LogoutHouse,
): Promise<LogoutHouse> {
  const directory = mkdtempSync(join(tmpdir(), 'vestibule-end2end-'));
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  const certificates = makeCertificates(directory);
  const [port, front, behind] = [await freePort(), await freePort(), await freePort()];
  const listens = [await freePort(), await freePort()] as const;
  const gates = [await freePort(), await freePort()] as const;
  const login = `https://${LOGIN_HOST}:${port}`;
  const [wiki, board] = [await place(WIKI, port, '/auth', undo), await place(BOARD, port, BOARD_PREFIX, undo)];
  const nginx = await Nginx.start(directory, certificates, gate({
    port, vestibule: listens[0], gate: gates[0], wiki: wiki.application.port, board: board.application.port,
    providers: { port: front, certified: behind, authelia: behind },
  }, certificates));
  undo.push(() => nginx.stop());
  const provider = await register({
    origin: `https://${OP}:${front}`,
    port: behind,
    redirectUri: `${login}/auth/oidc/callback`,
    postLogoutRedirectUri: `${login}/auth/signed-out`,
    backchannelLogoutUri: `http://127.0.0.1:${listens[0]}/auth/oidc/backchannel-logout`,
  });
  const secretKey = randomBytes(32).toString('base64url');
  const start = async (number: 0 | 1): Promise<Program> => {
    const home = mkdtempSync(join(directory, 'process-'));
    const program = await Program.start({ directory: home, port: listens[number] }, `
public_url = "${login}"
listen = "127.0.0.1:${listens[number]}"
admin_listen = "127.0.0.1:${await freePort()}"
gate_listen = "127.0.0.1:${gates[number]}"
database = "sqlite://${directory}/shared.db"
secret_keys = ["${secretKey}"]
trusted_proxies = ["127.0.0.1/32"]

[[provider]]
id = "${provider.id}"
issuer = "${provider.issuer}"
client_id = "${provider.client.id}"
client_secret = "${provider.client.secret}"
ca_file = "${certificates.authority}"

[[app]]
url = "${wiki.origin}"

[[app]]
url = "${board.origin}"
prefix = "${board.prefix}"
`);
    undo.push(() => program.stop());
    return program;
  };
  const program = await start(0);
  await start(1);
  const at = (gate: number): string => `http://127.0.0.1:${gate}`;
  return made(login, [wiki, board], [at(gates[0]), at(gates[1])], program);
}

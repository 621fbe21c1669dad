// Everything a spec needs, as in life: browser -> nginx -> (recorder) -> program -> MongoDB, and the program as well as
// the browser -> nginx -> two providers, on another site. Every port is free and every secret new.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import type { Db } from 'mongodb';

import { AutheliaProvider } from '../provider/authelia.ts';
import { CertifiedProvider } from '../provider/certified.ts';
import { Nginx } from '../proxies/nginx.ts';
import { Recorder } from '../proxies/recorder.ts';
import { signInOnly } from '../proxies/sign-in-only.ts';
import { Application } from './application.ts';
import { ask } from './ask.ts';
import { makeCertificates } from './certificates.ts';
import { OP, RP } from './hosts.ts';
import { Mongo } from './mongo.ts';
import { freePort } from './ports.ts';
import { Program } from './program.ts';

export type Undo = () => Promise<void> | void;

export interface Parts {
  readonly origin: string;
  readonly program: Program;
  readonly recorder: Recorder;
  readonly db: Db;
  readonly application: Application;
  readonly certified: CertifiedProvider;
  readonly authelia: AutheliaProvider;
  /** Every secret of the settings. */
  readonly secrets: readonly string[];
}

export class House {
  private constructor(
    readonly parts: Parts,
    private readonly undo: Undo[],
  ) {}

  static async open(): Promise<House> {
    const undo: Undo[] = [];
    try {
      return new House(await build(undo), undo);
    } catch (error) {
      await close(undo);
      throw error;
    }
  }

  close(): Promise<void> {
    return close(this.undo);
  }
}

async function build(undo: Undo[]): Promise<Parts> {
  const directory = mkdtempSync(join(tmpdir(), 'vestibule-end2end-'));
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  const certificates = makeCertificates(directory);
  const [application, providers, listen, adminListen] = [
    await freePort(), await freePort(), await freePort(), await freePort(),
  ];
  const origin = `https://${RP}:${application}`;
  const redirectUri = `${origin}/auth/oidc/callback`;
  const secretKey = randomBytes(32).toString('base64url');

  const mongo = await Mongo.start(directory, `vestibule_end2end_${process.pid}`);
  undo.push(() => mongo.stop());
  const certified = new CertifiedProvider({
    issuer: `https://${OP}:${providers}`, client: newClient(), redirectUri, postLogoutRedirectUri: `${origin}/auth/signed-out`,
  });
  const certifiedPort = await certified.listen();
  undo.push(() => certified.stop());
  const authelia = await AutheliaProvider.start({
    issuer: `https://${OP}:${providers}/authelia`, client: newClient(), redirectUri,
  });
  undo.push(() => authelia.stop());
  const beside = await Application.start();
  undo.push(() => beside.stop());
  const recorder = await Recorder.start(listen);
  undo.push(() => recorder.stop());
  const nginx = await Nginx.start(directory, certificates, signInOnly({
    application: { port: application, vestibule: recorder.port, application: beside.port },
    providers: { port: providers, certified: certifiedPort, authelia: authelia.port },
  }));
  undo.push(() => nginx.stop());

  const provider = ({ id, name, issuer, client }: CertifiedProvider | AutheliaProvider): string => `
[[provider]]
id = "${id}"
name = "${name}"
issuer = "${issuer}"
client_id = "${client.id}"
client_secret = "${client.secret}"
client_auth = "client_secret_basic"
ca_file = "${certificates.authority}"
`;
  const program = await Program.start({ directory, port: listen }, `
public_url = "${origin}"
listen = "127.0.0.1:${listen}"
admin_listen = "127.0.0.1:${adminListen}"
database = "${mongo.uri}"
secret_keys = ["${secretKey}"]
trusted_proxies = ["127.0.0.1/32"]
${provider(certified)}${provider(authelia)}`);
  undo.push(() => program.stop());
  await Promise.all([certified, authelia].map(({ id }) => metadataOf(id, origin)));
  return {
    origin, program, recorder, db: mongo.db, application: beside, certified, authelia,
    secrets: [secretKey, certified.client.secret, authelia.client.secret],
  };
}

/** Until the program has the provider's metadata, its login page says that the provider is away. */
export async function metadataOf(id: string, origin: string): Promise<void> {
  const starts = async (): Promise<boolean> => (await ask(origin, `/auth/oidc/login?provider=${id}`)).status === 303;
  while (!(await starts())) await setTimeout(100);
}

/** What was built last goes first. */
export async function close(undo: Undo[]): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
}

export function newClient(): { id: string; secret: string } {
  // With characters that must be form-encoded in Basic (RFC 6749 2.3.1).
  return { id: 'claudelens', secret: `${randomBytes(18).toString('base64url')}+%2F:&=` };
}

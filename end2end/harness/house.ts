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
import { ask, type Answer } from './ask.ts';
import { makeCertificates } from './certificates.ts';
import { OP, RP } from './hosts.ts';
import { Mongo } from './mongo.ts';
import { freePort } from './ports.ts';
import { Program, type Environment } from './program.ts';

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
  /** Starts the program anew: what it knows of the providers is how they are now. The next test finds it as it was. */
  readonly startAnew: (environment?: Environment) => Promise<void>;
  /** Starts it as it was, if it was started anew. The providers have to be well by then. */
  readonly startAsItWas: () => Promise<void>;
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
  const ids = [certified.id, authelia.id];
  await Promise.all(ids.map(id => metadataOf(id, origin)));
  let isAsItWas = true;
  return {
    origin, program, recorder, db: mongo.db, application: beside, certified, authelia,
    secrets: [secretKey, certified.client.secret, authelia.client.secret],
    startAnew: async environment => {
      isAsItWas = false;
      await program.stop();
      await program.restart(environment);
      // A start waits for the metadata, so that after it the program knows whether they are good.
      await Promise.all(ids.map(id => start(id, origin)));
    },
    startAsItWas: async () => {
      if (isAsItWas) return;
      await program.stop();
      await program.restart();
      await Promise.all(ids.map(id => metadataOf(id, origin)));
      isAsItWas = true;
    },
  };
}

/** Until the program has the provider's metadata, its login page says that the provider is away. */
export async function metadataOf(id: string, origin: string): Promise<void> {
  while ((await start(id, origin)).status !== 303) await setTimeout(100);
}

function start(id: string, origin: string): Promise<Answer> {
  return ask(origin, `/auth/oidc/login?provider=${id}`);
}

/** What was built last goes first. */
export async function close(undo: Undo[]): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
}

export function newClient(): { id: string; secret: string } {
  // With characters that must be form-encoded in Basic (RFC 6749 2.3.1).
  return { id: 'claudelens', secret: `${randomBytes(18).toString('base64url')}+%2F:&=` };
}

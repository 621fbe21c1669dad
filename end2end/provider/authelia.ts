// Our own test provider (crates/test-provider) in the profile that behaves as Authelia was measured to; it takes
// orders over HTTP on a second port.

import type { Page } from '@playwright/test';

import { built } from '../harness/built.ts';
import { Process } from '../harness/process.ts';
import type { IdentityProvider, Person, Redemption } from './provider.ts';

interface Settings {
  readonly issuer: string;
  readonly client: { readonly id: string; readonly secret: string };
  readonly redirectUri: string;
}

const ALICE = 'a11ce000-0000-4000-8000-000000000001';
const BOB = 'b0b00000-0000-4000-8000-000000000002';
const INCIDENT = '1dc1de00-0000-4000-8000-000000000003';

export class AutheliaProvider implements IdentityProvider {
  readonly id = 'authelia';
  readonly name = 'Authelia';
  readonly alice: Person = {
    login: 'alice', password: 'alice-demo', subject: ALICE, name: 'Alice Example', email: 'alice@example.com',
  };
  /** Has no e-mail address. */
  readonly bob: Person = { login: 'bob', password: 'bob-demo', subject: BOB, name: 'Bob Example' };
  /** 500 groups, 64 kB of access token, 4096-bit RS256, all claims in the ID token, a refresh token. */
  readonly incident: Person = {
    login: 'incident', password: 'incident-demo', subject: INCIDENT, name: 'Inci Dent', email: 'incident@example.com',
  };

  private constructor(
    private readonly settings: Settings,
    private readonly process: Process,
    private readonly control: string,
    /** Where it listens, without TLS. */
    readonly port: number,
  ) {}

  static async start(settings: Settings): Promise<AutheliaProvider> {
    const { issuer, client, redirectUri } = settings;
    const process = new Process({
      command: built('test-provider'),
      args: [
        '--profile', 'authelia', '--issuer', issuer, '--redirect-uri', redirectUri,
        `--client-id=${client.id}`, `--client-secret=${client.secret}`,
      ],
    });
    const { listen, control } = await process.ready(async () => {
      const line = process.output.split('\n').find(text => text.startsWith('{'));
      return line === undefined ? undefined : (JSON.parse(line) as { listen: string; control: string });
    });
    return new AutheliaProvider(settings, process, `http://${control}/__control`, Number(new URL(`http://${listen}`).port));
  }

  get issuer(): string {
    return this.settings.issuer;
  }

  get client(): { readonly id: string; readonly secret: string } {
    return this.settings.client;
  }

  async signIn(page: Page, { login, password }: Person): Promise<void> {
    await page.getByLabel('User name').fill(login);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  async asksForLogin(page: Page): Promise<void> {
    await page.getByLabel('Password').waitFor();
  }

  async confirmSignOut(): Promise<void> {
    // It cannot be asked to sign anybody out.
  }

  async delayTokens(ms: number): Promise<void> {
    await this.behave({ delay: { at: 'token', ms } });
  }

  async holdTokens(): Promise<void> {
    await this.#order({ hold: 'token' });
  }

  async release(): Promise<void> {
    await this.#order({ release: 'token' });
  }

  /** Misbehaves from now on, as `crates/test-provider/src/rules/behaviour.rs` says. */
  async behave(behaviour: object, times?: number): Promise<void> {
    await this.#order({ behave: { times: times ?? null, behaviour } });
  }

  /** Refuses connections until `up`. */
  async down(): Promise<void> {
    await this.#order('down');
  }

  async up(): Promise<void> {
    await this.#order('up');
  }

  async reset(): Promise<void> {
    await this.up();
    await this.#order('clear');
  }

  async redemptions(): Promise<Redemption[]> {
    return (await this.#order('redemptions')) as Redemption[];
  }

  stop(): Promise<void> {
    return this.process.stop();
  }

  async #order(order: unknown): Promise<unknown> {
    const answer = await fetch(this.control, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
    });
    if (!answer.ok) throw new Error(`the test provider refuses ${JSON.stringify(order)}: ${await answer.text()}`);
    return answer.json();
  }
}

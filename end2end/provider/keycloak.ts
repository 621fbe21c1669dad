// Keycloak itself, as tools/setup has installed it, with its data in memory. A realm is a provider of its own.

import type { Page } from '@playwright/test';

import { installed } from '../harness/built.ts';
import type { Registration } from '../harness/plain-house.ts';
import { freePort } from '../harness/ports.ts';
import { Process } from '../harness/process.ts';
import type { Person } from './provider.ts';

/** Whom every realm knows, and in which groups they are. */
const PEOPLE: readonly { login: string; name: string; groups: readonly string[] }[] = [
  { login: 'ada', name: 'Ada Example', groups: ['/staff', '/admins'] },
  { login: 'stella', name: 'Stella Example', groups: ['/staff'] },
  { login: 'guest', name: 'Guest Example', groups: [] },
];
const ADMIN = { username: 'admin', password: 'only for tests' };
// Half of the time that it takes to start goes into compiling what runs once.
const JAVA = '-Xms96m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError';
/** On two cores that do nothing else it takes 12 s. */
const READY_MS = 180_000;

export interface Realm {
  readonly name: string;
  readonly redirectUri: string;
  readonly postLogoutRedirectUri: string;
  /** Where it says that a session has ended. */
  readonly backchannelLogoutUri?: string;
  /** Members of the client, beside its name, secret and addresses. */
  readonly client?: object;
}

export class Keycloak {
  private constructor(
    private readonly process: Process,
    /** Where it listens. */
    private readonly address: string,
    /** Where others find it. */
    private readonly origin: string,
  ) {}

  /** Found where it listens, or behind a proxy. */
  static async start(front?: { readonly origin: string; readonly port: number }): Promise<Keycloak> {
    const port = front?.port ?? (await freePort());
    const address = `http://127.0.0.1:${port}`;
    const origin = front?.origin ?? address;
    const process = new Process({
      // So that it ends also when this process is killed.
      command: 'setpriv',
      args: [
        '--pdeathsig', 'TERM', installed('keycloak/bin/kc.sh'), 'start', '--optimized', '--cache=local', '--log-level=warn',
        '--http-enabled=true', '--http-host=127.0.0.1', `--http-port=${port}`, `--hostname=${origin}`,
        ...(front === undefined ? [] : ['--proxy-headers=xforwarded']),
      ],
      env: { JAVA_OPTS: JAVA, KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username, KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password },
    });
    const keycloak = new Keycloak(process, address, origin);
    try {
      await process.ready(async () => (await fetch(`${address}/realms/master/.well-known/openid-configuration`)).ok || undefined, READY_MS);
      return keycloak;
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  issuer(realm: string): string {
    return `${this.origin}/realms/${realm}`;
  }

  /** Makes a realm in which our program is registered; its settings are what comes back. */
  async add({ name, redirectUri, postLogoutRedirectUri, backchannelLogoutUri, client = {} }: Realm): Promise<Registration> {
    const { id, secret } = { id: 'vestibule', secret: crypto.randomUUID() };
    await this.#admin('POST', '', {
      realm: name,
      enabled: true,
      groups: [{ name: 'staff' }, { name: 'admins' }],
      users: PEOPLE.map(({ login, name, groups }) => ({
        username: login, enabled: true, groups, email: `${login}@example.com`, emailVerified: true,
        firstName: name.split(' ')[0], lastName: name.split(' ')[1],
        credentials: [{ type: 'password', value: login }],
      })),
      clients: [{
        clientId: id, secret, redirectUris: [redirectUri], protocol: 'openid-connect',
        attributes: {
          'post.logout.redirect.uris': postLogoutRedirectUri,
          ...backchannelLogoutUri && {
            'backchannel.logout.url': backchannelLogoutUri, 'backchannel.logout.session.required': 'true',
          },
        },
        // Without it Keycloak says nothing of groups.
        protocolMappers: [{
          name: 'groups', protocol: 'openid-connect', protocolMapper: 'oidc-group-membership-mapper',
          config: { 'claim.name': 'groups', 'full.path': 'false', 'id.token.claim': 'true', 'userinfo.token.claim': 'true' },
        }],
        ...client,
      }],
    });
    return { id: name, issuer: this.issuer(name), client: { id, secret } };
  }

  async person(realm: string, login: string): Promise<Person> {
    const [user] = (await this.#admin('GET', `/${realm}/users?exact=true&username=${login}`)) as [{ id: string }];
    const name = PEOPLE.find(person => person.login === login)?.name ?? '';
    return { login, password: login, subject: user.id, name, email: `${login}@example.com` };
  }

  /** How many sessions of that person Keycloak has. */
  async sessions(realm: string, { subject }: Person): Promise<number> {
    return ((await this.#admin('GET', `/${realm}/users/${subject}/sessions`)) as unknown[]).length;
  }

  /** How long a login page that is opened from now on may be left open. */
  async loginLifespan(realm: string, seconds: number): Promise<void> {
    // It keeps what it knows of the page for the longest of the three.
    await this.#admin('PUT', `/${realm}`, {
      accessCodeLifespanLogin: seconds, accessCodeLifespanUserAction: seconds, accessCodeLifespan: Math.min(seconds, 60),
    });
  }

  /** As an administrator does it: all sessions of the person end, and the clients are told. */
  async logOut(realm: string, { subject }: Person): Promise<void> {
    await this.#admin('POST', `/${realm}/users/${subject}/logout`);
  }

  /** A new key signs, and those that have signed before are gone. */
  async rotateKeys(realm: string): Promise<void> {
    const { id } = (await this.#admin('GET', `/${realm}`)) as { id: string };
    const query = `/${realm}/components?type=org.keycloak.keys.KeyProvider`;
    const old = (await this.#admin('GET', query)) as { id: string; providerId: string }[];
    await this.#admin('POST', `/${realm}/components`, {
      name: 'new', parentId: id, providerType: 'org.keycloak.keys.KeyProvider', providerId: 'rsa-generated',
      config: { priority: ['1000'], algorithm: ['RS256'] },
    });
    for (const { id, providerId } of old) {
      if (providerId === 'rsa-generated') await this.#admin('DELETE', `/${realm}/components/${id}`);
    }
  }

  /** Fills in the login form that `page` shows. */
  async signIn(page: Page, { login, password }: Person): Promise<void> {
    await page.getByLabel('Username or email').fill(login);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Sign In' }).click();
  }

  stop(): Promise<void> {
    return this.process.stop();
  }

  async #admin(method: string, path: string, body?: object): Promise<unknown> {
    // A token for each order: they live for a minute.
    const granted = await fetch(`${this.address}/realms/master/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...ADMIN }),
    });
    const { access_token } = (await granted.json()) as { access_token: string };
    const answer = await fetch(`${this.address}/admin/realms${path}`, {
      method,
      headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Keycloak refuses ${method} ${path} (${answer.status}): ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}

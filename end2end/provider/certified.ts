// The npm package oidc-provider, a certified OpenID Provider that no one here wrote, with the program registered as the
// first adopter's is at Authelia. Whoever types a name into its login form is that person.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Page } from '@playwright/test';
import Provider from 'oidc-provider';

import type { IdentityProvider, Person, Redemption } from './provider.ts';

interface Settings {
  readonly issuer: string;
  readonly client: { readonly id: string; readonly secret: string };
  readonly redirectUri: string;
  readonly postLogoutRedirectUri: string;
  /** Where it says that a session has ended. */
  readonly backchannelLogoutUri?: string;
}

export class CertifiedProvider implements IdentityProvider {
  readonly id = 'certified';
  readonly name = 'Example ID';
  /** Every token and code it has given out. */
  readonly issued = new Set<string>();
  readonly #provider: Provider;
  readonly #server: Server;
  readonly #codes = new Map<string, { presented: number; redeemed: number }>();
  #delay = 0;
  #held: { path: '/token' | '/session/end'; promise: Promise<void>; release: () => void } | undefined;

  constructor(private readonly settings: Settings) {
    this.#provider = new Provider(settings.issuer, {
      clients: [
        {
          client_id: settings.client.id,
          client_secret: settings.client.secret,
          token_endpoint_auth_method: 'client_secret_basic',
          redirect_uris: [settings.redirectUri],
          post_logout_redirect_uris: [settings.postLogoutRedirectUri],
          response_types: ['code'],
          grant_types: ['authorization_code'],
          scope: 'openid profile email',
          ...(settings.backchannelLogoutUri === undefined
            ? {}
            : { backchannel_logout_uri: settings.backchannelLogoutUri, backchannel_logout_session_required: true }),
        },
      ],
      claims: {
        // What stands beside `sub` is in the ID token.
        openid: ['sub', 'ballast'],
        profile: ['name', 'preferred_username', 'given_name', 'family_name'],
        email: ['email', 'email_verified'],
      },
      pkce: { required: () => false },
      findAccount: (_, login) => ({ accountId: login, claims: () => claims(login) }),
      features: {
        devInteractions: { enabled: false },
        rpInitiatedLogout: { enabled: true, logoutSource: (ctx, form) => void (ctx.body = logoutPage(form)) },
        backchannelLogout: { enabled: true },
      },
      // By itself it posts no logout token to a private address, and here all are.
      fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined } as RequestInit),
      interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
      // A form of ours may bring the browser to be signed out, with its cookies.
      enableHttpPostMethods: true,
      cookies: { keys: ['only for tests'], long: { httpOnly: true, sameSite: 'none', secure: true } },
      ttl: { AccessToken: 3_600, AuthorizationCode: 60, Grant: 3_600, IdToken: 3_600, Interaction: 600, Session: 3_600 },
      // The person is never asked for consent, as with Authelia's `implicit`.
      loadExistingGrant: async ctx => {
        const { oidc } = ctx;
        const { client, session } = oidc;
        if (client === undefined || session?.accountId === undefined) return undefined;
        // One for all tabs: a code of a grant that the session has replaced is refused.
        const known = session.grantIdFor(client.clientId);
        const kept = known === undefined ? undefined : await oidc.provider.Grant.find(known);
        if (kept !== undefined) return kept;
        const grant = new oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
        grant.addOIDCScope('openid profile email');
        await grant.save();
        return grant;
      },
    });
    // nginx ends TLS in front of it.
    this.#provider.proxy = true;
    this.#provider.use(async (ctx, next) => {
      if (ctx.path === '/token') {
        if (this.#delay > 0) await new Promise(resolve => setTimeout(resolve, this.#delay));
      }
      if (ctx.path === this.#held?.path) await this.#held.promise;
      await next();
      if (ctx.path === '/token') this.#log(ctx.oidc?.params?.['code'], ctx.status, ctx.body);
    });
    const answer = this.#provider.callback();
    this.#server = createServer((request, response) => {
      if (request.url?.startsWith('/interaction/')) {
        this.#interact(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
      } else {
        void answer(request, response);
      }
    });
  }

  get issuer(): string {
    return this.settings.issuer;
  }

  get client(): { readonly id: string; readonly secret: string } {
    return this.settings.client;
  }

  /** At any port, or at that one. */
  async listen(port = 0): Promise<number> {
    await new Promise<void>(resolve => this.#server.listen(port, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Somebody whom nobody has seen yet. */
  newcomer(): Person {
    return person(`person-${crypto.randomUUID().slice(0, 8)}`);
  }

  /** The same, with an ID token of some kilobytes. */
  heavyNewcomer(): Person {
    return person(`heavy-${crypto.randomUUID().slice(0, 8)}`);
  }

  async signIn(page: Page, { login }: Person): Promise<void> {
    await page.getByLabel('Name').fill(login);
    await page.getByRole('button', { name: 'Sign in' }).click();
  }

  async asksForLogin(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
  }

  /** The person changes their mind: `access_denied`. */
  async refuse(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Cancel' }).click();
  }

  async confirmSignOut(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Yes, sign me out' }).click();
  }

  async declineSignOut(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'No, stay signed in' }).click();
  }

  /** Whether it knows who is at the browser: then it asks nobody. */
  async knows(page: Page): Promise<boolean> {
    const session = (await page.context().cookies(this.issuer)).find(({ name }) => name === '_session');
    return session !== undefined && (await this.#provider.Session.find(session.value))?.accountId !== undefined;
  }

  async delayTokens(ms: number): Promise<void> {
    this.#delay = ms;
  }

  async holdTokens(): Promise<void> {
    this.#held = { path: '/token', ...deferred() };
  }

  /** Answers who comes to be signed out only after `release`. */
  async holdSignOut(): Promise<void> {
    this.#held = { path: '/session/end', ...deferred() };
  }

  async release(): Promise<void> {
    this.#held?.release();
    this.#held = undefined;
  }

  async reset(): Promise<void> {
    await this.release();
    this.#delay = 0;
    this.#codes.clear();
  }

  async redemptions(): Promise<Redemption[]> {
    return [...this.#codes.values()];
  }

  async stop(): Promise<void> {
    await this.release();
    this.#server.closeAllConnections();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  #log(code: unknown, status: number, body: unknown): void {
    if (typeof code !== 'string') return;
    const redemption = this.#codes.get(code) ?? { presented: 0, redeemed: 0 };
    redemption.presented += 1;
    if (status === 200) redemption.redeemed += 1;
    this.#codes.set(code, redemption);
    const tokens = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
    for (const secret of [code, tokens['access_token'], tokens['id_token']]) {
      if (typeof secret === 'string') this.issued.add(secret);
    }
  }

  async #interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      response.setHeader('content-type', 'text/html; charset=utf-8').end(LOGIN_FORM);
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const result = form.has('cancel')
      ? { error: 'access_denied', error_description: 'the person changed their mind' }
      : { login: { accountId: form.get('login') ?? '' } };
    await this.#provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
}

const LOGIN_FORM = `<!DOCTYPE html><html lang="en"><head><title>Example ID</title></head><body><h1>Example ID</h1>
<form method="post"><label>Name <input name="login" autofocus></label>
<button>Sign in</button> <button name="cancel" value="yes">Cancel</button></form></body></html>`;

function logoutPage(form: string): string {
  return `<!DOCTYPE html><html lang="en"><head><title>Example ID</title></head><body><h1>Do you want to sign out?</h1>${form}
<button form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>
<button form="op.logoutForm">No, stay signed in</button></body></html>`;
}

function person(login: string): Person {
  return { login, password: '', subject: login, name: `${login} Example`, email: `${login}@example.com` };
}

function claims(login: string): { sub: string; [claim: string]: string | boolean } {
  const { name, email } = person(login);
  return {
    sub: login,
    name,
    given_name: login,
    family_name: 'Example',
    preferred_username: login,
    email: email ?? '',
    email_verified: true,
    ...(login.startsWith('heavy-') ? { ballast: 'x'.repeat(4_000) } : {}),
  };
}

function deferred(): { promise: Promise<void>; release: () => void } {
  let release = (): void => undefined;
  const promise = new Promise<void>(resolve => {
    release = resolve;
  });
  return { promise, release };
}

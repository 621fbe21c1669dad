// Ory Hydra, as tools/setup has built it, with its data in memory. It leaves the pages for login and consent to others:
// whoever types a name into ours is that person, in the groups that are typed beside it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Page } from '@playwright/test';

import { installed } from '../harness/built.ts';
import type { Registration } from '../harness/plain-house.ts';
import { freePort } from '../harness/ports.ts';
import { Process } from '../harness/process.ts';
import { escaped } from '../harness/application.ts';

export class Hydra {
  private constructor(
    /** With a slash at its end. */
    readonly issuer: string,
    private readonly admin: string,
    private readonly process: Process,
    private readonly pages: Server,
  ) {}

  static async start(): Promise<Hydra> {
    const [port, adminPort] = [await freePort(), await freePort()];
    const [issuer, admin] = [`http://127.0.0.1:${port}/`, `http://127.0.0.1:${adminPort}/admin`];
    const pages = createServer((request, response) => {
      answer(admin, request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
    await new Promise<void>(resolve => pages.listen(0, '127.0.0.1', resolve));
    const page = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    const process = new Process({
      // So that it ends also when this process is killed. --dev: without TLS.
      command: 'setpriv',
      args: ['--pdeathsig', 'TERM', installed('bin/hydra'), 'serve', 'all', '--dev', '--sqa-opt-out'],
      env: {
        DSN: 'memory',
        SECRETS_SYSTEM: crypto.randomUUID(),
        SERVE_PUBLIC_HOST: '127.0.0.1',
        SERVE_PUBLIC_PORT: String(port),
        SERVE_ADMIN_HOST: '127.0.0.1',
        SERVE_ADMIN_PORT: String(adminPort),
        URLS_SELF_ISSUER: issuer,
        URLS_LOGIN: `${page}/login`,
        URLS_CONSENT: `${page}/consent`,
        LOG_LEVEL: 'warn',
      },
    });
    const hydra = new Hydra(issuer, admin, process, pages);
    try {
      await process.ready(async () => (await fetch(`${issuer}health/ready`)).ok || undefined, 60_000);
      return hydra;
    } catch (error) {
      await hydra.stop();
      throw error;
    }
  }

  /** Registers our program; its settings are what comes back. */
  async add(id: string, redirectUri: string): Promise<Registration> {
    const client = { id, secret: crypto.randomUUID() };
    await order(this.admin, 'POST', '/clients', {
      client_id: client.id, client_secret: client.secret, redirect_uris: [redirectUri],
      grant_types: ['authorization_code'], response_types: ['code'], scope: 'openid profile email',
      token_endpoint_auth_method: 'client_secret_basic',
    });
    return { id, issuer: this.issuer, client };
  }

  /** A new key signs from now on. */
  async rotateKeys(): Promise<void> {
    await order(this.admin, 'POST', '/keys/hydra.openid.id-token', { alg: 'RS256', use: 'sig', kid: crypto.randomUUID() });
  }

  /** Fills in the login form, and on the next page agrees or not. */
  async signIn(page: Page, name: string, groups: readonly string[], agrees = true): Promise<void> {
    await page.getByLabel('Name').fill(name);
    await page.getByLabel('Groups').fill(groups.join(' '));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: agrees ? 'Allow' : 'Deny' }).click();
  }

  async stop(): Promise<void> {
    await this.process.stop();
    this.pages.closeAllConnections();
    await new Promise<void>(resolve => this.pages.close(() => resolve()));
  }
}

async function order(admin: string, method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${admin}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Hydra refuses ${method} ${path} (${answer.status}): ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

/** The pages for login and consent: a form, and what becomes of it. */
async function answer(admin: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1');
  const kind = pathname === '/login' ? 'login' : 'consent';
  const query = `?${kind}_challenge=${encodeURIComponent(searchParams.get(`${kind}_challenge`) ?? '')}`;
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(form(`${pathname}${query}`, FIELDS[kind]));
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const given = new URLSearchParams(Buffer.concat(chunks).toString());
  const path = `/oauth2/auth/requests/${kind}`;
  const decide = async (): Promise<Record<string, unknown>> => {
    if (kind === 'login') {
      const context = { groups: (given.get('groups') ?? '').split(' ').filter(group => group !== '') };
      return order(admin, 'PUT', `${path}/accept${query}`, { subject: given.get('name') ?? '', context });
    }
    if (!given.has('allow')) {
      const refusal = { error: 'access_denied', error_description: 'The resource owner denied the request' };
      return order(admin, 'PUT', `${path}/reject${query}`, refusal);
    }
    const asked = await order(admin, 'GET', `${path}${query}`);
    const name = String(asked['subject']);
    return order(admin, 'PUT', `${path}/accept${query}`, {
      grant_scope: asked['requested_scope'],
      session: { id_token: { name: `${name} Example`, email: `${name}@example.com`, ...(asked['context'] as object) } },
    });
  };
  const { redirect_to: next } = await decide();
  response.writeHead(303, { location: String(next) }).end();
}

const FIELDS = {
  login: '<label>Name <input name="name"></label> <label>Groups <input name="groups"></label> <button>Sign in</button>',
  consent: '<button name="allow" value="yes">Allow</button> <button>Deny</button>',
};

function form(action: string, fields: string): string {
  return `<!DOCTYPE html><html lang="en"><title>Hydra</title><form method="post" action="${escaped(action)}">${fields}</form></html>`;
}

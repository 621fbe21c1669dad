// The application that people want to get to: it says where they are, unless a spec gives it pages of its own.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One of its pages, or a redirect, or a script. */
export interface Offer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const HTML = { 'content-type': 'text/html; charset=utf-8' };

export class Application {
  readonly #offers = new Map<string, Offer>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const target = request.url ?? '';
      const offer = this.#offers.get(target) ?? { body: document(`<p>${escaped(target)}</p>`) };
      response.writeHead(offer.status ?? 200, { ...HTML, ...offer.headers }).end(offer.body);
    });
  }

  static async start(): Promise<Application> {
    const application = new Application();
    await new Promise<void>(resolve => application.#server.listen(0, '127.0.0.1', resolve));
    return application;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Answers `path` with that from now on. */
  offer(path: string, offer: Offer): void {
    this.#offers.set(path, offer);
  }

  /** Forgets what specs gave it. */
  clear(): void {
    this.#offers.clear();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}

/** A page of it. */
export function document(body: string, head = ''): string {
  return `<!DOCTYPE html><html lang="en"><title>Application</title>${head}<h1>Application</h1>${body}</html>`;
}

/** Text for HTML, attributes included. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}

// The application that people want to get to: it says where they are, unless a spec gives it pages of its own, and keeps what
// it was sent.

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One of its pages, or a redirect, or a script. */
export interface Offer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A request that has got through to it. */
export interface Received {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const HTML = { 'content-type': 'text/html; charset=utf-8' };

export class Application {
  /** In the order in which they came. */
  readonly received: Received[] = [];
  readonly #offers = new Map<string, Offer>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const [method, target, body] = [request.method ?? '', request.url ?? '', [] as Buffer[]];
      request.on('data', (chunk: Buffer) => body.push(chunk));
      request.on('end', () => {
        this.received.push({ method, target, headers: request.headers, body: Buffer.concat(body).toString() });
        const offer = this.#offers.get(target) ?? { body: document(`<p>${escaped(target)}</p>`) };
        response.writeHead(offer.status ?? 200, { ...HTML, ...offer.headers }).end(offer.body);
      });
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

  /** The last request for `target`. */
  last(target: string): Received | undefined {
    return this.received.findLast(one => one.target === target);
  }

  /** Forgets what specs gave it, and what it was sent. */
  clear(): void {
    this.#offers.clear();
    this.received.length = 0;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}

/** A page of it, with an icon, or the browser asks for one by itself. */
export function document(body: string, head = ''): string {
  return `<!DOCTYPE html><html lang="en"><title>Application</title><link rel="icon" href="data:,">${head}<h1>Application</h1>${body}</html>`;
}

/** Text for HTML, attributes included. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}

// A TCP proxy between nginx and the program. It changes nothing and keeps what went over the wire, so that tests can
// count the bytes that nginx's buffers have to take, and it can play an upstream that has gone away.

import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

const HEAD_END = '\r\n\r\n';

/** One request and its answer. nginx opens a connection for each (deploy/sign-in-only/nginx.conf keeps none alive). */
export class Exchange {
  readonly #sent: Buffer[] = [];
  readonly #received: Buffer[] = [];
  request(chunk: Buffer): void {
    this.#sent.push(chunk);
  }

  response(chunk: Buffer): void {
    this.#received.push(chunk);
  }

  get requestLine(): string {
    return headOf(this.#sent).split('\r\n', 1)[0] ?? '';
  }

  get method(): string {
    return this.requestLine.split(' ')[0] ?? '';
  }

  /** Path and query. */
  get target(): string {
    return this.requestLine.split(' ')[1] ?? '';
  }

  get path(): string {
    return this.target.split('?')[0] ?? '';
  }

  /** A header of the request. */
  asked(name: string): string | undefined {
    return valuesOf(this.#sent, name)[0];
  }

  get status(): number {
    return Number(headOf(this.#received).split(' ')[1] ?? NaN);
  }

  /** Bytes of the answer's status line and headers, with the empty line: what nginx's buffer must hold. */
  get headBytes(): number {
    return Buffer.byteLength(headOf(this.#received), 'latin1');
  }

  /** Whether the answer is there in full (a browser that goes away early cuts it short). */
  get complete(): boolean {
    if (!headOf(this.#received).endsWith(HEAD_END)) return false;
    if (this.header('transfer-encoding') === 'chunked') {
      return Buffer.concat(this.#received).toString('latin1').endsWith('\r\n0\r\n\r\n');
    }
    return this.bytes >= this.headBytes + Number(this.header('content-length') ?? 0);
  }

  /** Bytes of the whole answer as sent. */
  get bytes(): number {
    return this.#received.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** All values of a header of the answer. */
  headers(name: string): string[] {
    return valuesOf(this.#received, name);
  }

  header(name: string): string | undefined {
    return this.headers(name)[0];
  }

  /** The answer's body, unpacked. */
  get body(): Buffer {
    const all = Buffer.concat(this.#received);
    const raw = all.subarray(this.headBytes);
    const whole = this.header('transfer-encoding') === 'chunked' ? unchunk(raw) : raw;
    switch (this.header('content-encoding')) {
      case undefined:
        return whole;
      case 'br':
        return brotliDecompressSync(whole);
      case 'gzip':
        return gunzipSync(whole);
      default:
        throw new Error(`unknown encoding of ${this.target}`);
    }
  }
}

function headOf(chunks: readonly Buffer[]): string {
  const text = Buffer.concat(chunks).toString('latin1');
  const end = text.indexOf(HEAD_END);
  return end < 0 ? text : text.slice(0, end + HEAD_END.length);
}

function valuesOf(chunks: readonly Buffer[], name: string): string[] {
  return headOf(chunks)
    .split('\r\n')
    .slice(1)
    .map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const)
    .filter(([key]) => key.toLowerCase() === name)
    .map(([, value]) => value);
}

function unchunk(raw: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = raw.indexOf('\r\n', at);
    if (line < 0) throw new Error('a chunked body without end');
    const size = parseInt(raw.toString('latin1', at, line), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(raw.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

interface Cut {
  readonly requestLine: RegExp;
  left: number;
}

export class Recorder {
  readonly exchanges: Exchange[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut: Cut | undefined;

  private constructor(private readonly upstream: number) {
    this.#server = createServer(client => this.#join(client));
  }

  static async start(upstream: number): Promise<Recorder> {
    const recorder = new Recorder(upstream);
    await new Promise<void>(resolve => recorder.#server.listen(0, '127.0.0.1', resolve));
    return recorder;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.exchanges.length = 0;
  }

  /** Those whose answer is there in full. */
  get answered(): Exchange[] {
    return this.exchanges.filter(({ complete }) => complete);
  }

  /** The answers to requests of this path. */
  of(path: string): Exchange[] {
    return this.exchanges.filter(exchange => exchange.path === path);
  }

  /** The next `times` connections with such a request are closed in the place of an answer. */
  cut(requestLine: RegExp, times: number): void {
    this.#cut = { requestLine, left: times };
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  #join(client: Socket): void {
    const exchange = new Exchange();
    const upstream = connect(this.upstream, '127.0.0.1');
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      // A side that goes away takes the other with it, as if there were no proxy.
      socket.on('error', () => socket.destroy());
    }
    upstream.on('close', () => client.destroySoon());
    client.on('close', () => upstream.destroy());
    client.once('data', () => this.exchanges.push(exchange));
    client.on('data', (chunk: Buffer) => {
      exchange.request(chunk);
      if (this.#isCut(exchange)) {
        upstream.destroy();
        client.resetAndDestroy();
      } else {
        upstream.write(chunk);
      }
    });
    client.on('end', () => upstream.end());
    upstream.on('data', (chunk: Buffer) => {
      exchange.response(chunk);
      client.write(chunk);
    });
    upstream.on('end', () => client.end());
  }

  #isCut(exchange: Exchange): boolean {
    if (this.#cut === undefined || this.#cut.left === 0 || !this.#cut.requestLine.test(exchange.requestLine)) return false;
    this.#cut.left -= 1;
    return true;
  }
}

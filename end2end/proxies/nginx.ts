// nginx with TLS, default buffers and timeouts; what it serves is up to `signInOnly` and `gate`.

import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';

import type { Certificates } from '../harness/certificates.ts';
import { OP } from '../harness/hosts.ts';
import { Process } from '../harness/process.ts';

/** What stands in the block `http`, and where it is reached. */
export interface Configuration {
  readonly http: string;
  readonly ports: readonly number[];
  /** What `http` includes, by its path beside nginx.conf. */
  readonly files: Readonly<Record<string, string>>;
}

/** The providers at `OP`. */
export interface Providers {
  readonly port: number;
  /** Answers /authelia. */
  readonly authelia: number;
  /** Answers everything else, if there is one. */
  readonly certified?: number;
}

export class Nginx {
  private constructor(private readonly process: Process) {}

  static async start(directory: string, certificates: Certificates, { http, ports, files }: Configuration): Promise<Nginx> {
    const home = join(directory, 'nginx');
    mkdirSync(join(home, 'tmp'), { recursive: true });
    for (const [name, text] of Object.entries({ ...files, 'nginx.conf': whole(home, certificates, http) })) {
      mkdirSync(dirname(join(home, name)), { recursive: true });
      writeFileSync(join(home, name), text);
    }
    const process = new Process({
      command: 'nginx',
      args: ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')],
      env: { PATH: `${globalThis.process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` },
    });
    for (const port of ports) await process.ready(() => answers(port));
    return new Nginx(process);
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

/** `text` with other addresses: each has to be there so many times. */
export function adapted(text: string, changes: readonly (readonly [string, string, number])[]): string {
  return changes.reduce((before, [from, to, times]) => {
    const found = before.split(from).length - 1;
    if (found !== times) throw new Error(`what is shipped has ${JSON.stringify(from)} ${found} times, not ${times}`);
    return before.replaceAll(from, to);
  }, text);
}

export function providerServer({ port, authelia, certified }: Providers): string {
  return `
    server {
        listen 127.0.0.1:${port} ssl;
        server_name ${OP};
        # The provider's own business: a bearer token of 64 kB has to get through to it.
        large_client_header_buffers 4 128k;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto https;
        ${certified === undefined ? '' : `location / { proxy_pass http://127.0.0.1:${certified}; }`}
        location /authelia { proxy_pass http://127.0.0.1:${authelia}; }
    }`;
}

function whole(home: string, { certificate, key }: Certificates, http: string): string {
  return `
daemon off;
master_process off;
pid ${home}/nginx.pid;
error_log ${home}/error.log info;
events {}
http {
    access_log ${home}/access.log;
    client_body_temp_path ${home}/tmp/body;
    proxy_temp_path ${home}/tmp/proxy;
    fastcgi_temp_path ${home}/tmp/fastcgi;
    uwsgi_temp_path ${home}/tmp/uwsgi;
    scgi_temp_path ${home}/tmp/scgi;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
${http}
}
`;
}

function answers(port: number): Promise<true | undefined> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(undefined));
  });
}

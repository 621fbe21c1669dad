// nginx in front of both sites: TLS, default buffers and timeouts, and in front of the program the configuration that
// is shipped (deploy/sign-in-only/nginx.conf), word for word but for the port.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';

import type { Certificates } from '../harness/certificates.ts';
import { Process } from '../harness/process.ts';

const SHIPPED = resolve(import.meta.dirname, '../../deploy/sign-in-only/nginx.conf');
const SHIPPED_UPSTREAM = 'http://127.0.0.1:3000;';

export interface Fronts {
  /** Where rp.test is served over TLS. */
  readonly application: {
    readonly port: number;
    /** The program, or the recorder in front of it. */
    readonly vestibule: number;
    /** The application beside it. */
    readonly application: number;
  };
  /** Where op.test is served over TLS. */
  readonly providers: {
    readonly port: number;
    /** Answers everything but /authelia. */
    readonly certified: number;
    /** Answers /authelia. */
    readonly authelia: number;
  };
}

export class Nginx {
  private constructor(private readonly process: Process) {}

  static async start(directory: string, certificates: Certificates, fronts: Fronts): Promise<Nginx> {
    const home = join(directory, 'nginx');
    mkdirSync(join(home, 'tmp'), { recursive: true });
    writeFileSync(join(home, 'vestibule.conf'), shipped(fronts.application.vestibule));
    writeFileSync(join(home, 'nginx.conf'), configuration(home, certificates, fronts));
    const process = new Process({
      command: 'nginx',
      args: ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')],
      env: { PATH: `${globalThis.process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` },
    });
    for (const { port } of [fronts.application, fronts.providers]) await process.ready(() => answers(port));
    return new Nginx(process);
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

function shipped(port: number): string {
  const text = readFileSync(SHIPPED, 'utf8');
  const places = text.split(SHIPPED_UPSTREAM).length - 1;
  if (places !== 2) throw new Error(`${SHIPPED} names its upstream in ${places} places, not in the two it speaks of`);
  return text.replaceAll(SHIPPED_UPSTREAM, `http://127.0.0.1:${port};`);
}

function configuration(home: string, { certificate, key }: Certificates, { application, providers }: Fronts): string {
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

    server {
        listen 127.0.0.1:${application.port} ssl;
        server_name rp.test;
        include ${home}/vestibule.conf;
        location / { proxy_pass http://127.0.0.1:${application.application}; }
    }

    server {
        listen 127.0.0.1:${providers.port} ssl;
        server_name op.test;
        # The provider's own business: a bearer token of 64 kB has to get through to it.
        large_client_header_buffers 4 128k;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto https;
        location / { proxy_pass http://127.0.0.1:${providers.certified}; }
        location /authelia { proxy_pass http://127.0.0.1:${providers.authelia}; }
    }
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

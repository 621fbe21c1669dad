// In front of an application with the program beside it: deploy/sign-in-only/nginx.conf, word for word but for the port.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { RP } from '../harness/hosts.ts';
import { adapted, providerServer, type Configuration, type Providers } from './nginx.ts';

const SHIPPED = resolve(import.meta.dirname, '../../deploy/sign-in-only/nginx.conf');

export interface Fronts {
  /** Where `RP` is served over TLS. */
  readonly application: {
    readonly port: number;
    /** The program, or the recorder in front of it. */
    readonly vestibule: number;
    /** The application beside it. */
    readonly application: number;
  };
  readonly providers: Providers;
}

export function signInOnly({ application, providers }: Fronts): Configuration {
  const upstream = [['http://127.0.0.1:3000;', `http://127.0.0.1:${application.vestibule};`, 2]] as const;
  return {
    files: { 'vestibule.conf': adapted(readFileSync(SHIPPED, 'utf8'), upstream) },
    ports: [application.port, providers.port],
    http: `
    server {
        listen 127.0.0.1:${application.port} ssl;
        server_name ${RP};
        include vestibule.conf;
        location / { proxy_pass http://127.0.0.1:${application.application}; }
    }
${providerServer(providers)}`,
  };
}

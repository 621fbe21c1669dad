// In front of two applications on unrelated domains and the host where their people sign in: deploy/nginx, word for word but
// for addresses. Of the board, which owns /auth/ itself, ours is below another prefix.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import type { Certificates } from '../harness/certificates.ts';
import { adapted, providerServer, type Configuration, type Providers } from './nginx.ts';

const SHIPPED = resolve(import.meta.dirname, '../../deploy/nginx');

export interface Fronts {
  /** Where all hosts are served over TLS. */
  readonly port: number;
  /** The program: its pages, and its checks. */
  readonly vestibule: number;
  readonly gate: number;
  /** The applications. */
  readonly wiki: number;
  readonly board: number;
  readonly providers: Providers;
}

/** Where the board's people find what is ours. */
export const BOARD_PREFIX = '/.vestibule';
/** A page of the wiki that nginx itself refuses to everybody. */
export const REFUSED = '/refused-by-nginx';

export function gate(fronts: Fronts, { certificate, key }: Certificates): Configuration {
  const read = (name: string): string => readFileSync(join(SHIPPED, name), 'utf8');
  const [forEach, boards] = ['include vestibule/gate.conf;', 'include vestibule/board.conf;'];
  const main = adapted(read('vestibule.conf'), [
    ['listen 443 ssl', `listen 127.0.0.1:${fronts.port} ssl`, 4],
    ['server 127.0.0.1:3004;', `server 127.0.0.1:${fronts.gate};`, 1],
    ['server 127.0.0.1:3000;', `server 127.0.0.1:${fronts.vestibule};`, 1],
    ['http://127.0.0.1:8080;', `http://127.0.0.1:${fronts.wiki};`, 1],
    ['http://127.0.0.1:8081;', `http://127.0.0.1:${fronts.board};`, 1],
    ['/etc/vestibule/tls/certificate.pem;', `${certificate};`, 1],
    ['/etc/vestibule/tls/key.pem;', `${key};`, 1],
    [`set $vestibule_host board.example.org;\n    ${forEach}`, `set $vestibule_host board.example.org;\n    ${boards}`, 1],
    [`set $vestibule_host wiki.example.com;\n    ${forEach}`, `set $vestibule_host wiki.example.com;\n    ${forEach}\n${REFUSING}`, 1],
  ]);
  const shared = ['application.conf', 'ask.conf', 'gate.conf', 'public.conf'];
  const files = Object.fromEntries(shared.map(name => [`vestibule/${name}`, read(`vestibule/${name}`)]));
  const board = adapted(read('vestibule/gate.conf'), [['location ^~ /auth/ {', `location ^~ ${BOARD_PREFIX}/ {`, 1]]);
  return {
    files: { ...files, 'vestibule/board.conf': board, 'gate.conf': main },
    ports: [fronts.port, fronts.providers.port],
    http: `    include gate.conf;\n${providerServer(fronts.providers)}`,
  };
}

const REFUSING = `    location = ${REFUSED} { include vestibule/application.conf; deny all; }`;

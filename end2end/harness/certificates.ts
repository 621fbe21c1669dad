// A test authority and one certificate for all test hosts, made anew for each run and valid for two days.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { HOSTS } from './hosts.ts';

export interface Certificates {
  /** PEM of the authority, for `ca_file`. */
  readonly authority: string;
  /** PEM of the hosts' certificate. */
  readonly certificate: string;
  /** PEM of its key. */
  readonly key: string;
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export function makeCertificates(directory: string): Certificates {
  const at = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  openssl(
    'req', '-x509', ...EC, '-days', '2', '-subj', '/CN=Vestibule test authority',
    '-keyout', at('authority.key'), '-out', at('authority.pem'),
    '-addext', 'keyUsage=critical,keyCertSign',
  );
  openssl('req', '-new', ...EC, '-subj', '/CN=rp.test', '-keyout', at('hosts.key'), '-out', at('hosts.csr'));
  const names = [...HOSTS.map(host => `DNS:${host}`), 'IP:127.0.0.1'].join(',');
  writeFileSync(
    at('hosts.ext'),
    `basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=${names}\n`,
  );
  openssl(
    'x509', '-req', '-days', '2', '-in', at('hosts.csr'), '-CA', at('authority.pem'), '-CAkey', at('authority.key'),
    '-CAcreateserial', '-extfile', at('hosts.ext'), '-out', at('hosts.pem'),
  );
  return { authority: at('authority.pem'), certificate: at('hosts.pem'), key: at('hosts.key') };
}

// Each spec starts the servers it needs (harness/house.ts), so nothing has to run before `npx playwright test`.

import { defineConfig } from '@playwright/test';

import { HOSTS } from './harness/hosts.ts';

// Providers that are whole programs of their own: `tools/setup keycloak` and `tools/setup hydra` install them.
const KEYCLOAK = '**/keycloak*.spec.ts';
const HYDRA = '**/hydra.spec.ts';
const WHOLE_PROVIDERS = [KEYCLOAK, HYDRA];

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  // One program, one database and two cores: tests share a house and do not run side by side.
  workers: 1,
  fullyParallel: false,
  forbidOnly: Boolean(process.env['CI']),
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list'], ['html', { open: 'never' }]],
  use: {
    browserName: 'chromium',
    // The certificates are made by the harness, for its own test authority (harness/certificates.ts).
    ignoreHTTPSErrors: true,
    locale: 'en-GB',
    timezoneId: 'UTC',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--disable-background-networking',
        // For what `ignoreHTTPSErrors` does not reach: a service worker's script.
        '--ignore-certificate-errors',
        `--host-resolver-rules=${HOSTS.map(host => `MAP ${host} 127.0.0.1`).join(', ')}`,
      ],
    },
  },
  projects: [
    { name: 'hydrated', testIgnore: WHOLE_PROVIDERS },
    { name: 'no-js', use: { javaScriptEnabled: false }, testIgnore: ['**/*.hydrate.spec.ts', ...WHOLE_PROVIDERS] },
    { name: 'keycloak', testMatch: KEYCLOAK },
    { name: 'hydra', testMatch: HYDRA },
  ],
});

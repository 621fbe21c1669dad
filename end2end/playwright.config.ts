// Each spec starts the servers it needs (harness/house.ts), so nothing has to run before `npx playwright test`.

import { defineConfig } from '@playwright/test';

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
        // Application and provider are different sites, as in life.
        '--host-resolver-rules=MAP rp.test 127.0.0.1, MAP op.test 127.0.0.1',
      ],
    },
  },
  projects: [
    { name: 'hydrated' },
    { name: 'no-js', use: { javaScriptEnabled: false }, testIgnore: '**/*.hydrate.spec.ts' },
  ],
});

// What every spec begins with: the house, and an eye on the browser's console.

import { expect, test as base, type ConsoleMessage } from '@playwright/test';

import { House, type Parts } from '../harness/house.ts';

interface WorkerFixtures {
  readonly house: Parts;
}

interface TestFixtures {
  /** Fails a test in which any page of ours said something on the console, CSP violations included. */
  readonly quiet: void;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  house: [
    async ({}, use) => {
      const house = await House.open();
      await use(house.parts);
      await house.close();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  baseURL: async ({ house }, use) => use(house.origin),
  quiet: [
    async ({ context, house }, use, testInfo) => {
      await Promise.all([house.certified.reset(), house.authelia.reset()]);
      house.recorder.clear();
      const said: string[] = [];
      context.on('console', message => {
        if (isOurs(message, house.origin)) said.push(`${message.location().url}: ${message.text()}`);
      });
      context.on('weberror', error => said.push(error.error().stack ?? error.error().message));
      await use();
      if (testInfo.status !== testInfo.expectedStatus) {
        await testInfo.attach('log of the program', { body: house.program.log, contentType: 'text/plain' });
      }
      expect(said, 'nothing is said on the console').toEqual([]);
    },
    { auto: true },
  ],
});

/** The browser's own remark on a page whose status is 4xx or 5xx is no fault of the page. */
function isOurs(message: ConsoleMessage, origin: string): boolean {
  const { url } = message.location();
  const isStatusOfPage = message.text().startsWith('Failed to load resource') && url === message.page()?.url();
  return !isStatusOfPage && (url === '' || url.startsWith(origin));
}

export { expect };

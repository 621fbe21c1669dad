// What every spec begins with: the house, and an eye on the browser's console.

import { expect, test as base, type BrowserContext, type Page } from '@playwright/test';

import { House, type Parts } from '../harness/house.ts';
import { Listener } from './console.ts';

interface WorkerFixtures {
  readonly house: Parts;
}

interface TestFixtures {
  /** What the browser itself may say in a test that makes requests fail. */
  readonly noise: RegExp | undefined;
  /** Fails a test in which any page of ours said something on the console, CSP violations included. */
  readonly quiet: (context: BrowserContext) => void;
  /** A page in a browser of its own, which knows nothing of the first. */
  readonly anotherBrowser: () => Promise<Page>;
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
  noise: [undefined, { option: true }],
  quiet: [
    async ({ context, house, noise }, use, testInfo) => {
      await Promise.all([house.certified.reset(), house.authelia.reset()]);
      await house.startAsItWas();
      house.recorder.clear();
      house.application.clear();
      const listener = new Listener([house.origin], noise);
      listener.listen(context);
      await use(to => listener.listen(to));
      if (testInfo.status !== testInfo.expectedStatus) {
        await testInfo.attach('log of the program', { body: house.program.log, contentType: 'text/plain' });
      }
      expect(listener.said, 'nothing is said on the console').toEqual([]);
    },
    { auto: true },
  ],
  anotherBrowser: async ({ browser, contextOptions, baseURL, javaScriptEnabled, quiet }, use) => {
    const opened: BrowserContext[] = [];
    await use(async () => {
      const context = await browser.newContext({
        ...contextOptions, ignoreHTTPSErrors: true, javaScriptEnabled, locale: 'en-GB', ...(baseURL === undefined ? {} : { baseURL }),
      });
      opened.push(context);
      quiet(context);
      return context.newPage();
    });
    await Promise.all(opened.map(context => context.close()));
  },
});

export { expect };

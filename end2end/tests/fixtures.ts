// What every spec begins with: the house, and an eye on the browser's console.

import { expect, test as base, type BrowserContext, type ConsoleMessage, type Page } from '@playwright/test';

import { House, type Parts } from '../harness/house.ts';

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
      house.recorder.clear();
      house.application.clear();
      const said: string[] = [];
      const listen = (to: BrowserContext): void => {
        to.on('console', message => {
          if (isOurs(message, house.origin) && !noise?.test(message.text())) said.push(`${message.location().url}: ${message.text()}`);
        });
        to.on('weberror', error => said.push(error.error().stack ?? error.error().message));
      };
      listen(context);
      await use(listen);
      if (testInfo.status !== testInfo.expectedStatus) {
        await testInfo.attach('log of the program', { body: house.program.log, contentType: 'text/plain' });
      }
      expect(said, 'nothing is said on the console').toEqual([]);
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

/** The browser's own remark on a page whose status is 4xx or 5xx is no fault of the page. */
function isOurs(message: ConsoleMessage, origin: string): boolean {
  const { url } = message.location();
  const isStatusOfPage = message.text().startsWith('Failed to load resource') && url === message.page()?.url();
  return !isStatusOfPage && (url === '' || url.startsWith(origin));
}

export { expect };

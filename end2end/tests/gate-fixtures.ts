// What every spec of the gate begins with: its house, nobody signed in anywhere, and an eye on the browser's console.

import { expect, test as base, type BrowserContext, type Page } from '@playwright/test';

import { GateHouse, type GateParts } from '../harness/gate-house.ts';
import { Listener } from './console.ts';

interface WorkerFixtures {
  readonly gate: GateParts;
}

interface TestFixtures {
  /** What the browser itself may say in a test that makes requests fail. */
  readonly noise: RegExp | undefined;
  /** Fails a test in which any page, of ours or of an application, said something on the console. */
  readonly quiet: (context: BrowserContext) => void;
  /** A page in a browser of its own, which knows nothing of the first. */
  readonly anotherBrowser: () => Promise<Page>;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  gate: [
    async ({}, use) => {
      const house = await GateHouse.open();
      await use(house.parts);
      await house.close();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  baseURL: async ({ gate }, use) => use(gate.login),
  noise: [undefined, { option: true }],
  quiet: [
    async ({ context, gate, noise }, use, testInfo) => {
      await gate.provider.reset();
      for (const { application } of [gate.wiki, gate.board]) application.clear();
      const listener = new Listener([gate.login, gate.wiki.origin, gate.board.origin], noise);
      listener.listen(context);
      await use(to => listener.listen(to));
      if (testInfo.status !== testInfo.expectedStatus) {
        await testInfo.attach('log of the program', { body: gate.program.log, contentType: 'text/plain' });
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

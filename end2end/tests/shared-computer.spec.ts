// A computer that several people use: after sign-out, Back to any page of the former sign-in signs nobody in and shows
// nothing of the person. The provider still knows them all the while; that is its own business, and the worst case for us.

import type { CDPSession, Page } from '@playwright/test';

import type { Parts } from '../harness/house.ts';
import { expect, test as base } from './fixtures.ts';
import { ACCOUNT, CALLBACK, LOGIN, SESSION_COOKIE, SIGNED_OUT, codesRedeemedOnce, signIn, waitAt } from './steps.ts';

const WANTED = '/reports/42';

const test = base.extend({
  // Playwright turns it off, since its own `goBack` never hears of a page that comes out of it.
  launchOptions: [
    async ({ launchOptions }, use) => use({ ...launchOptions, ignoreDefaultArgs: ['--disable-back-forward-cache'] }),
    { scope: 'worker' },
  ],
});

interface Seen {
  readonly url: string;
  /** Whether the browser had kept the page as it was. */
  readonly kept: boolean;
  readonly text: string;
}

/** One step back; `undefined` at the first page. */
async function back(browser: CDPSession): Promise<Seen | undefined> {
  const { currentIndex, entries } = await browser.send('Page.getNavigationHistory');
  const entry = entries[currentIndex - 1];
  if (entry === undefined) return undefined;
  const navigated = new Promise<{ type?: string }>(resolve => browser.once('Page.frameNavigated', resolve));
  await browser.send('Page.navigateToHistoryEntry', { entryId: entry.id });
  const { type } = await navigated;
  const text = await evaluate(browser, 'document.body.innerText');
  return { url: await evaluate(browser, 'location.href'), kept: type === 'BackForwardCacheRestore', text };
}

async function evaluate(browser: CDPSession, expression: string): Promise<string> {
  const complete = { expression: 'document.readyState === "complete"' };
  await expect.poll(async () => (await browser.send('Runtime.evaluate', complete)).result.value as boolean).toBe(true);
  return (await browser.send('Runtime.evaluate', { expression })).result.value as string;
}

async function devtools(page: Page): Promise<CDPSession> {
  const browser = await page.context().newCDPSession(page);
  await browser.send('Page.enable');
  return browser;
}

/** Signs in by way of every page there is, and out again. */
async function inAndOut(page: Page, { authelia }: Parts): Promise<void> {
  await authelia.holdTokens();
  await waitAt(page, authelia, authelia.alice, WANTED);
  await authelia.release();
  await page.waitForURL(WANTED);
  await page.goto(ACCOUNT);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
}

test('Back shows pages that the browser has kept, where it may', async ({ page }) => {
  const browser = await devtools(page);
  // That this browser does so at all; it may decline, and does where anything of the page is still under way.
  await expect(async () => {
    await page.goto('/kept');
    await page.goto('/elsewhere');
    expect(await back(browser)).toMatchObject({ kept: true });
  }).toPass({ timeout: 30_000 });
});

test('Back through the whole former sign-in, after sign-out, shows nobody', async ({ page, house }) => {
  const { authelia, origin } = house;
  const browser = await devtools(page);
  await inAndOut(page, house);
  const seen: Seen[] = [];
  for (let step = await back(browser); step !== undefined; step = await back(browser)) seen.push(step);
  expect(seen.map(({ url }) => new URL(url).pathname)).toContain(LOGIN);
  for (const { url, text } of seen.filter(({ url }) => url.startsWith(origin))) {
    expect(text, url).not.toContain(authelia.alice.name);
    expect(text, url).not.toContain(authelia.alice.email ?? '');
  }
  expect((await page.context().cookies(origin)).map(({ name }) => name)).not.toContain(SESSION_COOKIE);
  expect(await codesRedeemedOnce(authelia)).toBe(1);
});

test('Back to the account page, after sign-out in another tab, shows nobody', async ({ page, context, house }) => {
  const { certified } = house;
  const person = certified.newcomer();
  const browser = await devtools(page);
  await signIn(page, certified, person);
  await page.goto('/elsewhere');
  const other = await context.newPage();
  await other.goto(ACCOUNT);
  await other.getByRole('button', { name: 'Sign out' }).click();
  await other.waitForURL(url => url.pathname === SIGNED_OUT);
  await page.bringToFront();
  const seen = await back(browser);
  expect(new URL(seen?.url ?? '').pathname).toBe(LOGIN);
  expect(seen?.text).not.toContain(person.name);
});

test('no address of the former sign-in, opened after sign-out, signs anybody in', async ({ page, house }) => {
  const { authelia, recorder, origin } = house;
  await inAndOut(page, house);
  const addresses = new Set(recorder.of(CALLBACK).map(({ target }) => target));
  expect(addresses.size).toBeGreaterThan(1);
  for (const address of [...addresses, ACCOUNT]) {
    await page.goto(`${origin}${address}`);
    await expect(page.locator('body')).not.toContainText(authelia.alice.name);
    expect((await page.context().cookies(origin)).map(({ name }) => name)).not.toContain(SESSION_COOKIE);
  }
  expect(new URL(page.url()).pathname).toBe(LOGIN);
  expect(await codesRedeemedOnce(authelia)).toBe(1);
});

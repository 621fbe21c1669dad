// A computer that several people use: after sign-out, Back to any page of the former sign-in signs nobody in and shows
// nothing of the person, and the next person is asked who they are. The provider may know the former one all the while; that
// is the worst case for us.

import type { CDPSession, Page } from '@playwright/test';

import type { Parts } from '../harness/house.ts';
import { expect, test as base } from './fixtures.ts';
import {
  ACCOUNT, CALLBACK, LOGIN, LOGOUT, SESSION_COOKIE, SIGNED_OUT, button, codesRedeemedOnce, loginFor, signIn, signInAt,
  signOut, waitAt,
} from './steps.ts';

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
  await signOut(page, authelia);
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
  await signOut(other, certified);
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

test('the next person is asked who they are, at a provider that still knows the one before', async ({ page, house }) => {
  const { authelia } = house;
  await signIn(page, authelia, authelia.alice);
  await signOut(page, authelia);
  await expect(page.getByText(`You are still signed in at ${authelia.name}.`)).toBeVisible();
  await page.getByRole('link', { name: 'Sign in again' }).click();
  await button(page, authelia).click();
  await authelia.asksForLogin(page);
  await authelia.signIn(page, authelia.bob);
  await page.goto(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(authelia.bob.name);
});

test('the next person is asked, also if the one before chose to stay signed in at the provider', async ({ page, house, javaScriptEnabled }) => {
  const { certified } = house;
  const [person, next] = [certified.newcomer(), certified.newcomer()];
  await signIn(page, certified, person);
  await page.getByRole('button', { name: 'Sign out' }).click();
  // It sends them back all the same, with our `state`.
  await certified.declineSignOut(page);
  await page.waitForURL(url => url.pathname === SIGNED_OUT && url.searchParams.has('state'));
  expect(await certified.knows(page)).toBe(true);
  await signInAt(page, certified, next, ACCOUNT);
  if (javaScriptEnabled === false) await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(next.name);
});

test('the next person is asked, also if the provider never answered', async ({ page, house }) => {
  const { certified } = house;
  const person = certified.newcomer();
  await signIn(page, certified, person);
  await certified.holdSignOut();
  await page.getByRole('button', { name: 'Sign out' }).click({ noWaitAfter: true });
  // Our page stays, as long as the browser waits for the next one; until then it lets nobody look into it.
  await expect.poll(() => house.recorder.of(LOGOUT).map(({ body }) => body.toString())).toEqual([
    expect.stringContaining('As long as you see this page, that has not happened yet.'),
  ]);
  await expect.poll(() => new URL(page.url()).pathname).toBe(LOGOUT);
  // In a tab of its own: the one that waits goes on to the provider whenever the browser pleases.
  const tab = await page.context().newPage();
  await tab.goto(loginFor(ACCOUNT));
  await button(tab, certified).click();
  await certified.asksForLogin(tab);
  await certified.release();
});

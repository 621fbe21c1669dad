// Twenty tabs of one browser. Each lands where it wanted to go, none is a loop, and no code is spent twice.

import type { BrowserContext, Page } from '@playwright/test';

import { expect, test } from './fixtures.ts';
import {
  ACCOUNT, FLOW_COOKIE, SESSION_COOKIE, codesRedeemedOnce, signIn, startAt, usersOf,
} from './steps.ts';

const TABS = 20;

test.setTimeout(120_000);

function tabs(context: BrowserContext): Promise<Page[]> {
  return Promise.all(Array.from({ length: TABS }, () => context.newPage()));
}

/** That the browser holds our two cookies and no more, however many tabs there were. */
async function expectSmallCookies(context: BrowserContext, origin: string): Promise<void> {
  const cookies = await context.cookies(origin);
  expect(cookies.map(({ name }) => name).sort()).toEqual([SESSION_COOKIE, FLOW_COOKIE]);
  expect(cookies.reduce((sum, { name, value }) => sum + name.length + value.length, 0)).toBeLessThan(250);
}

test('twenty tabs begun together and finished in reverse order each land on their own page', async ({ context, house }) => {
  const { certified } = house;
  const person = certified.newcomer();
  const opened = await tabs(context);
  // The first brings the cookie; twenty without one are the next test.
  await opened[0]?.goto(startAt(certified, '/tabs/0'));
  await Promise.all(opened.slice(1).map((tab, n) => tab.goto(startAt(certified, `/tabs/${n + 1}`))));
  for (const [n, tab] of [...opened.entries()].reverse()) {
    await tab.bringToFront();
    await certified.signIn(tab, person);
    await tab.waitForURL(`/tabs/${n}`);
  }
  expect(await codesRedeemedOnce(certified)).toBe(TABS);
  expect(await usersOf(house, certified, person)).toHaveLength(1);
  await expectSmallCookies(context, house.origin);
});

for (const [which, pageOf] of [['their own pages', (n: number) => `/tabs/${n}`], ['the same page', () => '/tabs']] as const) {
  test(`twenty tabs restored at the same moment for ${which}, in a browser that has lost our cookies`, async ({ page, context, house }) => {
    const { certified } = house;
    const person = certified.newcomer();
    await signIn(page, certified, person);
    await context.clearCookies({ domain: 'rp.test' });
    await certified.reset();
    const opened = await tabs(context);
    await Promise.all(opened.map((tab, n) => tab.goto(startAt(certified, pageOf(n)))));
    for (const [n, tab] of opened.entries()) await tab.waitForURL(pageOf(n));
    // Some find the person signed in by another tab and need no code.
    expect(await codesRedeemedOnce(certified)).toBeGreaterThan(0);
    expect(await usersOf(house, certified, person)).toHaveLength(1);
    await expectSmallCookies(context, house.origin);
  });
}

test('twenty tabs opened one after the other for the same page while signed in are no loop', async ({ page, context, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  for (let n = 0; n < TABS; n += 1) {
    const tab = await context.newPage();
    await tab.goto(startAt(house.certified, '/tabs'));
    await tab.waitForURL('/tabs');
  }
});

test('twenty tabs restored for the same page while signed in are no loop', async ({ page, context, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  const opened = await tabs(context);
  await Promise.all(opened.map(tab => tab.goto(startAt(house.certified, '/tabs'))));
  for (const tab of opened) await tab.waitForURL('/tabs');
  await page.goto(ACCOUNT);
  await page.waitForURL(ACCOUNT);
});

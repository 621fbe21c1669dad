// Many tabs of one browser: they share its cookies and nothing else.

import type { BrowserContext, Page } from '@playwright/test';

import type { IdentityProvider, Person } from '../provider/provider.ts';
import type { Parts } from '../harness/house.ts';
import { expect, test } from './fixtures.ts';
import { FLOW_COOKIE, SESSION_COOKIE, signIn, startAt, usersOf } from './steps.ts';

const TABS = 20;

test.setTimeout(240_000);

function open(context: BrowserContext): Promise<Page[]> {
  return Promise.all(Array.from({ length: TABS }, () => context.newPage()));
}

async function expectOneOfEach(house: Parts, context: BrowserContext, provider: IdentityProvider, person: Person): Promise<void> {
  const ours = (await context.cookies(house.origin)).sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(ours.map(({ name }) => name)).toEqual([SESSION_COOKIE, FLOW_COOKIE]);
  expect(ours.reduce((sum, { name, value }) => sum + name.length + value.length, 0)).toBeLessThan(512);
  expect(await usersOf(house, provider, person)).toHaveLength(1);
  const redemptions = await provider.redemptions();
  expect(redemptions.every(({ presented, redeemed }) => presented === 1 && redeemed === 1)).toBe(true);
}

test('twenty tabs begun together and finished in another order each land on their own page', async ({ context, house }) => {
  const { authelia } = house;
  const tabs = await open(context);
  await Promise.all(tabs.map((tab, n) => tab.goto(startAt(authelia, `/reports/${n}`))));
  for (const [place] of tabs.entries()) {
    // 7 and 20 have no common factor: each tab once, and none after its neighbour.
    const n = (place * 7 + 3) % TABS;
    const tab = tabs[n] as Page;
    await authelia.signIn(tab, authelia.alice);
    await tab.waitForURL(`/reports/${n}`);
  }
  await expectOneOfEach(house, context, authelia, authelia.alice);
});

test('twenty tabs restored at the same moment in a browser without a cookie each land on their own page', async ({ page, context, house }) => {
  const { certified } = house;
  const person = certified.newcomer();
  await signIn(page, certified, person);
  // What is left is that the provider knows the person.
  await context.clearCookies({ domain: 'rp.test' });
  const tabs = await open(context);
  await Promise.all(
    tabs.map(async (tab, n) => {
      await tab.goto(startAt(certified, `/reports/${n}`));
      await tab.waitForURL(`/reports/${n}`, { timeout: 120_000 });
    }),
  );
  await expectOneOfEach(house, context, certified, person);
});

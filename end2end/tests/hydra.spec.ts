// Ory Hydra, a certified provider with strict answers.

import { expect, test as base, type Page } from '@playwright/test';

import { PlainHouse, chooseSite } from '../harness/plain-house.ts';
import { Hydra } from '../provider/hydra.ts';
import { ACCOUNT, START, expectProblem } from './steps.ts';

interface Real {
  readonly hydra: Hydra;
  readonly house: PlainHouse;
}

const test = base.extend<object, { real: Real }>({
  real: [
    async ({}, use) => {
      const hydra = await Hydra.start();
      try {
        const site = await chooseSite();
        const good = await hydra.add('good', site.redirectUri);
        const mistyped = { ...good, id: 'mistyped', client: { ...good.client, secret: 'not the one that is registered' } };
        const house = await PlainHouse.open(site, [good, mistyped]);
        await use({ hydra, house });
        await house.close();
      } finally {
        await hydra.stop();
      }
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  baseURL: async ({ real }, use) => use(real.house.origin),
});

/** As far as Hydra's login page. */
async function start(page: Page, provider: string): Promise<void> {
  await page.goto(`${START}?${new URLSearchParams({ provider, return_to: ACCOUNT })}`);
}

test('a member of a group that may sign in does, before and after Hydra has changed its key', async ({ page, context, real: { hydra, house } }) => {
  for (const rotated of [false, true]) {
    if (rotated) await hydra.rotateKeys();
    await context.clearCookies();
    await start(page, 'good');
    await hydra.signIn(page, 'ada', ['staff', 'admins']);
    await page.waitForURL(ACCOUNT);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('ada Example');
  }
  const users = await house.db.collection('users').find({ issuer: hydra.issuer, subject: 'ada' }).toArray();
  expect(users.map(user => user['role'])).toEqual(['admin']);
});

test('someone in no group is told so', async ({ page, real: { hydra } }) => {
  await start(page, 'good');
  await hydra.signIn(page, 'guest', []);
  await expectProblem(page, 'not_allowed');
});

test('a wrong client secret is said to be about the client', async ({ page, real: { hydra, house } }) => {
  await start(page, 'mistyped');
  await hydra.signIn(page, 'ada', ['staff']);
  await expectProblem(page, 'client_refused');
  await expect.poll(() => house.program.log).toContain('invalid_client');
});

test('who does not consent is told so', async ({ page, real: { hydra } }) => {
  await start(page, 'good');
  await hydra.signIn(page, 'ada', ['staff'], false);
  await expectProblem(page, 'access_denied');
});

// A provider that is away or fails: the login page says so before one clicks, who has clicked is told, and both notice
// by themselves when it is well again.

import type { Page } from '@playwright/test';

import type { Parts } from '../harness/house.ts';
import { expectAccessible } from './axe.ts';
import { expect, test } from './fixtures.ts';
import { LOGIN, atCallback, expectProblem, signInAt, startAt, waitAt } from './steps.ts';

const WANTED = '/reports/42';
test.use({ noise: /ERR_FAILED|status of (424|503)/ });

/** Opens an address whose page stays as it is while axe looks at it. */
async function openStill(page: Page, { recorder }: Parts, address: string): Promise<void> {
  // Not even at nginx's second try.
  recorder.cut(/^GET \/auth\/assets\/again\.js/, 2);
  await page.goto(address);
}

test('a provider that is away is named before one clicks, and what waits for it goes on by itself', async ({ page, context, house }) => {
  const { authelia, program } = house;
  await authelia.down();
  await program.stop();
  await program.restart();
  const still = await context.newPage();
  await openStill(still, house, LOGIN);
  const note = 'Authelia cannot be reached at the moment.';
  await expect(still.getByText(note)).toBeVisible();
  await expectAccessible(still);
  await openStill(still, house, startAt(authelia, WANTED));
  await expectProblem(still, 'sign_in_unavailable');
  await expectAccessible(still);

  await page.goto(startAt(authelia, WANTED));
  await expectProblem(page, 'sign_in_unavailable');
  const login = await context.newPage();
  await login.goto(LOGIN);
  await authelia.up();
  await expect(login.getByText(note)).toBeHidden({ timeout: 30_000 });
  await page.bringToFront();
  await authelia.signIn(page, authelia.alice);
  await page.waitForURL(WANTED);
});

test('a provider that fails in a row is left alone, and who waits for it goes on by itself', async ({ page, house }) => {
  const { authelia } = house;
  await authelia.behave({ fault: { at: 'token', fault: { answer: { status: 500 } } } });
  await atCallback(page, 424, () => signInAt(page, authelia, authelia.alice, WANTED));
  // Who comes after the pause is a trial, which makes the next pause longer.
  const down = page.getByText('provider_down', { exact: true });
  while (!(await down.isVisible())) await openStill(page, house, startAt(authelia, WANTED));
  await expectAccessible(page);
  await authelia.reset();
  await page.reload();
  await page.waitForURL(WANTED, { timeout: 45_000 });
});

test('axe finds nothing on a waiting page whose panel does not come', async ({ page, house }) => {
  await page.route(/\/boot\.js/, route => route.abort());
  await house.authelia.holdTokens();
  await waitAt(page, house.authelia, house.authelia.alice, WANTED);
  await expectAccessible(page);
});

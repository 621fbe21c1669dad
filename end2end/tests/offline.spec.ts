// A browser that is away for a while: offline, closed, or looking elsewhere.

import { expect, test } from './fixtures.ts';
import { ACCOUNT, codesRedeemedOnce, startAt, waitAt } from './steps.ts';

const WANTED = '/reports/42';

test.beforeEach(({ house }) => house.authelia.holdTokens());

test('a waiting page that was closed is opened again by its address, and signs in', async ({ page, context, house }) => {
  const { authelia } = house;
  const waiting = await waitAt(page, authelia, authelia.alice, WANTED);
  await page.close();
  await authelia.release();
  const again = await context.newPage();
  await again.goto(waiting.url());
  await again.waitForURL(WANTED);
  await again.goto(ACCOUNT);
  await expect(again.getByRole('heading', { level: 1 })).toHaveText(authelia.alice.name);
  expect(await codesRedeemedOnce(authelia)).toBe(1);
});

test('a waiting page behind another tab signs in', async ({ page, context, house }) => {
  const { authelia } = house;
  await waitAt(page, authelia, authelia.alice, WANTED);
  const front = await context.newPage();
  await front.bringToFront();
  await front.goto('/elsewhere');
  await authelia.release();
  await page.waitForURL(WANTED);
  expect(await codesRedeemedOnce(authelia)).toBe(1);
});

test.describe('offline', () => {
  test.use({ noise: /ERR_INTERNET_DISCONNECTED/ });

  test('a waiting page that is loaded anew while offline signs in once the browser is back', async ({ page, context, house }) => {
    const { authelia } = house;
    const waiting = await waitAt(page, authelia, authelia.alice, WANTED);
    await context.setOffline(true);
    await expect(page.goto(waiting.url())).rejects.toThrow();
    await authelia.release();
    await context.setOffline(false);
    await page.goto(waiting.url());
    await page.waitForURL(WANTED);
    expect(await codesRedeemedOnce(authelia)).toBe(1);
  });

  test('a browser that goes offline at the provider signs in once it is back', async ({ page, context, house }) => {
    const { authelia } = house;
    await authelia.release();
    await page.goto(startAt(authelia, WANTED));
    await context.setOffline(true);
    await authelia.signIn(page, authelia.alice);
    await page.waitForURL(/^chrome-error:/);
    await context.setOffline(false);
    await page.goBack();
    await authelia.signIn(page, authelia.alice);
    await page.waitForURL(WANTED);
    expect(await codesRedeemedOnce(authelia)).toBe(1);
  });
});

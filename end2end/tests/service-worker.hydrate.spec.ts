// An application whose service worker answers every request of the site by passing it on.

import { expect, test } from './fixtures.ts';
import { ACCOUNT, signIn } from './steps.ts';

test.use({
  // Chromium registers no service worker past a certificate error.
  launchOptions: async ({ launchOptions }, use) =>
    use({ ...launchOptions, args: [...(launchOptions.args ?? []), '--ignore-certificate-errors'] }),
});

test('a service worker that passes navigations on keeps nobody from signing in', async ({ page, house }) => {
  await page.goto('/');
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/passing-on.js');
    await navigator.serviceWorker.ready;
  });
  await page.reload();
  expect(await page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
  const person = house.certified.newcomer();
  await signIn(page, house.certified, person, '/reports/42');
  await page.goto(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
});

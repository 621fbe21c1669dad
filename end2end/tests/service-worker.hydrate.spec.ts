// An application whose service worker answers every request of the site by passing it on.

import { expect, test } from './fixtures.ts';
import { ACCOUNT, signIn } from './steps.ts';

const PASSING_ON = `
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', event => event.respondWith(fetch(event.request)));
`;

test('a service worker that passes navigations on keeps nobody from signing in', async ({ page, house }) => {
  house.application.offer('/passing-on.js', { headers: { 'content-type': 'text/javascript' }, body: PASSING_ON });
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

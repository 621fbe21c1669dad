// An application whose service worker passes every navigation through, those to us included.

import { document } from '../harness/application.ts';
import { expect, test } from './fixtures.ts';
import { ACCOUNT, START, codesRedeemedOnce, button } from './steps.ts';

const WORKER = `
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', event => event.respondWith(fetch(event.request)));
`;
const REGISTER = `<script>
navigator.serviceWorker.register('/worker.js');
navigator.serviceWorker.addEventListener('controllerchange', () => { document.title = 'Controlled'; });
</script>`;

test('a service worker that passes navigations through changes nothing', async ({ page, house }) => {
  const { application, certified, recorder } = house;
  application.offer('/worker.js', { headers: { 'content-type': 'text/javascript' }, body: WORKER });
  application.offer('/installs', { body: document(REGISTER) });
  await page.goto('/installs');
  await expect(page).toHaveTitle('Controlled');

  const person = certified.newcomer();
  await page.goto(ACCOUNT);
  await button(page, certified).click();
  await certified.signIn(page, person);
  await page.waitForURL(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
  expect(await codesRedeemedOnce(certified)).toBe(1);
  // It really went through the worker: so the browser marks what one fetches.
  for (const path of [START, ACCOUNT]) expect(recorder.of(path).map(asked => asked.asked('sec-fetch-dest')), path).toContain('empty');
});

// deploy/sign-in-only/nginx.conf, as it is shipped.

import { ask } from '../harness/ask.ts';
import { expect, test } from './fixtures.ts';
import { ACCOUNT, CALLBACK, LOGIN, LOGOUT, signIn, startAt } from './steps.ts';

test('a page whose upstream went away is asked for once more, and nobody notices', async ({ page, house }) => {
  house.recorder.cut(/^GET \/auth\/login/, 1);
  const response = await page.goto(LOGIN);
  expect(response?.status()).toBe(200);
  expect(house.recorder.of(LOGIN)).toHaveLength(2);
});

test('a callback whose upstream went away is asked for once more, and signs in', async ({ page, house }) => {
  await page.goto(startAt(house.certified, '/reports/42'));
  house.recorder.cut(/^GET \/auth\/oidc\/callback/, 1);
  await house.certified.signIn(page, house.certified.newcomer());
  await page.waitForURL('/reports/42');
  expect(house.recorder.of(CALLBACK)).toHaveLength(2);
  expect(await house.certified.redemptions()).toEqual([expect.objectContaining({ presented: 1, redeemed: 1 })]);
});

test('while nobody is there the page says so and comes back by itself', async ({ page, house }) => {
  house.recorder.cut(/^GET \/auth\/login/, 2);
  const response = await page.goto(LOGIN);
  expect(response?.status()).toBe(503);
  expect(response?.headers()['retry-after']).toBe('3');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('One moment');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sign in', { timeout: 15_000 });
});

test('a program that is started again in the middle of a sign-in loses nothing', async ({ page, house }) => {
  await page.goto(startAt(house.certified, ACCOUNT));
  await house.program.stop();
  const person = house.certified.newcomer();
  await house.certified.signIn(page, person);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('One moment');
  await house.program.restart();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name, { timeout: 20_000 });
});

test('what was posted is never sent twice', async ({ page, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  house.recorder.cut(/^POST \/auth\/logout/, 1);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('One moment');
  expect(house.recorder.of(LOGOUT)).toHaveLength(1);
  await page.getByRole('link', { name: 'Go to your account' }).click();
  await page.waitForURL(ACCOUNT);
});

test('more cookies than nginx takes are explained by it', async ({ page, context, house }) => {
  await context.addCookies(
    Array.from({ length: 10 }, (_, n) => ({ name: `other-${n}`, value: 'x'.repeat(3_800), url: house.origin })),
  );
  const response = await page.goto(LOGIN);
  expect(response?.status()).toBe(431);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Too many cookies');
  await expect(page.getByText('headers_too_large', { exact: true })).toBeVisible();
});

test('the pages of nginx itself speak German to whoever prefers it', async ({ house }) => {
  const german = { 'accept-language': 'de-CH,de;q=0.9,en;q=0.8' };
  house.recorder.cut(/^GET \/auth\/login/, 2);
  const away = await ask(house.origin, LOGIN, { headers: german });
  expect([away.status, away.headers['vary']]).toEqual([503, 'Accept-Language']);
  expect(away.body).toContain('<h1>Einen Augenblick</h1>');
  const many = { ...german, cookie: Array.from({ length: 10 }, (_, n) => `other-${n}=${'x'.repeat(3_800)}`).join('; ') };
  const cookies = await ask(house.origin, LOGIN, { headers: many });
  expect(cookies.status).toBe(431);
  expect(cookies.body).toContain('<h1>Zu viele Cookies</h1>');
});

test('cookies of other applications, many and odd, do not disturb a sign-in', async ({ page, context, house }) => {
  await context.addCookies(
    ['a b', 'ü', 'x"y', '='.repeat(40), 'z'.repeat(3_000)].map((value, n) => ({ name: `odd${n}`, value, url: house.origin })),
  );
  await signIn(page, house.certified, house.certified.newcomer(), '/reports/42');
});

test('no header of a visitor changes an address that we give', async ({ house }) => {
  const answer = await ask(house.origin, startAt(house.certified, '/reports/42'), {
    headers: {
      'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none', accept: 'text/html',
      'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'http', forwarded: 'host=evil.test;proto=http',
      'x-original-url': 'https://evil.test/', 'x-forwarded-prefix': '/evil',
    },
  });
  expect(answer.status).toBe(303);
  const location = new URL(String(answer.headers['location']));
  expect(location.origin).toBe(house.certified.issuer);
  expect(location.searchParams.get('redirect_uri')).toBe(`${house.origin}${CALLBACK}`);
  expect(String(answer.headers['location'])).not.toContain('evil');
});

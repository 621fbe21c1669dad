import { expect, test } from './fixtures.ts';
import {
  ACCOUNT, CALLBACK, FLOW_COOKIE, LOGIN, SESSION_COOKIE, button, forget, signIn, startAt, usersOf,
} from './steps.ts';

const WANTED = '/reports/42?tab=2&sort=a%20b';

for (const which of ['certified', 'authelia'] as const) {
  test.describe(`with the provider ${which}`, () => {
    test('a person who asked for a page signs in and lands on it', async ({ page, house }) => {
      const provider = house[which];
      const person = which === 'certified' ? house.certified.newcomer() : house.authelia.alice;
      await signIn(page, provider, person, WANTED);
      await expect(page.getByRole('heading')).toHaveText('Application');
      await expect(page.getByRole('paragraph')).toHaveText(WANTED);
    });

    test('the account page says who is signed in, where and since when', async ({ page, house }) => {
      const provider = house[which];
      const person = which === 'certified' ? house.certified.newcomer() : house.authelia.alice;
      const before = Date.now();
      await signIn(page, provider, person);
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
      await expect(page.getByRole('definition').getByText(person.email ?? '', { exact: true })).toBeVisible();
      await expect(page.getByRole('definition').getByText(provider.name, { exact: true })).toBeVisible();
      const since = Date.parse((await page.getByRole('time').getAttribute('datetime')) ?? '');
      expect(since).toBeGreaterThan(before - 2_000);
      expect(since).toBeLessThan(Date.now() + 2_000);
    });

    test('the quick path is one redirect: no page, no script, the code redeemed once', async ({ page, house }) => {
      const provider = house[which];
      const person = which === 'certified' ? house.certified.newcomer() : house.authelia.alice;
      const scripts: string[] = [];
      page.on('request', request => {
        if (request.resourceType() === 'script' || request.url().endsWith('.wasm')) scripts.push(request.url());
      });
      await signIn(page, provider, person, WANTED);
      const callbacks = house.recorder.of(CALLBACK);
      expect(callbacks.map(({ status }) => status)).toEqual([303]);
      expect(callbacks[0]?.header('location')).toBe(WANTED);
      expect(callbacks[0]?.body.length).toBe(0);
      expect(scripts).toEqual([]);
      expect(await provider.redemptions()).toEqual([expect.objectContaining({ presented: 1, redeemed: 1 })]);
    });

    test('the same person signing in twice is one user', async ({ page, anotherBrowser, house }) => {
      const provider = house[which];
      const person = which === 'certified' ? house.certified.newcomer() : house.authelia.alice;
      await forget(house, person);
      await signIn(page, provider, person);
      await signIn(await anotherBrowser(), provider, person);
      expect(await usersOf(house, provider, person)).toHaveLength(1);
    });
  });
}

test('a page of ours that was asked for while signed out is where one lands', async ({ page, house }) => {
  const person = house.certified.newcomer();
  await page.goto(ACCOUNT);
  expect(new URL(page.url()).pathname).toBe(LOGIN);
  await button(page, house.certified).click();
  await house.certified.signIn(page, person);
  await page.waitForURL(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
});

test('a person without an e-mail address signs in', async ({ page, house }) => {
  await signIn(page, house.authelia, house.authelia.bob);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Bob Example');
});

test('a start at one provider needs no click, and while signed in it leads straight on', async ({ page, house }) => {
  await page.goto(startAt(house.certified, WANTED));
  await house.certified.signIn(page, house.certified.newcomer());
  await page.waitForURL(WANTED);
  await page.goto(startAt(house.certified, '/elsewhere'));
  await expect(page).toHaveURL('/elsewhere');
});

for (const elsewhere of ['https://evil.test/', '//evil.test/', '/\\evil.test', '/auth/logout', 'javascript:alert(1)']) {
  test(`nobody is led to ${elsewhere}`, async ({ page, house }) => {
    await page.goto(startAt(house.certified, elsewhere));
    await house.certified.signIn(page, house.certified.newcomer());
    await page.waitForURL('/');
  });
}

test('the browser keeps two small cookies, out of reach of script and other sites', async ({ page, context, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  const ours = (await context.cookies(house.origin)).sort((a, b) => a.name.localeCompare(b.name));
  expect(ours.map(({ name }) => name)).toEqual([SESSION_COOKIE, FLOW_COOKIE]);
  for (const cookie of ours) {
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/', domain: 'rp.test' });
    expect(cookie.value.length).toBeLessThan(200);
  }
  const days = (cookie: { expires: number } | undefined): number =>
    Math.round(((cookie?.expires ?? 0) - Date.now() / 1000) / 86_400);
  expect(ours.map(days)).toEqual([30, 400]);
  expect(ours[0]?.value).toMatch(/^[A-Za-z0-9_-]{22}$/);
});

// Signing out, here and at the provider, which is another site: what browsers make of redirects after a form shows nowhere
// else.

import { expect, test } from './fixtures.ts';
import { ask } from '../harness/ask.ts';
import {
  ACCOUNT, LOGIN, LOGOUT, SESSION_COOKIE, SIGNED_OUT, button, signIn, signOut, startAt,
} from './steps.ts';

const ID_TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]+/;

test('signing out ends the session at once, for whoever has its cookie, and then the provider\'s', async ({ page, context, house }) => {
  const { certified, recorder } = house;
  await signIn(page, certified, certified.newcomer());
  const session = (await context.cookies(house.origin)).find(({ name }) => name === SESSION_COOKIE);
  const cookie = `${SESSION_COOKIE}=${session?.value}`;
  expect((await ask(house.origin, ACCOUNT, { headers: { cookie } })).status).toBe(200);
  expect(await certified.knows(page)).toBe(true);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Yes, sign me out' }).waitFor();
  // The provider still asks; here it is over.
  expect((await ask(house.origin, ACCOUNT, { headers: { cookie } })).status).toBe(303);
  await certified.confirmSignOut(page);
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
  await expect(page.getByText(`${certified.name} was asked to sign you out there, too.`)).toBeVisible();
  expect(await certified.knows(page)).toBe(false);
  expect(recorder.of(LOGOUT).map(({ method, status }) => [method, status])).toEqual([['POST', 200]]);
  await page.goto(ACCOUNT);
  expect(new URL(page.url()).pathname).toBe(LOGIN);
  await button(page, certified).click();
  await certified.asksForLogin(page);
});

test('the ID token goes to the provider, and nowhere else', async ({ page, house }) => {
  const { certified, recorder, program } = house;
  await signIn(page, certified, certified.newcomer());
  await signOut(page, certified);
  const tokens = [...certified.issued].filter(secret => ID_TOKEN.test(secret));
  const pages = recorder.answered.filter(({ body }) => tokens.some(token => body.includes(token)));
  expect(pages.map(({ path }) => path), 'the one page that goes there').toEqual([LOGOUT]);
  expect(pages[0]?.header('referrer-policy')).toBe('no-referrer');
  expect(pages[0]?.header('cache-control')).toBe('no-store');
  for (const { target, requestLine } of recorder.exchanges) expect(target, requestLine).not.toMatch(ID_TOKEN);
  expect(tokens.filter(token => program.log.includes(token)), 'in the log').toEqual([]);
  expect(tokens.length).toBeGreaterThan(0);
});

test('a long ID token goes by a form', async ({ page, house, javaScriptEnabled }) => {
  const { certified, recorder } = house;
  await signIn(page, certified, certified.heavyNewcomer());
  await page.getByRole('button', { name: 'Sign out' }).click();
  if (javaScriptEnabled === false) {
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are signed out here');
    await page.getByRole('button', { name: `Sign out at ${certified.name}` }).click();
  }
  await certified.confirmSignOut(page);
  await page.waitForURL(url => url.pathname === SIGNED_OUT && url.searchParams.has('state'));
  expect(await certified.knows(page)).toBe(false);
  const [out] = recorder.of(LOGOUT);
  expect(out?.body.toString()).toContain(`method="post" action="${certified.issuer}/session/end"`);
  expect(out?.headBytes).toBeLessThan(1_536);
});

test('Back from the page after sign-out goes to no form that is sent again', async ({ page, house }) => {
  const { certified, recorder } = house;
  await signIn(page, certified, certified.newcomer());
  await signOut(page, certified);
  await page.goBack();
  await page.goBack().catch(() => undefined);
  await expect(page.locator('body')).not.toContainText('Your account');
  expect(recorder.of(LOGOUT).filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test('a state that the provider has altered or lost ends at the same page', async ({ page, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  await signOut(page, house.certified);
  const url = new URL(page.url());
  for (const state of [`${url.searchParams.get('state')}_INVALID`, undefined, '<script>alert(1)</script>']) {
    await page.goto(`${SIGNED_OUT}${state === undefined ? '' : `?${new URLSearchParams({ state })}`}`);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are signed out');
    await expect(page.getByText('You may still be signed in at your sign-in provider.')).toBeVisible();
    await expect(page.locator('body')).not.toContainText('script');
  }
});

test('two tabs sign out at the same time', async ({ page, context, house }) => {
  const { certified } = house;
  await signIn(page, certified, certified.newcomer());
  const other = await context.newPage();
  await other.goto(ACCOUNT);
  await signOut(page, certified);
  await other.getByRole('button', { name: 'Sign out' }).click();
  await other.waitForURL(url => url.pathname === SIGNED_OUT);
  await expect(other.getByRole('heading', { level: 1 })).toHaveText('You are signed out');
});

test('a provider that cannot be asked to sign anybody out: the page says so, and the next sign-in asks', async ({ page, house }) => {
  const { authelia } = house;
  await signIn(page, authelia, authelia.alice);
  await signOut(page, authelia);
  await expect(page.getByText(`You are still signed in at ${authelia.name}.`)).toBeVisible();
  await page.goto(startAt(authelia, ACCOUNT));
  await authelia.asksForLogin(page);
  await authelia.signIn(page, authelia.alice);
  await page.waitForURL(ACCOUNT);
  // Once somebody has signed in it asks no more.
  await page.context().clearCookies({ name: SESSION_COOKIE });
  await page.goto(startAt(authelia, ACCOUNT));
  await page.waitForURL(ACCOUNT);
});

test('another account can be used', async ({ page, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  await signOut(page, house.certified);
  await page.getByRole('link', { name: 'Use another account' }).click();
  await house.certified.asksForLogin(page);
  const other = house.certified.newcomer();
  await house.certified.signIn(page, other);
  await page.waitForURL('/');
  await page.goto(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(other.name);
});

test('a link signs nobody out: it shows the button that does', async ({ page, house }) => {
  const person = house.certified.newcomer();
  await signIn(page, house.certified, person);
  for (const path of [LOGOUT, SIGNED_OUT, `${SIGNED_OUT}?state=x`]) {
    await page.goto(path);
    await expect(page.getByText(`You are signed in as ${person.name}.`)).toBeVisible();
  }
  await page.goto(ACCOUNT);
  expect(new URL(page.url()).pathname).toBe(ACCOUNT);
  await page.goto(LOGOUT);
  await signOut(page, house.certified);
  await page.goto(LOGOUT);
  expect(new URL(page.url()).pathname).toBe(SIGNED_OUT);
});

test('another site cannot sign anybody out', async ({ page, context, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  const [session] = (await context.cookies(house.origin)).filter(({ name }) => name === SESSION_COOKIE);
  const cookie = `${SESSION_COOKIE}=${session?.value}`;
  const posted = await ask(house.origin, LOGOUT, { method: 'POST', headers: { cookie, origin: 'https://op.test' } });
  expect(posted.status).toBe(403);
  expect((await ask(house.origin, ACCOUNT, { headers: { cookie } })).status).toBe(200);
});

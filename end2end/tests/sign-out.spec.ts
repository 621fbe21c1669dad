import { expect, test } from './fixtures.ts';
import { ask } from '../harness/ask.ts';
import { ACCOUNT, LOGIN, LOGOUT, SESSION_COOKIE, SIGNED_OUT, signIn } from './steps.ts';

test('signing out ends the session at once, for whoever has its cookie', async ({ page, context, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  const session = (await context.cookies(house.origin)).find(({ name }) => name === SESSION_COOKIE);
  const cookie = `${SESSION_COOKIE}=${session?.value}`;
  expect((await ask(house.origin, ACCOUNT, { headers: { cookie } })).status).toBe(200);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
  expect(house.recorder.of(LOGOUT).map(({ method, status }) => [method, status])).toEqual([['POST', 303]]);
  await page.goto(ACCOUNT);
  expect(new URL(page.url()).pathname).toBe(LOGIN);
  expect((await ask(house.origin, ACCOUNT, { headers: { cookie } })).status).toBe(303);
});

test('the page after sign-out says that the provider may still know the person', async ({ page, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are signed out');
  await expect(page.getByText(`${house.certified.name} may still remember you`)).toBeVisible();
});

test('another account can be used: the provider asks again, although it knows the person', async ({ page, house, javaScriptEnabled }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('link', { name: 'Use another account' }).click();
  await house.certified.asksForLogin(page);
  const other = house.certified.newcomer();
  await house.certified.signIn(page, other);
  // The provider's own page between two people posts itself, where it can.
  if (javaScriptEnabled === false) await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL('/');
  await page.goto(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(other.name);
});

test('a link signs nobody out: it shows the button that does', async ({ page, house }) => {
  const person = house.certified.newcomer();
  await signIn(page, house.certified, person);
  await page.goto(LOGOUT);
  await expect(page.getByText(`You are signed in as ${person.name}.`)).toBeVisible();
  await page.goto(ACCOUNT);
  expect(new URL(page.url()).pathname).toBe(ACCOUNT);
  await page.goto(LOGOUT);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
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

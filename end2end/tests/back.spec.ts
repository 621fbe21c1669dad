// Back, reload, twice, again, late: at every step one is signed in where one wanted to be, or one click away from it.

import type { Page } from '@playwright/test';

import { expect, test } from './fixtures.ts';
import {
  ACCOUNT, CALLBACK, LOGIN, answerInHand, atCallback, button, codesRedeemedOnce, expectProblem, loginFor, signIn,
  signInAt, signOut, startAt, waitAt,
} from './steps.ts';

const WANTED = '/reports/42';

/** Code and reference of a problem page: what makes two explanations the same. */
function explanation(page: Page): Promise<string[]> {
  return page.locator('dd code').allTextContents();
}

test('reload and back before the provider has answered lose nothing', async ({ page, house }) => {
  const { certified } = house;
  await page.goto(loginFor(WANTED));
  await page.reload();
  await button(page, certified).click();
  await certified.asksForLogin(page);
  await page.reload();
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sign in');
  await page.goForward();
  await certified.signIn(page, certified.newcomer());
  await page.waitForURL(WANTED);
  expect(await codesRedeemedOnce(certified)).toBe(1);
});

/**
 * Back from the waiting page without script. It asks for itself as soon as it stands, and a program that goes back in
 * that very moment gets the one or the other; so it goes back while the page asks, where a person is nearly all the time.
 */
async function backWhileItAsks(page: Page): Promise<void> {
  await new Promise<void>(resolve => void page.route(url => url.pathname === CALLBACK, () => resolve(), { times: 1 }));
  // Playwright tells of the request that was given up for it; where one has got to, the page says.
  await page.goBack().catch(() => undefined);
}

test('back and reload at the waiting page lose nothing', async ({ page, house, javaScriptEnabled }) => {
  const { authelia } = house;
  await authelia.holdTokens();
  const waiting = await waitAt(page, authelia, authelia.alice, WANTED);
  // The provider knows the person by now and answers once more, which spends nothing.
  if (javaScriptEnabled === false) await backWhileItAsks(page);
  else await page.goBack();
  await expectProblem(page, 'already_used');
  await atCallback(page, 200, () => page.goto(waiting.url()));
  // Without script it reloads itself.
  if (javaScriptEnabled !== false) await atCallback(page, 200, () => page.reload());
  await authelia.release();
  await page.waitForURL(WANTED);
  expect(await codesRedeemedOnce(authelia)).toBe(1);
});

test('back from where one landed leads to the login page, and one click on again', async ({ page, house }) => {
  const { certified } = house;
  const person = certified.newcomer();
  await signIn(page, certified, person, WANTED);
  await page.reload();
  await page.goBack();
  await page.goBack();
  expect(new URL(page.url()).pathname).toBe(LOGIN);
  await page.reload();
  await button(page, certified).click();
  await page.waitForURL(WANTED);
  await page.goto(ACCOUNT);
  await page.reload();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
  expect(await codesRedeemedOnce(certified)).toBe(1);
});

test('back and reload at a problem page explain the same again, one click from a new sign-in', async ({ page, house }) => {
  const { certified } = house;
  await page.goto(startAt(certified, WANTED));
  await certified.refuse(page);
  await expectProblem(page, 'access_denied');
  const first = await explanation(page);
  await page.reload();
  expect(await explanation(page)).toEqual(first);
  await page.goBack();
  await page.goForward();
  await expectProblem(page, 'access_denied');
  expect(await explanation(page)).toEqual(first);
  await page.locator('main').getByRole('link').first().click();
  await certified.signIn(page, certified.newcomer());
  await page.waitForURL(WANTED);
});

test('reload and back after sign-out stay signed out', async ({ page, house }) => {
  // No page of the provider's comes between.
  await signIn(page, house.authelia, house.authelia.alice);
  await signOut(page, house.authelia);
  await page.reload();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are signed out');
  await page.goBack();
  await page.waitForURL(url => url.pathname === LOGIN);
});

test('double clicks, on our button and on the provider\'s, sign in once', async ({ page, house }) => {
  const { certified } = house;
  await page.goto(loginFor(WANTED));
  await button(page, certified).dblclick();
  await page.getByLabel('Name').fill(certified.newcomer().login);
  await page.getByRole('button', { name: 'Sign in' }).dblclick();
  // The second click aborts the navigation that the first began, which `waitForURL` would take for its own failure.
  await expect(page).toHaveURL(WANTED);
  expect(await codesRedeemedOnce(certified)).toBe(1);
});

test('an answer that is opened in two tabs at the same moment signs in both, by one code', async ({ page, context, house }) => {
  const answer = await answerInHand(page, house, house.certified.newcomer(), WANTED);
  const tabs = [page, await context.newPage()];
  await Promise.all(tabs.map(tab => tab.goto(answer)));
  for (const tab of tabs) await tab.waitForURL(WANTED);
  expect(await codesRedeemedOnce(house.certified)).toBe(1);
});

test('an answer that is opened again after success leads on', async ({ page, house }) => {
  const { certified, recorder, origin } = house;
  await signIn(page, certified, certified.newcomer(), WANTED);
  const answer = recorder.of(CALLBACK)[0]?.target ?? '';
  for (const use of ['before the session was used', 'after']) {
    await page.goto(`${origin}${answer}`);
    await expect(page, use).toHaveURL(WANTED);
    await page.goto(ACCOUNT);
  }
  expect(await codesRedeemedOnce(certified)).toBe(1);
});

test('an answer that is opened again after failure explains the same again, one click from a new sign-in', async ({ page, house }) => {
  const { authelia, recorder, origin } = house;
  const fault = { answer: { status: 400, headers: [['content-type', 'application/json']], body: '{"error":"invalid_grant"}' } };
  await authelia.behave({ fault: { at: 'token', fault } }, 1);
  await signInAt(page, authelia, authelia.alice, WANTED);
  await expectProblem(page, 'code_refused');
  const first = await explanation(page);
  await page.goto(`${origin}${recorder.of(CALLBACK)[0]?.target}`);
  await expectProblem(page, 'code_refused');
  expect(await explanation(page)).toEqual(first);
  expect((await authelia.redemptions()).map(({ presented }) => presented)).toEqual([1]);
  await page.locator('main').getByRole('link').first().click();
  await page.waitForURL(WANTED);
});

// Back, reload, twice, and once more: at whatever step, and after somebody has left a shared computer.

import type { Page } from '@playwright/test';

import { expect, test } from './fixtures.ts';
import { ACCOUNT, CALLBACK, LOGIN, SESSION_COOKIE, SIGNED_OUT, expectProblem, loginFor, signIn, signInAt } from './steps.ts';

/** The callback's address as the provider gave it, once the browser has been there. */
function callbackOf(page: Page): () => string {
  let address = '';
  page.on('request', request => {
    const url = new URL(request.url());
    if (url.pathname === CALLBACK && url.searchParams.has('code')) address = url.href;
  });
  return () => address;
}

test('after the sign-out of a shared computer, Back to any page signs nobody in', async ({ page, context, house }) => {
  const person = house.certified.newcomer();
  const callback = callbackOf(page);
  await signIn(page, house.certified, person, '/reports/42');
  await page.goto(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
  const seen: string[] = [];
  for (let step = 0; step < 10 && page.url() !== 'about:blank'; step += 1) {
    await page.goBack();
    seen.push(new URL(page.url()).pathname);
    if (page.url().startsWith(house.origin)) await expect(page.locator('body')).not.toContainText(person.name);
  }
  expect(seen.length).toBeGreaterThan(2);
  await page.goto(callback());
  await expectProblem(page, 'already_used');
  await page.goto(ACCOUNT);
  expect(new URL(page.url()).pathname).toBe(LOGIN);
  const names = (await context.cookies(house.origin)).map(({ name }) => name);
  expect(names).not.toContain(SESSION_COOKIE);
});

test('reload at each step and Back to each page go on', async ({ page, house }) => {
  const person = house.authelia.alice;
  const callback = callbackOf(page);
  await page.goto(loginFor('/reports/42'));
  await page.reload();
  await page.getByRole('link', { name: house.authelia.name }).click();
  await page.reload();
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sign in');
  await page.goForward();
  await house.authelia.signIn(page, person);
  await page.waitForURL('/reports/42');
  await page.reload();
  // The callback again, here and in two more tabs at the same moment, leads on.
  const tabs = [page, await page.context().newPage(), await page.context().newPage()];
  await Promise.all(tabs.map(tab => tab.goto(callback())));
  for (const tab of tabs) expect(new URL(tab.url()).pathname).toBe('/reports/42');
  expect(await house.authelia.redemptions()).toEqual([expect.objectContaining({ presented: 1, redeemed: 1 })]);
});

test('a failed callback opened again explains the same, and one click begins again', async ({ page, house }) => {
  const fault = { answer: { status: 400, headers: [['content-type', 'application/json']], body: '{"error":"invalid_grant"}' } };
  const callback = callbackOf(page);
  await house.authelia.behave({ fault: { at: 'token', fault } }, 1);
  await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
  await expectProblem(page, 'code_refused');
  await page.reload();
  await expectProblem(page, 'code_refused');
  await page.goto(callback());
  await expectProblem(page, 'code_refused');
  // The provider knows the person by now, so one click is all.
  await page.getByRole('link', { name: 'Begin again' }).click();
  await page.waitForURL('/reports/42');
});

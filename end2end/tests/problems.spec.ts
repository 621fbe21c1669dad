import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Page } from '@playwright/test';

import type { Parts } from '../harness/house.ts';
import { expect, test } from './fixtures.ts';
import { ACCOUNT, CALLBACK, FLOW_COOKIE, START, expectProblem, loginFor, button, signInAt, startAt } from './steps.ts';

test('an answer with a state that is not ours is explained', async ({ page }) => {
  const response = await page.goto(`${CALLBACK}?code=abc&state=${'A'.repeat(120)}`);
  expect(response?.status()).toBe(400);
  await expectProblem(page, 'state_invalid');
});

test('an answer without a state is explained', async ({ page }) => {
  const response = await page.goto(`${CALLBACK}?code=abc`);
  expect(response?.status()).toBe(400);
  await expectProblem(page, 'state_missing');
});

test('an answer that comes back without our cookie begins anew by itself, and its code is left alone', async ({ page, context, house }) => {
  await page.goto(startAt(house.certified, ACCOUNT));
  await context.clearCookies({ name: FLOW_COOKIE });
  const person = house.certified.newcomer();
  await house.certified.signIn(page, person);
  await page.waitForURL(ACCOUNT);
  expect(house.recorder.of(CALLBACK).map(({ target }) => /code=|cookie_set=/.exec(target)?.[0])).toEqual(['code=', 'cookie_set=', 'code=']);
  expect(await house.certified.redemptions()).toEqual([expect.objectContaining({ presented: 1, redeemed: 1 })]);
});

/** The address of an answer that its owner's browser has not got through to us, not even at nginx's second try. */
async function answerFor(page: Page, house: Parts): Promise<string> {
  await page.goto(startAt(house.certified, '/reports/42'));
  house.recorder.cut(/^GET \/auth\/oidc\/callback/, 2);
  await house.certified.signIn(page, house.certified.newcomer());
  await page.waitForURL(url => url.pathname === CALLBACK);
  const answer = page.url();
  await page.goto('about:blank');
  return answer;
}

test('an answer that is opened in another browser begins anew there, and its owner can still use it', async ({ page, anotherBrowser, house }) => {
  const answer = await answerFor(page, house);
  const elsewhere = await anotherBrowser();
  await elsewhere.goto(answer);
  expect(await house.certified.redemptions()).toEqual([]);
  await house.certified.signIn(elsewhere, house.certified.newcomer());
  await elsewhere.waitForURL('/reports/42');
  await page.goto(answer);
  await page.waitForURL('/reports/42');
});

test('an answer that is opened in a browser without cookies is explained', async ({ page, playwright, launchOptions, javaScriptEnabled, quiet, house }, testInfo) => {
  const answer = await answerFor(page, house);
  const profile = testInfo.outputPath('profile');
  mkdirSync(join(profile, 'Default'), { recursive: true });
  const refused = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(join(profile, 'Default/Preferences'), JSON.stringify(refused));
  const context = await playwright.chromium.launchPersistentContext(profile, {
    ...launchOptions, javaScriptEnabled, ignoreHTTPSErrors: true, locale: 'en-GB',
  });
  quiet(context);
  const blocked = await context.newPage();
  const response = await blocked.goto(answer);
  expect(response?.status()).toBe(400);
  await expectProblem(blocked, 'cookies_blocked');
  expect(await context.cookies(house.origin)).toEqual([]);
  expect(new URL(blocked.url()).search).not.toContain('code=');
  await context.close();
  expect(await house.certified.redemptions()).toEqual([]);
});

test('a person who cancels at the provider is told so, and one click begins again', async ({ page, house }) => {
  await page.goto(loginFor('/reports/42'));
  await button(page, house.certified).click();
  await house.certified.refuse(page);
  await expectProblem(page, 'access_denied');
  expect(house.recorder.exchanges.map(({ status }) => status)).toContain(403);
  await page.locator('main').getByRole('link').first().click();
  await house.certified.signIn(page, house.certified.newcomer());
  await page.waitForURL('/reports/42');
});

test('an error of the provider is explained in our words, never in its own', async ({ page, house }) => {
  const description = '<script>alert(1)</script> call 555-0100 to get your account back';
  await house.authelia.behave({ callback: { error: { code: 'invalid_scope', description } } }, 1);
  await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
  await expectProblem(page, 'provider_refused_request');
  await expect(page.locator('body')).not.toContainText('555-0100');
});

test('a token endpoint that fails is explained, and one click begins again', async ({ page, house }) => {
  await house.authelia.behave({ fault: { at: 'token', fault: { answer: { status: 500, body: 'Traceback (most recent call last)' } } } }, 1);
  await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
  await expectProblem(page, 'provider_server_error');
  await expect(page.locator('body')).not.toContainText('Traceback');
  await page.locator('main').getByRole('link').first().click();
  await page.waitForURL('/reports/42');
});

for (const [target, status, code] of [
  ['/auth/nothing-here', 404, 'not_found'],
  ['/auth/assets/nothing-here.js', 404, 'not_found'],
  [`${START}?provider=nobody`, 404, 'unknown_provider'],
] as const) {
  test(`${target} is an explained page with status ${status}`, async ({ page }) => {
    const response = await page.goto(target);
    expect(response?.status()).toBe(status);
    await expectProblem(page, code);
  });
}

test('the reference on a problem page finds it in the log', async ({ page, house }) => {
  await page.goto(`${CALLBACK}?code=abc&state=${'A'.repeat(120)}`);
  const reference = await page.locator('dd code').nth(1).textContent();
  expect(reference).toBeTruthy();
  expect(house.program.log).toContain(reference);
});

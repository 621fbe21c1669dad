// What the gate answers to a request that may not pass, as browser and person see it.

import type { BrowserContext, Page } from '@playwright/test';

import { document } from '../harness/application.ts';
import type { GateParts } from '../harness/gate-house.ts';
import { REFUSED } from '../proxies/gate.ts';
import { expect, test } from './gate-fixtures.ts';
import { signInFor, toldAbout } from './gate-steps.ts';
import { ACCOUNT, SIGNED_OUT, expectProblem } from './steps.ts';

const FORM = document('<form method="post" action="/sent"><label>Text <input name="text"></label><button>Send</button></form>');

/** In another tab, so that the page stays as it is. */
async function signOutElsewhere(context: BrowserContext, { login }: GateParts): Promise<void> {
  const tab = await context.newPage();
  await tab.goto(`${login}${ACCOUNT}`);
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await tab.waitForURL(url => url.pathname === SIGNED_OUT);
  await tab.close();
}

test('a form that is sent while signed out is not lost', async ({ page, context, gate }) => {
  const place = gate.wiki;
  place.application.offer('/form', { body: FORM });
  await signInFor(page, gate, `${place.origin}/form`);
  await page.getByLabel('Text').fill('a long text');
  await signOutElsewhere(context, gate);
  const sent = page.waitForResponse(`${place.origin}/sent`);
  await page.getByRole('button', { name: 'Send' }).click();
  expect((await sent).status()).toBe(401);
  await expectProblem(page, 'form_not_sent');
  expect(place.application.last('/sent'), 'it did not get through').toBeUndefined();

  const opened = context.waitForEvent('page');
  await page.getByRole('link', { name: 'Sign in' }).click();
  const tab = await opened;
  // After a sign-out the provider asks, though it still knows the person.
  await gate.provider.signIn(tab, gate.provider.alice);
  await expect(tab).toHaveURL(`${place.origin}/`);
  await tab.close();
  await page.goBack();
  await expect(page.getByLabel('Text')).toHaveValue('a long text');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page).toHaveURL(`${place.origin}/sent`);
  expect(place.application.last('/sent')).toMatchObject({ method: 'POST', body: 'text=a+long+text' });
  expect(toldAbout(place, '/sent')).toBe('alice');
});

test('who may not open a page is named, and can use another account', async ({ page, gate }) => {
  const { provider, wiki } = gate;
  await signInFor(page, gate, `${wiki.origin}/start`);
  const response = await page.goto(`${wiki.origin}/admin/?x=y`);
  expect(response?.status()).toBe(403);
  await expectProblem(page, 'not_admitted');
  await expect(page.getByText('You are signed in as Alice Example.')).toBeVisible();
  expect(wiki.application.last('/admin/?x=y')).toBeUndefined();
  await page.getByRole('link', { name: 'Use another account' }).click();
  // Though it knows somebody.
  await provider.signIn(page, provider.bob);
  await expect(page).toHaveURL(`${wiki.origin}/admin/?x=y`);
  expect(toldAbout(wiki, '/admin/?x=y')).toBe('bob');
});

test('what nginx itself refuses is not tried for ever', async ({ page, gate }) => {
  await signInFor(page, gate, `${gate.wiki.origin}/start`);
  const response = await page.goto(`${gate.wiki.origin}${REFUSED}`);
  expect(response?.status()).toBe(403);
  await expectProblem(page, 'proxy_refused');
});

test.describe('scripts', () => {
  test.skip(({ javaScriptEnabled }) => javaScriptEnabled === false, 'there are none');
  test.use({ noise: /status of 401/ });

  /** As an application's script does. */
  function fetched(page: Page, path: string, method = 'GET'): Promise<{ status: number; type: string; body: Record<string, unknown> }> {
    return page.evaluate(async ([to, by]) => {
      const answer = await fetch(to ?? '', { method: by ?? '' });
      const type = answer.headers.get('content-type') ?? '';
      return { status: answer.status, type, body: await answer.json() };
    }, [path, method]);
  }

  test('a script is told where to sign in, and the person comes back to its page', async ({ page, context, gate }) => {
    const place = gate.board;
    await signInFor(page, gate, `${place.origin}/page?a=b`);
    await signOutElsewhere(context, gate);
    const { status, type, body } = await fetched(page, '/api/data');
    expect([status, type, body['error']]).toEqual([401, 'application/json', 'login_required']);
    expect(place.application.last('/api/data')).toBeUndefined();
    expect((await fetched(page, `${place.prefix}/userinfo`)).status).toBe(401);
    await page.goto(String(body['login_url']));
    await gate.provider.signIn(page, gate.provider.alice);
    await expect(page).toHaveURL(`${place.origin}/page?a=b`);
  });

  test('a script learns who it is, and gets a token where its application has asked for that', async ({ page, gate }) => {
    await signInFor(page, gate, `${gate.board.origin}/page`);
    expect((await fetched(page, `${gate.board.prefix}/userinfo`)).body).toMatchObject({ preferred_username: 'alice' });
    const { status, body } = await fetched(page, `${gate.board.prefix}/token`, 'POST');
    expect([status, body['token_type']]).toEqual([200, 'Bearer']);
  });
});

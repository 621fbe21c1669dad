// Sign-out by a link of an application: a page with one button, which ends everything everywhere.

import { document } from '../harness/application.ts';
import { ask } from '../harness/ask.ts';
import { expect, test } from './gate-fixtures.ts';
import { cookiesOf, own, signInFor } from './gate-steps.ts';
import { ACCOUNT, LOGOUT, SIGNED_OUT } from './steps.ts';

test('signing out by the link of one application ends all on all hosts', async ({ page, context, gate }) => {
  const { login } = gate;
  gate.board.application.offer('/page', { body: document(`<a href="${gate.board.prefix}/logout">Sign out</a>`) });
  await signInFor(page, gate, `${gate.wiki.origin}/page`);
  await page.goto(`${gate.board.origin}/page`);
  const cookies = new Map<string, string>();
  for (const origin of [login, gate.wiki.origin, gate.board.origin]) cookies.set(origin, await cookiesOf(context, origin));
  const status = async (origin: string, path: string): Promise<number> =>
    (await ask(origin, path, { headers: { cookie: cookies.get(origin) ?? '' } })).status;
  const statuses = async (): Promise<number[]> => [
    await status(login, ACCOUNT), await status(gate.wiki.origin, '/data'), await status(gate.board.origin, '/data'),
    await status(gate.wiki.origin, `${gate.wiki.prefix}/userinfo`), await status(gate.board.origin, `${gate.board.prefix}/userinfo`),
  ];
  expect(await statuses()).toEqual([200, 200, 200, 200, 200]);

  await page.getByRole('link', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(`${login}${LOGOUT}`);
  await expect(page.getByText('You are signed in as Alice Example.')).toBeVisible();
  expect(await statuses(), 'a link ends nothing').toEqual([200, 200, 200, 200, 200]);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are signed out');
  expect(await statuses(), 'whoever has the cookies').toEqual([303, 401, 401, 401, 401]);
});

test('who is signed out already is told so', async ({ page, gate }) => {
  await page.goto(own(gate.board, '/logout'));
  await expect(page).toHaveURL(`${gate.login}${SIGNED_OUT}`);
  await signInFor(page, gate, `${gate.wiki.origin}/page`);
  await page.goto(own(gate.wiki, '/logout'));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
  await page.goBack();
  await expect(page).toHaveURL(`${gate.login}${SIGNED_OUT}`);
});

test('an application that posts to sign-out gets the page with the button', async ({ page, gate }) => {
  gate.wiki.application.offer('/page', { body: document('<form method="post" action="/auth/logout"><button>Leave</button></form>') });
  await signInFor(page, gate, `${gate.wiki.origin}/page`);
  await page.getByRole('button', { name: 'Leave' }).click();
  await expect(page).toHaveURL(`${gate.login}${LOGOUT}`);
});

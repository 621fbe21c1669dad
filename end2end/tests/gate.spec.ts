// One sign-in for applications on unrelated domains.

import type { Response } from '@playwright/test';

import { document } from '../harness/application.ts';
import { expect, test } from './gate-fixtures.ts';
import { own, signIn, signInFor, toldAbout } from './gate-steps.ts';
import { FLOW_COOKIE, SESSION_COOKIE } from './steps.ts';

const DEEP = '/pages/42?colour=red%20and%2Fblue&x=%C3%BC&y=a+b';

test('one sign-in is enough: the second application opens without a page shown', async ({ page, gate }) => {
  await signInFor(page, gate, `${gate.wiki.origin}/start`);
  expect(toldAbout(gate.wiki, '/start')).toBe('alice');
  const shown: string[] = [];
  page.on('framenavigated', frame => shown.push(frame.url()));
  await page.goto(`${gate.board.origin}/topics`);
  expect(shown).toEqual([`${gate.board.origin}/topics`]);
  expect(toldAbout(gate.board, '/topics')).toBe('alice');
});

test('a deep link is landed on as it was, after sign-in and after a handover alone', async ({ page, gate }) => {
  for (const place of [gate.wiki, gate.board]) {
    const url = `${place.origin}${DEEP}`;
    await (place === gate.wiki ? signInFor(page, gate, url) : page.goto(url));
    await expect(page).toHaveURL(url);
    expect(place.application.received.map(({ target }) => target)).toContain(DEEP);
  }
});

test('what is open to everybody needs no sign-in and tells the application nobody', async ({ page, gate }) => {
  const response = await page.goto(`${gate.wiki.origin}/public/page`);
  expect(response?.status()).toBe(200);
  expect(gate.wiki.application.last('/public/page')?.headers).not.toHaveProperty('remote-user');
});

test('no cookie of ours reaches an application, and none is for more than its host', async ({ page, context, gate }) => {
  const answers: Response[] = [];
  context.on('response', response => answers.push(response));
  for (const { application } of [gate.wiki, gate.board]) {
    application.offer('/first', { headers: { 'set-cookie': 'theirs=1; Path=/' } });
  }
  await signInFor(page, gate, `${gate.wiki.origin}/first`);
  await page.goto(`${gate.board.origin}/first`);
  for (const place of [gate.wiki, gate.board]) {
    await page.goto(`${place.origin}/second`);
    expect(place.application.last('/second')?.headers.cookie).toBe('theirs=1');
    const got = place.application.received.map(({ headers }) => headers.cookie ?? '').join();
    expect(got).not.toContain('vestibule');
  }
  const headers = (await Promise.all(answers.map(answer => answer.headersArray()))).flat();
  const set = headers.filter(({ name, value }) => name.toLowerCase() === 'set-cookie' && value.includes('vestibule'));
  expect(set.length).toBeGreaterThanOrEqual(5);
  for (const { value } of set) {
    expect(value).toMatch(/^__Host-vestibule(-flow)?=/);
    expect(value).not.toMatch(/;\s*domain/i);
    for (const attribute of ['Path=/', 'Secure', 'HttpOnly']) expect(value).toContain(attribute);
  }
  for (const origin of [gate.login, gate.wiki.origin, gate.board.origin]) {
    const ours = (await context.cookies(origin)).filter(({ name }) => name !== 'theirs');
    expect(ours.map(({ name }) => name).sort()).toEqual([SESSION_COOKIE, FLOW_COOKIE]);
    expect(ours.every(({ domain }) => domain === new URL(origin).hostname)).toBe(true);
  }
  const values = (await context.cookies()).filter(({ name }) => name === SESSION_COOKIE).map(({ value }) => value);
  expect(new Set(values).size, 'each host has a cookie of its own').toBe(3);
});

test('the account lists the applications, and leads to them', async ({ page, gate }) => {
  await signIn(page, gate);
  const links = page.getByRole('list').getByRole('link');
  await expect(links).toHaveText([gate.wiki, gate.board].map(({ origin }) => new URL(origin).host));
  await links.last().click();
  await expect(page).toHaveURL(`${gate.board.origin}/`);
  expect(toldAbout(gate.board, '/')).toBe('alice');
});

test('an application links to sign-in, too, and the person comes back to where they were', async ({ page, gate }) => {
  const back = `${gate.wiki.origin}/public/a?b=c`;
  gate.wiki.application.offer('/public/a?b=c', {
    body: document(`<a href="${own(gate.wiki, '/login')}?return_to=${encodeURIComponent('/public/a?b=c')}">Sign in</a>`),
  });
  await page.goto(back);
  await page.getByRole('link', { name: 'Sign in' }).click();
  await gate.provider.signIn(page, gate.provider.alice);
  await expect(page).toHaveURL(back);
  await page.goto(`${gate.wiki.origin}/start`);
  expect(toldAbout(gate.wiki, '/start')).toBe('alice');
});

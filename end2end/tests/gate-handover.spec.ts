// In the middle of a handover: reload, Back, many tabs, somebody else's browser. Everybody lands where they wanted to go, as
// themselves.

import type { Page } from '@playwright/test';

import type { GateParts } from '../harness/gate-house.ts';
import { expect, test } from './gate-fixtures.ts';
import { signInFor, toldAbout } from './gate-steps.ts';
import { ACCOUNT, START } from './steps.ts';

const TABS = 20;

test.setTimeout(120_000);

/** The addresses under which the ticket for `url` was used, and the login host was asked for it. */
async function handoverOf(page: Page, gate: GateParts, url: string): Promise<{ ticket: string; request: string }> {
  const asked: string[] = [];
  const note = (request: { url: () => string }): unknown => asked.push(request.url());
  page.on('request', note);
  await signInFor(page, gate, url);
  page.off('request', note);
  const last = (part: string): string => asked.findLast(one => one.includes(part)) ?? '';
  return { ticket: last('/enter?ticket='), request: last('/handover?request=') };
}

test('reload, back and forward in the middle lose nothing', async ({ page, gate }) => {
  const { provider, wiki, board } = gate;
  await page.goto(`${wiki.origin}/first`);
  await page.reload();
  await provider.asksForLogin(page);
  await page.goto(`${board.origin}/second`);
  await page.goBack();
  await provider.asksForLogin(page);
  await page.goForward();
  await provider.signIn(page, provider.alice);
  await expect(page).toHaveURL(`${board.origin}/second`);
  await page.reload();
  await expect(page).toHaveURL(`${board.origin}/second`);
  // Behind it are the provider's pages, which know the person by now.
  await page.goBack();
  await page.goto(`${wiki.origin}/first`);
  await expect(page).toHaveURL(`${wiki.origin}/first`);
});

test('the addresses of a handover can be opened again, and lead to the page', async ({ page, gate }) => {
  const url = `${gate.wiki.origin}/page?a=b`;
  const { ticket, request } = await handoverOf(page, gate, url);
  for (const again of [ticket, request]) {
    await page.goto(again);
    await expect(page).toHaveURL(url);
    expect(toldAbout(gate.wiki, '/page?a=b')).toBe('alice');
  }
});

test('a ticket that is taken to another browser signs nobody in there', async ({ page, anotherBrowser, gate }) => {
  const { provider, wiki } = gate;
  const url = `${wiki.origin}/page`;
  const { ticket } = await handoverOf(page, gate, url);
  const fresh = await anotherBrowser();
  await fresh.goto(ticket);
  await provider.asksForLogin(fresh);
  await provider.signIn(fresh, provider.bob);
  await expect(fresh).toHaveURL(url);
  expect(toldAbout(wiki, '/page')).toBe('bob');
  // There somebody is signed in now, and stays who they are.
  await fresh.goto(ticket);
  await expect(fresh).toHaveURL(url);
  expect(toldAbout(wiki, '/page')).toBe('bob');
  await page.reload();
  expect(toldAbout(wiki, '/page')).toBe('alice');
});

test('a request that is taken to another browser signs nobody in at the first one', async ({ page, anotherBrowser, gate }) => {
  const { provider, wiki } = gate;
  // bob sends alice what his browser was sent on with: she signs in, and comes to the page as herself, or not at all.
  const bobs = await anotherBrowser();
  const asked: string[] = [];
  bobs.on('request', request => asked.push(request.url()));
  await bobs.goto(`${wiki.origin}/page`);
  const request = asked.find(one => one.includes('/handover?request=')) ?? '';
  await page.goto(request);
  await provider.signIn(page, provider.alice);
  await expect(page).toHaveURL(`${wiki.origin}/page`);
  expect(toldAbout(wiki, '/page')).toBe('alice');
  await bobs.goto(`${wiki.origin}/page`);
  await provider.asksForLogin(bobs);
});

interface Wanted {
  readonly open: string;
  readonly landed: string;
}

/** On three hosts: each its own page of an application, or the account. */
function tabs({ login, wiki, board }: GateParts): Wanted[] {
  const account = { open: `${login}${START}?return_to=${ACCOUNT}`, landed: `${login}${ACCOUNT}` };
  const of = (origin: string, n: number): Wanted => ({ open: `${origin}/tabs/${n}`, landed: `${origin}/tabs/${n}` });
  return Array.from({ length: TABS }, (_, n) => [of(wiki.origin, n), of(board.origin, n), account][n % 3] ?? account);
}

test('twenty tabs on three hosts, restored at once in a browser that has lost our cookies, end on their pages', async ({ page, context, gate }) => {
  await signInFor(page, gate, `${gate.wiki.origin}/start`);
  for (const origin of [gate.login, gate.wiki.origin, gate.board.origin]) {
    await context.clearCookies({ domain: new URL(origin).hostname });
  }
  const wanted = tabs(gate);
  const opened = await Promise.all(wanted.map(async ({ open, landed }) => ({ tab: await context.newPage(), open, landed })));
  // A page that goes on by itself interrupts the wait for its own load.
  await Promise.all(opened.map(({ tab, open }) => tab.goto(open, { waitUntil: 'commit' }).catch(() => undefined)));
  for (const { tab, landed } of opened) await expect(tab).toHaveURL(landed, { timeout: 60_000 });
  for (const { application } of [gate.wiki, gate.board]) {
    const told = application.received.map(({ headers }) => headers['remote-user']);
    expect(new Set(told)).toEqual(new Set(['alice']));
  }
});

// The pages that there are only where applications stand behind the gate, for what must hold on all of them; and pictures of
// them for people to look at (end2end/screenshots, not kept in git).

import { join, resolve } from 'node:path';

import type { Page } from '@playwright/test';

import { document } from '../harness/application.ts';
import type { GateParts } from '../harness/gate-house.ts';
import { REFUSED } from '../proxies/gate.ts';
import { expectAccessible } from './axe.ts';
import { expect, test } from './gate-fixtures.ts';
import { own, signIn, signInFor } from './gate-steps.ts';
import { expectVisibleFocus, tabTo } from './keys.ts';
import { ACCOUNT, LOGOUT } from './steps.ts';

const FOLDER = resolve(import.meta.dirname, '../screenshots');

type Sight = readonly [name: string, open: (page: Page, gate: GateParts) => Promise<unknown>];

const SIGNED_IN: readonly Sight[] = [
  ['account', (page, { login }) => page.goto(`${login}${ACCOUNT}`)],
  ['sign-out', (page, { login }) => page.goto(`${login}${LOGOUT}`)],
  ['not_admitted', (page, { wiki }) => page.goto(`${wiki.origin}/admin/`)],
  ['proxy_refused', (page, { wiki }) => page.goto(`${wiki.origin}${REFUSED}`)],
];
const SIGNED_OUT: readonly Sight[] = [
  ['form_not_sent', async (page, { wiki }) => {
    wiki.application.offer('/public/form', { body: document('<form method="post" action="/sent"><button>Send</button></form>') });
    await page.goto(`${wiki.origin}/public/form`);
    await page.getByRole('button').click();
    await page.waitForURL(`${wiki.origin}/sent`);
  }],
  ['handover_invalid', (page, { board }) => page.goto(own(board, '/enter?ticket=x'))],
];
const LOOKS = [['light', 'light', 1280], ['dark', 'dark', 1280], ['narrow', 'light', 360]] as const;

/** Light, dark and narrow; nothing is cut off. */
async function show(page: Page, gate: GateParts, language: string, [name, open]: Sight): Promise<void> {
  await open(page, gate);
  await expect(page.locator('html')).toHaveAttribute('lang', language);
  for (const [look, colorScheme, width] of LOOKS) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 800 });
    await page.screenshot({ path: join(FOLDER, `gate-${name}-${language}-${look}.png`), fullPage: true });
  }
  await page.setViewportSize({ width: 320, height: 568 });
  const [there, needed] = await page.locator('html').evaluate(html => [html.clientWidth, html.scrollWidth]);
  expect(needed).toBeLessThanOrEqual(there ?? 0);
  await expectAccessible(page);
}

for (const [language, locale] of [['en', 'en-GB'], ['de', 'de-DE']] as const) {
  test.describe(locale, () => {
    test.use({ locale });

    test('axe finds nothing on the pages, nothing is cut off, and they can be looked at', async ({ page, gate }) => {
      for (const sight of SIGNED_OUT) await show(page, gate, language, sight);
      await signInFor(page, gate, `${gate.wiki.origin}/start`);
      for (const sight of SIGNED_IN) await show(page, gate, language, sight);
    });
  });
}

test('from the account to an application and to another account one needs no mouse', async ({ page, gate }) => {
  await signIn(page, gate);
  await tabTo(page, /^wiki/);
  await expectVisibleFocus(page);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${gate.wiki.origin}/`);
  await page.goto(`${gate.wiki.origin}/admin/`);
  await tabTo(page, /Use another account/);
  await expectVisibleFocus(page);
  await page.keyboard.press('Enter');
  await gate.provider.asksForLogin(page);
});

test('every page on the board links and loads only what is ours there', async ({ page, gate }) => {
  for (const path of ['/enter?ticket=x', '/nothing']) {
    const loaded: string[] = [];
    page.on('request', request => loaded.push(new URL(request.url()).pathname));
    await page.goto(own(gate.board, path));
    const linked = await page.locator('[href]').evaluateAll(all => all.map(one => one.getAttribute('href') ?? ''));
    for (const address of [...loaded, ...linked]) expect(address === '/' || address.startsWith(`${gate.board.prefix}/`), address).toBe(true);
    await expect(page.locator('main')).toHaveCSS('border-top-style', 'solid');
  }
});

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
import { LOGOUT } from './steps.ts';

const FOLDER = resolve(import.meta.dirname, '../screenshots');

const SIGHTS: readonly (readonly [string, (page: Page, gate: GateParts) => Promise<unknown>])[] = [
  ['account', (page, gate) => signIn(page, gate)],
  ['sign-out', async (page, gate) => {
    await signIn(page, gate);
    await page.goto(`${gate.login}${LOGOUT}`);
  }],
  ['not_admitted', async (page, gate) => {
    await signInFor(page, gate, `${gate.wiki.origin}/start`);
    await page.goto(`${gate.wiki.origin}/admin/`);
  }],
  ['form_not_sent', async (page, { wiki }) => {
    wiki.application.offer('/public/form', { body: document('<form method="post" action="/sent"><button>Send</button></form>') });
    await page.goto(`${wiki.origin}/public/form`);
    await page.getByRole('button').click();
    await page.waitForURL(`${wiki.origin}/sent`);
  }],
  ['proxy_refused', async (page, gate) => {
    await signInFor(page, gate, `${gate.wiki.origin}/start`);
    await page.goto(`${gate.wiki.origin}${REFUSED}`);
  }],
  ['handover_invalid', (page, gate) => page.goto(own(gate.board, '/enter?ticket=x'))],
  ['not_found', (page, gate) => page.goto(own(gate.board, '/nothing'))],
];

for (const [name, open] of SIGHTS) {
  for (const locale of ['en-GB', 'de-DE'] as const) {
    test.describe(locale, () => {
      test.use({ locale });

      test(`${name}: axe finds nothing, nothing is cut off at 320 pixels, and it can be looked at`, async ({ page, gate }) => {
        await open(page, gate);
        await expect(page.locator('html')).toHaveAttribute('lang', locale.slice(0, 2));
        await expectAccessible(page);
        for (const [look, colorScheme, width] of [['light', 'light', 1280], ['dark', 'dark', 1280], ['narrow', 'light', 360]] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          await page.setViewportSize({ width, height: 800 });
          await page.screenshot({ path: join(FOLDER, `gate-${name}-${locale.slice(0, 2)}-${look}.png`), fullPage: true });
        }
        await page.setViewportSize({ width: 320, height: 568 });
        const { clientWidth, scrollWidth } = await page.evaluate(() => {
          const { clientWidth, scrollWidth } = window.document.documentElement;
          return { clientWidth, scrollWidth };
        });
        expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
      });
    });
  }
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

// Whatever looks ahead or embeds a link of ours begins nothing and spends nothing, and leaves the click that follows alone.

import type { Page } from '@playwright/test';

import { document, escaped } from '../harness/application.ts';
import type { Parts } from '../harness/house.ts';
import { expect, test } from './fixtures.ts';
import { answerInHand, codesRedeemedOnce, startAt } from './steps.ts';

const OFFER = '/offer';
const WANTED = '/reports/42';

/** How a page makes the browser ask for `target` by itself. */
const WITHOUT_SCRIPT: Readonly<Record<string, (target: string) => string>> = {
  'link rel=prefetch': target => `<link rel="prefetch" href="${escaped(target)}">`,
  'an image': target => `<img alt="" src="${escaped(target)}">`,
  'a frame': target => `<iframe title="frame" src="${escaped(target)}"></iframe>`,
};
const WITH_SCRIPT: typeof WITHOUT_SCRIPT = {
  fetch: target => `<script>fetch(${JSON.stringify(target)}).catch(() => {})</script>`,
  'a speculative prefetch': target => speculation('prefetch', target),
  'a speculative prerender': target => speculation('prerender', target),
};

function speculation(kind: string, target: string): string {
  const rules = { [kind]: [{ source: 'list', urls: [target], eagerness: 'immediate' }] };
  return `<script type="speculationrules">${JSON.stringify(rules)}</script>`;
}

/** The application's page that asks for `target` by itself and has a link to it, as far as the answers. */
async function lookAhead(page: Page, { application, recorder }: Parts, target: string, script: boolean): Promise<void> {
  const ways = { ...WITHOUT_SCRIPT, ...(script ? WITH_SCRIPT : {}) };
  for (const [way, html] of Object.entries(ways)) {
    application.offer(OFFER, { body: document(`${html(target)}<a href="${escaped(target)}">Go</a>`) });
    recorder.clear();
    await page.goto(OFFER);
    const asked = (): number => recorder.answered.filter(exchange => exchange.target === target).length;
    await expect.poll(asked, way).toBeGreaterThan(0);
    for (const ahead of recorder.answered) {
      expect([204, 401, 503], `${way}: ${ahead.requestLine}`).toContain(ahead.status);
      expect(ahead.headers('set-cookie'), way).toEqual([]);
      expect(ahead.header('cache-control'), way).toContain('no-store');
    }
  }
}

// The browser's own remark on what was refused.
test.use({ noise: /status of (401|503)/ });

test('nothing that looks ahead begins a sign-in, and the click on the same link does', async ({ page, context, house, javaScriptEnabled }) => {
  const { certified } = house;
  await lookAhead(page, house, startAt(certified, WANTED), javaScriptEnabled !== false);
  expect(await context.cookies(house.origin)).toEqual([]);
  await page.getByRole('link', { name: 'Go' }).click();
  await certified.signIn(page, certified.newcomer());
  await page.waitForURL(WANTED);
  expect(await codesRedeemedOnce(certified)).toBe(1);
});

test('nothing that looks ahead spends an answer, and the click on the same link signs in', async ({ page, house, javaScriptEnabled }) => {
  const { certified, db } = house;
  const answer = new URL(await answerInHand(page, house, certified.newcomer(), WANTED));
  const attempts = await db.collection('login_attempts').countDocuments();
  await lookAhead(page, house, `${answer.pathname}${answer.search}`, javaScriptEnabled !== false);
  expect(await certified.redemptions()).toEqual([]);
  expect(await db.collection('login_attempts').countDocuments()).toBe(attempts);
  await page.getByRole('link', { name: 'Go' }).click();
  await page.waitForURL(WANTED);
  expect(await codesRedeemedOnce(certified)).toBe(1);
});

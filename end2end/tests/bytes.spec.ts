import type { Exchange } from '../proxies/recorder.ts';
import { expect, test } from './fixtures.ts';
import { LOGIN, signIn } from './steps.ts';

/** A sign-in on the quick path: login page with everything it loads, and the redirects. */
const QUICK_PATH = 20_000;

function bytes(exchanges: readonly Exchange[]): number {
  return exchanges.reduce((sum, exchange) => sum + exchange.bytes, 0);
}

test('the login page weighs at most 20 kB with everything it loads, and has no script', async ({ page, house }) => {
  await page.goto(LOGIN, { waitUntil: 'networkidle' });
  const { exchanges } = house.recorder;
  expect(exchanges.map(({ path }) => path)).toContain(LOGIN);
  expect(exchanges.some(({ path }) => path.endsWith('.css'))).toBe(true);
  expect(exchanges.filter(({ path }) => /\.(js|wasm)$/.test(path))).toEqual([]);
  expect(exchanges.every(({ path }) => path.startsWith('/auth/'))).toBe(true);
  expect(bytes(exchanges)).toBeLessThanOrEqual(QUICK_PATH);
});

test('a sign-in on the quick path takes at most 20 kB of ours', async ({ page, house }) => {
  await signIn(page, house.certified, house.certified.newcomer(), '/reports/42');
  expect(bytes(house.recorder.exchanges)).toBeLessThanOrEqual(QUICK_PATH);
});

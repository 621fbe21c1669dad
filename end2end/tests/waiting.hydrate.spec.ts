import { expect, test } from './fixtures.ts';
import { CALLBACK, signInAt } from './steps.ts';

const QUESTION = '/auth/api/complete-sign-in';
/** Script and wasm as they travel. */
const BUDGET = 60_000;

test('the panel comes alive, asks until it is done, and goes to the page asked for', async ({ page, house }) => {
  await house.authelia.delayTokens(6_000);
  const asked = page.waitForResponse(response => response.url().endsWith(QUESTION));
  await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
  const first = (await (await asked).json()) as { outcome: string; ask_again_in: number };
  expect(first.outcome).toBe('pending');
  expect(first.ask_again_in).toBeGreaterThanOrEqual(500);
  expect(first.ask_again_in).toBeLessThanOrEqual(4_000);
  await page.waitForURL('/reports/42');
  // One page, then questions: it is not the refresh without script that did it.
  const pages = house.recorder.of(CALLBACK).filter(({ status }) => status === 200);
  expect(pages).toHaveLength(1);
  const questions = house.recorder.of(QUESTION);
  expect(questions.length).toBeGreaterThan(1);
  expect(questions.length).toBeLessThan(8);
  expect(questions.every(({ method, status }) => method === 'POST' && status === 200)).toBe(true);
  expect(questions.at(-1)?.headers('set-cookie').join()).toContain('__Host-vestibule=');
});

test('script and wasm of the waiting page weigh at most 60 kB', async ({ page, house }) => {
  await house.authelia.holdTokens();
  const asked = page.waitForResponse(response => response.url().endsWith(QUESTION));
  await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
  await asked;
  const code = house.recorder.exchanges.filter(({ path }) => /\.(js|wasm)$/.test(path));
  const paths = code.map(({ path }) => path);
  expect(paths.filter(path => path.endsWith('.wasm'))).toHaveLength(1);
  expect(new Set(paths).size, 'nothing is fetched twice').toBe(paths.length);
  expect(code.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(BUDGET);
});

test('a sign-in that fails while the page waits ends on the explained page', async ({ page, house }) => {
  const fault = { answer: { status: 400, headers: [['content-type', 'application/json']], body: '{"error":"invalid_grant"}' } };
  await house.authelia.behave({ delay: { at: 'token', ms: 3_000 } });
  await house.authelia.behave({ fault: { at: 'token', fault } });
  await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
  await expect(page.getByText('code_refused', { exact: true })).toBeVisible();
  expect(new URL(page.url()).searchParams.has('code')).toBe(false);
});

test.describe('offline', () => {
  // What the page has yet to load fails then, such as its icon.
  test.use({ noise: /ERR_INTERNET_DISCONNECTED/ });

  test('the panel goes on when a browser that went offline is back', async ({ page, context, house }) => {
    await house.authelia.holdTokens();
    const asked = page.waitForResponse(response => response.url().endsWith(QUESTION));
    await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
    await asked;
    await context.setOffline(true);
    await expect(page.getByRole('status')).toContainText('offline');
    await house.authelia.release();
    await context.setOffline(false);
    await page.waitForURL('/reports/42');
  });
});

test('the reference on a problem page can be copied', async ({ page, context, house }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: house.origin });
  const fault = { answer: { status: 500 } };
  await house.authelia.behave({ fault: { at: 'token', fault } }, 1);
  await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
  await page.getByRole('button', { name: 'Copy' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  await expect(page.locator('dd code').nth(1)).toHaveText(copied);
});

test.describe('behind a proxy that answers in our place', () => {
  test.use({ noise: /status of 503/ });

  test('the panel asks again', async ({ page, house }) => {
    await house.authelia.holdTokens();
    const asked = page.waitForResponse(response => response.url().endsWith(QUESTION) && response.status() === 200);
    await signInAt(page, house.authelia, house.authelia.alice, '/reports/42');
    await asked;
    house.recorder.cut(/^POST \/auth\/api\//, 2);
    await page.waitForResponse(response => response.url().endsWith(QUESTION) && response.status() === 503);
    await house.authelia.release();
    await page.waitForURL('/reports/42');
  });
});

import { expect, test } from './fixtures.ts';
import { ACCOUNT, CALLBACK, atCallback, signInAt, waitAt } from './steps.ts';

test.setTimeout(90_000);

for (const [which, seconds] of [['certified', 3], ['authelia', 3], ['authelia', 20]] as const) {
  test(`signs in at ${which} although its token takes ${seconds} s; the code is redeemed once`, async ({ page, house }) => {
    const provider = house[which];
    const person = which === 'certified' ? house.certified.newcomer() : house.authelia.alice;
    await provider.delayTokens(seconds * 1_000);
    await signInAt(page, provider, person, '/reports/42');
    await page.waitForURL('/reports/42', { timeout: 60_000 });
    expect(await provider.redemptions()).toEqual([expect.objectContaining({ presented: 1, redeemed: 1 })]);
    await page.goto(ACCOUNT);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
  });
}

for (const which of ['certified', 'authelia'] as const) {
  // If our first byte waited for the provider, neither would ever come.
  test(`signs in at ${which} although it answers only once the browser holds our first byte`, async ({ page, house }) => {
    const provider = house[which];
    const person = which === 'certified' ? house.certified.newcomer() : house.authelia.alice;
    await provider.holdTokens();
    const firstByte = page.waitForResponse(response => new URL(response.url()).pathname === CALLBACK);
    await signInAt(page, provider, person, '/reports/42');
    const response = await firstByte;
    expect(response.status()).toBe(303);
    await provider.release();
    await page.waitForURL('/reports/42');
    expect(await provider.redemptions()).toEqual([expect.objectContaining({ presented: 1, redeemed: 1 })]);
  });
}

test('the code leaves the address before a page is shown, and the page says what goes on', async ({ page, house }) => {
  await house.authelia.holdTokens();
  const waiting = await waitAt(page, house.authelia, house.authelia.alice, '/reports/42');
  const address = new URL(waiting.url());
  expect(address.searchParams.has('state')).toBe(true);
  expect(address.searchParams.has('code')).toBe(false);
  // As sent: without script the page is always on its way to the next, and Playwright waits for it to arrive.
  const html = house.recorder.answered.find(({ status, path }) => path === CALLBACK && status === 200)?.body.toString() ?? '';
  expect(html).toContain('<h1>Completing Sign In</h1>');
  expect(html).toMatch(/<noscript><meta http-equiv="refresh" content="0;url=\/auth\/oidc\/callback\?[^"]+"><\/noscript>/);
  expect(html).toMatch(/<a href="\/auth\/oidc\/callback\?[^"]+">Continue<\/a>/);
  await house.authelia.release();
  await page.waitForURL('/reports/42');
});

test('the waiting page can be reloaded, and left open in two tabs', async ({ page, context, house, javaScriptEnabled }) => {
  await house.authelia.holdTokens();
  const waiting = await waitAt(page, house.authelia, house.authelia.alice, '/reports/42');
  const second = await context.newPage();
  await atCallback(second, 200, () => second.goto(waiting.url()));
  // Without script it reloads itself.
  if (javaScriptEnabled !== false) await page.reload();
  else await atCallback(page, 200, async () => undefined);
  await house.authelia.release();
  await Promise.all([page.waitForURL('/reports/42'), second.waitForURL('/reports/42')]);
  expect(await house.authelia.redemptions()).toEqual([expect.objectContaining({ presented: 1, redeemed: 1 })]);
});

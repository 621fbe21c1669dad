import { expect, test } from './fixtures.ts';
import { ACCOUNT, CALLBACK, LOGIN, LOGOUT, SIGNED_OUT, START, forget, signInAt } from './steps.ts';

/** nginx's default `proxy_buffer_size` is 4,096: our own budget leaves room for what others add. */
const BUDGET = 1_536;
/** The redirect to the provider carries the sealed state. */
const START_BUDGET = 2_048;

for (const [how, delay] of [['at once', 0], ['after 3 s', 3_000]] as const) {
  test(`the incident: 500 groups and the heaviest tokens, answered ${how}, sign in through nginx's defaults`, async ({ page, house }) => {
    const { authelia, recorder } = house;
    await forget(house, authelia.incident);
    if (delay > 0) await authelia.delayTokens(delay);
    await signInAt(page, authelia, authelia.incident, '/reports/42?of=the%20incident');
    await page.waitForURL('/reports/42?of=the%20incident');
    await page.goto(ACCOUNT);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Inci Dent');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('You are signed out');

    const steps = recorder.answered;
    expect(steps.map(({ path }) => path)).toEqual(
      expect.arrayContaining([LOGIN, START, CALLBACK, ACCOUNT, LOGOUT, SIGNED_OUT]),
    );
    for (const { path, status, headBytes, requestLine } of steps) {
      expect(headBytes, requestLine).toBeLessThan(path === START ? START_BUDGET : BUDGET);
      expect(status, requestLine).toBeLessThan(400);
    }
    expect(await authelia.redemptions()).toEqual([expect.objectContaining({ presented: 1, redeemed: 1 })]);
  });
}

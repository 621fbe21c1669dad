// An application that sends everybody to sign in, also those who are: it ends on an explained page, soon.

import { expect, test } from './fixtures.ts';
import { CALLBACK, START, expectProblem, startAt } from './steps.ts';
import { document, escaped, type Offer } from '../harness/application.ts';

const LOOP = '/loop';

test.setTimeout(120_000);

const WAYS: Readonly<Record<string, (start: string) => Offer>> = {
  'a redirect': start => ({ status: 302, headers: { location: start } }),
  // No browser ever stops this one.
  'a page that goes on by itself': start => ({ body: document('', `<meta http-equiv="refresh" content="0;url=${escaped(start)}">`) }),
};

for (const [way, offer] of Object.entries(WAYS)) {
  test(`an application that sends a signed-in person back by ${way} is a loop that ends`, async ({ page, house }) => {
    const { application, certified, recorder } = house;
    application.offer(LOOP, offer(startAt(certified, LOOP)));
    await page.goto(LOOP);
    await certified.signIn(page, certified.newcomer());
    // Forty turns, each of a page or two.
    await expect(page.getByText('sign_in_loop', { exact: true })).toBeVisible({ timeout: 90_000 });
    await expectProblem(page, 'sign_in_loop');
    expect(recorder.of(CALLBACK)).toHaveLength(1);
    expect(recorder.of(START).length).toBeLessThan(50);

    // The application has been mended: one click, and one is there.
    application.clear();
    await page.getByRole('link', { name: 'Start again' }).click();
    await page.waitForURL(LOOP);
  });
}

import type { Page } from '@playwright/test';

import { expect, test } from './fixtures.ts';
import { ACCOUNT, CALLBACK, SIGNED_OUT, loginFor } from './steps.ts';

/** Presses Tab until the element in focus says `text`. */
async function tabTo(page: Page, text: RegExp): Promise<void> {
  const focus = page.locator(':focus');
  for (let presses = 0; presses < 20; presses += 1) {
    await page.keyboard.press('Tab');
    if ((await focus.count()) === 1 && text.test((await focus.innerText()).trim())) return;
  }
  throw new Error(`Tab never reaches ${text}`);
}

/** That the focus can be seen: an outline or a shadow that was not there before. */
async function expectVisibleFocus(page: Page): Promise<void> {
  const focus = page.locator(':focus');
  const outline = await focus.evaluate(element => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  });
  expect(outline, 'the focus is visible').toBe(true);
}

test('signing in, reading and signing out need no mouse', async ({ page, house }) => {
  const person = house.certified.newcomer();
  await page.goto(loginFor(ACCOUNT));
  await tabTo(page, new RegExp(house.certified.name));
  await expectVisibleFocus(page);
  await page.keyboard.press('Enter');
  await page.getByLabel('Name').fill(person.login);
  await page.keyboard.press('Enter');
  await page.waitForURL(ACCOUNT);
  await tabTo(page, /Sign out/);
  await expectVisibleFocus(page);
  await page.keyboard.press('Enter');
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
  await tabTo(page, /Use another account/);
  await expectVisibleFocus(page);
});

test('the way on from a problem needs no mouse', async ({ page }) => {
  await page.goto(`${CALLBACK}?code=abc`);
  const way = await page.locator('main').getByRole('link').first().innerText();
  await tabTo(page, new RegExp(way.trim()));
  await expectVisibleFocus(page);
});

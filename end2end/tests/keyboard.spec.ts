import { test } from './fixtures.ts';
import { expectVisibleFocus, tabTo } from './keys.ts';
import { ACCOUNT, CALLBACK, LOGOUT, SIGNED_OUT, loginFor } from './steps.ts';

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
  await page.goto(LOGOUT);
  await tabTo(page, /Sign out/);
  await expectVisibleFocus(page);
  await page.keyboard.press('Enter');
  await house.certified.confirmSignOut(page);
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

// A person without a mouse.

import { expect, type Page } from '@playwright/test';

/** Presses Tab until the element in focus says `text`. */
export async function tabTo(page: Page, text: RegExp): Promise<void> {
  const focus = page.locator(':focus');
  for (let presses = 0; presses < 20; presses += 1) {
    await page.keyboard.press('Tab');
    if ((await focus.count()) === 1 && text.test((await focus.innerText()).trim())) return;
  }
  throw new Error(`Tab never reaches ${text}`);
}

/** That the focus can be seen: an outline or a shadow that was not there before. */
export async function expectVisibleFocus(page: Page): Promise<void> {
  const focus = page.locator(':focus');
  const outline = await focus.evaluate(element => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  });
  expect(outline, 'the focus is visible').toBe(true);
}

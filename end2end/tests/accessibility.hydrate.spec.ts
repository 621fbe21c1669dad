import { expectAccessible } from './axe.ts';
import { expect, test } from './fixtures.ts';
import { SIGHTS } from './pages.ts';

for (const { name, open } of SIGHTS) {
  test(`axe finds nothing on ${name}, in light and in dark`, async ({ page, house }) => {
    await open(page, house);
    await expectAccessible(page);
  });

  test(`${name} fits into 320 pixels without scrolling sideways`, async ({ page, house }) => {
    await page.setViewportSize({ width: 320, height: 568 });
    await open(page, house);
    const { clientWidth, scrollWidth } = await page.evaluate(() => {
      const { clientWidth, scrollWidth } = document.documentElement;
      return { clientWidth, scrollWidth };
    });
    expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
  });
}

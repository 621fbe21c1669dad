import { AxeBuilder } from '@axe-core/playwright';

import { expect, test } from './fixtures.ts';
import { SIGHTS } from './pages.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

for (const { name, open } of SIGHTS) {
  test(`axe finds nothing on ${name}, in light and in dark`, async ({ page, house }) => {
    await open(page, house);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
      expect(violations.map(({ id, nodes }) => ({ id, at: nodes.map(({ html }) => html) })), colorScheme).toEqual([]);
    }
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

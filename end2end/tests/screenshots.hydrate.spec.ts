// Pictures of every page for people to look at (end2end/screenshots, not kept in git).

import { join, resolve } from 'node:path';

import { expect, test } from './fixtures.ts';
import { SIGHTS } from './pages.ts';

const FOLDER = resolve(import.meta.dirname, '../screenshots');
const LOOKS = [
  ['light', { width: 1280, height: 800 }],
  ['dark', { width: 1280, height: 800 }],
  ['light', { width: 320, height: 640 }],
] as const;

for (const { name, open } of SIGHTS) {
  test(`${name} can be seen in light, in dark and narrow`, async ({ page, house }) => {
    await open(page, house);
    for (const [colorScheme, size] of LOOKS) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(size);
      await expect(page.getByRole('heading', { level: 1 })).toBeInViewport();
      const look = size.width === 320 ? 'narrow' : colorScheme;
      await page.screenshot({ path: join(FOLDER, `${name}-${look}.png`), fullPage: true });
    }
  });
}

import { expect, test } from './fixtures.ts';
import { SIGHTS } from './pages.ts';

for (const { name, status, script, referrer = 'same-origin', open } of SIGHTS) {
  test(`${name}: status, headers and what it loads`, async ({ page, house }) => {
    const loaded: string[] = [];
    page.on('request', request => {
      if (['script', 'fetch', 'xhr'].includes(request.resourceType())) loaded.push(new URL(request.url()).pathname);
    });
    const response = await open(page, house);
    // One that goes on by a script may do so before it has loaded, and one that reloads may be between two.
    const loads = page.waitForLoadState('load');
    await (script ? Promise.race([loads, page.locator('h1').waitFor()]) : loads);
    expect(response?.status()).toBe(status);
    const headers = (await response?.allHeaders()) ?? {};
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['content-security-policy']).not.toContain('unsafe-inline');
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': referrer,
      'cache-control': 'no-store',
      'content-type': 'text/html; charset=utf-8',
    });
    // It would bind the whole host: only if the operator sets `hsts`.
    expect(headers).not.toHaveProperty('strict-transport-security');
    // As sent: the browser may have gone on already.
    const sent = house.recorder.answered.find(({ target }) => response?.url() === `${house.origin}${target}`);
    const html = sent?.body.toString() ?? '';
    expect(html).toContain('</html>');
    expect(html).not.toMatch(/<script(?![^>]* src=)|\son[a-z]+=|\sstyle=|<style/);
    expect(html.includes('<script')).toBe(script);
    if (!script) expect(loaded).toEqual([]);
    for (const once of [/<title>[^<]+<\/title>/g, /<h1[\s>]/g, /<main[\s>]/g, /<html lang="en"/g]) {
      expect(html.match(once), String(once)).toHaveLength(1);
    }
  });
}

test('every redirect keeps to itself: never stored, no referrer, a policy of its own', async ({ page, house }) => {
  const sight = SIGHTS.find(({ name }) => name === 'account');
  await sight?.open(page, house);
  const redirects = house.recorder.exchanges.filter(({ status }) => status >= 300 && status < 400);
  expect(redirects.length).toBeGreaterThan(1);
  for (const redirect of redirects) {
    expect(redirect.status).toBe(303);
    expect(redirect.header('cache-control')).toBe('no-store');
    expect(redirect.header('referrer-policy')).toBe('no-referrer');
    expect(redirect.header('content-security-policy')).toContain("default-src 'none'");
  }
});

test('assets are named by their content, kept for ever and served compressed', async ({ page, house }) => {
  await SIGHTS.find(({ name }) => name === 'waiting')?.open(page, house);
  await page.waitForLoadState('load');
  const assets = house.recorder.answered.filter(({ path }) => path.startsWith('/auth/assets/pkg/'));
  expect(assets.length).toBeGreaterThan(0);
  for (const asset of assets) {
    expect(asset.path).toMatch(/\.[0-9a-f]{12,}\.(js|wasm|css)$/);
    expect(asset.header('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(asset.header('content-encoding')).toBe('br');
    expect(asset.header('vary')).toMatch(/accept-encoding/i);
    expect(asset.header('x-content-type-options')).toBe('nosniff');
  }
});

// The npm package oidc-provider logs people out by itself: whoever signs out there is signed out here.

import { expect, test as base } from '@playwright/test';

import { LogoutHouse } from '../harness/logout-house.ts';
import { CertifiedProvider } from '../provider/certified.ts';
import { expectOutEverywhere, openBoth, statuses } from './logout-steps.ts';

interface Real {
  readonly provider: CertifiedProvider;
  readonly house: LogoutHouse;
}

const test = base.extend<object, { real: Real }>({
  real: [
    async ({}, use) => {
      let provider: CertifiedProvider | undefined;
      const house = await LogoutHouse.open(async ({ origin, port, ...addresses }) => {
        const client = { id: 'vestibule', secret: crypto.randomUUID() };
        provider = new CertifiedProvider({ issuer: origin, client, ...addresses });
        await provider.listen(port);
        return { id: provider.id, issuer: provider.issuer, client };
      });
      if (provider === undefined) throw new Error('nobody has registered us');
      await use({ provider, house });
      await house.close();
      await provider.stop();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
});

test('who signs out at the provider is signed out in both processes and at both applications, and nobody else', async ({
  page, context, browser, real: { provider, house },
}) => {
  const [one, two] = [provider.newcomer(), provider.newcomer()];
  const other = await browser.newContext({ ignoreHTTPSErrors: true });
  const theirs = await other.newPage();
  await openBoth(page, house, () => provider.signIn(page, one));
  await openBoth(theirs, house, () => provider.signIn(theirs, two));
  expect(await statuses(context, house)).toEqual([200, 200, 200, 200]);
  await page.goto(`${provider.issuer}/session/end`);
  await page.getByRole('button', { name: 'Yes, sign me out' }).click();
  await expect(page.getByText('Sign-out Success')).toBeVisible();
  await expectOutEverywhere(context, house);
  expect(house.program.log).toContain('logged_out_by_provider');
  expect(await statuses(other, house)).toEqual([200, 200, 200, 200]);
  await other.close();
  await openBoth(page, house, () => provider.signIn(page, one));
});

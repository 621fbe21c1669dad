// Keycloak logs people out by itself: an administrator, or the person there.

import { expect, test as base } from '@playwright/test';

import { LogoutHouse } from '../harness/logout-house.ts';
import { Keycloak } from '../provider/keycloak.ts';
import { expectOutEverywhere, openBoth, statuses } from './logout-steps.ts';

interface Real {
  readonly keycloak: Keycloak;
  readonly house: LogoutHouse;
}

const test = base.extend<object, { real: Real }>({
  real: [
    async ({}, use) => {
      let keycloak: Keycloak | undefined;
      try {
        const house = await LogoutHouse.open(async ({ origin, port, ...addresses }) => {
          keycloak = await Keycloak.start({ origin, port });
          return keycloak.add({ name: 'staff', ...addresses });
        });
        if (keycloak === undefined) throw new Error('nobody has registered us');
        await use({ keycloak, house });
        await house.close();
      } finally {
        await keycloak?.stop();
      }
    },
    { scope: 'worker', timeout: 300_000 },
  ],
});

test("an administrator's sign-out ends the person's sessions in both processes and at both applications, and nobody else's", async ({
  page, context, browser, real: { keycloak, house },
}) => {
  const [ada, stella] = [await keycloak.person('staff', 'ada'), await keycloak.person('staff', 'stella')];
  const other = await browser.newContext({ ignoreHTTPSErrors: true });
  const theirs = await other.newPage();
  await openBoth(page, house, () => keycloak.signIn(page, ada));
  await openBoth(theirs, house, () => keycloak.signIn(theirs, stella));
  expect(await statuses(context, house)).toEqual([200, 200, 200, 200]);
  await keycloak.logOut('staff', ada);
  await expectOutEverywhere(context, house);
  expect(house.program.log).toContain('logged_out_by_provider');
  expect(await statuses(other, house)).toEqual([200, 200, 200, 200]);
  await other.close();
  // Keycloak asks for the password again, and lets them in again.
  await openBoth(page, house, () => keycloak.signIn(page, ada));
  expect(await statuses(context, house)).toEqual([200, 200, 200, 200]);
});

// Keycloak, as operators run it: what it says is understood, and the person is always told what happened.

import { expect, test as base, type Page } from '@playwright/test';

import { PlainHouse, chooseSite } from '../harness/plain-house.ts';
import { Keycloak } from '../provider/keycloak.ts';
import { ACCOUNT, SIGNED_OUT, START, expectProblem } from './steps.ts';

interface Real {
  readonly keycloak: Keycloak;
  readonly house: PlainHouse;
}

const test = base.extend<object, { real: Real }>({
  real: [
    async ({}, use) => {
      const keycloak = await Keycloak.start();
      try {
        const site = await chooseSite();
        const staff = await keycloak.add({ name: 'staff', ...site });
        const asking = await keycloak.add({ name: 'asking', ...site, client: { consentRequired: true } });
        const mistyped = { ...staff, id: 'mistyped', client: { ...staff.client, secret: 'not the one that is registered' } };
        const house = await PlainHouse.open(site, [staff, asking, mistyped, { ...staff, id: 'grasping', scope: 'groups' }]);
        await use({ keycloak, house });
        await house.close();
      } finally {
        await keycloak.stop();
      }
    },
    { scope: 'worker', timeout: 300_000 },
  ],
  baseURL: async ({ real }, use) => use(real.house.origin),
});

/** As far as Keycloak's login page. */
async function start(page: Page, realm: string, wanted = ACCOUNT): Promise<void> {
  await page.goto(`${START}?${new URLSearchParams({ provider: realm, return_to: wanted })}`);
}

/** Leaves Keycloak's login page, on the way to /reports/42, until Keycloak has forgotten it. */
async function openAndExpire(page: Page, keycloak: Keycloak): Promise<void> {
  const seconds = 2;
  await keycloak.loginLifespan('staff', seconds);
  let opened = Date.now();
  try {
    await start(page, 'staff', '/reports/42');
    await expect(page.getByLabel('Username or email')).toBeVisible();
    opened = Date.now();
  } finally {
    await keycloak.loginLifespan('staff', 1_800);
  }
  // It counts whole seconds.
  await expect.poll(() => Date.now() - opened).toBeGreaterThan((seconds + 1) * 1_000);
}

for (const [login, role] of [['ada', 'admin'], ['stella', 'user']] as const) {
  test(`${login} is in a group that may sign in, and gets the role ${role}`, async ({ page, real: { keycloak, house } }) => {
    const person = await keycloak.person('staff', login);
    await start(page, 'staff');
    await keycloak.signIn(page, person);
    await page.waitForURL(ACCOUNT);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
    await expect(page.getByRole('definition').getByText(person.email ?? '', { exact: true })).toBeVisible();
    const users = await house.db.collection('users').find({ issuer: keycloak.issuer('staff'), subject: person.subject }).toArray();
    expect(users.map(user => user['role'])).toEqual([role]);
  });
}

test('someone in no group is told so, and another person can sign in from there', async ({ page, real: { keycloak } }) => {
  await start(page, 'staff');
  await keycloak.signIn(page, await keycloak.person('staff', 'guest'));
  await expectProblem(page, 'not_allowed');
  await page.locator('main').getByRole('link').first().click();
  // Keycloak asks for the password of the same person, unless one says that it is another.
  await page.getByRole('button', { name: 'Restart login' }).click();
  await keycloak.signIn(page, await keycloak.person('staff', 'stella'));
  await page.waitForURL(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Stella Example');
});

test('a wrong client secret is said to be about the client, with the words of Keycloak in the log', async ({ page, real: { keycloak, house } }) => {
  await start(page, 'mistyped');
  await keycloak.signIn(page, await keycloak.person('staff', 'ada'));
  await expectProblem(page, 'client_refused');
  await expect.poll(() => house.program.log).toContain('unauthorized_client');
  await expect(page.locator('body')).not.toContainText('unauthorized_client');
});

test('a scope that Keycloak does not know is refused, with its words in the log', async ({ page, real: { house } }) => {
  await start(page, 'grasping');
  await expectProblem(page, 'provider_refused_request');
  await expect.poll(() => house.program.log).toContain('invalid_scope: Invalid scopes: openid profile email groups');
});

test('who does not consent is told so, and one click asks again', async ({ page, real: { keycloak } }) => {
  const person = await keycloak.person('asking', 'ada');
  await start(page, 'asking');
  await keycloak.signIn(page, person);
  await page.getByRole('button', { name: 'No' }).click();
  await expectProblem(page, 'access_denied');
  await page.locator('main').getByRole('link').first().click();
  // Keycloak has not kept the sign-in.
  await keycloak.signIn(page, person);
  await page.getByRole('button', { name: 'Yes' }).click();
  await page.waitForURL(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
});

test('a login page that was left open until it expired begins again at Keycloak', async ({ page, real: { keycloak } }) => {
  const person = await keycloak.person('staff', 'ada');
  await openAndExpire(page, keycloak);
  await keycloak.signIn(page, person);
  await expect(page.getByText('Your login attempt timed out.')).toBeVisible();
  await keycloak.signIn(page, person);
  await page.waitForURL('/reports/42');
});

test('one that has expired while the person signed in in another tab leads on to what was wanted there', async ({ page, context, real: { keycloak, house } }) => {
  const person = await keycloak.person('staff', 'ada');
  await openAndExpire(page, keycloak);
  const other = await context.newPage();
  await start(other, 'staff');
  await keycloak.signIn(other, person);
  await other.waitForURL(ACCOUNT);
  // Keycloak's script has seen that, and goes back to us by itself with an error.
  await page.waitForURL('/reports/42');
  await expect.poll(() => house.program.log).toContain('temporarily_unavailable: authentication_expired');
});

test('signing out ends the session at Keycloak, too', async ({ page, real: { keycloak, house } }) => {
  const person = await keycloak.person('staff', 'ada');
  const before = await keycloak.sessions('staff', person);
  await start(page, 'staff');
  await keycloak.signIn(page, person);
  await page.waitForURL(ACCOUNT);
  expect(await keycloak.sessions('staff', person)).toBe(before + 1);
  await page.getByRole('button', { name: 'Sign out' }).click();
  // By the session's ID token Keycloak knows whom to sign out: it asks nobody.
  await page.waitForURL(url => url.pathname === SIGNED_OUT && url.searchParams.has('state'));
  await expect(page.getByText('was asked to sign you out there, too.')).toBeVisible();
  expect(await keycloak.sessions('staff', person)).toBe(before);
  expect(house.program.log).not.toMatch(/eyJ[\w-]+\.[\w-]+\.[\w-]+/);
  await start(page, 'staff');
  await expect(page.getByLabel('Username or email')).toBeVisible();
});

test('after its keys have been changed Keycloak signs people in as before', async ({ page, real: { keycloak } }) => {
  const person = await keycloak.person('staff', 'stella');
  await keycloak.rotateKeys('staff');
  await start(page, 'staff');
  await keycloak.signIn(page, person);
  await page.waitForURL(ACCOUNT);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
});

import { ObjectId } from 'mongodb';

import { expect, test } from './fixtures.ts';
import { ACCOUNT, LOGIN, expectProblem, forget, signIn, signOut, usersOf, waitAt } from './steps.ts';

test('two first sign-ins at the same time make one user, and both succeed', async ({ anotherBrowser, house }) => {
  const { certified } = house;
  const person = certified.newcomer();
  await certified.holdTokens();
  const pages = [await anotherBrowser(), await anotherBrowser()];
  for (const page of pages) await waitAt(page, certified, person, '/reports/42');
  await certified.release();
  await Promise.all(pages.map(page => page.waitForURL('/reports/42')));
  expect(await usersOf(house, certified, person)).toHaveLength(1);
});

for (const known of ['discovery URL', 'issuer'] as const) {
  test(`a ClaudeLens user known by the ${known} is found, and keeps what we do not know`, async ({ page, house }) => {
    const { authelia, db } = house;
    await forget(house, authelia.alice);
    const older = {
      _id: new ObjectId(),
      email: 'old@example.com',
      username: `alice-${crypto.randomUUID().slice(0, 8)}`,
      role: 'admin',
      api_keys: [{ key_hash: 'ab'.repeat(32), name: 'laptop', created_at: new Date(0), active: true }],
      created_at: new Date('2025-06-01T12:00:00Z'),
      oidc_sub: authelia.alice.subject,
      oidc_provider: known === 'issuer' ? authelia.issuer : `${authelia.issuer}/.well-known/openid-configuration`,
      auth_method: 'oidc',
      project_count: 7,
      total_disk_usage: 123_456_789,
      something_new: { kept: ['as', 'it', 'is'] },
    };
    await db.collection('users').insertOne(older);
    await signIn(page, authelia, authelia.alice);
    const users = await db.collection('users').find({ oidc_sub: authelia.alice.subject }).toArray();
    expect(users).toHaveLength(1);
    const { username, role, api_keys, created_at, oidc_sub, oidc_provider, project_count, total_disk_usage, something_new } = older;
    expect(users[0]).toMatchObject({
      username, role, api_keys, created_at, oidc_sub, oidc_provider, project_count, total_disk_usage, something_new,
      issuer: authelia.issuer,
      subject: authelia.alice.subject,
    });
    expect(users[0]?._id.equals(older._id)).toBe(true);
    await forget(house, authelia.alice);
  });
}

test('a user who is switched off is refused at sign-in', async ({ page, house }) => {
  const { certified, db } = house;
  const person = certified.newcomer();
  await signIn(page, certified, person);
  await signOut(page, certified);
  await db.collection('users').updateOne({ subject: person.subject }, { $set: { is_active: false } });
  await page.goto(LOGIN);
  await page.getByRole('link', { name: certified.name }).click();
  await certified.signIn(page, person);
  await expectProblem(page, 'user_disabled');
  await expect(page.getByText('Access denied. Please contact your administrator.')).toBeVisible();
  expect(house.recorder.exchanges.map(({ status }) => status)).toContain(403);
});

test('a user who is switched off is refused at the next request', async ({ page, house }) => {
  const { certified, db } = house;
  const person = certified.newcomer();
  await signIn(page, certified, person);
  await db.collection('users').updateOne({ subject: person.subject }, { $set: { is_active: false } });
  const response = await page.goto(ACCOUNT);
  expect(response?.status()).toBe(403);
  await expectProblem(page, 'user_disabled');
  await db.collection('users').updateOne({ subject: person.subject }, { $set: { is_active: true } });
});

test('the indexes that make a person unique are there', async ({ house }) => {
  const indexes = await house.db.collection('users').indexes();
  expect(indexes).toContainEqual(expect.objectContaining({ key: { issuer: 1, subject: 1 }, unique: true }));
});

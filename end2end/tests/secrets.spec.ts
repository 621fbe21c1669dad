import { ask } from '../harness/ask.ts';
import { expect, test } from './fixtures.ts';
import { CALLBACK, FLOW_COOKIE, SESSION_COOKIE, expectProblem, forget, signIn, signInAt, waitAt } from './steps.ts';

test('no secret is in a log, a page, the script or the wasm', async ({ page, context, house }) => {
  const { certified, authelia, recorder, program } = house;
  // All that is said on good ways and bad ones, on the quick path and on the slow one.
  await forget(house, authelia.alice);
  await signIn(page, certified, certified.newcomer());
  const codes = recorder.of(CALLBACK).map(({ target }) => new URLSearchParams(target.split('?')[1]).get('code') ?? '');
  await authelia.delayTokens(2_500);
  await context.clearCookies();
  await signInAt(page, authelia, authelia.alice, '/reports/42');
  await page.waitForURL('/reports/42');
  const cookies = await context.cookies(house.origin);
  const kept = (name: string): string => cookies.find(cookie => cookie.name === name)?.value ?? '';
  await authelia.reset();
  await context.clearCookies();
  const fault = { answer: { status: 401, headers: [['content-type', 'application/json']], body: '{"error":"invalid_client"}' } };
  await authelia.behave({ fault: { at: 'token', fault } }, 1);
  await signInAt(page, authelia, authelia.alice, '/reports/42');
  await expectProblem(page, 'client_refused');

  const settings = house.secrets.flatMap(secret => [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]);
  const ofPeople = [...certified.issued, ...codes, kept(SESSION_COOKIE), kept(FLOW_COOKIE)];
  for (const secret of [...settings, ...ofPeople]) expect(secret.length).toBeGreaterThan(15);

  const found = (where: string, secrets: readonly string[]): string[] => secrets.filter(secret => where.includes(secret));
  expect(found(program.log, [...settings, ...ofPeople]), 'in the log').toEqual([]);
  expect(recorder.answered.length).toBeGreaterThan(10);
  for (const exchange of recorder.answered) {
    const body = exchange.body.toString('latin1');
    expect(found(body, [...settings, ...ofPeople]), exchange.requestLine).toEqual([]);
  }
});

test('script and wasm hold no secret of the settings', async ({ page, house }) => {
  await house.authelia.holdTokens();
  await waitAt(page, house.authelia, house.authelia.alice, '/reports/42');
  const html = house.recorder.of(CALLBACK).find(({ status }) => status === 200)?.body.toString() ?? '';
  const files = [...html.matchAll(/(?:href|src|data-js|data-wasm)="(\/auth\/assets\/[^"]+)"/g)].map(([, path]) => path ?? '');
  expect(files.filter(path => /\.(js|wasm)$/.test(path)).length).toBeGreaterThan(1);
  for (const path of new Set(files)) {
    const { status, body } = await ask(house.origin, path);
    expect(status, path).toBe(200);
    for (const secret of house.secrets) expect(body.includes(secret), path).toBe(false);
  }
});

test('the database holds neither a session id nor a code nor a token in clear', async ({ page, context, house }) => {
  await signIn(page, house.certified, house.certified.newcomer());
  const session = (await context.cookies(house.origin)).find(({ name }) => name === SESSION_COOKIE)?.value ?? '';
  expect(session).not.toBe('');
  const collections = await house.db.collections();
  const stored = await Promise.all(collections.map(collection => collection.find().toArray()));
  const text = JSON.stringify(stored);
  expect(stored.flat().length).toBeGreaterThan(2);
  for (const secret of [session, ...house.certified.issued, ...house.secrets]) expect(text.includes(secret)).toBe(false);
});

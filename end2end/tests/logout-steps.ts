// What the specs of a provider that logs people out by itself share.

import { expect, type BrowserContext, type Page } from '@playwright/test';

import type { Place } from '../harness/gate-house.ts';
import type { LogoutHouse } from '../harness/logout-house.ts';
import { pause } from '../harness/process.ts';
import { cookiesOf } from './gate-steps.ts';

/** Within so long it has ended everywhere (docs/decisions/gate.md). */
const EVERYWHERE_MS = 5_000;

/** Opens a page of each application; `signIn` is what the provider asks for on the way to the first. */
export async function openBoth(page: Page, { places }: LogoutHouse, signIn: () => Promise<void>): Promise<void> {
  const [first, second] = places.map(({ origin }) => `${origin}/page`);
  await page.goto(first ?? '');
  await signIn();
  await expect(page).toHaveURL(first ?? '');
  await page.goto(second ?? '');
  await expect(page).toHaveURL(second ?? '');
}

/** What each process tells a proxy about a request of this browser to each application. */
export async function statuses(context: BrowserContext, { places, gates }: LogoutHouse): Promise<number[]> {
  const answers = gates.flatMap(gate => places.map(place => verify(context, gate, place)));
  return Promise.all(answers);
}

async function verify(context: BrowserContext, gate: string, { origin }: Place): Promise<number> {
  const answer = await fetch(`${gate}/auth/verify`, {
    headers: {
      cookie: await cookiesOf(context, origin), 'x-forwarded-method': 'GET', 'x-forwarded-proto': 'https',
      'x-forwarded-host': new URL(origin).host, 'x-forwarded-uri': '/data', 'x-forwarded-for': '192.0.2.7',
    },
  });
  return answer.status;
}

/** No question that is asked later than that is answered by yes, by any process about any application. */
export async function expectOutEverywhere(context: BrowserContext, house: LogoutHouse): Promise<void> {
  await pause(EVERYWHERE_MS);
  expect(await statuses(context, house)).toEqual([401, 401, 401, 401]);
}

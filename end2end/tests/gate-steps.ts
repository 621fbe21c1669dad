// The steps that the gate's specs share.

import { expect, type BrowserContext, type Page } from '@playwright/test';

import type { GateParts, Place } from '../harness/gate-house.ts';
import { ACCOUNT, FLOW_COOKIE, SESSION_COOKIE, START } from './steps.ts';

/** Opens a page of an application while nobody is signed in: the provider asks who it is. */
export async function signInFor(page: Page, { provider }: GateParts, url: string): Promise<void> {
  await page.goto(url);
  await provider.signIn(page, provider.alice);
  await expect(page).toHaveURL(url);
}

/** At the login host alone, on to the account. */
export async function signIn(page: Page, { login, provider }: GateParts): Promise<void> {
  await page.goto(`${login}${START}?return_to=${ACCOUNT}`);
  await provider.signIn(page, provider.alice);
  await expect(page).toHaveURL(`${login}${ACCOUNT}`);
}

/** Where ours is on that host. */
export function own(place: Place, path: string): string {
  return `${place.origin}${place.prefix}${path}`;
}

/** Who the application was told that the last request for `target` came from. */
export function toldAbout({ application }: Place, target: string): string | string[] | undefined {
  return application.last(target)?.headers['remote-user'];
}

/** The browser's cookies of ours on that host, as a header. */
export async function cookiesOf(context: BrowserContext, origin: string): Promise<string> {
  const cookies = (await context.cookies(origin)).filter(({ name }) => [SESSION_COOKIE, FLOW_COOKIE].includes(name));
  return cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
}

// The steps that specs share.

import { expect, type Locator, type Page, type Response } from '@playwright/test';
import type { Document } from 'mongodb';

import type { Parts } from '../harness/house.ts';
import type { IdentityProvider, Person } from '../provider/provider.ts';

export const LOGIN = '/auth/login';
export const ACCOUNT = '/auth/account';
export const LOGOUT = '/auth/logout';
export const SIGNED_OUT = '/auth/signed-out';
export const START = '/auth/oidc/login';
export const CALLBACK = '/auth/oidc/callback';
/** What the waiting page asks, by POST alone. */
export const COMPLETE = '/auth/api/complete-sign-in';

export const SESSION_COOKIE = '__Host-vestibule';
export const FLOW_COOKIE = '__Host-vestibule-flow';

/** The login page on the way to `wanted`. */
export function loginFor(wanted: string): string {
  return `${LOGIN}?return_to=${encodeURIComponent(wanted)}`;
}

/** The start at a provider, without the login page. */
export function startAt(provider: IdentityProvider, wanted: string): string {
  return `${START}?${new URLSearchParams({ provider: provider.id, return_to: wanted })}`;
}

export function button(page: Page, provider: IdentityProvider): Locator {
  return page.getByRole('link', { name: provider.name });
}

/** From the login page to the provider and through its form; what follows is the callback. */
export async function signInAt(page: Page, provider: IdentityProvider, person: Person, wanted: string): Promise<void> {
  await page.goto(loginFor(wanted));
  await button(page, provider).click();
  await provider.signIn(page, person);
}

/** The callback's answer with that status, after `clicks` that lead to it. */
export async function atCallback(page: Page, status: number, clicks: () => Promise<unknown>): Promise<Response> {
  const answer = page.waitForResponse(
    response => new URL(response.url()).pathname === CALLBACK && response.status() === status,
  );
  await clicks();
  return answer;
}

/**
 * As far as the waiting page. Without script it asks for itself all the time, so that the heading is no sign; and the
 * answer alone is none either, since a browser that has not shown it yet goes back from somewhere else.
 */
export async function waitAt(page: Page, provider: IdentityProvider, person: Person, wanted: string): Promise<Response> {
  const waiting = await atCallback(page, 200, () => signInAt(page, provider, person, wanted));
  const { origin } = new URL(waiting.url());
  await page.waitForURL(url => url.origin === origin, { waitUntil: 'domcontentloaded' });
  return waiting;
}

/** All the way. */
export async function signIn(page: Page, provider: IdentityProvider, person: Person, wanted = ACCOUNT): Promise<void> {
  await signInAt(page, provider, person, wanted);
  await page.waitForURL(wanted);
}

/** The button, and all that follows it, as far as the page of ours after it. */
export async function signOut(page: Page, provider: IdentityProvider): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await provider.confirmSignOut(page);
  await page.waitForURL(url => url.pathname === SIGNED_OUT);
}

/** That a page explains itself: status, stable code, reference, and no innards of the program. */
export async function expectProblem(page: Page, code: string): Promise<void> {
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.getByText(code, { exact: true })).toBeVisible();
  const reference = page.locator('dt', { hasText: 'Reference' }).locator('xpath=following-sibling::dd').locator('code');
  await expect(reference).toHaveText(/^\S{6,}$/);
  await expect(page.locator('body')).not.toContainText(/panicked|\.rs:\d+|stack|thread '|Err\(|Error \{/);
}

/** The person's user document, of either kind. */
export async function usersOf({ db }: Parts, { issuer }: IdentityProvider, { subject }: Person): Promise<Document[]> {
  return db.collection('users').find({ issuer, subject }).toArray();
}

/** Forgets the person: the next sign-in is the first. */
export async function forget({ db }: Parts, { subject }: Person): Promise<void> {
  await db.collection('users').deleteMany({ $or: [{ subject }, { oidc_sub: subject }] });
}

/** The provider's answer as an address that our program has not seen yet: no request with it gets through. */
export async function answerInHand(page: Page, { certified, recorder }: Parts, person: Person, wanted: string): Promise<string> {
  await page.goto(startAt(certified, wanted));
  // Not even at nginx's second try.
  recorder.cut(/^GET \/auth\/oidc\/callback/, 2);
  await certified.signIn(page, person);
  await page.waitForURL(url => url.pathname === CALLBACK);
  const answer = page.url();
  // Or nginx's page would ask again by itself.
  await page.goto('about:blank');
  return answer;
}

/** That every code which was brought to the provider was brought once, and was good; how many. */
export async function codesRedeemedOnce(provider: IdentityProvider): Promise<number> {
  const redemptions = await provider.redemptions();
  for (const redemption of redemptions) expect(redemption).toMatchObject({ presented: 1, redeemed: 1 });
  return redemptions.length;
}

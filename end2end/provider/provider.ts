// What the specs need of a provider, whichever it is.

import type { Page } from '@playwright/test';

/** Somebody who can sign in there. */
export interface Person {
  /** What is typed into the login form, and `preferred_username`. */
  readonly login: string;
  readonly password: string;
  readonly subject: string;
  readonly name: string;
  readonly email?: string;
}

/** How often a code was brought to the token endpoint. */
export interface Redemption {
  readonly presented: number;
  readonly redeemed: number;
}

export interface IdentityProvider {
  /** As in `provider=`. */
  readonly id: string;
  /** As on its button. */
  readonly name: string;
  readonly issuer: string;
  readonly client: { readonly id: string; readonly secret: string };

  /** Fills in the login form that `page` shows. */
  signIn(page: Page, person: Person): Promise<void>;
  /** Whether `page` shows the login form. */
  asksForLogin(page: Page): Promise<void>;
  /** Says yes to being signed out, where the provider asks. */
  confirmSignOut(page: Page): Promise<void>;
  /** Answers token requests only after so long. */
  delayTokens(ms: number): Promise<void>;
  /** Answers token requests only after `release`. */
  holdTokens(): Promise<void>;
  release(): Promise<void>;
  /** Forgets delays, holds, changes and what was redeemed. */
  reset(): Promise<void>;
  /** Each code that was brought since `reset`. */
  redemptions(): Promise<Redemption[]>;
  stop(): Promise<void>;
}

// Every page there is, and how to get to see it; for what must hold on all of them.

import type { Page, Response } from '@playwright/test';

import type { Parts } from '../harness/house.ts';
import {
  ACCOUNT, CALLBACK, COMPLETE, LOGIN, LOGOUT, SIGNED_OUT, START, atCallback, button, loginFor, signIn, signInAt, waitAt,
} from './steps.ts';

export interface Sight {
  readonly name: string;
  readonly status: number;
  /** Whether it has a panel that comes alive. */
  readonly script: boolean;
  /** Shows it and gives the answer it came with. */
  readonly open: (page: Page, house: Parts) => Promise<Response | null>;
}

export const SIGHTS: readonly Sight[] = [
  { name: 'login', status: 200, script: false, open: page => page.goto(LOGIN) },
  {
    name: 'login-signed-in', status: 200, script: false,
    open: async (page, house) => {
      await signIn(page, house.authelia, house.authelia.alice);
      return page.goto(LOGIN);
    },
  },
  {
    name: 'account', status: 200, script: false,
    open: async (page, house) => {
      await signIn(page, house.authelia, house.authelia.alice);
      return page.goto(ACCOUNT);
    },
  },
  {
    name: 'account-long-name', status: 200, script: false,
    open: async (page, house) => {
      const login = `person-with-a-name-that-never-seems-to-end-${'and-on'.repeat(8)}`;
      const person = { ...house.certified.newcomer(), login, subject: login };
      await signIn(page, house.certified, person);
      return page.goto(ACCOUNT);
    },
  },
  {
    name: 'sign-out', status: 200, script: false,
    open: async (page, house) => {
      await signIn(page, house.authelia, house.authelia.alice);
      return page.goto(LOGOUT);
    },
  },
  { name: 'signed-out', status: 200, script: false, open: page => page.goto(`${SIGNED_OUT}?provider=authelia`) },
  {
    name: 'waiting', status: 200, script: true,
    open: async (page, house) => {
      await house.authelia.holdTokens();
      return waitAt(page, house.authelia, house.authelia.alice, '/reports/42');
    },
  },
  { name: 'problem-state_invalid', status: 400, script: false, open: page => page.goto(`${CALLBACK}?code=x&state=${'A'.repeat(99)}`) },
  {
    name: 'problem-access_denied', status: 403, script: true,
    open: async (page, house) => {
      await page.goto(loginFor('/reports/42'));
      await button(page, house.certified).click();
      return atCallback(page, 403, () => house.certified.refuse(page));
    },
  },
  {
    name: 'problem-provider_busy', status: 424, script: true,
    open: async (page, house) => {
      const fault = { answer: { status: 429, headers: [['retry-after', '120']] } };
      await house.authelia.behave({ fault: { at: 'token', fault } }, 1);
      return atCallback(page, 424, () => signInAt(page, house.authelia, house.authelia.alice, '/reports/42'));
    },
  },
  {
    name: 'problem-user_disabled', status: 403, script: false,
    open: async (page, house) => {
      const person = house.certified.newcomer();
      await signIn(page, house.certified, person);
      await house.db.collection('users').updateOne({ subject: person.subject }, { $set: { is_active: false } });
      return page.goto(ACCOUNT);
    },
  },
  { name: 'problem-not_found', status: 404, script: false, open: page => page.goto('/auth/nothing-here') },
  { name: 'problem-method_not_allowed', status: 405, script: false, open: page => page.goto(COMPLETE) },
  { name: 'problem-unknown_provider', status: 404, script: false, open: page => page.goto(`${START}?provider=nobody`) },
];

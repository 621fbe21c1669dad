// Every page there is, and how to get to see it; for what must hold on all of them.

import { expect, type Page, type Response } from '@playwright/test';

import { document, escaped } from '../harness/application.ts';
import { ask, type Answer } from '../harness/ask.ts';
import type { Parts } from '../harness/house.ts';
import type { Person } from '../provider/provider.ts';
import {
  ACCOUNT, CALLBACK, COMPLETE, LOGIN, LOGOUT, SIGNED_OUT, START, answerInHand, atCallback, button, loginFor, signIn,
  signInAt, startAt, waitAt,
} from './steps.ts';

const WANTED = '/reports/42';
/** How variables begin that say more of Authelia, the second provider of the settings. */
const AUTHELIA = 'VESTIBULE_PROVIDER__1__';

export interface Sight {
  readonly name: string;
  readonly status: number;
  /** Whether it loads a script: a panel that comes alive, or what looks again or goes on. */
  readonly script: boolean;
  /** Its referrer policy, if it has one of its own. */
  readonly referrer?: string;
  /** Shows it and gives the answer it came with. */
  readonly open: (page: Page, house: Parts) => Promise<Response | null>;
}

/** From now on the page stays when it goes on to such an address: an answer without content (204) replaces no page. */
async function stayWhenItGoesTo(page: Page, beginning: string): Promise<void> {
  await page.route(({ href }) => href.startsWith(beginning), route => route.fulfill({ status: 204 }));
}

/** From the account to the page that goes on to the provider. */
async function signingOut(page: Page): Promise<Response> {
  const answer = page.waitForResponse(
    response => new URL(response.url()).pathname === LOGOUT && response.request().method() === 'POST',
  );
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { level: 1, name: 'You are signed out here' }).waitFor();
  return answer;
}

/** The same, with somebody of a provider that signs people out; the page stays. */
async function signingOutAt(page: Page, { certified }: Parts, person: Person): Promise<Response> {
  await signIn(page, certified, person);
  await stayWhenItGoesTo(page, `${certified.issuer}/session/end`);
  return signingOut(page);
}

/** Authelia fails from now on, and the program learns of it by a sign-in; whoever is signed in stays so. */
async function fail(page: Page, { authelia, origin }: Parts): Promise<void> {
  for (const at of ['token', 'discovery']) {
    await authelia.behave({ fault: { at, fault: { answer: { status: 500 } } } });
  }
  // Only this begins a sign-in where somebody is signed in.
  await page.goto(`${startAt(authelia, WANTED)}&prompt=login`);
  await authelia.signIn(page, authelia.alice);
  await page.getByText('provider_server_error', { exact: true }).waitFor();
  await page.waitForLoadState('load');
  await expect.poll(async () => (await ask(origin, LOGIN)).body).toContain('cannot be reached at the moment');
}

/** Authelia says that it is another provider, and the program has never known it otherwise. */
async function misconfigure({ authelia, startAnew }: Parts): Promise<void> {
  await authelia.behave({ edit: { of: 'discovery', edit: { set: { issuer: 'https://another.test' } } } });
  await startAnew();
}

/** So many begin a sign-in at an Authelia that hangs that there is no place for one more, for a second. */
async function crowd({ authelia, origin, startAnew }: Parts): Promise<void> {
  // Only places for pushed requests are few.
  await startAnew({ [`${AUTHELIA}REQUIRE_PUSHED_AUTHORIZATION_REQUESTS`]: 'true' });
  await authelia.behave({ hold: { at: 'pushed' } });
  const begin = (): Promise<Answer> => ask(origin, startAt(authelia, '/elsewhere'));
  // By this one the program knows how long a place is taken, and that it does not help to wait for one.
  await begin();
  const isTold = async (answer: Promise<Answer>): Promise<void> => {
    const { status, body } = await answer;
    if (!body.includes('data-code="busy"')) throw new Error(`it got a place (${status})`);
  };
  await Promise.any(Array.from({ length: 12 }, () => isTold(begin())));
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
    name: 'login-away', status: 200, script: true,
    open: async (page, { authelia, startAnew }) => {
      await authelia.down();
      await startAnew();
      return page.goto(LOGIN);
    },
  },
  {
    name: 'login-misconfigured', status: 200, script: false,
    open: async (page, house) => {
      await misconfigure(house);
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
  {
    name: 'signing-out', status: 200, script: false, referrer: 'no-referrer',
    open: (page, house) => signingOutAt(page, house, house.certified.newcomer()),
  },
  {
    // The ID token is too long for an address.
    name: 'signing-out-by-form', status: 200, script: true, referrer: 'no-referrer',
    open: (page, house) => signingOutAt(page, house, house.certified.heavyNewcomer()),
  },
  {
    name: 'signing-out-away', status: 200, script: false, referrer: 'no-referrer',
    open: async (page, house) => {
      const { authelia, startAnew } = house;
      // For once it offers that. Nobody goes there: while it fails, the page stays.
      const offer = { end_session_endpoint: `${authelia.issuer}/end-session` };
      await authelia.behave({ edit: { of: 'discovery', edit: { set: offer } } });
      await startAnew();
      // In another tab, since what is shown on the way may load a script.
      const tab = await page.context().newPage();
      await signIn(tab, authelia, authelia.alice);
      await fail(tab, house);
      await tab.close();
      await page.goto(ACCOUNT);
      return signingOut(page);
    },
  },
  { name: 'signed-out', status: 200, script: false, open: page => page.goto(`${SIGNED_OUT}?provider=authelia`) },
  {
    name: 'waiting', status: 200, script: true,
    open: async (page, house) => {
      await house.authelia.holdTokens();
      return waitAt(page, house.authelia, house.authelia.alice, WANTED);
    },
  },
  { name: 'problem-state_invalid', status: 400, script: false, open: page => page.goto(`${CALLBACK}?code=x&state=${'A'.repeat(99)}`) },
  {
    name: 'problem-access_denied', status: 403, script: true,
    open: async (page, house) => {
      await page.goto(loginFor(WANTED));
      await button(page, house.certified).click();
      return atCallback(page, 403, () => house.certified.refuse(page));
    },
  },
  {
    name: 'problem-provider_busy', status: 424, script: true,
    open: async (page, house) => {
      const fault = { answer: { status: 429, headers: [['retry-after', '120']] } };
      await house.authelia.behave({ fault: { at: 'token', fault } }, 1);
      return atCallback(page, 424, () => signInAt(page, house.authelia, house.authelia.alice, WANTED));
    },
  },
  {
    name: 'problem-provider_metadata', status: 424, script: false,
    open: async (page, house) => {
      await misconfigure(house);
      return page.goto(startAt(house.authelia, WANTED));
    },
  },
  {
    name: 'problem-authentication_too_weak', status: 403, script: true,
    open: async (page, { authelia, startAnew }) => {
      // Authelia does not say how somebody has signed in.
      await startAnew({ [`${AUTHELIA}ACR_VALUES`]: 'mfa' });
      return atCallback(page, 403, () => signInAt(page, authelia, authelia.alice, WANTED));
    },
  },
  {
    name: 'problem-response_mode_mismatch', status: 400, script: true,
    open: async (page, house) => {
      // By a page with a button, since a provider's own goes on by itself where it can.
      const answer = new URL(await answerInHand(page, house, house.certified.newcomer(), WANTED));
      const field = ([name, value]: readonly [string, string]): string =>
        `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`;
      const fields = [...answer.searchParams].map(field).join('');
      const form = `<form method="post" action="${CALLBACK}">${fields}<button>Send</button></form>`;
      house.application.offer('/by-form', { body: document(form) });
      await page.goto('/by-form');
      return atCallback(page, 400, () => page.getByRole('button', { name: 'Send' }).click());
    },
  },
  {
    name: 'problem-busy', status: 503, script: true,
    open: async (page, house) => {
      await crowd(house);
      const response = await page.goto(startAt(house.authelia, WANTED));
      // It tries again by itself, and soon.
      await stayWhenItGoesTo(page, `${house.origin}${START}`);
      return response;
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

// The hosts of the browser tests. All of them are this machine: for Chromium by a resolver rule, with a certificate of the
// harness. Application and provider are different sites, as in life, and so are all that stand behind the gate.

/** An application that asks people to sign in by itself, with the program beside it. */
export const RP = 'rp.test';
/** The providers. The program resolves this name, too, so it is one that every machine knows. */
export const OP = 'localhost';
/** Applications behind the gate, and where their people sign in. */
export const WIKI = 'wiki.example.com';
export const BOARD = 'board.example.org';
export const LOGIN_HOST = 'login.example.net';

export const HOSTS: readonly string[] = [RP, OP, WIKI, BOARD, LOGIN_HOST];

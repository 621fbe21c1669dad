// Where cargo has put what is tested, and tools/setup what it is tested with.

import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const DEBUG = join(resolve(ROOT, process.env['CARGO_TARGET_DIR'] ?? 'target'), 'debug');

/** The program under test: VESTIBULE_BIN, else the debug build. */
export function vestibule(): string {
  const given = process.env['VESTIBULE_BIN'];
  return given === undefined ? join(DEBUG, 'vestibule') : resolve(given);
}

/** Something else of the debug build. */
export function built(path: string): string {
  return join(DEBUG, path);
}

/** A program that tools/setup has installed. */
export function installed(path: string): string {
  return join(process.env['VESTIBULE_TOOLS'] ?? join(ROOT, '.tools'), path);
}

// Child processes: started with a clean environment, their output kept, ended by their own id.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** How long a process may take to end by itself; a container's grace is as long. */
const GRACE_MS = 10_000;

export interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export class Process {
  readonly #child: ChildProcess;
  readonly #output: Buffer[] = [];
  readonly #name: string;

  constructor({ command, args, env = {}, cwd }: Start) {
    this.#name = command;
    this.#child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing of the caller's settings or proxies may leak into what is tested.
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', LANG: 'C.UTF-8', ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#child.on('error', error => this.#output.push(Buffer.from(`${error.message}\n`)));
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#output.push(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#output.push(chunk));
  }

  /** Everything printed so far, both streams. */
  get output(): string {
    return Buffer.concat(this.#output).toString();
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Waits until `check` answers something, and gives that; fails at once if the process ends first. */
  async ready<T>(check: () => Promise<T | undefined>, timeoutMs = 30_000): Promise<T> {
    const end = Date.now() + timeoutMs;
    for (let reason: unknown = 'it gives no answer'; ; ) {
      const answer = await check().catch((error: unknown) => {
        reason = error;
        return undefined;
      });
      if (answer !== undefined) return answer;
      const late = Date.now() > end;
      if (late || !this.running) {
        const what = late ? `is not ready after ${timeoutMs} ms` : 'ended before it was ready';
        throw new Error(`${this.#name} ${what} (${String(reason)}):\n${this.output}`);
      }
      await pause(50);
    }
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS);
    await ended;
    clearTimeout(late);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

// The program under test, with a settings file of its own.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { vestibule } from './built.ts';
import { Process } from './process.ts';

export interface Place {
  readonly directory: string;
  readonly port: number;
}

/** Settings by variables, which override those of the file. */
export type Environment = Readonly<Record<string, string>>;

export class Program {
  readonly #start: (environment: Environment) => Process;
  readonly #ended: string[] = [];
  #process: Process;

  private constructor(
    start: (environment: Environment) => Process,
    private readonly port: number,
  ) {
    this.#start = start;
    this.#process = start({});
  }

  /** Starts and waits for `/readyz`. */
  static async start({ directory, port }: Place, settings: string): Promise<Program> {
    const file = join(directory, 'vestibule.toml');
    writeFileSync(file, settings, { mode: 0o600 });
    const start = (environment: Environment): Process =>
      new Process({
        command: vestibule(),
        args: ['serve', '--config', file],
        cwd: directory,
        env: {
          // All that our own code can say, so that the search for secrets means something.
          VESTIBULE_LOG: 'vestibule=trace,info',
          ...environment,
        },
      });
    const program = new Program(start, port);
    await program.#ready();
    return program;
  }

  /** Everything logged, earlier lives included. */
  get log(): string {
    return [...this.#ended, this.#process.output].join('');
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  /** With its settings, and those of `environment`. */
  async restart(environment: Environment = {}): Promise<void> {
    this.#ended.push(this.#process.output);
    this.#process = this.#start(environment);
    await this.#ready();
  }

  async #ready(): Promise<void> {
    const answers = async (): Promise<true | undefined> => {
      const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`);
      return answer.ok ? true : undefined;
    };
    try {
      await this.#process.ready(answers);
    } catch (error) {
      await this.#process.stop();
      throw error;
    }
  }
}

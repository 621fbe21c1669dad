// An eye on the browser's console: our pages say nothing on it, violations of the content security policy included.

import type { BrowserContext, ConsoleMessage } from '@playwright/test';

export class Listener {
  readonly said: string[] = [];

  /** Only what pages of `origins` say counts, and of that not what `noise` matches. */
  constructor(
    private readonly origins: readonly string[],
    private readonly noise: RegExp | undefined,
  ) {}

  listen(context: BrowserContext): void {
    context.on('console', message => {
      if (this.#counts(message)) this.said.push(`${message.location().url}: ${message.text()}`);
    });
    context.on('weberror', error => this.said.push(error.error().stack ?? error.error().message));
  }

  /** The browser's own remark on a page whose status is 4xx or 5xx is no fault of the page. */
  #counts(message: ConsoleMessage): boolean {
    const { url } = message.location();
    const isStatusOfPage = message.text().startsWith('Failed to load resource') && url === message.page()?.url();
    const isOurs = url === '' || this.origins.some(origin => url.startsWith(origin));
    return isOurs && !isStatusOfPage && !this.noise?.test(message.text());
  }
}

/** How far long work is, on stderr. */

import { SingleBar } from "cli-progress";

export interface Progress {
  step(): void;
  end(): void;
}

/** A bar of so many steps on a terminal, nothing elsewhere or when there are none. */
export function showProgress(stderr: NodeJS.WriteStream, steps: number, what: string): Progress {
  const bar =
    stderr.isTTY && steps > 0
      ? new SingleBar({ format: `${what} [{bar}] {value} of {total}`, stream: stderr, clearOnComplete: true })
      : undefined;
  bar?.start(steps, 0);
  return {
    step: () => bar?.increment(),
    end: () => bar?.stop(),
  };
}

const UPDATE_MS = 100;

/** A count that grows on a terminal; elsewhere only the caller's last line tells it. */
export class Counter {
  readonly #stderr: NodeJS.WriteStream;
  #shownAt = 0;
  #shown = false;

  constructor(stderr: NodeJS.WriteStream) {
    this.#stderr = stderr;
  }

  show(text: () => string): void {
    const now = performance.now();
    if (!this.#stderr.isTTY || now - this.#shownAt < UPDATE_MS) return;
    this.#shownAt = now;
    this.#shown = true;
    this.#stderr.write(`\r\u001b[K${text()}`);
  }

  end(): void {
    if (this.#shown) this.#stderr.write("\r\u001b[K");
  }
}

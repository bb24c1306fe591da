/**
 * Turns for work that holds the event loop for milliseconds at a time, as a report's rows do. Few run at once, and the
 * next begins after the calls that came meanwhile had theirs: fifty readers do not keep a writer waiting.
 */

import { overloaded } from "../domain/fault.ts";

const WAITING_MAX = 1_000;

export class Turns {
  readonly #atOnce: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Does the work when its turn comes, first come first served. @throws Fault `overloaded` when too many wait. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length >= WAITING_MAX) {
      throw overloaded();
    }
    if (this.#running >= this.#atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) setImmediate(next);
      else this.#running -= 1;
    }
  }
}

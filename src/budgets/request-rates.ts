/**
 * Requests of the last minute, key by key, in cells of whole seconds. Sixty seconds touch at most 61 cells, so a key that
 * stays below its limit in 61 cells never passes it in any sixty seconds; a request is forgotten up to a second late.
 */

export const CELL_MS = 1_000;
const CELLS = 61;
/** Keys of one account that are counted; at the limit those that rest are forgotten. */
const KEYS_MAX = 10_000;

/** What a key may do now. */
export interface RateAnswer {
  readonly isAllowed: boolean;
  /** Requests that may follow at once. */
  readonly remaining: number;
  /** Milliseconds until the oldest of the requests is forgotten. */
  readonly resetMs: number;
}

/** Who counts requests: in memory at once, or with other processes. */
export interface Rates {
  /** Counts a request of the key, unless the limit is reached. @param limit undefined for none. */
  take(account: string, apiKeyId: string, limit: bigint | undefined): RateAnswer | Promise<RateAnswer>;
  /** Requests of the last minute of the account's busiest key. */
  busiest(account: string): number | Promise<number>;
}

class Window {
  readonly #cells = new Float64Array(CELLS);
  #newest = 0;
  count = 0;

  /** Forgets what is too old at `second`. */
  advance(second: number): void {
    const steps = Math.min(second - this.#newest, CELLS);
    for (let step = 1; step <= steps; step += 1) {
      const cell = (this.#newest + step) % CELLS;
      this.count -= this.#cells[cell]!;
      this.#cells[cell] = 0;
    }
    if (steps === CELLS) {
      this.#cells.fill(0);
      this.count = 0;
    }
    this.#newest = Math.max(this.#newest, second);
  }

  add(): void {
    this.#cells[this.#newest % CELLS]! += 1;
    this.count += 1;
  }

  /** The oldest second with a request in it. */
  oldest(): number {
    for (let second = this.#newest - CELLS + 1; second < this.#newest; second += 1) {
      if (second >= 0 && this.#cells[second % CELLS]! > 0) return second;
    }
    return this.#newest;
  }
}

export class RequestRates implements Rates {
  readonly #accounts = new Map<string, Map<string, Window>>();
  readonly #nowMs: () => number;

  /** @param nowMs a clock that never goes back, from 0 up. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  take(account: string, apiKeyId: string, limit: bigint | undefined): RateAnswer {
    const now = this.#nowMs();
    const window = this.#window(account, apiKeyId);
    window.advance(Math.floor(now / CELL_MS));
    const most = limit === undefined ? Number.POSITIVE_INFINITY : Number(limit);
    const isAllowed = window.count < most;
    if (isAllowed) window.add();
    const resetMs = Math.max(0, (window.oldest() + CELLS) * CELL_MS - now);
    return { isAllowed, remaining: Math.max(0, most - window.count), resetMs };
  }

  busiest(account: string): number {
    const second = Math.floor(this.#nowMs() / CELL_MS);
    let most = 0;
    for (const window of this.#accounts.get(account)?.values() ?? []) {
      window.advance(second);
      most = Math.max(most, window.count);
    }
    return most;
  }

  #window(account: string, apiKeyId: string): Window {
    const windows = this.#accounts.get(account) ?? new Map<string, Window>();
    this.#accounts.set(account, windows);
    const known = windows.get(apiKeyId);
    if (known) return known;
    if (windows.size >= KEYS_MAX) this.#forgetResting(windows);
    const window = new Window();
    windows.set(apiKeyId, window);
    return window;
  }

  #forgetResting(windows: Map<string, Window>): void {
    const second = Math.floor(this.#nowMs() / CELL_MS);
    for (const [apiKeyId, window] of windows) {
      window.advance(second);
      if (window.count === 0) windows.delete(apiKeyId);
    }
  }
}

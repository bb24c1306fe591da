/** Requests of the last minute as several processes count them together: of keys that have a limit. */

import type { RequestCount, RequestCounts } from "../accounts/request-counts.ts";
import { CELL_MS, type RateAnswer, type Rates, type RequestRates } from "./request-rates.ts";

export class SharedRates implements Rates {
  readonly #counts: RequestCounts;
  /** Of keys without a limit, as this process sees them. */
  readonly #own: RequestRates;

  constructor(counts: RequestCounts, own: RequestRates) {
    this.#counts = counts;
    this.#own = own;
  }

  async take(account: string, apiKeyId: string, limit: bigint | undefined): Promise<RateAnswer> {
    if (limit === undefined) return this.#own.take(account, apiKeyId, limit);
    return answerOf(await this.#counts.take(account, apiKeyId, limit), limit);
  }

  async busiest(account: string): Promise<number> {
    return Math.max(this.#own.busiest(account), ...(await this.#counts.counts(account)));
  }
}

function answerOf({ isAllowed, now, newest, cells }: RequestCount, limit: bigint): RateAnswer {
  const count = cells.reduce((sum, one) => sum + one, 0);
  let oldest = newest - cells.length + 1;
  while (oldest < newest && cells[oldest % cells.length] === 0) oldest += 1;
  const resetMs = Math.max(0, (oldest + cells.length) * CELL_MS - now);
  return { isAllowed, remaining: Math.max(0, Number(limit) - count), resetMs };
}

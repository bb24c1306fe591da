/** How long raw events are kept: those of whole UTC days that are over long enough are dropped, now and then. */

import { DAY_MS, HOUR_MS, type Instant } from "./domain/time.ts";
import type { Ledger } from "./ledger/ledger.ts";

/** Fewer days would drop events that the range of one report, 31 local days up to now, still asks for. */
export const KEEP_EVENTS_DAYS_MIN = 32;
export const KEEP_EVENTS_DAYS_MAX = 36_500;

/** What one look at all accounts did. */
export interface RetentionRun {
  /** Raw events of the days before it were due. */
  readonly before: Instant;
  readonly dropped: number;
  /** Accounts that events were dropped of. */
  readonly accounts: number;
  /** What cut the run off; the next one goes on. */
  readonly error?: Error;
}

interface RetentionParts {
  readonly ledger: Pick<Ledger, "dropEvents">;
  readonly accountIds: () => AsyncIterable<string>;
  readonly now: () => Instant;
  readonly keepDays: number;
  /** Hears of each run that dropped any or was cut off. */
  readonly told: (run: RetentionRun) => void;
}

const LOOK_MS = HOUR_MS;
/** Events that are dropped in one transaction, which the calls of clients that come meanwhile wait for. */
const EVENTS_PER_DROP = 2_000;
/** Between two drops it rests this many times as long as the drop took: the writer is the clients'. */
const REST_SHARE = 2;
const REST_MS_MAX = 1_000;

/** The end of the last UTC day of which no raw event is to be kept. */
export function droppedBefore(now: Instant, keepDays: number): Instant {
  return (Math.floor(now / DAY_MS) - keepDays) * DAY_MS;
}

export class Retention {
  readonly #parts: RetentionParts;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isClosing = false;
  #wake: () => void = () => {};

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Looks at once, then every hour, as long as something else keeps the process. */
  start(): void {
    const look = (): void => {
      this.#running = this.#running.then(() => this.#run());
    };
    look();
    this.#timer = setInterval(look, LOOK_MS);
    this.#timer.unref();
  }

  /** Stops after the drop that is under way. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#isClosing = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { accountIds, now, keepDays, told } = this.#parts;
    const before = droppedBefore(now(), keepDays);
    const done = { before, dropped: 0, accounts: 0 };
    try {
      for await (const account of accountIds()) {
        if (this.#isClosing) break;
        const dropped = await this.#drop(account, before);
        done.dropped += dropped;
        if (dropped > 0) done.accounts += 1;
      }
      if (done.dropped > 0) told(done);
    } catch (error) {
      told({ ...done, error: error as Error });
    }
  }

  async #drop(account: string, before: Instant): Promise<number> {
    let total = 0;
    while (!this.#isClosing) {
      const started = performance.now();
      const dropped = await this.#parts.ledger.dropEvents(account, { before, limit: EVENTS_PER_DROP });
      total += dropped;
      if (dropped < EVENTS_PER_DROP) break;
      await this.#rest(Math.min(REST_SHARE * (performance.now() - started), REST_MS_MAX));
    }
    return total;
  }

  async #rest(ms: number): Promise<void> {
    if (this.#isClosing) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

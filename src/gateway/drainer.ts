/** Carries what is in the spool to the ledger, and tries again for as long as the ledger is away. */

import type { IngestOutcome } from "../service.ts";
import type { Spool, SpoolRecord } from "./spool.ts";

/** Writes records of an account to the ledger; when it resolves they are counted and on disk. */
export type WriteRecords = (account: string, records: readonly SpoolRecord[]) => Promise<IngestOutcome>;

export interface DrainHooks {
  /** What the ledger did with the events of one account. */
  onWritten(outcome: IngestOutcome, account: string): void;
  /** Lines of the spool that were torn or damaged. */
  onDamaged(lines: number): void;
  /** The ledger did not take the events; they stay, and it is asked again after `retryMs`. */
  onAway(error: Error, retryMs: number): void;
}

/** Events that come within this time go to the ledger together: its commits and the spool share a disk. */
const LINGER_MS = 100;
/** So many waiting bytes are carried over at once, as after the ledger was away. */
const BACKLOG_BYTES = 128 * 1024;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

export class Drainer {
  readonly #spool: Spool;
  readonly #write: WriteRecords;
  readonly #hooks: DrainHooks;
  #isClosing = false;
  /** Something was appended since the spool was last looked at. */
  #hasNews = false;
  #wake: () => void = () => {};
  /** Who waits for the ledger to have so many bytes of all that were ever in the spool. */
  #waiting: { readonly bytes: number; done(): void }[] = [];
  readonly #running: Promise<void>;

  /** Starts at once, with what an earlier run left. */
  constructor(spool: Spool, write: WriteRecords, hooks: DrainHooks) {
    this.#spool = spool;
    this.#write = write;
    this.#hooks = hooks;
    spool.onAppend(() => {
      this.#hasNews = true;
      this.#wake();
    });
    this.#running = this.#run();
  }

  /** Carries over what is there, unless the ledger is away: then it stays for the next start. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#wake();
    await this.#running;
  }

  /** Resolves when the ledger has all that is in the spool now. */
  caughtUp(): Promise<void> {
    const bytes = this.#spool.writtenBytes;
    if (bytes <= this.#spool.removedBytes) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ bytes, done }));
  }

  #tellCaughtUp(): void {
    const ready = this.#waiting.filter(({ bytes }) => bytes <= this.#spool.removedBytes);
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { done } of ready) done();
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    for (;;) {
      try {
        if (await this.#once()) {
          retryMs = RETRY_MS_MIN;
          if (!this.#isClosing && this.#spool.bytes < BACKLOG_BYTES) await this.#pause(LINGER_MS, false);
        } else if (this.#isClosing) return;
        else await this.#pause(undefined, true);
      } catch (error) {
        if (this.#isClosing) return;
        this.#hooks.onAway(error as Error, retryMs);
        await this.#pause(retryMs, false);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
  }

  /** Carries one batch over; false when there is none. */
  async #once(): Promise<boolean> {
    this.#hasNews = false;
    const batch = await this.#spool.read();
    if (!batch) return false;
    const accounts = Map.groupBy(batch.records, (record) => record.account);
    for (const [account, records] of accounts) {
      this.#hooks.onWritten(await this.#write(account, records), account);
    }
    await this.#spool.remove(batch);
    this.#tellCaughtUp();
    if (batch.damaged > 0) this.#hooks.onDamaged(batch.damaged);
    return true;
  }

  /** Waits for a time, or until something was appended; the end of the gateway ends any wait. */
  #pause(ms: number | undefined, untilAppend: boolean): Promise<void> {
    if (this.#isClosing || (untilAppend && this.#hasNews)) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        if (!untilAppend && !this.#isClosing) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

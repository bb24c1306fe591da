/** Notes when keys were last used: to the minute, many in one transaction, and no answer waits for it. */

import type { Instant } from "../domain/time.ts";
import type { Caller } from "./records.ts";
import type { Store } from "./tables.ts";
import { locked } from "./writing.ts";

const NOTE_AGAIN_AFTER_MS = 60_000;

interface Use {
  readonly caller: Caller;
  readonly time: Instant;
}

export class LastUse {
  readonly #store: Store;
  /** When each key was noted last; no more entries than keys that were used since the start. */
  readonly #noted = new Map<string, Instant>();
  #waiting = new Map<string, Use>();
  #writing: Promise<void> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** @param lastUsed what was kept when the key was read. */
  note(caller: Caller, lastUsed: Instant | null): void {
    const time = this.#store.now();
    const key = `${caller.account}/${caller.keyId}`;
    const last = this.#noted.get(key) ?? lastUsed;
    if (last !== null && time - last < NOTE_AGAIN_AFTER_MS) return;
    this.#noted.set(key, time);
    this.#waiting.set(key, { caller, time });
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when nothing is left to write. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      // In one order everywhere, so that no two processes wait for each other's rows.
      const uses = [...this.#waiting].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, use]) => use);
      this.#waiting = new Map();
      try {
        await this.#write(uses);
      } catch {
        // A note that was lost is made again a minute later; no call fails for it.
      }
    }
    this.#writing = undefined;
  }

  async #write(uses: readonly Use[]): Promise<void> {
    await locked(this.#store, [], async ({ database }) => {
      for (const { caller, time } of uses) {
        await database
          .updateTable("apiKeys")
          .set({ lastUsed: time })
          .where("account", "=", caller.account)
          .where("keyId", "=", caller.keyId)
          .where((key) => key.or([key("lastUsed", "is", null), key("lastUsed", "<", time)]))
          .execute();
      }
    });
  }
}

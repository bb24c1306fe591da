/** Notes when keys were last used: to the minute, many in one transaction, and no answer waits for it. */

import type { Instant } from "../domain/time.ts";
import type { Caller } from "./records.ts";
import type { Store } from "./tables.ts";

const NOTE_AGAIN_AFTER_MS = 60_000;

interface Use {
  readonly caller: Caller;
  readonly time: Instant;
}

export class LastUse {
  readonly #store: Store;
  #waiting = new Map<string, Use>();
  #writing: Promise<void> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** @param lastUsed what is noted already. */
  note(caller: Caller, lastUsed: Instant | null): void {
    const time = this.#store.now();
    if (lastUsed !== null && time - lastUsed < NOTE_AGAIN_AFTER_MS) return;
    this.#waiting.set(`${caller.account}/${caller.keyId}`, { caller, time });
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when nothing is left to write. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const uses = [...this.#waiting.values()];
      this.#waiting = new Map();
      try {
        await this.#write(uses);
      } catch {
        // A note that was not written is written at the key's next use; no call fails for it.
      }
    }
    this.#writing = undefined;
  }

  async #write(uses: readonly Use[]): Promise<void> {
    await this.#store.database.transaction().execute(async (database) => {
      for (const { caller, time } of uses) {
        await database
          .updateTable("apiKeys")
          .set({ lastUsed: time })
          .where("account", "=", caller.account)
          .where("keyId", "=", caller.keyId)
          .execute();
      }
    });
  }
}

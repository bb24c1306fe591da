/**
 * How records are written, so that the outcome is that of some order of the writers, whether they are calls of one
 * process or of many: a transaction takes the locks of what it is about before it reads, and has them to its end.
 */

import type { Store } from "./tables.ts";

/** What spans accounts: the list of them, the keys that operate the installation, the price books. */
export const INSTALLATION = "";

/**
 * Runs a transaction alone with what the locks stand for: an account's id for all that is the account's,
 * {@link INSTALLATION} for what spans accounts, and this first where it takes both; none for rows that one statement
 * changes. Whoever replaces all records (copying.ts) waits for every such transaction, and they for it. Nothing of it stays when `write`
 * throws.
 * @throws Fault `unavailable` when the locks were not to be had in time.
 */
export function locked<T>(store: Store, locks: readonly string[], write: (inside: Store) => Promise<T>): Promise<T> {
  // Each statement sees what was committed before it: those behind the lock see what the one before had written.
  const transaction = store.database.transaction().setIsolationLevel("read committed");
  return transaction.execute(async (database) => {
    await store.sharing?.lock(database, locks);
    return write({ ...store, database });
  });
}

/** As {@link locked}, for records that are remembered: other processes forget what they have read of them. */
export function writing<T>(store: Store, locks: readonly string[], write: (inside: Store) => Promise<T>): Promise<T> {
  return locked(store, locks, async (inside) => {
    const written = await write(inside);
    await store.sharing?.noteChange(inside.database);
    return written;
  });
}

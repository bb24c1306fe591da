/** What lets several processes write one PostgreSQL: locks, and a count of changes that all of them read. */

import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import type { Sharing, Tables } from "../tables.ts";

/** Sets Daybook's advisory locks apart from those of others in the same database. */
const LOCK_CLASS = 0x44_61_79_41;

/** Whoever writes shares this one; who replaces all records has it alone. Of a class of its own: no name is like it. */
const ALL = sql`${LOCK_CLASS + 1}::int4, 0::int4`;

/** Every version of Daybook must make the same number of a name. Two names with one number only wait for each other. */
function numberOf(name: string): number {
  return createHash("sha256").update(name, "utf8").digest().readInt32BE();
}

/** Waits for the advisory lock of this name; the end of the transaction gives it back. */
export async function lockOf(database: Kysely<Tables>, name: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${LOCK_CLASS}::int4, ${numberOf(name)}::int4)`.execute(database);
}

export const postgresSharing: Sharing = {
  async lock(database, names) {
    await sql`select pg_advisory_xact_lock_shared(${ALL})`.execute(database);
    for (const name of names) await lockOf(database, name);
  },

  async lockAll(database) {
    await sql`select pg_advisory_xact_lock(${ALL})`.execute(database);
  },

  // One row: whoever changes it waits for the commit of the one before, so the count tells all that was committed. It is
  // the last statement of its transaction, which waits for nothing behind it: no two can wait for each other.
  async noteChange(database) {
    await sql`update changes set count = count + 1`.execute(database);
  },

  async changes(database) {
    const { rows } = await sql<{ count: number }>`select count from changes`.execute(database);
    return rows[0]!.count;
  },
};

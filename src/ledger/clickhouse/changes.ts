/** What changed in an account since a commit: the journal is what is read, so nothing needs to be kept for it. */

import type { ChangesQuestion, EventCount } from "../ledger.ts";
import type { Engine } from "./engine.ts";
import { STORED_COLUMNS, type StoredEvent, storedEvents } from "./entries.ts";
import { sql } from "./statement.ts";

/** An event and what may stand before it, whole. */
const ENTRIES_MIN = 3;

export interface ChangedScope {
  readonly lane: number;
  readonly account: string;
}

/**
 * A page of them, and whether there may be more. A page is so many entries: an event that was voided has two, and one that
 * is cut off behind its void comes in the next page.
 */
export async function changedEvents(
  engine: Engine,
  { lane, account }: ChangedScope,
  { since, after, limit }: ChangesQuestion,
): Promise<{ readonly events: readonly StoredEvent[]; readonly isLast: boolean }> {
  const entries = Math.max(limit + 1, ENTRIES_MIN);
  const ofAccount = sql`lane = ${lane} AND account = ${account} AND counted != 0`;
  // The slot once more by itself: a pair alone would not lead into the order of the table.
  const place = after ? sql` AND slot >= ${after.slot} AND (slot, arrival) > (${after.slot}, ${after.arrival})` : sql``;
  const changed =
    since === undefined
      ? sql``
      : sql` AND (slot, arrival) IN (SELECT DISTINCT slot, arrival FROM entries
              WHERE ${ofAccount} AND \`commit\` > ${Number(since)}${place} ORDER BY slot, arrival LIMIT ${entries})`;
  const rows = await engine.rows(
    sql`SELECT ${STORED_COLUMNS} FROM entries WHERE ${ofAccount}${place}${changed}
        ORDER BY slot, arrival, counted LIMIT ${entries}`,
  );
  const found = storedEvents(rows);
  return { events: found.slice(0, limit), isLast: rows.length < entries && found.length <= limit };
}

export async function countEvents(engine: Engine, { lane, account }: ChangedScope): Promise<EventCount> {
  const [row] = await engine.rows(
    sql`SELECT countIf(counted = 1), countIf(counted = -1) FROM entries WHERE lane = ${lane} AND account = ${account}`,
  );
  const [events, voided] = row!.map(Number) as [number, number];
  return { events, voided };
}

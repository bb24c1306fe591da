/**
 * What changed in an account since a mark. Nothing in the file lists changes in their order; the days' versions tell which
 * days have any, and within those an event is new when its number is, and may be voided since when it is voided at all.
 */

import type { DatabaseSync } from "node:sqlite";
import type { ChangesQuestion, EventCursor } from "../ledger.ts";
import { type EventTable, PageColumns } from "./event-page.ts";
import { METER_COLUMNS } from "./schema.ts";
import { arrayStatements } from "./statements.ts";
import { SLOTS_PER_DAY } from "./sum-table.ts";

export interface ChangesTable extends EventTable {
  readonly mark: string;
}

/** The last commit that changed the account's sums, and the last number that an event has. */
interface Mark {
  readonly commit: number;
  readonly seq: number;
}

const START: Mark = { commit: 0, seq: 0 };

type Row = readonly (string | number | null)[];

export class ChangedEvents {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: DatabaseSync) {
    this.#statements = prepare(database);
  }

  /** Fills the page; tells how far a reading gets that begins now, and where the next page begins. */
  gather(
    account: number,
    { since, after, limit }: ChangesQuestion,
    page: PageColumns,
  ): { readonly mark: string; readonly next: EventCursor | undefined } {
    const { days, events } = this.#statements;
    const from = since === undefined ? START : markOf(since);
    // First of all: what is committed from now on may be in the pages, and is not told of by the mark.
    const mark = this.#mark(account);
    const firstDay = after ? Math.floor(after.slot / SLOTS_PER_DAY) : 0;
    let last: EventCursor | undefined;
    for (const [day] of days.all(account, from.commit, firstDay) as unknown as readonly (readonly [number])[]) {
      const first = after && day === firstDay ? after : { slot: day * SLOTS_PER_DAY, arrival: -1 };
      const bounds = [account, first.slot, first.arrival, (day + 1) * SLOTS_PER_DAY, from.seq, limit + 1];
      for (const row of events.iterate(...bounds) as unknown as Iterable<Row>) {
        if (page.full) return { mark, next: last };
        last = { slot: row[0] as number, arrival: row[1] as number };
        page.add(row);
      }
    }
    return { mark, next: undefined };
  }

  #mark(account: number): string {
    const [commit, seq] = this.#statements.mark.get(account) as unknown as readonly [number | null, number];
    return `${commit ?? 0}/${seq}`;
  }
}

/** Those of an account that the file does not know. */
export function noChanges(): ChangesTable {
  return { ...new PageColumns(0, () => []).table(undefined, () => []), mark: `${START.commit}/${START.seq}` };
}

function markOf(text: string): Mark {
  const [commit, seq] = text.split("/").map(Number);
  return { commit: commit ?? 0, seq: seq ?? 0 };
}

function prepare(database: DatabaseSync) {
  const arrays = arrayStatements(database);
  return {
    // One statement, so both numbers are of one state.
    mark: arrays(
      "SELECT (SELECT max(version) FROM days WHERE account = ?), (SELECT value FROM counters WHERE name = 'seq')",
    ),
    days: arrays("SELECT day FROM days WHERE account = ? AND version > ? AND day >= ? ORDER BY day"),
    events: arrays(
      `SELECT slot, seq, id, time, series, sent, voided_at, ${METER_COLUMNS.join(", ")} FROM events
       WHERE account = ? AND (slot, seq) > (?, ?) AND slot < ? AND (seq > ? OR voided_at IS NOT NULL)
       ORDER BY slot, seq LIMIT ?`,
    ),
  };
}

/** Holds the packs of days against the sums that they are made from. */

import type { DatabaseSync } from "node:sqlite";
import { COLUMN_COUNT, type DayParts } from "./day-columns.ts";
import { unpackDay } from "./day-pack.ts";
import { METER_COLUMNS } from "./schema.ts";
import { arrayStatements } from "./statements.ts";
import { SLOTS_PER_DAY } from "./sum-table.ts";

/** A function that tells the days of an account whose pack is in use and is not what the day's sums are. */
export function packChecker(database: DatabaseSync): (account: number) => Iterable<number> {
  const arrays = arrayStatements(database);
  const packs = arrays(
    `SELECT p.day, p.columns FROM packed_days p
     JOIN days d ON d.account = p.account AND d.day = p.day AND d.version = p.version WHERE p.account = ?`,
  );
  const sums = arrays(
    `SELECT series, slot, events, ${METER_COLUMNS.join(", ")} FROM sums
     WHERE account = ? AND slot >= ? AND slot < ? ORDER BY series, slot, part`,
    true,
  );
  return function* (account) {
    for (const [day, columns] of packs.iterate(account) as unknown as Iterable<[number, Uint8Array]>) {
      const first = day * SLOTS_PER_DAY;
      const kept = sums.all(account, first, first + SLOTS_PER_DAY) as unknown as bigint[][];
      const parts = unpackDay(columns);
      const packed = parts ? rowsOf(parts, first) : [];
      if (packed.length !== kept.length || !packed.every((row, at) => row === kept[at]!.join(" "))) yield day;
    }
  };
}

/** The pack's rows as text: series, slot, then the columns. */
function rowsOf({ series, starts, slots, totals }: DayParts, firstSlot: number): string[] {
  const rows: string[] = [];
  for (const [k, number] of series.entries()) {
    for (let row = starts[k]!; row < starts[k + 1]!; row += 1) {
      const values = Array.from({ length: COLUMN_COUNT }, (_, column) => {
        const running = totals[column];
        return running ? BigInt(running[row + 1]!) - BigInt(running[row]!) : 0n;
      });
      rows.push([number, firstSlot + slots[row]!, ...values].join(" "));
    }
  }
  return rows;
}

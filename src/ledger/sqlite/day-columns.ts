/**
 * One UTC day of one account's sums, in columns kept in memory. Rows stand in the order (series, slot), and each meter
 * is a running total over all rows, so the sum of a series over any run of slots is one subtraction.
 */

import { METERS } from "../../domain/usage.ts";

/** Events first, then the quantities in the order of METERS. */
export const COLUMN_COUNT = METERS.length + 1;

/** A row of the table sums: slot of the day, place of the series, then the columns. */
export interface SumEntry {
  readonly slotOfDay: number;
  readonly series: number;
  readonly sums: readonly (number | bigint)[];
}

type Totals = Float64Array | bigint[];

export interface DayParts {
  /** The distinct series of the day, ascending. */
  readonly series: Uint32Array;
  /** Series `k` has the rows `starts[k]` to `starts[k + 1] - 1`. */
  readonly starts: Uint32Array;
  readonly slots: Uint8Array;
  /** For each column the running totals, one longer than the rows; undefined where the whole column is zero. */
  readonly totals: readonly (Totals | undefined)[];
}

export class DayColumns implements Omit<DayParts, "totals"> {
  readonly version: number;
  readonly series: Uint32Array;
  readonly starts: Uint32Array;
  readonly slots: Uint8Array;
  /** The columns that are not all zero: most days count few meters. */
  readonly columns: readonly number[];
  /**
   * The running totals of those columns, row by row, so that what is subtracted together lies together; undefined where
   * one is not a safe integer, so that plain arithmetic on them would not be exact.
   */
  readonly cells: Float64Array | undefined;
  /** The same by column, where there are no cells. */
  readonly totals: DayParts["totals"];
  /** The sum of each column over the whole day. */
  readonly whole: readonly (number | bigint)[];
  readonly bytes: number;

  constructor(version: number, { series, starts, slots, totals }: DayParts) {
    this.version = version;
    this.series = series;
    this.starts = starts;
    this.slots = slots;
    this.columns = totals.flatMap((own, column) => (own ? [column] : []));
    this.cells = cellsOf(this.columns.map((column) => totals[column]!));
    this.totals = this.cells ? [] : totals;
    this.whole = totals.map((own) => own?.at(-1) ?? 0);
    this.bytes = slots.length * (1 + 8 * this.columns.length) + series.length * 8 + 256;
  }

  /** The first row of series `k` whose slot is at or after `slotOfDay`. */
  rowAt(k: number, slotOfDay: number): number {
    let low = this.starts[k]!;
    let high = this.starts[k + 1]!;
    // A busy series has a row in every slot: then it is the one of that number.
    const guess = low + slotOfDay;
    if (guess < high && slotOfDay > 0 && this.slots[guess] === slotOfDay && this.slots[guess - 1]! < slotOfDay)
      return guess;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.slots[middle]! < slotOfDay) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Columns as rows; undefined where one is not of plain numbers. */
function cellsOf(columns: readonly Totals[]): Float64Array | undefined {
  const cells = new Float64Array((columns[0]?.length ?? 0) * columns.length);
  for (const [place, totals] of columns.entries()) {
    if (!(totals instanceof Float64Array)) return undefined;
    for (let row = 0, cell = place; row < totals.length; row += 1, cell += columns.length) cells[cell] = totals[row]!;
  }
  return cells;
}

/** The columns of rows in the order (series, slot); rows of equal series and slot are parts of one sum. */
export function columnsOf(entries: readonly SumEntry[]): DayParts {
  const series: number[] = [];
  const starts: number[] = [];
  const slots = new Uint8Array(entries.length);
  for (const [at, entry] of entries.entries()) {
    if (series.at(-1) !== entry.series) {
      series.push(entry.series);
      starts.push(at);
    }
    slots[at] = entry.slotOfDay;
  }
  starts.push(entries.length);
  const totals = Array.from({ length: COLUMN_COUNT }, (_, column) => runningTotals(entries, column));
  return { series: Uint32Array.from(series), starts: Uint32Array.from(starts), slots, totals };
}

function runningTotals(entries: readonly SumEntry[], column: number): Totals | undefined {
  const totals = new Float64Array(entries.length + 1);
  let total = 0;
  let seen = false;
  for (let at = 0; at < entries.length; at += 1) {
    const value = entries[at]!.sums[column]!;
    if (typeof value === "bigint") return exactTotals(entries, column);
    if (value !== 0) seen = true;
    total += value;
    if (Math.abs(total) > Number.MAX_SAFE_INTEGER) return exactTotals(entries, column);
    totals[at + 1] = total;
  }
  return seen ? totals : undefined;
}

function exactTotals(entries: readonly SumEntry[], column: number): bigint[] {
  let total = 0n;
  const totals = [0n];
  for (const entry of entries) {
    total += BigInt(entry.sums[column]!);
    totals.push(total);
  }
  return totals;
}

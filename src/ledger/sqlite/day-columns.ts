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

export class DayColumns implements DayParts {
  readonly version: number;
  readonly series: Uint32Array;
  readonly starts: Uint32Array;
  readonly slots: Uint8Array;
  readonly totals: readonly (Totals | undefined)[];
  /** The totals of the columns that are plain numbers, without those that are zero: most days count few meters. */
  readonly plain: readonly { readonly column: number; readonly totals: Float64Array }[];
  /** True when every running total is a safe integer, so that plain arithmetic on them is exact. */
  readonly safe: boolean;
  readonly bytes: number;

  constructor(version: number, { series, starts, slots, totals }: DayParts) {
    this.version = version;
    this.series = series;
    this.starts = starts;
    this.slots = slots;
    this.totals = totals;
    this.plain = totals.flatMap((own, column) => (own instanceof Float64Array ? [{ column, totals: own }] : []));
    this.safe = totals.every((column) => column === undefined || column instanceof Float64Array);
    const filled = totals.filter((column) => column !== undefined).length;
    this.bytes = slots.length * (1 + 8 * filled) + series.length * 8 + 256;
  }

  /** The first row of series `k` whose slot is at or after `slotOfDay`. */
  rowAt(k: number, slotOfDay: number): number {
    let low = this.starts[k]!;
    let high = this.starts[k + 1]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.slots[middle]! < slotOfDay) low = middle + 1;
      else high = middle;
    }
    return low;
  }
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

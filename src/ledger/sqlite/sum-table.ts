/** A question's sums being made: series to groups, days and events to cells, cells to a table. */

import { DAY_MS, SLOT_MS } from "../../domain/time.ts";
import { FIELD_AT, type Labels } from "../../domain/usage.ts";
import type { EventsQuestion, SumQuestion } from "../ledger.ts";
import { COLUMN_COUNT, type DayColumns } from "./day-columns.ts";
import type { SeriesList } from "./series-list.ts";

export const SLOTS_PER_DAY = DAY_MS / SLOT_MS;

/** The answer to a question in columns: cheap to hand to another thread. Row `i` is about `groups[group[i]]`. */
export interface SumTable {
  /** The groups' values, in the order of the question's fields. */
  readonly groups: readonly (readonly string[])[];
  readonly segment: Uint32Array;
  readonly group: Uint32Array;
  /** COLUMN_COUNT numbers a row; bigints where a sum is past the safe integers. */
  readonly sums: Float64Array | readonly bigint[];
}

export const EMPTY: SumTable = { groups: [], segment: new Uint32Array(), group: new Uint32Array(), sums: [] };

/** Whether usage of a series is asked about. */
export function labelsJudge({ usageTypes, filters = [] }: Pick<EventsQuestion, "usageTypes" | "filters">) {
  const types = usageTypes && new Set<string>(usageTypes);
  const sets = filters.map(({ field, values }) => ({ at: FIELD_AT[field], values: new Set(values) }));
  return (labels: Labels): boolean =>
    (!types || types.has(labels[FIELD_AT.usageType]!)) && sets.every(({ at, values }) => values.has(labels[at]!));
}

/** Gives each series its group, -1 where the question leaves it out. */
export function groupSeries(series: SeriesList, question: SumQuestion): { groupOf: Int32Array; groups: string[][] } {
  const keeps = labelsJudge(question);
  const places = question.fields.map((field) => FIELD_AT[field]);
  const groupOf = new Int32Array(series.labels.length).fill(-1);
  const groups: string[][] = [];
  const known = new Map<string, number>();
  for (const [place, labels] of series.labels.entries()) {
    if (!keeps(labels)) continue;
    const values = places.map((at) => labels[at]!);
    const key = values.join("\u0000");
    let group = known.get(key);
    if (group === undefined) {
      group = groups.length;
      groups.push(values);
      known.set(key, group);
    }
    groupOf[place] = group;
  }
  return { groupOf, groups };
}

/** Adds the sums of the slots `from` (inclusive) to `to` (exclusive), counted from the epoch. */
export function addSlots(
  days: ReadonlyMap<number, DayColumns>,
  from: number,
  to: number,
  groupOf: Int32Array,
  sums: Sums,
): void {
  for (let day = Math.floor(from / SLOTS_PER_DAY); day * SLOTS_PER_DAY < to; day += 1) {
    const columns = days.get(day);
    if (!columns) continue;
    const first = Math.max(from - day * SLOTS_PER_DAY, 0);
    const last = Math.min(to - day * SLOTS_PER_DAY, SLOTS_PER_DAY);
    const whole = first === 0 && last === SLOTS_PER_DAY;
    for (let k = 0; k < columns.series.length; k += 1) {
      const group = groupOf[columns.series[k]!]!;
      if (group < 0) continue;
      const start = whole ? columns.starts[k]! : columns.rowAt(k, first);
      const end = whole ? columns.starts[k + 1]! : columns.rowAt(k, last);
      if (start < end) sums.addRows(group, columns, start, end);
    }
  }
}

/** True when no sum over all these days together can pass the safe integers. */
export function isSafe(days: readonly DayColumns[]): boolean {
  for (let column = 0; column < COLUMN_COUNT; column += 1) {
    let total = 0;
    for (const day of days) {
      const totals = day.totals[column];
      if (totals === undefined) continue;
      if (!(totals instanceof Float64Array)) return false;
      total += totals.at(-1)!;
    }
    if (total > Number.MAX_SAFE_INTEGER) return false;
  }
  return true;
}

/** The sums being made, a segment at a time: one cell for each group and column. */
export class Sums {
  readonly #cells: Float64Array | bigint[];
  readonly #segments: number[] = [];
  readonly #groups: number[] = [];
  readonly #sums: (number | bigint)[] = [];

  /** `exact`: in bigints, for sums that may pass the safe integers. */
  constructor(groups: number, exact: boolean) {
    const cells = groups * COLUMN_COUNT;
    this.#cells = exact ? Array<bigint>(cells).fill(0n) : new Float64Array(cells);
  }

  add(group: number, column: number, value: number): void {
    const cell = group * COLUMN_COUNT + column;
    if (this.#cells instanceof Float64Array) this.#cells[cell]! += value;
    else this.#cells[cell]! += BigInt(value);
  }

  addRows(group: number, columns: DayColumns, start: number, end: number): void {
    const cells = this.#cells;
    const cell = group * COLUMN_COUNT;
    if (cells instanceof Float64Array) {
      // Sums are plain only where every column of every day is (isSafe).
      for (const { column, totals } of columns.plain) cells[cell + column]! += totals[end]! - totals[start]!;
      return;
    }
    for (const [column, totals] of columns.totals.entries()) {
      if (totals !== undefined) cells[cell + column]! += BigInt(totals[end]!) - BigInt(totals[start]!);
    }
  }

  /** Keeps the groups that counted any event, and begins anew. */
  endSegment(segment: number): void {
    const cells = this.#cells;
    for (let cell = 0; cell < cells.length; cell += COLUMN_COUNT) {
      if (cells[cell]! <= 0) continue;
      this.#segments.push(segment);
      this.#groups.push(cell / COLUMN_COUNT);
      for (let column = 0; column < COLUMN_COUNT; column += 1) this.#sums.push(cells[cell + column]!);
    }
    if (cells instanceof Float64Array) cells.fill(0);
    else cells.fill(0n);
  }

  table(groups: readonly (readonly string[])[]): SumTable {
    const numbers = this.#cells instanceof Float64Array;
    return {
      groups,
      segment: Uint32Array.from(this.#segments),
      group: Uint32Array.from(this.#groups),
      sums: numbers ? Float64Array.from(this.#sums as number[]) : (this.#sums as bigint[]),
    };
  }
}

/** A question's sums being made: series to groups, days and events to cells, cells to a table. */

import { move, transferableSymbol, valueSymbol } from "piscina";
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

/** The tables on their way to another thread: their columns are handed over instead of copied. */
export function movableSums(answer: { readonly tables: readonly SumTable[] }): unknown {
  // The columns of a table without rows are those of every such table.
  const filled = answer.tables.filter(({ segment }) => segment.length > 0);
  const columns = filled.flatMap(({ segment, group, sums }) =>
    sums instanceof Float64Array ? [segment, group, sums] : [segment, group],
  );
  return move({ [transferableSymbol]: columns.map((column) => column.buffer), [valueSymbol]: answer });
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
  const totals = new Float64Array(COLUMN_COUNT);
  for (const { cells, columns, whole } of days) {
    if (!cells) return false;
    for (const column of columns) {
      totals[column]! += Number(whole[column]);
      if (totals[column]! > Number.MAX_SAFE_INTEGER) return false;
    }
  }
  return true;
}

/** Rows that are kept of a segment, before there is need for more room. */
const ROWS_KEPT_MIN = 256;

/** The sums being made, a segment at a time: one cell for each group and column. */
export class Sums {
  readonly #cells: Float64Array | bigint[];
  readonly #segments: number[] = [];
  readonly #groups: number[] = [];
  /** The rows that are done: plain numbers in place, in memory with room to spare. */
  #plain = new Float64Array(ROWS_KEPT_MIN * COLUMN_COUNT);
  readonly #exact: bigint[] = [];

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

  addRows(group: number, { cells: own, columns, totals }: DayColumns, start: number, end: number): void {
    const cells = this.#cells;
    const cell = group * COLUMN_COUNT;
    if (cells instanceof Float64Array) {
      // Sums are plain only where every column of every day is (isSafe).
      const width = columns.length;
      for (let at = 0; at < width; at += 1) {
        cells[cell + columns[at]!]! += own![end * width + at]! - own![start * width + at]!;
      }
      return;
    }
    for (const [at, column] of columns.entries()) {
      const [to, from] = own
        ? [own[end * columns.length + at]!, own[start * columns.length + at]!]
        : [totals[column]![end]!, totals[column]![start]!];
      cells[cell + column]! += BigInt(to) - BigInt(from);
    }
  }

  /** Keeps the groups that counted any event, and begins anew. */
  endSegment(segment: number): void {
    const cells = this.#cells;
    for (let cell = 0; cell < cells.length; cell += COLUMN_COUNT) {
      if (cells[cell]! <= 0) continue;
      if (cells instanceof Float64Array) this.#keep(cells, cell);
      else this.#exact.push(...cells.slice(cell, cell + COLUMN_COUNT));
      this.#segments.push(segment);
      this.#groups.push(cell / COLUMN_COUNT);
    }
    if (cells instanceof Float64Array) cells.fill(0);
    else cells.fill(0n);
  }

  #keep(cells: Float64Array, first: number): void {
    const start = this.#segments.length * COLUMN_COUNT;
    if (start === this.#plain.length) {
      const larger = new Float64Array(2 * start);
      larger.set(this.#plain);
      this.#plain = larger;
    }
    const plain = this.#plain;
    for (let column = 0; column < COLUMN_COUNT; column += 1) plain[start + column] = cells[first + column]!;
  }

  table(groups: readonly (readonly string[])[]): SumTable {
    const isPlain = this.#cells instanceof Float64Array;
    return {
      groups,
      segment: Uint32Array.from(this.#segments),
      group: Uint32Array.from(this.#groups),
      sums: isPlain ? this.#plain.slice(0, this.#segments.length * COLUMN_COUNT) : this.#exact,
    };
  }
}

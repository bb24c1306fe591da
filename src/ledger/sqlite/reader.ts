/**
 * Answers from ledger.db. A reader has its own connection and thread; each call reads one state of the file. Reports read
 * sums, kept in memory a day at a time under the version that the writer's transaction raised; only where an edge is off
 * the slots are raw events looked at.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DAY_MS, type Instant, SLOT_MS, slotCeil, slotStart } from "../../domain/time.ts";
import { FIELD_AT, type KeptEvent, type Labels } from "../../domain/usage.ts";
import { openFile } from "../../sqlite/file.ts";
import type { EventsQuestion, SumQuestion } from "../ledger.ts";
import { COLUMN_COUNT, DayColumns, type SumEntry } from "./day-columns.ts";
import { type EventTable, PageColumns } from "./event-page.ts";
import { LABEL_COLUMNS, LEDGER_FILE, METER_COLUMNS } from "./schema.ts";

/** The answer to a question in columns: cheap to hand to another thread. Row `i` is about `groups[group[i]]`. */
export interface SumTable {
  /** The groups' values, in the order of the question's fields. */
  readonly groups: readonly (readonly string[])[];
  readonly segment: Uint32Array;
  readonly group: Uint32Array;
  /** COLUMN_COUNT numbers a row; bigints where a sum is past the safe integers. */
  readonly sums: Float64Array | readonly bigint[];
}

const CACHE_MIB = 64;
const SCAN_CACHE_MIB = 4;
/** What the days kept in memory may take, in each reader. */
const DAYS_BYTES_MAX = 128 * 1024 * 1024;
const SLOTS_PER_DAY = DAY_MS / SLOT_MS;
/** Events that one call looks at, at most: a filter that keeps few of them must not hold the thread for long. */
const EVENTS_SCANNED_MAX = 50_000;

type Row = readonly (string | number | bigint | null)[];

/** All series of an account, by their place in order of birth. */
interface SeriesList {
  last: number;
  readonly places: Map<number, number>;
  readonly labels: Labels[];
}

export class Reader {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #series = new Map<number, SeriesList>();
  /** By account and day, the one used longest ago first. */
  readonly #days = new Map<string, DayColumns>();
  #daysBytes = 0;
  readonly #path: string;
  /** Reads events in passing, through a small cache, so that a long export leaves the reports' cache alone. */
  #scan: ReturnType<typeof prepareScan> | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#database = openFile(path, LEDGER_FILE, { readOnly: true, cacheMiB: CACHE_MIB });
    this.#statements = prepare(this.#database);
  }

  /** Answers all questions from one state of the file. */
  sum(accountName: string, questions: readonly SumQuestion[]): SumTable[] {
    return this.#snapshot(() => {
      const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
      if (!found) return questions.map(() => EMPTY);
      const account = found[0] as number;
      return questions.map((question) => this.#answer(account, question));
    });
  }

  find(accountName: string, id: string): KeptEvent | undefined {
    return this.#snapshot(() => {
      const row = this.#statements.findEvent.get(accountName, id) as unknown as Row | undefined;
      if (!row) return undefined;
      const [time, series, sent, voidedAt, ...quantities] = row as readonly number[];
      const labels = this.#statements.findLabels.get(series!) as unknown as Labels;
      return {
        id,
        time: time!,
        series: labels,
        sent: sent === null ? labels : (this.#statements.findLabels.get(sent!) as unknown as Labels),
        quantities,
        voidedAt: voidedAt ?? undefined,
      };
    });
  }

  /** One page of raw events. */
  events(accountName: string, question: EventsQuestion): EventTable {
    this.#scan ??= prepareScan(this.#path);
    const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
    if (!found) return new PageColumns(0, () => []).table(undefined);
    const account = found[0] as number;
    const { range, usageTypes, after } = question;
    let series = this.#series.get(account);
    const labelsOf = (number: number): Labels => {
      // A series that is not known yet was born since.
      if (!series?.places.has(number)) series = this.#seriesOf(account);
      return series.labels[series.places.get(number)!]!;
    };
    const page = new PageColumns(question.limit, labelsOf);
    const wanted = usageTypes && new Set<string>(usageTypes);
    const from = after ?? { slot: Math.floor(range.start / SLOT_MS), arrival: -1 };
    const toSlot = Math.ceil(range.end / SLOT_MS);
    const scanned = Math.max(question.limit, EVENTS_SCANNED_MAX) + 1;
    const bounds = [account, from.slot, from.arrival, toSlot, range.start, range.end, scanned];
    let cursor: EventsQuestion["after"];
    let looked = 0;
    for (const row of this.#scan.events.iterate(...bounds) as unknown as Iterable<Row>) {
      looked += 1;
      if (page.full || looked === scanned) return page.table(cursor);
      cursor = { slot: row[0] as number, arrival: row[1] as number };
      if (!wanted || wanted.has(labelsOf(row[4] as number)[FIELD_AT.usageType]!)) page.add(row);
    }
    return page.table(undefined);
  }

  close(): void {
    this.#scan?.database.close();
    this.#database.close();
  }

  #snapshot<T>(read: () => T): T {
    this.#database.exec("BEGIN");
    try {
      return read();
    } finally {
      this.#database.exec("COMMIT");
    }
  }

  #answer(account: number, question: SumQuestion): SumTable {
    const series = this.#seriesOf(account);
    const { groupOf, groups } = groupSeries(series, question);
    if (groups.length === 0 || question.edges.length < 2) return EMPTY;
    const days = this.#daysOf(account, series, question.edges);
    const sums = new Sums(groups.length, !isSafe([...days.values()]));
    for (let segment = 0; segment + 1 < question.edges.length; segment += 1) {
      const start = question.edges[segment]!;
      const end = question.edges[segment + 1]!;
      const from = slotCeil(start);
      const to = slotStart(end);
      if (from > to) {
        this.#addEvents(account, { start, end }, series, groupOf, sums);
      } else {
        if (start < from) this.#addEvents(account, { start, end: from }, series, groupOf, sums);
        addSlots(days, from / SLOT_MS, to / SLOT_MS, groupOf, sums);
        if (to < end) this.#addEvents(account, { start: to, end }, series, groupOf, sums);
      }
      sums.endSegment(segment);
    }
    return sums.table(groups);
  }

  /** The account's series, with those born since the last call. */
  #seriesOf(account: number): SeriesList {
    const list: SeriesList = this.#series.get(account) ?? { last: 0, places: new Map(), labels: [] };
    this.#series.set(account, list);
    for (const row of this.#statements.newSeries.iterate(account, list.last) as unknown as Iterable<Row>) {
      list.last = row[0] as number;
      list.places.set(list.last, list.labels.length);
      list.labels.push(row.slice(1) as string[]);
    }
    return list;
  }

  /** The days between the edges that hold sums, from memory where the version still is the file's. */
  #daysOf(account: number, series: SeriesList, edges: readonly Instant[]): Map<number, DayColumns> {
    const first = Math.floor(edges[0]! / DAY_MS);
    const last = Math.floor(edges.at(-1)! / DAY_MS);
    const days = new Map<number, DayColumns>();
    const versions = this.#statements.dayVersions.all(account, first, last) as unknown as readonly Row[];
    for (const [day, version] of versions as unknown as readonly (readonly [number, number])[]) {
      const key = `${account}/${day}`;
      const known = this.#days.get(key);
      if (known) this.#days.delete(key);
      if (known && known.version !== version) this.#daysBytes -= known.bytes;
      const columns = known?.version === version ? known : this.#loadDay(account, day, version, series);
      if (columns !== known) this.#daysBytes += columns.bytes;
      this.#days.set(key, columns);
      days.set(day, columns);
    }
    for (const [key, columns] of this.#days) {
      if (this.#daysBytes <= DAYS_BYTES_MAX) break;
      this.#days.delete(key);
      this.#daysBytes -= columns.bytes;
    }
    return days;
  }

  #loadDay(account: number, day: number, version: number, series: SeriesList): DayColumns {
    const rows = this.#sumRows(account, day * SLOTS_PER_DAY, (day + 1) * SLOTS_PER_DAY);
    const entries: SumEntry[] = rows.map((row) => ({
      slotOfDay: Number(row[0]) - day * SLOTS_PER_DAY,
      series: series.places.get(Number(row[1]))!,
      sums: row.slice(2) as (number | bigint)[],
    }));
    entries.sort((a, b) => a.series - b.series || a.slotOfDay - b.slotOfDay);
    return new DayColumns(version, entries);
  }

  #sumRows(account: number, fromSlot: number, toSlot: number): readonly Row[] {
    try {
      return this.#statements.sums.all(account, fromSlot, toSlot) as unknown as readonly Row[];
    } catch (error) {
      // A sum past 2^53 cannot be read as a number: read the day again in bigints.
      if ((error as { code?: string }).code !== "ERR_OUT_OF_RANGE") throw error;
      return this.#statements.bigSums.all(account, fromSlot, toSlot) as unknown as readonly Row[];
    }
  }

  /** Adds the raw events of a range that lies within one slot. */
  #addEvents(
    account: number,
    range: { readonly start: Instant; readonly end: Instant },
    series: SeriesList,
    groupOf: Int32Array,
    sums: Sums,
  ): void {
    const slot = Math.floor(range.start / SLOT_MS);
    const rows = this.#statements.slotEvents.iterate(account, slot, range.start, range.end);
    for (const row of rows as unknown as Iterable<readonly number[]>) {
      const group = groupOf[series.places.get(row[0]!)!]!;
      if (group < 0) continue;
      sums.add(group, 0, 1);
      for (let column = 1; column < COLUMN_COUNT; column += 1) sums.add(group, column, row[column]!);
    }
  }
}

const EMPTY: SumTable = { groups: [], segment: new Uint32Array(), group: new Uint32Array(), sums: [] };

/** Gives each series its group, -1 where the question leaves it out. */
function groupSeries(series: SeriesList, question: SumQuestion): { groupOf: Int32Array; groups: string[][] } {
  const types = new Set<string>(question.usageTypes);
  const filters = question.filters.map(({ field, values }) => ({ at: FIELD_AT[field], values: new Set(values) }));
  const places = question.fields.map((field) => FIELD_AT[field]);
  const groupOf = new Int32Array(series.labels.length).fill(-1);
  const groups: string[][] = [];
  const known = new Map<string, number>();
  for (const [place, labels] of series.labels.entries()) {
    if (!types.has(labels[FIELD_AT.usageType]!)) continue;
    if (!filters.every(({ at, values }) => values.has(labels[at]!))) continue;
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
function addSlots(
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
function isSafe(days: readonly DayColumns[]): boolean {
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
class Sums {
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
    for (let column = 0; column < COLUMN_COUNT; column += 1) {
      const totals = columns.totals[column];
      if (totals === undefined) continue;
      if (cells instanceof Float64Array) cells[cell + column]! += Number(totals[end]!) - Number(totals[start]!);
      else cells[cell + column]! += BigInt(totals[end]!) - BigInt(totals[start]!);
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

function prepare(database: DatabaseSync) {
  const arrays = (sql: string): StatementSync => {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  const labels = LABEL_COLUMNS.map((name) => `"${name}"`).join(", ");
  const meters = METER_COLUMNS.join(", ");
  const sums = `SELECT slot, series, events, ${meters} FROM sums WHERE account = ? AND slot >= ? AND slot < ?`;
  const bigSums = arrays(sums);
  bigSums.setReadBigInts(true);
  return {
    findAccount: arrays("SELECT account FROM accounts WHERE name = ?"),
    newSeries: arrays(`SELECT series, ${labels} FROM series WHERE account = ? AND series > ? ORDER BY series`),
    findLabels: arrays(`SELECT ${labels} FROM series WHERE series = ?`),
    dayVersions: arrays("SELECT day, version FROM days WHERE account = ? AND day >= ? AND day <= ?"),
    sums: arrays(sums),
    bigSums,
    slotEvents: arrays(
      `SELECT series, ${meters} FROM events
       WHERE account = ? AND slot = ? AND time >= ? AND time < ? AND voided_at IS NULL`,
    ),
    findEvent: arrays(
      `SELECT time, series, sent, voided_at, ${meters}
       FROM identities i JOIN events e ON e.account = i.account AND e.slot = i.slot AND e.seq = i.seq
       WHERE i.account = (SELECT account FROM accounts WHERE name = ?) AND i.id = ?`,
    ),
  };
}

function prepareScan(path: string) {
  const database = openFile(path, LEDGER_FILE, { readOnly: true, cacheMiB: SCAN_CACHE_MIB });
  const events = database.prepare(
    `SELECT slot, seq, id, time, series, sent, voided_at, ${METER_COLUMNS.join(", ")} FROM events
     WHERE account = ? AND (slot, seq) > (?, ?) AND slot < ? AND time >= ? AND time < ?
     ORDER BY slot, seq LIMIT ?`,
  );
  events.setReturnArrays(true);
  return { database, events };
}

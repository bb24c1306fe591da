/**
 * Answers from ledger.db. A reader has its own connection and thread; each call reads one state of the file. Reports read
 * sums, kept in memory a day at a time under the version that the writer's transaction raised; only where an edge is off
 * the slots are raw events looked at.
 */

import type { DatabaseSync } from "node:sqlite";
import { type Instant, SLOT_MS, slotCeil, slotStart } from "../../domain/time.ts";
import type { KeptEvent, Labels } from "../../domain/usage.ts";
import { openFile } from "../../sqlite/file.ts";
import {
  type ChangesQuestion,
  type EventCount,
  type EventsQuestion,
  eventDropped,
  refuseDroppedCopy,
  refuseDroppedEdges,
  refuseDroppedPage,
  type SumQuestion,
  type Sums as SumsOf,
} from "../ledger.ts";
import { ChangedEvents, type ChangesTable, noChanges } from "./changed-events.ts";
import { COLUMN_COUNT } from "./day-columns.ts";
import { type DayPack, type DayRef, Days } from "./days.ts";
import { DroppedEvents } from "./dropped-events.ts";
import { type EventTable, PageColumns } from "./event-page.ts";
import { type IdentityOptions, identitySearch } from "./identities.ts";
import { LABEL_COLUMNS, LEDGER_FILE, METER_COLUMNS } from "./schema.ts";
import { type SeriesList, seriesReader } from "./series-list.ts";
import { arrayStatements } from "./statements.ts";
import { addSlots, EMPTY, groupSeries, isSafe, labelsJudge, Sums, type SumTable } from "./sum-table.ts";

/** A table for each question, and what else is told of the state that they are from. */
export interface SumTables extends Omit<SumsOf, "rows"> {
  readonly tables: readonly SumTable[];
}

const CACHE_MIB = 16;
const SCAN_CACHE_MIB = 4;
/** Events that one call looks at, at most: a filter that keeps few of them must not hold the thread for long. */
const EVENTS_SCANNED_MAX = 50_000;

type Row = readonly (string | number | bigint | null)[];

export class Reader {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #seriesOf: (account: number) => SeriesList;
  readonly #days: Days;
  readonly #dropped: DroppedEvents;
  readonly #path: string;
  /** Reads events in passing, through a small cache, so that a long export leaves the reports' cache alone. */
  #scan: ReturnType<typeof prepareScan> | undefined;
  #changed: ChangedEvents | undefined;

  constructor(path: string, identities: IdentityOptions = {}) {
    this.#path = path;
    this.#database = openFile(path, LEDGER_FILE, { readOnly: true, cacheMiB: CACHE_MIB });
    this.#statements = prepare(this.#database, identities);
    this.#seriesOf = seriesReader(this.#database);
    this.#days = new Days(this.#database, this.#seriesOf);
    this.#dropped = new DroppedEvents(this.#database);
  }

  /** Answers all questions from one state of the file. @throws Fault `edge_dropped`. */
  sum(accountName: string, questions: readonly SumQuestion[]): SumTables {
    return this.#snapshot(() => {
      const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
      if (!found) return { tables: questions.map(() => EMPTY), position: 0 };
      const account = found[0] as number;
      const keptFrom = this.#dropped.keptFrom(account);
      refuseDroppedEdges(questions, keptFrom);
      const [position] = this.#statements.position.get(account) as unknown as readonly [number | null];
      const tables = questions.map((question) => this.#answer(account, question));
      return { tables, position: position ?? 0, ...(keptFrom !== undefined && { keptFrom }) };
    });
  }

  /** @throws Fault `event_dropped`. */
  find(accountName: string, id: string): KeptEvent | undefined {
    return this.#snapshot(() => {
      const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
      if (!found) return undefined;
      const account = found[0] as number;
      const places = this.#statements.places(account, id);
      const row = places
        .map(({ slot, seq }) => this.#statements.findEvent.get(account, slot, seq, id) as unknown as Row | undefined)
        .find((event) => event !== undefined);
      if (!row) {
        if (places.some((place) => this.#dropped.has(account, id, place))) throw eventDropped(id);
        return undefined;
      }
      const [time, series, sent, receivedAt, voidedAt, ...quantities] = row as readonly number[];
      const labels = this.#statements.findLabels.get(series!) as unknown as Labels;
      return {
        id,
        time: time!,
        series: labels,
        sent: sent === null ? labels : (this.#statements.findLabels.get(sent!) as unknown as Labels),
        quantities,
        receivedAt: receivedAt ?? undefined,
        voidedAt: voidedAt ?? undefined,
      };
    });
  }

  /** One page of raw events. @throws Fault `events_dropped`. */
  events(accountName: string, question: EventsQuestion): EventTable {
    const page = this.#page(accountName, question);
    const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
    // After the reading: where an event was missing from it, the drop that took it is known by now.
    refuseDroppedPage(question, found && this.#dropped.keptFrom(found[0] as number));
    return page;
  }

  #page(accountName: string, question: EventsQuestion): EventTable {
    this.#scan ??= prepareScan(this.#path);
    const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
    if (!found) return new PageColumns(0, () => []).table(undefined, () => []);
    const account = found[0] as number;
    const { range, after } = question;
    const labelsOf = this.#labelsOf(account);
    const page = new PageColumns(question.limit, labelsOf);
    const keeps = labelsJudge(question);
    const verdicts = new Map<number, boolean>();
    const wanted = (number: number): boolean => {
      const known = verdicts.get(number);
      if (known !== undefined) return known;
      const verdict = keeps(labelsOf(number));
      verdicts.set(number, verdict);
      return verdict;
    };
    const arrivalsAt = this.#scan.arrivalsAt;
    const from = after ?? { slot: Math.floor(range.start / SLOT_MS), arrival: -1 };
    const toSlot = Math.ceil(range.end / SLOT_MS);
    const scanned = Math.max(question.limit, EVENTS_SCANNED_MAX) + 1;
    const bounds = [account, from.slot, from.arrival, toSlot, range.start, range.end, scanned];
    let cursor: EventsQuestion["after"];
    let looked = 0;
    for (const row of this.#scan.events.iterate(...bounds) as unknown as Iterable<Row>) {
      looked += 1;
      if (page.full || looked === scanned) return page.table(cursor, arrivalsAt);
      cursor = { slot: row[0] as number, arrival: row[1] as number };
      if (wanted(row[4] as number)) page.add(row);
    }
    return page.table(undefined, arrivalsAt);
  }

  /** One page of what changed since a mark. @throws Fault `copy_dropped`. */
  changes(accountName: string, question: ChangesQuestion): ChangesTable {
    this.#scan ??= prepareScan(this.#path);
    this.#changed ??= new ChangedEvents(this.#scan.database);
    const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
    if (!found) return noChanges();
    const account = found[0] as number;
    const page = new PageColumns(question.limit, this.#labelsOf(account));
    const { mark, next } = this.#changed.gather(account, question, page);
    // After the reading: where an event was missing from it, the drop that took it is known by now.
    refuseDroppedCopy(accountName, this.#dropped.keptFrom(account));
    return { ...page.table(next, this.#scan.arrivalsAt), mark };
  }

  /** @throws Fault `copy_dropped`. */
  count(accountName: string): EventCount {
    const found = this.#statements.findAccount.get(accountName) as unknown as Row | undefined;
    if (!found) return { events: 0, voided: 0 };
    refuseDroppedCopy(accountName, this.#dropped.keptFrom(found[0] as number));
    const [events, voided] = this.#statements.count.get(found[0]!) as unknown as readonly [number, number];
    return { events, voided };
  }

  /** Every account that usage was ever written for. */
  accounts(): string[] {
    return (this.#statements.accounts.all() as unknown as readonly (readonly [string])[]).map(([name]) => name);
  }

  /** A function that tells the labels of the account's series by their number. */
  #labelsOf(account: number): (number: number) => Labels {
    let series = this.#seriesOf(account);
    return (number) => {
      // A series that is not known yet was born since.
      if (!series.places.has(number)) series = this.#seriesOf(account);
      return series.labels[series.places.get(number)!]!;
    };
  }

  /** One day as it stands, packed; undefined when there is nothing to pack. */
  pack(day: DayRef): DayPack | undefined {
    return this.#snapshot(() => this.#days.pack(day));
  }

  /** All days without a pack of their version. */
  unpacked(): DayRef[] {
    return this.#days.unpacked();
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
    const days = this.#days.between(account, question.edges);
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

function prepare(database: DatabaseSync, identities: IdentityOptions) {
  const arrays = arrayStatements(database);
  const labels = LABEL_COLUMNS.map((name) => `"${name}"`).join(", ");
  const meters = METER_COLUMNS.join(", ");
  return {
    findAccount: arrays("SELECT account FROM accounts WHERE name = ?"),
    findLabels: arrays(`SELECT ${labels} FROM series WHERE series = ?`),
    position: arrays("SELECT max(version) FROM days WHERE account = ?"),
    accounts: arrays("SELECT name FROM accounts"),
    count: arrays("SELECT count(*), count(voided_at) FROM events WHERE account = ?"),
    slotEvents: arrays(
      `SELECT series, ${meters} FROM events
       WHERE account = ? AND slot = ? AND time >= ? AND time < ? AND voided_at IS NULL`,
    ),
    findEvent: arrays(
      `SELECT time, series, sent, ${arrivalOf("e.seq")}, voided_at, ${meters} FROM events e
       WHERE account = ? AND slot = ? AND e.seq = ? AND id = ?`,
    ),
    places: identitySearch(database, identities),
  };
}

/** When the event of this number was received, in SQL. */
function arrivalOf(seq: string): string {
  return `(SELECT at FROM arrivals WHERE seq <= ${seq} ORDER BY seq DESC LIMIT 1)`;
}

function prepareScan(path: string) {
  const database = openFile(path, LEDGER_FILE, { readOnly: true, cacheMiB: SCAN_CACHE_MIB });
  const arrays = arrayStatements(database);
  const events = arrays(
    `SELECT slot, seq, id, time, series, sent, voided_at, ${METER_COLUMNS.join(", ")} FROM events
     WHERE account = ? AND (slot, seq) > (?, ?) AND slot < ? AND time >= ? AND time < ?
     ORDER BY slot, seq LIMIT ?`,
  );
  // One search in the index an event, inside SQLite: a page with a late event spans far more arrivals than it has events.
  const arrivals = arrays(`SELECT ${arrivalOf("value")} FROM json_each(?)`);
  const arrivalsAt = (seqs: readonly number[]): (number | null)[] =>
    (arrivals.all(JSON.stringify(seqs)) as unknown as readonly (readonly [number | null])[]).map(([at]) => at);
  return { database, events, arrivalsAt };
}

/**
 * The ledger: where usage events are written down once and summed. Three engines implement it (memory, sqlite,
 * clickhouse) and one conformance suite holds them together. Every call names the account it is for; there is no call
 * without.
 */

import { Fault, problem } from "../domain/fault.ts";
import { formatInstant, type Instant, SLOT_MS, slotCeil, slotStart, type TimeRange } from "../domain/time.ts";
import type { KeptEvent, SeriesField, UsageBatch, UsageType } from "../domain/usage.ts";

/** What became of a batch. Events that are neither duplicates nor conflicts were created. */
export interface AppendOutcome {
  readonly created: number;
  readonly duplicates: number;
  /** Same id, other content: nothing changed. `at` is the event's place in the batch. */
  readonly conflicts: readonly { readonly at: number; readonly field: string }[];
}

/** What became of each id that was to be voided. */
export type VoidOutcome =
  | "voided"
  | "already_voided"
  | "not_found"
  /** Its raw event was dropped, voided or not: what it counted is not known any more, so nothing changed. */
  | "dropped";

/** A question for sums over consecutive ranges, grouped by any fields of the series. */
export interface SumQuestion {
  readonly usageTypes: readonly UsageType[];
  /** Ascending instants: segment `i` is `[edges[i], edges[i + 1])`. Edges need not lie on slots. */
  readonly edges: readonly Instant[];
  /** The fields to group by. */
  readonly fields: readonly SeriesField[];
  /** All must hold; within one, any value may. */
  readonly filters: readonly { readonly field: SeriesField; readonly values: readonly string[] }[];
}

/** The sums of one segment and one group; groups without events are left out. The rows' order means nothing. */
export interface SumRow {
  readonly segment: number;
  /** One value for each of the question's fields. */
  readonly values: readonly string[];
  readonly events: bigint;
  /** Exact sums in the order of METERS. */
  readonly quantities: readonly bigint[];
  /** The same quantities once more, from an engine that has them as plain numbers. */
  readonly plain?: PlainSums;
}

/** A list of rows. Each may be made anew when it is looked at, so that thousands need not live at once. */
export interface SumRows extends Iterable<SumRow> {
  readonly length: number;
  /** `place`: 0 and up. */
  at(place: number): SumRow | undefined;
}

/** Quantities that are all safe integers: those of METERS stand at `cells[first]` and on. Thousands of bigints are slow. */
export interface PlainSums {
  readonly cells: Float64Array;
  readonly first: number;
}

/** The answers to a call's questions, all from one state of the ledger. */
export interface Sums {
  /** The rows of each question. */
  readonly rows: readonly SumRows[];
  /**
   * The number of the last commit that changed the account's sums; 0 when none did. It rises with every such commit and
   * with nothing else, so equal positions of one account mean equal answers.
   */
  readonly position: number;
  /** The instant up to which raw events were dropped; left out when none were. It never goes back. */
  readonly keptFrom?: Instant;
}

/** Where a page of events ended: the order's own key, so it means the same whatever is written meanwhile. */
export interface EventCursor {
  /** The number of the event's slot since the epoch. */
  readonly slot: number;
  /** The event's place in the order of arrival. */
  readonly arrival: number;
}

/** A question for the events of a range, page by page. */
export interface EventsQuestion {
  readonly range: TimeRange;
  /** All when left out. */
  readonly usageTypes?: readonly UsageType[];
  /** As in {@link SumQuestion}; none when left out. */
  readonly filters?: SumQuestion["filters"];
  /** The `next` of the page before; the first page when left out. */
  readonly after?: EventCursor;
  /** The events of a page, at most; 1 or more. */
  readonly limit: number;
}

export interface EventsPage {
  /** In the order of their slot, then arrival. A page may hold fewer than the limit, or none, and not be the last. */
  readonly events: readonly KeptEvent[];
  /** Left out on the last page. */
  readonly next?: EventCursor;
}

/** A question for what changed in an account, page by page. */
export interface ChangesQuestion {
  /** The mark of a reading that came to its end: all that changed after it. Everything when left out. */
  readonly since?: string;
  /** The `next` of the page before; the first page when left out. */
  readonly after?: EventCursor;
  /** The events of a page, at most; 1 or more. */
  readonly limit: number;
}

export interface ChangesPage extends EventsPage {
  /** How far a reading that begins with this page gets. The words of this ledger; they mean nothing to another. */
  readonly mark: string;
}

/** How many events an account has. */
export interface EventCount {
  /** Voided ones too. */
  readonly events: number;
  readonly voided: number;
}

/** Which raw events to drop. */
export interface DropAsk {
  /** Events of the slots before it. */
  readonly before: Instant;
  /** How many at once, at most. */
  readonly limit: number;
}

export interface Ledger {
  /**
   * Writes events down, as received at `at` where the batch does not say when; resolves when they are durable. An event whose (account, id) is known
   * changes nothing; where its raw event was dropped it is a duplicate, for there is no content to compare.
   * @throws Fault `overloaded` before any work when too much is waiting, `unavailable` when nothing was written;
   * where an engine went away in the middle the fault says so, and the call is there wholly or not at all.
   */
  append(account: string, batch: UsageBatch, at: Instant): Promise<AppendOutcome>;
  /** Takes events out of every sum; they stay readable, and their identity stays taken. One outcome an id, in order. */
  void(account: string, ids: readonly string[], at: Instant): Promise<VoidOutcome[]>;
  /**
   * Answers all questions from one state of the ledger, which holds everything that was accepted before the call.
   * @throws Fault `edge_dropped` where an edge needs raw events that were dropped.
   */
  sum(account: string, questions: readonly SumQuestion[]): Promise<Sums>;
  /** One event by its id. @throws Fault `event_dropped`. */
  find(account: string, id: string): Promise<KeptEvent | undefined>;
  /**
   * Events of a range as they were written, voided ones too. What is written or voided between two pages neither repeats
   * nor displaces an event; whether it is in the pages to come itself depends on where the pages have got to.
   * @throws Fault `events_dropped` where the page would begin before {@link Sums.keptFrom}.
   */
  events(account: string, question: EventsQuestion): Promise<EventsPage>;
  /**
   * Events that were written or voided since a mark, as they are now, in the order of their slot, then arrival: for a copy
   * that is kept up to date. A reading to the last page lists all that changed up to the mark of its first page, and
   * perhaps more than changed.
   * @throws Fault `copy_dropped` where raw events of the account were dropped: a copy would not know their identities.
   */
  changes(account: string, question: ChangesQuestion): Promise<ChangesPage>;
  /** Counts the account's events, one by one. @throws Fault `copy_dropped`, as {@link changes}. */
  count(account: string): Promise<EventCount>;
  /**
   * Drops raw events for good, in the order of their slot, then arrival, and tells how many: fewer than the limit when no
   * more are left. Every sum and every identity stays. An event that comes late for such a slot is counted and kept until
   * it is dropped itself.
   */
  dropEvents(account: string, ask: DropAsk): Promise<number>;
  /** Finishes what was accepted and lets go of the engine. */
  close(): Promise<void>;
}

/** Sums of whole slots need no raw events. @throws Fault `edge_dropped` for the first edge that does and has none. */
export function refuseDroppedEdges(questions: readonly SumQuestion[], keptFrom: Instant | undefined): void {
  if (keptFrom === undefined) return;
  for (const { edges } of questions) {
    const edge = edges.find((one) => one < keptFrom && one % SLOT_MS !== 0);
    if (edge === undefined) continue;
    const [value, kept, earlier, later] = [edge, keptFrom, slotStart(edge), slotCeil(edge)].map(formatInstant);
    throw new Fault(problem("edge_dropped", "range", { value, keptFrom: kept, earlier, later }));
  }
}

/** @throws Fault `events_dropped` where the page would begin among events that were dropped. */
export function refuseDroppedPage({ range, after }: EventsQuestion, keptFrom: Instant | undefined): void {
  const start = after ? after.slot * SLOT_MS : range.start;
  if (keptFrom === undefined || start >= keptFrom) return;
  const [value, kept] = [start, keptFrom].map(formatInstant);
  throw new Fault(problem("events_dropped", "startTime", { value, keptFrom: kept }));
}

/** For {@link Ledger.changes}. @throws Fault `copy_dropped`. */
export function refuseDroppedCopy(account: string, keptFrom: Instant | undefined): void {
  if (keptFrom === undefined) return;
  throw new Fault(problem("copy_dropped", "account", { value: account, keptFrom: formatInstant(keptFrom) }));
}

/** For {@link Ledger.find}. */
export function eventDropped(id: string): Fault {
  return new Fault(problem("event_dropped", "usageEvent", { value: id }));
}

/**
 * The ledger: where usage events are written down once and summed. Three engines implement it (memory, sqlite,
 * clickhouse) and one conformance suite holds them together. Every call names the account it is for; there is no call
 * without.
 */

import type { Instant } from "../domain/time.ts";
import type { KeptEvent, SeriesField, UsageBatch, UsageType } from "../domain/usage.ts";

/** What became of a batch. Events that are neither duplicates nor conflicts were created. */
export interface AppendOutcome {
  readonly created: number;
  readonly duplicates: number;
  /** Same id, other content: nothing changed. `at` is the event's place in the batch. */
  readonly conflicts: readonly { readonly at: number; readonly field: string }[];
}

/** What became of each id that was to be voided. */
export type VoidOutcome = "voided" | "already_voided" | "not_found";

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
}

export interface Ledger {
  /**
   * Writes events down; resolves when they are durable. An event whose (account, id) is known changes nothing.
   * @throws Fault `overloaded` before any work when too much is waiting, `unavailable` when nothing was written.
   */
  append(account: string, batch: UsageBatch): Promise<AppendOutcome>;
  /** Takes events out of every sum; they stay readable, and their identity stays taken. One outcome an id, in order. */
  void(account: string, ids: readonly string[], at: Instant): Promise<VoidOutcome[]>;
  /** Answers all questions from one state of the ledger, which holds everything that was accepted before the call. */
  sum(account: string, questions: readonly SumQuestion[]): Promise<SumRow[][]>;
  /** One event by its id. */
  find(account: string, id: string): Promise<KeptEvent | undefined>;
  /** Finishes what was accepted and lets go of the engine. */
  close(): Promise<void>;
}

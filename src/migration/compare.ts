/** Whether two ledgers agree on an account: every sum of every slot and series, and how many events there are. */

import { DAY_MS, formatInstant, type Instant, SLOT_MS } from "../domain/time.ts";
import { METERS, SERIES_FIELDS, USAGE_TYPE_NAMES } from "../domain/usage.ts";
import type { Ledger, SumQuestion, SumRow } from "../ledger/ledger.ts";
import { again } from "./copy-usage.ts";

type Compared = Pick<Ledger, "sum" | "count">;

export interface Comparison {
  readonly sums: number;
  readonly events: number;
  readonly voided: number;
  /** What differs first, as sentences; none when the two agree. */
  readonly differences: readonly string[];
}

const DIFFERENCES_MAX = 20;
/** No event is of a time before it, and none of more than a day ahead. */
const FIRST_DAY = Date.UTC(2000, 0, 1);
const AHEAD_MS = 2 * DAY_MS;
/** Sums that are read at once, if a day has as many as the one before. */
const ROWS_AT_ONCE = 100_000;
const DAYS_AT_ONCE_MAX = 31;

export async function compareUsage(a: Compared, b: Compared, account: string, now: Instant): Promise<Comparison> {
  const differences: string[] = [];
  const [counted, other] = await Promise.all([again(() => a.count(account)), again(() => b.count(account))]);
  for (const field of ["events", "voided"] as const) {
    if (counted[field] !== other[field]) {
      differences.push(
        `${account}: ${counted[field]} events${field === "voided" ? " that were voided" : ""}, and ${other[field]} in --to`,
      );
    }
  }
  const days = await daysOf([a, b], account, now);
  let sums = 0;
  let rowsPerDay = ROWS_AT_ONCE / DAYS_AT_ONCE_MAX;
  for (let at = 0; at < days.length && differences.length < DIFFERENCES_MAX; ) {
    const count = Math.min(Math.max(1, Math.floor(ROWS_AT_ONCE / Math.max(rowsPerDay, 1))), DAYS_AT_ONCE_MAX);
    const some = days.slice(at, at + count);
    const [one, two] = await Promise.all([a, b].map((ledger) => sumsOf(ledger, account, some)));
    sums += one!.size;
    rowsPerDay = one!.size / some.length;
    for (const [key, sum] of one!) {
      if (two!.get(key) !== sum)
        differences.push(`${account}: ${key}: ${sum}, and ${two!.get(key) ?? "nothing"} in --to`);
    }
    for (const [key, sum] of two!)
      if (!one!.has(key)) differences.push(`${account}: ${key}: nothing, and ${sum} in --to`);
    at += some.length;
  }
  return { sums, ...counted, differences: differences.slice(0, DIFFERENCES_MAX) };
}

const ALL = { usageTypes: USAGE_TYPE_NAMES, filters: [] };

/** The UTC days that one of them has usage on. */
async function daysOf(ledgers: readonly Compared[], account: string, now: Instant): Promise<Instant[]> {
  const edges = edgesOf(FIRST_DAY, now + AHEAD_MS, DAY_MS);
  const days = new Set<Instant>();
  for (const ledger of ledgers) {
    const { rows } = await again(() => ledger.sum(account, [{ ...ALL, edges, fields: [] }]));
    for (const { segment } of rows[0]!) days.add(edges[segment]!);
  }
  return [...days].sort((one, other) => one - other);
}

function edgesOf(start: Instant, end: Instant, step: number): Instant[] {
  return Array.from({ length: Math.ceil((end - start) / step) + 1 }, (_, at) => start + at * step);
}

/** Each sum of these days by its slot and series. */
async function sumsOf(ledger: Compared, account: string, days: readonly Instant[]): Promise<Map<string, string>> {
  const questions: SumQuestion[] = [];
  for (let at = 0; at < days.length; ) {
    let to = at + 1;
    while (to < days.length && days[to] === days[at]! + (to - at) * DAY_MS) to += 1;
    const edges = edgesOf(days[at]!, days[to - 1]! + DAY_MS, SLOT_MS);
    questions.push({ ...ALL, edges, fields: SERIES_FIELDS });
    at = to;
  }
  const { rows } = await again(() => ledger.sum(account, questions));
  const sums = new Map<string, string>();
  for (const [at, found] of rows.entries()) {
    for (const row of found) sums.set(keyOf(questions[at]!.edges[row.segment]!, row), shown(row));
  }
  return sums;
}

function keyOf(slot: Instant, { values }: SumRow): string {
  return `${formatInstant(slot)} ${JSON.stringify(values)}`;
}

function shown({ events, quantities }: SumRow): string {
  const meters = quantities.flatMap((quantity, at) => (quantity === 0n ? [] : [`${METERS[at]} ${quantity}`]));
  return [`${events} events`, ...meters].join(", ");
}

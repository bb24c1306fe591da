/** billingUsage: who used what, and what did it cost, by day and group (contract, section 2). */

import type { Dimension } from "../domain/dimension.ts";
import { DIMENSION_FIELD } from "../domain/dimension.ts";
import type { Instant } from "../domain/time.ts";
import type { SeriesField, Stream, UsageType } from "../domain/usage.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import type { SumRow } from "../ledger/ledger.ts";
import type { Component, PriceBook } from "../rating/price.ts";
import { priceEdges, rate } from "../rating/rate.ts";
import { addUnpriced, forEachPriced, type ReportSources, readSums, valueReader } from "./priced-sums.ts";
import type { Bucket } from "./segments.ts";
import { planUsage, type StreamPlan, type UsagePlan } from "./usage-plan.ts";

/** What a row is about: the same object for the rows of all buckets. */
export interface RowGroup {
  readonly usageType: UsageType;
  /** Dimension and value, in the order of the grouping. */
  readonly values: readonly (readonly [dimension: Dimension, value: string])[];
}

/** One row: the usage of one bucket, usage type and group. Quantities and money are exact. */
export interface UsageRow {
  readonly bucket: Bucket;
  readonly group: RowGroup;
  readonly events: bigint;
  /** In the order of METERS. */
  readonly quantities: readonly bigint[];
  /** The cost of what has a price, in attodollars. */
  readonly atto: bigint;
  /** What no price covers, by component; never priced at zero in silence. */
  readonly unpriced: ReadonlyMap<Component, bigint>;
  /** The value that all usage of the row shares in a field, "" where it shares none. */
  readonly shared: (field: SeriesField) => string;
}

export interface UsageReport {
  readonly question: UsageQuery;
  readonly account: string;
  readonly rows: Readonly<Record<Stream, readonly UsageRow[]>>;
}

/**
 * Answers a question for one account. Deployments that run are counted up to `now`.
 * Rows come in the order of their start, then group values (by code unit), then usage type.
 */
export async function billingUsage(
  sources: ReportSources,
  account: string,
  question: UsageQuery,
  now: Instant,
): Promise<UsageReport> {
  const plan = planUsage(question, account, priceEdges(sources.book, question.range));
  const questions = plan.streams.map((stream) => stream.question);
  const [sums, keyNames] = await Promise.all([
    readSums(sources, account, questions, now),
    sources.accounts.keyNames(account),
  ]);
  const rows: Record<Stream, UsageRow[]> = { SERVERLESS: [], DEDICATED_DEPLOYMENT: [], TRAINING: [] };
  for (const [at, streamPlan] of plan.streams.entries()) {
    rows[streamPlan.stream] = foldRows(sums[at]!, plan, streamPlan, { account, keyNames, book: sources.book });
  }
  return { question, account, rows };
}

interface FoldFacts {
  readonly account: string;
  readonly keyNames: ReadonlyMap<string, string>;
  readonly book: PriceBook;
}

/** The rows of one group, by the place of their bucket. */
interface GroupRows {
  readonly group: RowGroup;
  readonly byBucket: (OpenRow | undefined)[];
}

interface OpenRow {
  events: bigint;
  readonly quantities: bigint[];
  atto: bigint;
  unpriced: Map<Component, bigint>;
  /** The sets of values that were added, next to next different. */
  readonly values: (readonly string[])[];
}

const NONE: Map<Component, bigint> = new Map();

/** Prices each sum and adds it to the row it belongs to. */
function foldRows(sums: readonly SumRow[], plan: UsagePlan, stream: StreamPlan, facts: FoldFacts): UsageRow[] {
  const groups = new Map<string, GroupRows>();
  const pricing = { fields: stream.question.fields, edges: plan.edges, book: facts.book };
  const rowsOf = (values: readonly string[]) => groupRows(values, stream, facts, groups);
  forEachPriced(sums, pricing, rowsOf, ({ byBucket }, sum, prices) => {
    const bucket = plan.bucketOf[sum.segment]!;
    const { atto, unpriced } = rate(sum.quantities, prices);
    const row = byBucket[bucket];
    if (row) addTo(row, sum, atto);
    const { events, quantities, values } = sum;
    const added = row ?? { events, quantities: [...quantities], atto, unpriced: NONE, values: [values] };
    byBucket[bucket] = added;
    if (unpriced.length > 0 && added.unpriced === NONE) added.unpriced = new Map();
    addUnpriced(added.unpriced, unpriced);
  });
  const ordered = [...groups.values()].sort((a, b) => compareGroups(a.group, b.group));
  return plan.buckets.flatMap((bucket, at) =>
    ordered.flatMap(({ group, byBucket }) => {
      const row = byBucket[at];
      return row ? [closeRow(row, bucket, group, stream.question.fields)] : [];
    }),
  );
}

function addTo(row: OpenRow, sum: SumRow, atto: bigint): void {
  row.events += sum.events;
  row.atto += atto;
  for (let meter = 0; meter < row.quantities.length; meter += 1) row.quantities[meter]! += sum.quantities[meter]!;
  if (row.values.at(-1) !== sum.values) row.values.push(sum.values);
}

/** The rows that one set of values belongs to; undefined when a filter on names leaves it out. */
function groupRows(
  values: readonly string[],
  stream: StreamPlan,
  facts: FoldFacts,
  groups: Map<string, GroupRows>,
): GroupRows | undefined {
  const valueIn = valueReader(stream.question.fields, values);
  const keyName = facts.keyNames.get(valueIn("apiKeyId")) ?? "";
  if (!stream.nameFilters.every((names) => names.has(keyName))) return undefined;
  const grouped = stream.grouping.map((dimension) => {
    const value = valueIn(DIMENSION_FIELD[dimension]);
    if (dimension === "api_key_name") return [dimension, keyName] as const;
    if (dimension === "deployment_name" && value !== "") {
      return [dimension, `accounts/${facts.account}/deployments/${value}`] as const;
    }
    return [dimension, value] as const;
  });
  const usageType = valueIn("usageType") as UsageType;
  const key = [...grouped.map(([, value]) => value), usageType].join("\u0000");
  const rows = groups.get(key) ?? { group: { usageType, values: grouped }, byBucket: [] };
  groups.set(key, rows);
  return rows;
}

function compareGroups(a: RowGroup, b: RowGroup): number {
  for (const [at, [, value]] of a.values.entries()) {
    const other = b.values[at]![1];
    if (value !== other) return value < other ? -1 : 1;
  }
  return a.usageType < b.usageType ? -1 : 1;
}

function closeRow(row: OpenRow, bucket: Bucket, group: RowGroup, fields: readonly SeriesField[]): UsageRow {
  const shared = (field: SeriesField): string => {
    const at = fields.indexOf(field);
    const [first, ...others] = row.values.map((values) => values[at] ?? "");
    return others.every((other) => other === first) ? (first ?? "") : "";
  };
  const { events, quantities, atto, unpriced } = row;
  return { bucket, group, events, quantities, atto, unpriced, shared };
}

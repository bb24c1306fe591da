/** billingUsage: who used what, and what did it cost, by day and group (contract, section 2). */

import type { Accounts } from "../accounts/store.ts";
import type { Dimension } from "../domain/dimension.ts";
import { DIMENSION_FIELD } from "../domain/dimension.ts";
import type { Instant } from "../domain/time.ts";
import { METERS, type Meter, type SeriesField, type Stream, type UsageType } from "../domain/usage.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import type { Ledger, SumRow } from "../ledger/ledger.ts";
import { type Component, type PriceBook, RATE_FIELDS, type RateAttributes } from "../rating/price.ts";
import { priceEdges, rate, unitPrices } from "../rating/rate.ts";
import { deploymentRows } from "./deployment-rows.ts";
import { type Bucket, planUsage, type StreamPlan, type UsagePlan } from "./usage-plan.ts";

/** What a report is made from. */
export interface ReportSources {
  readonly ledger: Ledger;
  readonly accounts: Pick<Accounts, "keyNames" | "deploymentsForUsage">;
  readonly book: PriceBook;
}

/** One row: the usage of one bucket, usage type and group. Quantities and money are exact. */
export interface UsageRow {
  readonly stream: Stream;
  readonly bucket: Bucket;
  readonly usageType: UsageType;
  /** Dimension and value, in the order of the grouping. */
  readonly group: readonly (readonly [dimension: Dimension, value: string])[];
  readonly events: bigint;
  readonly quantities: Readonly<Record<Meter, bigint>>;
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
  const [sums, keyNames, deployments] = await Promise.all([
    sources.ledger.sum(
      account,
      plan.streams.map((stream) => stream.question),
    ),
    sources.accounts.keyNames(account),
    sources.accounts.deploymentsForUsage(account),
  ]);
  const rows: Record<Stream, UsageRow[]> = { SERVERLESS: [], DEDICATED_DEPLOYMENT: [], TRAINING: [] };
  for (const [at, streamPlan] of plan.streams.entries()) {
    const read = sums[at]!;
    const metered = streamPlan.stream === "DEDICATED_DEPLOYMENT" ? deploymentRows(deployments, streamPlan, now) : [];
    rows[streamPlan.stream] = foldRows([...read, ...metered], plan, streamPlan, {
      account,
      keyNames,
      book: sources.book,
    });
  }
  return { question, account, rows };
}

interface FoldFacts {
  readonly account: string;
  readonly keyNames: ReadonlyMap<string, string>;
  readonly book: PriceBook;
}

/** What is the same for all sums of one set of values, made once. */
interface ValueFacts {
  readonly key: string;
  readonly usageType: UsageType;
  readonly group: UsageRow["group"];
  readonly attributes: RateAttributes;
}

interface OpenRow {
  readonly bucket: number;
  readonly facts: ValueFacts;
  events: bigint;
  readonly quantities: bigint[];
  atto: bigint;
  readonly unpriced: Map<Component, bigint>;
  readonly values: Set<readonly string[]>;
}

/** Prices each sum and adds it to the row it belongs to. */
function foldRows(sums: readonly SumRow[], plan: UsagePlan, stream: StreamPlan, facts: FoldFacts): UsageRow[] {
  const { fields } = stream.question;
  const known = new Map<readonly string[], ValueFacts | undefined>();
  const open = new Map<string, OpenRow>();
  for (const sum of sums) {
    if (!known.has(sum.values)) known.set(sum.values, valueFacts(sum.values, stream, facts));
    const own = known.get(sum.values);
    if (!own) continue;
    const bucket = plan.bucketOf[sum.segment]!;
    const key = `${bucket}\u0000${own.key}`;
    let row = open.get(key);
    if (!row) {
      const quantities = METERS.map(() => 0n);
      row = { bucket, facts: own, events: 0n, quantities, atto: 0n, unpriced: new Map(), values: new Set() };
      open.set(key, row);
    }
    const prices = unitPrices(facts.book, own.attributes, plan.edges[sum.segment]!);
    const rated = rate(sum.quantities, prices);
    row.events += sum.events;
    row.atto += rated.atto;
    row.values.add(sum.values);
    for (let meter = 0; meter < row.quantities.length; meter += 1) row.quantities[meter]! += sum.quantities[meter]!;
    for (const { component, quantity } of rated.unpriced) {
      row.unpriced.set(component, (row.unpriced.get(component) ?? 0n) + quantity);
    }
  }
  return [...open.values()].sort(compareRows).map((row) => closeRow(row, plan, stream.stream, fields));
}

/** The facts of one set of values; undefined when a filter on names leaves it out. */
function valueFacts(values: readonly string[], stream: StreamPlan, facts: FoldFacts): ValueFacts | undefined {
  const { fields } = stream.question;
  const valueIn = (field: SeriesField): string => values[fields.indexOf(field)] ?? "";
  const keyName = facts.keyNames.get(valueIn("apiKeyId")) ?? "";
  if (!stream.nameFilters.every((names) => names.has(keyName))) return undefined;
  const group = stream.grouping.map((dimension) => {
    const value = valueIn(DIMENSION_FIELD[dimension]);
    if (dimension === "api_key_name") return [dimension, keyName] as const;
    if (dimension === "deployment_name" && value !== "") {
      return [dimension, `accounts/${facts.account}/deployments/${value}`] as const;
    }
    return [dimension, value] as const;
  });
  const usageType = valueIn("usageType") as UsageType;
  const attributes = Object.fromEntries(RATE_FIELDS.map((field) => [field, valueIn(field)])) as RateAttributes;
  const key = [...group.map(([, value]) => value), usageType].join("\u0000");
  return { key, usageType, group, attributes };
}

function compareRows(a: OpenRow, b: OpenRow): number {
  if (a.bucket !== b.bucket) return a.bucket - b.bucket;
  for (const [at, [, value]] of a.facts.group.entries()) {
    const other = b.facts.group[at]![1];
    if (value !== other) return value < other ? -1 : 1;
  }
  return a.facts.usageType < b.facts.usageType ? -1 : 1;
}

function closeRow(row: OpenRow, plan: UsagePlan, stream: Stream, fields: readonly SeriesField[]): UsageRow {
  return {
    stream,
    bucket: plan.buckets[row.bucket]!,
    usageType: row.facts.usageType,
    group: row.facts.group,
    events: row.events,
    quantities: Object.fromEntries(METERS.map((meter, at) => [meter, row.quantities[at]!])) as Record<Meter, bigint>,
    atto: row.atto,
    unpriced: row.unpriced,
    shared: (field) => {
      const at = fields.indexOf(field);
      const [first, ...others] = [...row.values].map((values) => values[at] ?? "");
      return others.every((other) => other === first) ? (first ?? "") : "";
    },
  };
}

/** billingUsage: who used what, and what did it cost, by day and group (contract, section 2). */

import type { Dimension } from "../domain/dimension.ts";
import { DIMENSION_FIELD } from "../domain/dimension.ts";
import type { Instant } from "../domain/time.ts";
import { METERS, type SeriesField, type Stream, type UsageType } from "../domain/usage.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import type { Whole } from "../domain/whole.ts";
import type { SumRow } from "../ledger/ledger.ts";
import type { Component } from "../rating/price.ts";
import { priceEdges, type Tariff } from "../rating/rate.ts";
import {
  addUnpriced,
  type Cost,
  forEachPriced,
  type ReportSources,
  rateBoth,
  readSums,
  valueReader,
} from "./priced-sums.ts";
import type { Bucket } from "./segments.ts";
import { planUsage, type StreamPlan, type UsagePlan } from "./usage-plan.ts";

/** What a row is about: the same object for the rows of all buckets. */
export interface RowGroup {
  readonly usageType: UsageType;
  /** Dimension and value, in the order of the grouping. */
  readonly values: readonly (readonly [dimension: Dimension, value: string])[];
}

/** One row: the usage of one bucket, usage type and group. Quantities and money are exact. */
export interface UsageRow extends Cost {
  readonly bucket: Bucket;
  readonly group: RowGroup;
  readonly events: bigint;
  /** In the order of METERS. */
  readonly quantities: readonly bigint[];
  /** One of them by its place, as a number where that is a safe integer. */
  quantity(meter: number): Whole;
  /** The value that all usage of the row shares in a field, "" where it shares none. */
  shared(field: SeriesField): string;
}

export interface UsageReport {
  readonly question: UsageQuery;
  readonly account: string;
  readonly rows: Readonly<Record<Stream, readonly UsageRow[]>>;
  /** Whether a contract bears on the account, so that its list costs are told too. */
  readonly contracted: boolean;
  /** The state of the ledger that all rows are from. */
  readonly position: number;
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
  const { plan, sums, position, facts } = await readUsage(sources, account, question, now);
  const rows: Record<Stream, UsageRow[]> = { SERVERLESS: [], DEDICATED_DEPLOYMENT: [], TRAINING: [] };
  for (const [at, stream] of plan.streams.entries()) rows[stream.stream] = foldRows(sums[at]!, plan, stream, facts);
  return { question, account, rows, contracted: sources.tariff.contract !== undefined, position };
}

/** What the rows of a question are made of, from one state of the ledger. */
export interface UsageReading {
  readonly plan: UsagePlan;
  /** For each of the plan's streams. */
  readonly sums: readonly (readonly SumRow[])[];
  readonly position: number;
  /** The instant up to which raw events were dropped. */
  readonly keptFrom: Instant | undefined;
  readonly facts: FoldFacts;
}

/** Reads what a question is about. Deployments that run are counted up to `now`. */
export async function readUsage(
  sources: ReportSources,
  account: string,
  question: UsageQuery,
  now: Instant,
): Promise<UsageReading> {
  const { tariff } = sources;
  const plan = planUsage(question, account, priceEdges(tariff, question.range));
  const questions = plan.streams.map((stream) => stream.question);
  const [{ rows: sums, position, keptFrom }, keyNames] = await Promise.all([
    readSums(sources, account, questions, now),
    sources.accounts.keyNames(account),
  ]);
  return { plan, sums, position, keptFrom, facts: { account, keyNames, tariff } };
}

/** What rows are told by beside their sums. */
export interface FoldFacts {
  readonly account: string;
  /** Names of keys by their ids. */
  readonly keyNames: ReadonlyMap<string, string>;
  readonly tariff: Tariff;
}

/** The rows of one group, by the place of their bucket. */
interface GroupRows {
  readonly group: RowGroup;
  readonly byBucket: (OpenRow | undefined)[];
}

const NONE: Map<Component, bigint> = new Map();

/**
 * A row that sums are added to: one object a row, since a report has thousands and garbage is what it waits for. Most
 * rows are of one sum, and most readers need few of its quantities: they are added up when they are asked for.
 */
class OpenRow implements UsageRow {
  readonly bucket: Bucket;
  readonly group: RowGroup;
  atto: bigint;
  listAtto: bigint;
  unpriced: Map<Component, bigint> = NONE;
  readonly #fields: readonly SeriesField[];
  readonly #sum: SumRow;
  #others: SumRow[] | undefined;

  constructor({ bucket, group, fields }: RowPlace, sum: SumRow, rated: RatedSum) {
    this.bucket = bucket;
    this.group = group;
    this.#fields = fields;
    this.#sum = sum;
    this.atto = rated.atto;
    this.listAtto = rated.listAtto;
    this.#addUnpriced(rated);
  }

  add(sum: SumRow, rated: RatedSum): void {
    if (this.#others) this.#others.push(sum);
    else this.#others = [sum];
    this.atto += rated.atto;
    this.listAtto += rated.listAtto;
    this.#addUnpriced(rated);
  }

  #addUnpriced({ unpriced }: RatedSum): void {
    if (unpriced.length === 0) return;
    if (this.unpriced === NONE) this.unpriced = new Map();
    addUnpriced(this.unpriced, unpriced);
  }

  get events(): bigint {
    return this.#sums().reduce((total, { events }) => total + events, 0n);
  }

  get quantities(): readonly bigint[] {
    return METERS.map((_, meter) => BigInt(this.quantity(meter)));
  }

  quantity(meter: number): Whole {
    const { plain } = this.#sum;
    return plain && !this.#others ? plain.cells[plain.first + meter]! : this.#added(meter);
  }

  #sums(): readonly SumRow[] {
    return this.#others ? [this.#sum, ...this.#others] : [this.#sum];
  }

  #added(meter: number): Whole {
    let total = 0;
    for (const { plain } of this.#sums()) {
      if (plain === undefined) return this.#exactly(meter);
      total += plain.cells[plain.first + meter]!;
      if (total > Number.MAX_SAFE_INTEGER) return this.#exactly(meter);
    }
    return total;
  }

  #exactly(meter: number): bigint {
    return this.#sums().reduce((total, { quantities }) => total + quantities[meter]!, 0n);
  }

  shared(field: SeriesField): string {
    const at = this.#fields.indexOf(field);
    const first = this.#sum.values[at] ?? "";
    return this.#sums().every(({ values }) => (values[at] ?? "") === first) ? first : "";
  }
}

type RatedSum = ReturnType<typeof rateBoth>;

interface RowPlace extends Pick<UsageRow, "bucket" | "group"> {
  /** Those that the sums' values are of. */
  readonly fields: readonly SeriesField[];
}

/** Prices each sum and adds it to the row it belongs to. */
export function foldRows(sums: readonly SumRow[], plan: UsagePlan, stream: StreamPlan, facts: FoldFacts): UsageRow[] {
  const groups = new Map<string, GroupRows>();
  const { fields } = stream.question;
  const pricing = { fields, edges: plan.edges, tariff: facts.tariff };
  const rowsOf = (values: readonly string[]) => groupRows(values, stream, facts, groups);
  forEachPriced(sums, pricing, rowsOf, ({ group, byBucket }, sum, rates) => {
    const at = plan.bucketOf[sum.segment]!;
    const row = byBucket[at];
    const rated = rateBoth(sum, rates);
    if (row) row.add(sum, rated);
    else byBucket[at] = new OpenRow({ bucket: plan.buckets[at]!, group, fields }, sum, rated);
  });
  const ordered = [...groups.values()].sort((a, b) => compareGroups(a.group, b.group));
  const rows: UsageRow[] = [];
  for (let at = 0; at < plan.buckets.length; at += 1) {
    for (const { byBucket } of ordered) {
      const row = byBucket[at];
      if (row) rows.push(row);
    }
  }
  return rows;
}

/** The rows that one set of values belongs to; undefined when a filter on names leaves it out. */
function groupRows(
  values: readonly string[],
  stream: StreamPlan,
  facts: FoldFacts,
  groups: Map<string, GroupRows>,
): GroupRows | undefined {
  const group = rowGroupOf(values, stream, facts);
  if (!group) return undefined;
  const key = groupKey(group);
  const rows = groups.get(key) ?? { group, byBucket: [] };
  groups.set(key, rows);
  return rows;
}

/** Equal for equal groups and for no others: values hold no control characters. */
export function groupKey({ values, usageType }: RowGroup): string {
  return [...values.map(([, value]) => value), usageType].join("\u0000");
}

/** The group that one set of values is of; undefined when a filter on names leaves it out. */
export function rowGroupOf(values: readonly string[], stream: StreamPlan, facts: FoldFacts): RowGroup | undefined {
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
  return { usageType: valueIn("usageType") as UsageType, values: grouped };
}

function compareGroups(a: RowGroup, b: RowGroup): number {
  for (const [at, [, value]] of a.values.entries()) {
    const other = b.values[at]![1];
    if (value !== other) return value < other ? -1 : 1;
  }
  return a.usageType < b.usageType ? -1 : 1;
}

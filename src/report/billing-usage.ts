/** billingUsage: who used what, and what did it cost, by day and group (contract, section 2). */

import type { Dimension } from "../domain/dimension.ts";
import { DIMENSION_FIELD } from "../domain/dimension.ts";
import type { Instant } from "../domain/time.ts";
import { METERS, type SeriesField, type Stream, type UsageType } from "../domain/usage.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import type { SumRow } from "../ledger/ledger.ts";
import type { Component } from "../rating/price.ts";
import { priceEdges, type Rated, segmentRates, type Tariff, type UnitRates } from "../rating/rate.ts";
import {
  type Amounts,
  addCost,
  addUnpriced,
  amountsOf,
  attributesOf,
  type Cost,
  openCost,
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
  /** The same in the form that costs least. */
  amounts(): Amounts;
  /** `atto`, `listAtto` and `unpriced`, together: they are made anew each time that they are asked for. */
  cost(): Cost;
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
  readonly byBucket: (FoldedRow | undefined)[];
}

/** What the sums of one set of values have in common. */
interface SumSet {
  readonly rows: GroupRows;
  /** Those that the sums' values are of. */
  readonly fields: readonly SeriesField[];
  /** The unit prices of a segment. */
  readonly rates: (segment: number) => UnitRates;
}

interface OwnSum {
  readonly sum: SumRow;
  readonly set: SumSet;
}

const NONE: ReadonlyMap<Component, bigint> = new Map();

/**
 * A row holds the sums that it is made of, most often one, and adds up and prices what it is asked for: a report has
 * thousands of rows, and what lives as long as the report is what its garbage collection waits for.
 */
class FoldedRow implements UsageRow {
  readonly bucket: Bucket;
  readonly #sum: SumRow;
  readonly #set: SumSet;
  #others: OwnSum[] | undefined;

  constructor(bucket: Bucket, sum: SumRow, set: SumSet) {
    this.bucket = bucket;
    this.#sum = sum;
    this.#set = set;
  }

  add(sum: SumRow, set: SumSet): void {
    if (this.#others) this.#others.push({ sum, set });
    else this.#others = [{ sum, set }];
  }

  get group(): RowGroup {
    return this.#set.rows.group;
  }

  cost(): Cost {
    if (this.#others) return this.#addedCost();
    const { atto, listAtto, unpriced } = rateBoth(this.#sum, this.#set.rates(this.#sum.segment));
    return { atto, listAtto, unpriced: unpriced.length === 0 ? NONE : unpricedMap(unpriced) };
  }

  #addedCost(): Cost {
    const cost = openCost();
    for (const { sum, set } of this.#sums()) addCost(cost, rateBoth(sum, set.rates(sum.segment)));
    return cost;
  }

  get atto(): bigint {
    return this.cost().atto;
  }

  get listAtto(): bigint {
    return this.cost().listAtto;
  }

  get unpriced(): Cost["unpriced"] {
    return this.cost().unpriced;
  }

  get events(): bigint {
    return this.#sums().reduce((total, { sum }) => total + sum.events, 0n);
  }

  get quantities(): readonly bigint[] {
    const { cells, first } = this.amounts();
    return METERS.map((_, meter) => BigInt(cells[first + meter]!));
  }

  amounts(): Amounts {
    return this.#others ? this.#added() : amountsOf(this.#sum);
  }

  #sums(): readonly OwnSum[] {
    return [{ sum: this.#sum, set: this.#set }, ...(this.#others ?? [])];
  }

  #added(): Amounts {
    const cells = new Float64Array(METERS.length);
    for (const { sum } of this.#sums()) {
      if (sum.plain === undefined) return this.#exactly();
      for (let meter = 0; meter < cells.length; meter += 1) {
        cells[meter]! += sum.plain.cells[sum.plain.first + meter]!;
        if (cells[meter]! > Number.MAX_SAFE_INTEGER) return this.#exactly();
      }
    }
    return { cells, first: 0 };
  }

  #exactly(): Amounts {
    const sums = this.#sums();
    return {
      cells: METERS.map((_, meter) => sums.reduce((all, { sum }) => all + sum.quantities[meter]!, 0n)),
      first: 0,
    };
  }

  shared(field: SeriesField): string {
    const at = this.#set.fields.indexOf(field);
    const first = this.#sum.values[at] ?? "";
    return this.#sums().every(({ sum: { values } }) => (values[at] ?? "") === first) ? first : "";
  }
}

function unpricedMap(unpriced: Rated["unpriced"]): Map<Component, bigint> {
  const total = new Map<Component, bigint>();
  addUnpriced(total, unpriced);
  return total;
}

/** Puts each sum into the row it belongs to. */
export function foldRows(sums: readonly SumRow[], plan: UsagePlan, stream: StreamPlan, facts: FoldFacts): UsageRow[] {
  const groups = new Map<string, GroupRows>();
  const { fields } = stream.question;
  const ratesOf = segmentRates(facts.tariff, plan.edges);
  const setOf = (values: readonly string[]): SumSet | undefined => {
    const rows = groupRows(values, stream, facts, groups);
    return rows && { rows, fields, rates: ratesOf(attributesOf(fields, values)) };
  };
  const sets = new Map<readonly string[], SumSet | undefined>();
  for (const sum of sums) {
    let set = sets.get(sum.values);
    if (set === undefined && !sets.has(sum.values)) {
      set = setOf(sum.values);
      sets.set(sum.values, set);
    }
    if (set === undefined) continue;
    const at = plan.bucketOf[sum.segment]!;
    const { byBucket } = set.rows;
    const row = byBucket[at];
    if (row) row.add(sum, set);
    else byBucket[at] = new FoldedRow(plan.buckets[at]!, sum, set);
  }
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

/** The rows of billingUsage: sums put into buckets and groups, added up and priced when they are looked at. */

import { DIMENSION_FIELD, type Dimension } from "../domain/dimension.ts";
import { METERS, type SeriesField, type UsageType } from "../domain/usage.ts";
import type { SumRow, SumRows } from "../ledger/ledger.ts";
import type { Component } from "../rating/price.ts";
import { type Rated, segmentRates, type Tariff, type UnitRates } from "../rating/rate.ts";
import {
  type Amounts,
  addCost,
  addUnpriced,
  amountsOf,
  attributesOf,
  type Cost,
  openCost,
  rateBoth,
  valueReader,
} from "./priced-sums.ts";
import type { Bucket } from "./segments.ts";
import type { StreamPlan, UsagePlan } from "./usage-plan.ts";

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

/** Rows in their order. Each is made anew when it is looked at. */
export interface UsageRows extends Iterable<UsageRow> {
  readonly length: number;
}

/** What rows are told by beside their sums. */
export interface FoldFacts {
  readonly account: string;
  /** Names of keys by their ids. */
  readonly keyNames: ReadonlyMap<string, string>;
  readonly tariff: Tariff;
}

/** A group with its place in the order. */
interface PlacedGroup {
  readonly group: RowGroup;
  /** Known once all groups are. */
  place: number;
}

/** What the sums of one set of values have in common. */
interface SumSet {
  readonly placed: PlacedGroup;
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

/** A row holds the sums that it is made of, most often one, and adds up and prices what it is asked for. */
class FoldedRow implements UsageRow {
  readonly bucket: Bucket;
  readonly #sum: SumRow;
  readonly #set: SumSet;
  readonly #others: readonly OwnSum[] | undefined;

  constructor(bucket: Bucket, { sum, set }: OwnSum, others: readonly OwnSum[] | undefined) {
    this.bucket = bucket;
    this.#sum = sum;
    this.#set = set;
    this.#others = others;
  }

  get group(): RowGroup {
    return this.#set.placed.group;
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

/** Where the sums of a stream belong: numbers, since there are thousands of sums. */
interface Folded {
  readonly sums: SumRows;
  readonly sets: readonly SumSet[];
  /** For each sum the place of its set. */
  readonly setOf: Uint32Array;
  readonly plan: UsagePlan;
  /** The sums that are in rows, row by row: sorted by bucket, then group. */
  readonly order: Uint32Array;
  /** Row `i` is made of the sums at `starts[i]` to `starts[i + 1] - 1` of that order. */
  readonly starts: readonly number[];
}

/** Rows that are made when they are looked at: what lives while a report is made is what its garbage collection waits for. */
class FoldedRows implements UsageRows {
  readonly #folded: Folded;

  constructor(folded: Folded) {
    this.#folded = folded;
  }

  get length(): number {
    return this.#folded.starts.length - 1;
  }

  *[Symbol.iterator](): Iterator<UsageRow> {
    const { starts, plan } = this.#folded;
    for (let row = 0; row < this.length; row += 1) {
      const start = starts[row]!;
      const first = this.#sumAt(start);
      const others: OwnSum[] = [];
      for (let at = start + 1; at < starts[row + 1]!; at += 1) others.push(this.#sumAt(at));
      const bucket = plan.buckets[plan.bucketOf[first.sum.segment]!]!;
      yield new FoldedRow(bucket, first, others.length > 0 ? others : undefined);
    }
  }

  #sumAt(at: number): OwnSum {
    const { sums, sets, setOf, order } = this.#folded;
    const place = order[at]!;
    return { sum: sums.at(place)!, set: sets[setOf[place]!]! };
  }
}

/** Puts each sum into the row it belongs to. Rows come in the order of their start, then group. */
export function foldRows(sums: SumRows, plan: UsagePlan, stream: StreamPlan, facts: FoldFacts): UsageRows {
  const { fields } = stream.question;
  const groups = new Map<string, PlacedGroup>();
  const sets: SumSet[] = [];
  const ratesOf = segmentRates(facts.tariff, plan.edges);
  /** The place of a new set, -1 where a filter on names leaves it out. */
  const addSet = (values: readonly string[]): number => {
    const placed = groupIn(groups, values, stream, facts);
    return placed ? sets.push({ placed, fields, rates: ratesOf(attributesOf(fields, values)) }) - 1 : -1;
  };
  const known = new Map<readonly string[], number>();
  const setOf = new Uint32Array(sums.length);
  const bucketOf = new Uint32Array(sums.length);
  const own = new Uint32Array(sums.length);
  let count = 0;
  for (let at = 0; at < sums.length; at += 1) {
    const { values, segment } = sums.at(at)!;
    let set = known.get(values);
    if (set === undefined) {
      set = addSet(values);
      known.set(values, set);
    }
    if (set < 0) continue;
    setOf[at] = set;
    bucketOf[at] = plan.bucketOf[segment]!;
    own[count++] = at;
  }
  for (const [place, group] of [...groups.values()].sort(compareGroups).entries()) group.place = place;
  const counted = own.subarray(0, count);
  const groupOf = new Uint32Array(sums.length);
  for (const sum of counted) groupOf[sum] = sets[setOf[sum]!]!.placed.place;
  const byGroup = sortedBy(groupOf, counted, groups.size);
  const order = sortedBy(bucketOf, byGroup, plan.buckets.length);
  const starts: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const [sum, before] = [order[at]!, order[at - 1]!];
    if (at === 0 || bucketOf[sum] !== bucketOf[before] || groupOf[sum] !== groupOf[before]) starts.push(at);
  }
  return new FoldedRows({ sums, sets, setOf, plan, order, starts: [...starts, count] });
}

/** The items by the key that each has, of so many; those of one key stay in their order. */
function sortedBy(keyOf: Uint32Array, items: Uint32Array, keys: number): Uint32Array {
  const next = new Uint32Array(keys + 1);
  for (const item of items) next[keyOf[item]! + 1]! += 1;
  for (let key = 0; key < keys; key += 1) next[key + 1]! += next[key]!;
  const sorted = new Uint32Array(items.length);
  for (const item of items) {
    const key = keyOf[item]!;
    sorted[next[key]!] = item;
    next[key]! += 1;
  }
  return sorted;
}

/** The group that one set of values belongs to, new or known; undefined when a filter on names leaves it out. */
function groupIn(
  groups: Map<string, PlacedGroup>,
  values: readonly string[],
  stream: StreamPlan,
  facts: FoldFacts,
): PlacedGroup | undefined {
  const group = rowGroupOf(values, stream, facts);
  if (!group) return undefined;
  const key = groupKey(group);
  const known = groups.get(key) ?? { group, place: 0 };
  groups.set(key, known);
  return known;
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

function compareGroups({ group: a }: PlacedGroup, { group: b }: PlacedGroup): number {
  for (let at = 0; at < a.values.length; at += 1) {
    const [value, other] = [a.values[at]![1], b.values[at]![1]];
    if (value !== other) return value < other ? -1 : 1;
  }
  return a.usageType < b.usageType ? -1 : 1;
}

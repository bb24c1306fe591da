/** The parts of a row: each quantity that one price bears on, and how the price comes about. Pure. */

import type { Instant, TimeRange } from "../domain/time.ts";
import type { SeriesField } from "../domain/usage.ts";
import type { SumRow } from "../ledger/ledger.ts";
import { explainPrices, type OtherEntry, type ReasonedPrice, reasonOf } from "../rating/explain.ts";
import {
  COMPONENTS,
  type Component,
  type Multiplier,
  RATE_FIELDS,
  type RateAttributes,
  type RateField,
} from "../rating/price.ts";
import { quantitiesOf, type Tariff } from "../rating/rate.ts";
import { type ListAndNet, pricesMade } from "../rating/tariff.ts";
import { attributesOf } from "./priced-sums.ts";
import type { Bucket, Segments } from "./segments.ts";

interface RowPart {
  readonly component: Component;
  /** Tokens, images or milliseconds. */
  readonly quantity: bigint;
  /** What the usage is called, and what else of it the price depends on; all of it where nothing prices it. */
  readonly attributes: Partial<RateAttributes>;
  /** The part of the bucket in which the price holds, where another holds in the rest. */
  readonly span: TimeRange | undefined;
}

interface PricedPart extends RowPart {
  readonly net: ReasonedPrice;
  readonly list: ReasonedPrice;
  /** quantity x unit price, in attodollars. */
  readonly atto: bigint;
  readonly listAtto: bigint;
}

interface UnpricedPart extends RowPart {
  /** The entries that come nearest to pricing it. */
  readonly nearest: readonly OtherEntry[];
}

export interface RowParts {
  /** By attributes, component, then time; they add up to the row. */
  readonly priced: readonly PricedPart[];
  readonly unpriced: readonly UnpricedPart[];
}

interface RowPlan {
  readonly bucket: Bucket;
  /** The fields that the sums have values of. */
  readonly fields: readonly SeriesField[];
  readonly plan: Segments;
}

/** The usage of one set of attributes, segment by segment. */
interface OwnUsage {
  readonly attributes: RateAttributes;
  readonly bySegment: Map<number, Map<Component, bigint>>;
}

/** Splits the sums of one row. */
export function partsOf(sums: readonly SumRow[], { bucket, fields, plan }: RowPlan, tariff: Tariff): RowParts {
  const usages = new Map<string, OwnUsage>();
  for (const sum of sums) {
    const attributes = attributesOf(fields, sum.values);
    const key = RATE_FIELDS.map((field) => attributes[field]).join("\u0000");
    const usage = usages.get(key) ?? { attributes, bySegment: new Map() };
    usages.set(key, usage);
    const own = usage.bySegment.get(sum.segment) ?? new Map<Component, bigint>();
    usage.bySegment.set(sum.segment, own);
    for (const { component, quantity } of quantitiesOf(sum.quantities)) {
      own.set(component, (own.get(component) ?? 0n) + quantity);
    }
  }
  const place = plan.buckets.indexOf(bucket);
  const segments = plan.bucketOf.flatMap((of, segment) => (of === place ? [segment] : []));
  const parts = new Map<string, PricedPart | UnpricedPart>();
  const lines = lineNamer();
  for (const usage of usages.values()) {
    for (const { part, price } of partsOfUsage(usage, { segments, edges: plan.edges }, tariff)) {
      const key = `${partKey(part)}\u0000${price ? lines(price) : ""}`;
      const known = parts.get(key);
      parts.set(key, known ? joined(known, part) : part);
    }
  }
  const ordered = [...parts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part);
  return {
    priced: ordered.filter((part): part is PricedPart => "net" in part),
    unpriced: ordered.filter((part): part is UnpricedPart => "nearest" in part),
  };
}

/** Gives equal texts for prices of the same lines, and for no others: several lines of a book may stand on one of text. */
function lineNamer(): (price: ListAndNet) => string {
  const names = new Map<object | undefined, number>();
  const nameOf = (line: object | undefined): number => {
    const name = names.get(line) ?? names.size;
    names.set(line, name);
    return name;
  };
  return ({ list, net }) => [list.entry, net.entry, net.discount].map(nameOf).join(" ");
}

/** The same for what is one line of an explanation, its price aside; sorts by attributes, component, then time. */
function partKey({ component, attributes, span }: RowPart): string {
  const values = RATE_FIELDS.map((field) => attributes[field] ?? "");
  const from = String(span?.start ?? 0).padStart(16, "0");
  return [...values, COMPONENTS.indexOf(component), from].join("\u0000");
}

/** Adds up two parts of one price. */
function joined<P extends PricedPart | UnpricedPart>(a: P, b: P): P {
  const quantity = a.quantity + b.quantity;
  if (!("net" in a)) return { ...a, quantity };
  return { ...a, quantity, atto: quantity * a.net.atto, listAtto: quantity * a.list.atto };
}

interface MadePart {
  readonly part: PricedPart | UnpricedPart;
  readonly price: ListAndNet | undefined;
}

interface BucketSegments {
  /** Consecutive, of one bucket. */
  readonly segments: readonly number[];
  readonly edges: readonly Instant[];
}

function partsOfUsage(
  { attributes, bySegment }: OwnUsage,
  { segments, edges }: BucketSegments,
  tariff: Tariff,
): MadePart[] {
  const made = segments.map((segment) => pricesMade(tariff, attributes, edges[segment]!));
  const parts: MadePart[] = [];
  for (const component of COMPONENTS) {
    const prices = made.map((one) => one.get(component));
    for (let from = 0, to = 0; from < segments.length; from = to) {
      to = from + 1;
      while (to < segments.length && isSame(prices[from], prices[to])) to += 1;
      const used = segments.slice(from, to).filter((segment) => bySegment.get(segment)?.has(component));
      if (used.length === 0) continue;
      const quantity = used.reduce((sum, segment) => sum + bySegment.get(segment)!.get(component)!, 0n);
      const whole = from === 0 && to === segments.length;
      const span = whole ? undefined : { start: edges[segments[from]!]!, end: edges[segments[to - 1]! + 1]! };
      const price = prices[from];
      const part = { component, quantity, span };
      const at = edges[used[0]!]!;
      parts.push({
        price,
        part: price
          ? pricedPart({ ...part, attributes: deciding(attributes, price) }, price)
          : { ...part, attributes, nearest: nearestOf(tariff, { component, attributes, at }) },
      });
    }
  }
  return parts;
}

function pricedPart(part: RowPart, { list, net }: ListAndNet): PricedPart {
  const [atto, listAtto] = [part.quantity * net.atto, part.quantity * list.atto];
  return { ...part, net: reasonOf(net), list: reasonOf(list), atto, listAtto };
}

/** What usage is called by. */
const NAMES: readonly RateField[] = ["model", "acceleratorType", "jobType", "baseModel"];
const MULTIPLIER_FIELD: Readonly<Record<Multiplier, RateField | undefined>> = {
  batch: "batch",
  cachedInput: undefined,
  restrictedPlacement: "placement",
};

/** The attributes that the price depends on: usage that differs in others alone is priced alike. */
function deciding(attributes: RateAttributes, { list, net }: ListAndNet): Partial<RateAttributes> {
  const fields = new Set(NAMES);
  for (const { entry, unit, discount } of [list, net]) {
    for (const match of [entry.match, discount?.match ?? {}]) {
      for (const field of RATE_FIELDS) if (field in match) fields.add(field);
    }
    for (const { name } of unit.multipliers) {
      const field = MULTIPLIER_FIELD[name];
      if (field) fields.add(field);
    }
  }
  return Object.fromEntries(RATE_FIELDS.flatMap((field) => (fields.has(field) ? [[field, attributes[field]]] : [])));
}

interface UnpricedAsk {
  readonly component: Component;
  readonly attributes: RateAttributes;
  readonly at: Instant;
}

function nearestOf(tariff: Tariff, { component, attributes, at }: UnpricedAsk): readonly OtherEntry[] {
  return explainPrices(tariff, attributes, at).find((reason) => reason.component === component)?.others ?? [];
}

/** True for prices of the same entries and discount: entries are objects of a book that is loaded once. */
function isSame(a: ListAndNet | undefined, b: ListAndNet | undefined): boolean {
  if (!a || !b) return a === b;
  return a.list.entry === b.list.entry && a.net.entry === b.net.entry && a.net.discount === b.net.discount;
}

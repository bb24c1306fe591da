/**
 * Rating: quantities in, exact dollars out. Pure, synchronous, bigint only. A price found once for a set of attributes
 * and a price period is remembered beside its book, because a report asks for the same few over and over.
 */

import type { Instant, TimeRange } from "../domain/time.ts";
import { METERS, type Meter, USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import { isRestricted, matches, sizedModel, specificity } from "./match.ts";
import {
  COMPONENTS,
  type Component,
  KINDS,
  type Kind,
  type PriceBook,
  type PriceEntry,
  type RateAttributes,
  type UnitPrices,
} from "./price.ts";

/** The exact cost of quantities, and what of them has no price. */
export interface Rated {
  readonly atto: bigint;
  readonly unpriced: readonly { readonly component: Component; readonly quantity: bigint }[];
}

const NO_PRICES: UnitPrices = Object.freeze({});
const NOTHING_UNPRICED: Rated["unpriced"] = Object.freeze([]);
/** Distinct sets of attributes remembered for a book; at the limit all are forgotten and found again. */
const REMEMBERED_MAX = 50_000;

/** The instants strictly inside the range at which some price of the book starts or ends, ascending and distinct. */
export function priceEdges(book: PriceBook, range: TimeRange): Instant[] {
  return book.edges.filter((edge) => edge > range.start && edge < range.end);
}

/**
 * The unit prices in force at an instant for usage with these attributes; `{}` when no entry of the book covers it.
 * They hold until the next of {@link priceEdges}. docs/prices.md states which entry wins.
 */
export function unitPrices(book: PriceBook, attributes: RateAttributes, at: Instant): UnitPrices {
  const desk = deskOf(book);
  const key = attributesKey(attributes);
  let periods = desk.remembered.get(key);
  if (periods === undefined) {
    if (desk.remembered.size >= REMEMBERED_MAX) desk.remembered.clear();
    periods = [];
    desk.remembered.set(key, periods);
  }
  const period = periodAt(book.edges, at);
  periods[period] ??= findPrices(book, desk, attributes, at);
  return periods[period];
}

/**
 * Multiplies quantities (in the order of METERS) by unit prices, exactly. A quantity other than 0 without a price is
 * listed as unpriced and adds nothing to the cost; a price of 0 is a price.
 */
export function rate(quantities: readonly bigint[], prices: UnitPrices): Rated {
  let atto = 0n;
  let unpriced: { component: Component; quantity: bigint }[] | undefined;
  for (const { component, meter, less } of SOURCES) {
    const quantity = less < 0 ? quantities[meter]! : quantities[meter]! - quantities[less]!;
    if (quantity === 0n) continue;
    const price = prices[component];
    if (price === undefined) {
      unpriced ??= [];
      unpriced.push({ component, quantity });
    } else {
      atto += price * quantity;
    }
  }
  return { atto, unpriced: unpriced ?? NOTHING_UNPRICED };
}

const meterAt = (meter: Meter): number => METERS.indexOf(meter);

/** Where a component's quantity stands in METERS, and the meter to take from it (-1: none). */
const SOURCES = COMPONENTS.map((component) =>
  component === "uncachedPromptTokens"
    ? { component, meter: meterAt("promptTokens"), less: meterAt("cachedPromptTokens") }
    : { component, meter: meterAt(component), less: -1 },
);

/** A book made ready for questions: its entries by what they name, and the answers given before. */
interface Desk {
  readonly byName: ReadonlyMap<string, readonly PriceEntry[]>;
  readonly remembered: Map<string, UnitPrices[]>;
}

const desks = new WeakMap<PriceBook, Desk>();
/** The fields that entries are looked up by; an entry is filed under the first that it states. */
const FILED_BY = ["model", "acceleratorType", "baseModel", "jobType"] as const;
const UNFILED = "";

function deskOf(book: PriceBook): Desk {
  const known = desks.get(book);
  if (known) return known;
  const byName = new Map<string, PriceEntry[]>();
  for (const entry of book.entries) {
    const field = FILED_BY.find((one) => entry.match[one] !== undefined);
    const names = field ? new Set(entry.match[field]!.map((value) => `${field} ${value}`)) : [UNFILED];
    for (const name of names) {
      const filed = byName.get(name);
      if (filed) filed.push(entry);
      else byName.set(name, [entry]);
    }
  }
  const desk = { byName, remembered: new Map<string, UnitPrices[]>() };
  desks.set(book, desk);
  return desk;
}

/** Equal for equal attributes and for no others: values hold no control characters. */
function attributesKey(a: RateAttributes): string {
  const served = `${a.usageType}\n${a.model}\n${a.serviceTier}\n${a.batch}`;
  return `${served}\n${a.acceleratorType}\n${a.placement}\n${a.jobType}\n${a.baseModel}`;
}

/** The number of edges at or before the instant. */
function periodAt(edges: readonly Instant[], at: Instant): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (edges[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function findPrices(book: PriceBook, desk: Desk, attributes: RateAttributes, at: Instant): UnitPrices {
  if (!Object.hasOwn(USAGE_TYPES, attributes.usageType)) return NO_PRICES;
  const usageType = attributes.usageType as UsageType;
  const size = book.models.get(sizedModel(usageType, attributes));
  const best = new Map<Kind, PriceEntry>();
  for (const name of [...FILED_BY.map((field) => `${field} ${attributes[field]}`), UNFILED]) {
    for (const entry of desk.byName.get(name) ?? []) {
      const inForce = entry.effectiveFrom <= at && (entry.effectiveTo === undefined || at < entry.effectiveTo);
      if (!inForce || !matches(entry, usageType, attributes, size)) continue;
      const other = best.get(entry.kind);
      if (!other || specificity(entry.match) > specificity(other.match)) best.set(entry.kind, entry);
    }
  }
  let prices = NO_PRICES;
  for (const [kind, entry] of best) {
    const multiplied =
      (KINDS[kind].batched && attributes.batch === "true" && entry.match.batch === undefined) ||
      (KINDS[kind].placed && isRestricted(attributes.placement) && entry.match.placement === undefined);
    prices = { ...prices, ...(multiplied ? entry.multiplied : entry.prices) };
  }
  return prices;
}

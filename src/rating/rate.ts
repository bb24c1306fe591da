/**
 * Rating: quantities in, exact dollars out. Pure, synchronous, bigint only. A price found once for a set of attributes
 * and a price period is remembered beside its books, because a report asks for the same few over and over.
 */

import type { Instant, TimeRange } from "../domain/time.ts";
import { METERS, type Meter } from "../domain/usage.ts";
import { difference } from "../domain/whole.ts";
import { COMPONENTS, type Component, type PriceBook, type RateAttributes, type UnitPrices } from "./price.ts";
import { pricesMade, type Tariff } from "./tariff.ts";

export type { Tariff } from "./tariff.ts";

/** The exact cost of quantities, and what of them has no price. */
export interface Rated {
  readonly atto: bigint;
  readonly unpriced: readonly ComponentQuantity[];
}

export interface ComponentQuantity {
  readonly component: Component;
  /** Tokens, images or milliseconds. */
  readonly quantity: bigint;
}

/** Tokens, images or milliseconds, none below 0. */
export type Quantities = readonly bigint[] | Float64Array;

/** What usage costs by the list, and what the account pays; one object where they do not differ. */
export interface UnitRates {
  readonly list: UnitPrices;
  readonly net: UnitPrices;
}

const NOTHING_UNPRICED: Rated["unpriced"] = Object.freeze([]);
/** Distinct sets of attributes remembered for a tariff; at the limit all are forgotten and found again. */
const REMEMBERED_MAX = 50_000;

/** The instants strictly inside the range at which some price or discount starts or ends, ascending and distinct. */
export function priceEdges(tariff: Tariff, range: TimeRange): Instant[] {
  return memoryOf(tariff).edges.filter((edge) => edge > range.start && edge < range.end);
}

/**
 * The unit prices in force at an instant for usage with these attributes; `{}` where no entry covers it.
 * They hold until the next of {@link priceEdges}. docs/prices.md states which entry wins.
 */
export function unitRates(tariff: Tariff, attributes: RateAttributes, at: Instant): UnitRates {
  return segmentRates(tariff, [at])(attributes)(0);
}

/** The same for segments, which begin at `starts`: first for the usage, then for the place of the segment. */
export function segmentRates(
  tariff: Tariff,
  starts: readonly Instant[],
): (attributes: RateAttributes) => (segment: number) => UnitRates {
  const memory = memoryOf(tariff);
  const periodOf = starts.map((start) => periodAt(memory.edges, start));
  return (attributes) => {
    const periods = periodsOf(attributes, memory);
    return (segment) => (periods[periodOf[segment]!] ??= findRates(tariff, attributes, starts[segment]!));
  };
}

function periodsOf(attributes: RateAttributes, { remembered }: Memory): UnitRates[] {
  const key = attributesKey(attributes);
  let periods = remembered.get(key);
  if (periods === undefined) {
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    periods = [];
    remembered.set(key, periods);
  }
  return periods;
}

/**
 * Multiplies quantities by unit prices, exactly. A quantity other than 0 without a price is listed as unpriced and adds
 * nothing to the cost; a price of 0 is a price. The quantities are those from `first` on, in the order of METERS: plain
 * numbers must be safe integers.
 */
export function rate(quantities: Quantities, prices: UnitPrices, first = 0): Rated {
  let atto = 0n;
  let unpriced: ComponentQuantity[] | undefined;
  for (const { component, meter, less } of SOURCES) {
    const whole = quantities[first + meter]!;
    const taken = less < 0 ? undefined : quantities[first + less]!;
    // Meters are never below 0, so what is 0 in both is most of a row, and made no bigint of.
    if (!whole && !taken) continue;
    const quantity = BigInt(taken === undefined ? whole : difference(whole, taken));
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

/** The components of quantities (in the order of METERS) that are not 0. */
export function quantitiesOf(quantities: readonly bigint[]): readonly ComponentQuantity[] {
  return rate(quantities, NO_PRICES).unpriced;
}

const NO_PRICES: UnitPrices = Object.freeze({});
const NO_RATES: UnitRates = Object.freeze({ list: NO_PRICES, net: NO_PRICES });

const meterAt = (meter: Meter): number => METERS.indexOf(meter);

/** Where a component's quantity stands in METERS, and the meter to take from it (-1: none). */
const SOURCES = COMPONENTS.map((component) =>
  component === "uncachedPromptTokens"
    ? { component, meter: meterAt("promptTokens"), less: meterAt("cachedPromptTokens") }
    : { component, meter: meterAt(component), less: -1 },
);

/** The edges of a tariff's books together, and the answers given before. */
interface Memory {
  readonly edges: readonly Instant[];
  readonly remembered: Map<string, UnitRates[]>;
}

interface ListMemory extends Memory {
  readonly byContract: WeakMap<PriceBook, Memory>;
}

const memories = new WeakMap<PriceBook, ListMemory>();

function memoryOf({ list, contract }: Tariff): Memory {
  let own = memories.get(list);
  if (!own) {
    own = { ...newMemory(list.edges), byContract: new WeakMap() };
    memories.set(list, own);
  }
  if (!contract) return own;
  let both = own.byContract.get(contract);
  if (!both) {
    both = newMemory([...new Set([...list.edges, ...contract.edges])].sort((a, b) => a - b));
    own.byContract.set(contract, both);
  }
  return both;
}

function newMemory(edges: readonly Instant[]): Memory {
  return { edges, remembered: new Map() };
}

/** Equal for equal attributes and for no others: values hold no control characters. All of RATE_FIELDS are in it. */
function attributesKey(a: RateAttributes): string {
  const served = `${a.usageType}\n${a.model}\n${a.serviceTier}\n${a.batch}\n${a.contextClass}`;
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

function findRates(tariff: Tariff, attributes: RateAttributes, at: Instant): UnitRates {
  const made = pricesMade(tariff, attributes, at);
  if (made.size === 0) return NO_RATES;
  const list: Partial<Record<Component, bigint>> = {};
  const net: Partial<Record<Component, bigint>> = {};
  let differs = false;
  for (const [component, price] of made) {
    list[component] = price.list.atto;
    net[component] = price.net.atto;
    differs ||= price.list.atto !== price.net.atto;
  }
  return { list, net: differs ? net : list };
}

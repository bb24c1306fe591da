/** What one account pays by: the installation's list and the account's contract, and how each price comes about. Pure. */

import type { Instant } from "../domain/time.ts";
import { USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import { candidates, type Desk, deskOf, inForce, moreSpecific } from "./desk.ts";
import { entryMatches, matches, sizedModel, type UsageFacts } from "./match.ts";
import {
  type BookKind,
  type Component,
  type Discount,
  KINDS,
  type Kind,
  type Multipliers,
  type PriceBook,
  type PriceEntry,
  type RateAttributes,
} from "./price.ts";
import { attoOf, isLost, type UnitPrice, unitPriceOf } from "./unit-price.ts";

/** The installation's list, and one account's contract where it has one. */
export interface Tariff {
  readonly list: PriceBook;
  readonly contract: PriceBook | undefined;
}

/** How one component comes to a price. */
export interface PriceMade {
  readonly book: BookKind;
  readonly entry: PriceEntry;
  readonly unit: UnitPrice;
  readonly discount: Discount | undefined;
  /** Attodollars for one unit. */
  readonly atto: bigint;
}

/** A component's price by the list and the price that is paid. What the list has no price for is listed at the net. */
export interface ListAndNet {
  readonly list: PriceMade;
  readonly net: PriceMade;
}

/**
 * Each component of the usage that has a price at the instant. A contract's discount, or a multiplier of the list under
 * its own price, may make too little to be kept: then there is no price, rather than one of 0.
 */
export function pricesMade(
  { list, contract }: Tariff,
  attributes: RateAttributes,
  at: Instant,
): ReadonlyMap<Component, ListAndNet> {
  const made = new Map<Component, ListAndNet>();
  const usageType = usageTypeOf(attributes);
  if (!usageType) return made;
  const listed = pricesOf(list, list.multipliers, factsOf(usageType, attributes, [list]), at);
  if (!contract) {
    for (const [component, price] of listed) made.set(component, { list: price, net: price });
    return made;
  }
  const usage = factsOf(usageType, attributes, [contract, list]);
  const agreed = pricesOf(contract, multipliersOf({ list, contract }), usage, at);
  const discount = discountOf(contract, usage, at);
  for (const [component, price] of listed) {
    made.set(component, { list: price, net: agreed.get(component) ?? discounted(price, discount) });
  }
  for (const [component, price] of agreed) {
    if (!listed.has(component)) made.set(component, { list: price, net: price });
  }
  for (const [component, { net }] of made) if (isLost(net.unit, net.discount)) made.delete(component);
  return made;
}

/** The multipliers of a contract's prices: its own, and the list's for those that it does not state. */
export function multipliersOf({ list, contract }: Tariff): Multipliers {
  return { ...list.multipliers, ...contract?.multipliers };
}

/** The usage type of attributes; undefined where there is no such. */
export function usageTypeOf({ usageType }: RateAttributes): UsageType | undefined {
  return Object.hasOwn(USAGE_TYPES, usageType) ? (usageType as UsageType) : undefined;
}

/** Usage with the size of its model, from the first of the books that knows it. */
export function factsOf(usageType: UsageType, attributes: RateAttributes, books: readonly PriceBook[]): UsageFacts {
  const model = sizedModel(usageType, attributes);
  const size = books.find((book) => book.models.has(model))?.models.get(model);
  return { usageType, attributes, size };
}

/** The prices that one book makes: of each kind the entry that wins, and each component that it prices. */
function pricesOf(
  book: PriceBook,
  multipliers: Multipliers,
  usage: UsageFacts,
  at: Instant,
): ReadonlyMap<Component, PriceMade> {
  const { attributes } = usage;
  const best = new Map<Kind, PriceEntry>();
  for (const entry of candidates(desksOf(book).entries, attributes)) {
    if (!inForce(entry, at) || !entryMatches(entry, usage)) continue;
    best.set(entry.kind, moreSpecific(entry, best.get(entry.kind), attributes));
  }
  const made = new Map<Component, PriceMade>();
  for (const [kind, entry] of best) {
    for (const component of KINDS[kind].components) {
      const unit = unitPriceOf(entry, component, multipliers, attributes);
      if (unit) made.set(component, { book: book.kind, entry, unit, discount: undefined, atto: attoOf(unit) });
    }
  }
  return made;
}

function discountOf(contract: PriceBook, usage: UsageFacts, at: Instant): Discount | undefined {
  let best: Discount | undefined;
  for (const discount of candidates(desksOf(contract).discounts, usage.attributes)) {
    if (inForce(discount, at) && matches(discount.match, usage)) best = moreSpecific(discount, best, usage.attributes);
  }
  return best;
}

function discounted(price: PriceMade, discount: Discount | undefined): PriceMade {
  return discount ? { ...price, discount, atto: attoOf(price.unit, discount) } : price;
}

interface Desks {
  readonly entries: Desk<PriceEntry>;
  readonly discounts: Desk<Discount>;
}

const desks = new WeakMap<PriceBook, Desks>();

function desksOf(book: PriceBook): Desks {
  let own = desks.get(book);
  if (!own) {
    own = { entries: deskOf(book.entries), discounts: deskOf(book.discounts) };
    desks.set(book, own);
  }
  return own;
}

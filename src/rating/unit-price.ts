/** What an entry makes of its stated decimals for one use: the price, what multiplies it, and the one rounding. Pure. */

import { ATTO_PER_USD, attoPerUnit, type Decimal } from "../domain/money.ts";
import { isRestricted } from "./match.ts";
import {
  type Component,
  type Discount,
  KINDS,
  type Multiplier,
  type Multipliers,
  type PriceEntry,
  type RateAttributes,
} from "./price.ts";

/** A price before it is rounded: dollars for `per` units, and what they are multiplied by. */
export interface UnitPrice {
  readonly price: Decimal;
  readonly per: bigint;
  readonly multipliers: readonly { readonly name: Multiplier; readonly factor: Decimal }[];
}

/** Dollars a token, millisecond or image. Beyond, the cost of one event could leave the 64 bits of a Money's units. */
export const UNIT_USD_MAX = 1000n;

type Asked = Pick<PriceEntry, "kind" | "match" | "stated">;
type Use = Pick<RateAttributes, "batch" | "placement">;

/** The multipliers that bear on the entry's price of a component for this use. Cached input may be input, multiplied. */
function multipliersFor({ kind, match, stated }: Asked, component: Component, usage: Use): Multiplier[] {
  const names: Multiplier[] = stated[component] ? [] : ["cachedInput"];
  if (KINDS[kind].batched && usage.batch === "true" && match.batch === undefined) names.push("batch");
  if (KINDS[kind].placed && isRestricted(usage.placement) && match.placement === undefined) {
    names.push("restrictedPlacement");
  }
  return names;
}

function statedFor({ stated }: Asked, component: Component): Decimal | undefined {
  return stated[component] ?? (component === "cachedPromptTokens" ? stated.uncachedPromptTokens : undefined);
}

/**
 * The entry's price for one unit of a component; undefined when the entry states none, or when a multiplier bears on
 * it that no book states.
 */
export function unitPriceOf(
  entry: Asked,
  component: Component,
  factors: Multipliers,
  usage: Use,
): UnitPrice | undefined {
  const price = statedFor(entry, component);
  if (!price) return undefined;
  const multipliers: { name: Multiplier; factor: Decimal }[] = [];
  for (const name of multipliersFor(entry, component, usage)) {
    const factor = factors[name];
    if (!factor) return undefined;
    multipliers.push({ name, factor });
  }
  return { price, per: KINDS[entry.kind].per, multipliers };
}

/** Multipliers that the price of a component would need and that are not stated; none where it has no price at all. */
export function missingMultipliers(entry: Asked, component: Component, factors: Multipliers, usage: Use): Multiplier[] {
  if (!statedFor(entry, component)) return [];
  return multipliersFor(entry, component, usage).filter((name) => !factors[name]);
}

/** Attodollars for one unit, rounded once, half-even, multipliers and discount inside. */
export function attoOf({ price, per, multipliers }: UnitPrice, discount?: Discount): bigint {
  const factors = multipliers.map((one) => one.factor);
  return attoPerUnit(price, per, discount ? [...factors, discount.factor] : factors);
}

/** True for a price that is not 0 and becomes 0 when it is rounded: usage at it would be a silent zero (house, law 7). */
export function isLost(unit: UnitPrice, discount?: Discount): boolean {
  if (attoOf(unit, discount) > 0n) return false;
  const factors = [unit.price, ...unit.multipliers.map((one) => one.factor), ...(discount ? [discount.factor] : [])];
  return factors.every((one) => one.numerator > 0n);
}

/** True for a unit price, in attodollars, that no book states; see {@link UNIT_USD_MAX}. */
export function isBeyond(atto: bigint): boolean {
  return atto > UNIT_USD_MAX * ATTO_PER_USD;
}

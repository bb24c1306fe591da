/** What an account pays for a unit of usage at an instant, and the entries of the price books that say so. */

import type { PriceExplainQuery } from "../domain/price-explain-query.ts";
import type { Instant } from "../domain/time.ts";
import { contextClassOf, type Meter, USAGE_TYPE_NAMES, USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import { explainPrices, type PriceReason } from "../rating/explain.ts";
import { KINDS, type Kind, type Match, type RateAttributes } from "../rating/price.ts";
import { pricesMade } from "../rating/tariff.ts";
import type { KnownTariff, Tariffs } from "./tariffs.ts";

export interface PriceExplanation {
  readonly account: string;
  readonly at: Instant;
  readonly tariff: KnownTariff;
  readonly attributes: RateAttributes;
  /** One for each component that the usage type can have. */
  readonly reasons: readonly PriceReason[];
}

/** @throws Fault as {@link Tariffs.at}. */
export async function priceExplanation(
  tariffs: Pick<Tariffs, "at">,
  account: string,
  query: PriceExplainQuery,
  now: Instant,
): Promise<PriceExplanation> {
  const tariff = await tariffs.at(account, query.asOf);
  const at = query.at ?? now;
  const attributes = attributesOf(query, query.usageType ?? pricedType(tariff, query, at));
  return { account, at, tariff, attributes, reasons: explainPrices(tariff, attributes, at) };
}

/**
 * The first usage type whose own meter an entry prices for what was named, or any of its meters: what a model is for is
 * seldom in doubt.
 */
function pricedType(tariff: KnownTariff, query: PriceExplainQuery, at: Instant): UsageType {
  const meant = USAGE_TYPE_NAMES.filter((one) => isServerless(one) === (query.model !== ""));
  const priced = meant.map((one) => {
    const made = [...pricesMade(tariff, attributesOf(query, one), at).values()];
    const named = made.filter(({ net }) => NAMES.some((field) => net.entry.match[field] !== undefined));
    return { usageType: one, kinds: named.map(({ net }) => net.entry.kind) };
  });
  const found = priced.find(({ usageType, kinds }) => kinds.some((kind) => pricesOwnMeter(kind, usageType)));
  return (found ?? priced.find(({ kinds }) => kinds.length > 0))?.usageType ?? meant[0]!;
}

/** True when the kind of price is for what the usage is first of all counted in: an audio model's calls in its audio. */
function pricesOwnMeter(kind: Kind, usageType: UsageType): boolean {
  const meters: readonly Meter[] = KINDS[kind].meters;
  return meters.includes(USAGE_TYPES[usageType].meters[0]);
}

/** An entry that asks for none of these is for all of a kind, whatever it is called. */
const NAMES = ["model", "parameters", "acceleratorType", "baseModel"] as const satisfies readonly (keyof Match)[];

function isServerless(usageType: UsageType): boolean {
  return USAGE_TYPES[usageType].stream === "SERVERLESS";
}

/** Usage as the ledger would label it. */
function attributesOf(query: PriceExplainQuery, usageType: UsageType): RateAttributes {
  const { model, serviceTier, batch, acceleratorType, placement, jobType, baseModel, promptTokens } = query;
  const serverless = isServerless(usageType);
  return {
    usageType,
    model: serverless ? model : "",
    serviceTier,
    batch: batch ? "true" : "",
    acceleratorType,
    placement,
    jobType,
    baseModel: serverless ? baseModel : baseModel || model,
    contextClass: serverless ? contextClassOf(promptTokens) : "",
  };
}

/** What a price book says of one unit, for tests that look up a price again after it was imported. */

import { contextClassOf } from "../../src/domain/usage.ts";
import { type Component, type PriceBook, RATE_FIELDS, type RateAttributes } from "../../src/rating/price.ts";
import { unitRates } from "../../src/rating/rate.ts";

export interface Use {
  readonly usageType?: string;
  readonly model: string;
  readonly serviceTier?: string;
  readonly batch?: string;
  readonly promptTokens?: number;
  readonly at?: number;
}

/** Attodollars for one unit of the component; undefined where the book has no price. */
export function attoIn(book: PriceBook, component: Component, use: Use): bigint | undefined {
  const { promptTokens = 1, at = Date.UTC(2026, 0, 1), usageType = "TEXT_COMPLETION_INFERENCE_USAGE", ...labels } = use;
  const none = Object.fromEntries(RATE_FIELDS.map((field) => [field, ""])) as RateAttributes;
  const attributes = { ...none, ...labels, usageType, contextClass: contextClassOf(promptTokens) };
  return unitRates({ list: book, contract: undefined }, attributes, at).net[component];
}

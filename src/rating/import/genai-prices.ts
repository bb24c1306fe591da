/** The data of genai-prices: providers, their models, and prices for a million tokens or an hour of sound. Pure. */

import type { Decimal } from "../../domain/money.ts";
import { type Instant, parseInstant } from "../../domain/time.ts";
import type { Offer } from "./book-text.ts";
import { countOf, divided, multiplied, NumberText } from "./exact-decimal.ts";
import { genaiKey, MODEL_FIELDS, PROVIDER_FIELDS } from "./genai-keys.ts";
import { namesOf } from "./genai-names.ts";
import { isObject, type JsonObject, type ListJson } from "./json-text.ts";
import type { Period, PriceLine } from "./price-table.ts";
import type { ReadList, ReadOptions } from "./published-list.ts";
import { TableReading } from "./table-reading.ts";

const MINUTES_PER_HOUR = 60n;

/** The providers of the data: the whole of it, or its part of that name. */
export function providersOf(json: ListJson): readonly ListJson[] | undefined {
  const list = isObject(json) ? json.providers : json;
  return Array.isArray(list) ? (list as readonly ListJson[]) : undefined;
}

/** Reads the models of the providers. */
export function readGenaiPrices(list: readonly ListJson[], options: ReadOptions): ReadList {
  const providers = new Set<string>();
  const offers: Offer[] = [];
  for (const provider of list) {
    if (!isObject(provider) || typeof provider.id !== "string" || !Array.isArray(provider.models)) {
      const example = isObject(provider) && typeof provider.id === "string" ? provider.id : "?";
      options.findings.add("not_understood", "provider", "a provider is an object with id and models", example);
      continue;
    }
    providers.add(provider.id);
    if (options.provider === undefined || options.provider === provider.id) {
      offers.push(...offersOf(provider.id, provider, options));
    }
  }
  return { offers, providers };
}

function offersOf(provider: string, fields: JsonObject, options: ReadOptions): Offer[] {
  tellFields(fields, provider, options);
  const models = (fields.models as readonly ListJson[]).flatMap((model) => {
    if (isObject(model) && typeof model.id === "string") return [{ id: model.id, match: model.match, fields: model }];
    options.findings.add("not_understood", "model", "a model is an object with id, match and prices", provider);
    return [];
  });
  const names = namesOf(models, options.findings);
  const [url] = Array.isArray(fields.pricing_urls) ? (fields.pricing_urls as readonly ListJson[]) : [];
  const source = options.sourceOf(provider, ...(typeof url === "string" ? [url] : []));
  return models.map(({ id, fields: model }, at) => {
    for (const key of Object.keys(model)) {
      if (!MODEL_FIELDS.has(key)) options.findings.add("not_understood", key, "an unknown key", id);
    }
    const missing = new Set<string>();
    const periods = periodsOf(id, model.prices, missing, options);
    return { provider, model: id, names: names[at]!, periods, source, missing: [...missing] };
  });
}

const FALLBACK = "names of other providers are not taken over; import these providers, too";

function tellFields(fields: JsonObject, provider: string, { findings }: ReadOptions): undefined {
  for (const key of Object.keys(fields)) {
    if (key === "fallback_model_providers") findings.add("not_expressible", key, FALLBACK, provider);
    else if (!PROVIDER_FIELDS.has(key)) findings.add("not_understood", key, "an unknown key", provider);
  }
}

/** Prices under a condition. */
interface Conditional {
  /** From when; undefined for prices without such a condition. */
  readonly from: Instant | undefined;
  readonly prices: ListJson | undefined;
}

/** What the book says of a model, by time. Of prices whose condition holds the list takes the last, else its first. */
function periodsOf(id: string, prices: ListJson | undefined, missing: Set<string>, options: ReadOptions): Period[] {
  const reading = new TableReading(id, options.findings, missing);
  const list = Array.isArray(prices)
    ? (prices as readonly ListJson[]).flatMap((one) => conditionalOf(one, reading))
    : [{ from: undefined, prices }];
  const [first] = list;
  if (!first) return [];
  const starts = list.flatMap(({ from }) => (from !== undefined && from > options.effectiveFrom ? [from] : []));
  const edges = [options.effectiveFrom, ...[...new Set(starts)].sort((a, b) => a - b)];
  const periods: Period[] = [];
  const read = new Map<Conditional, PriceLine[]>();
  for (const [at, from] of edges.entries()) {
    const chosen = list.findLast((one) => one.from === undefined || one.from <= from) ?? first;
    let lines = read.get(chosen);
    if (!lines) {
      lines = linesOfPrices(chosen.prices, new TableReading(id, options.findings, missing));
      read.set(chosen, lines);
    }
    const before = periods.at(-1);
    if (before?.to === from && before.lines === lines) periods[periods.length - 1] = { ...before, to: edges[at + 1] };
    else if (lines.length > 0) periods.push({ from, to: edges[at + 1], lines });
  }
  return periods;
}

const BY_HOUR = "a book has no prices by time of day; the price without such a condition is taken";

function conditionalOf(one: ListJson, reading: TableReading): Conditional[] {
  if (!isObject(one)) return reading.tell("not_understood", "prices", "a price is an object") ?? [];
  for (const key of Object.keys(one)) {
    if (key !== "constraint" && key !== "prices") reading.tell("not_understood", key, "an unknown key");
  }
  if (one.constraint === undefined || one.constraint === null) return [{ from: undefined, prices: one.prices }];
  const { start_date: date, start_time, end_time, type, ...others } = isObject(one.constraint) ? one.constraint : {};
  for (const key of Object.keys(others)) reading.tell("not_understood", `constraint.${key}`, "an unknown key");
  if (start_time !== undefined && end_time !== undefined) {
    return reading.miss("constraint.time_of_date", BY_HOUR) ?? [];
  }
  const from = typeof date === "string" ? parseInstant(`${date}T00:00:00Z`) : undefined;
  if (from !== undefined) return [{ from, prices: one.prices }];
  return reading.tell("not_understood", "constraint", "neither a start_date nor times of day") ?? [];
}

function linesOfPrices(prices: ListJson | undefined, reading: TableReading): PriceLine[] {
  if (!isObject(prices)) return reading.tell("not_understood", "prices", "prices are an object of keys") ?? [];
  for (const [key, value] of Object.entries(prices)) readPrice(key, value, prices, reading);
  return reading.lines();
}

function readPrice(key: string, value: ListJson, beside: JsonObject, reading: TableReading): undefined {
  const meaning = genaiKey(key);
  if (meaning.kind === "unknown") return reading.tell("not_understood", key, "an unknown key");
  const steps = stepsOf(key, value, reading);
  if (!steps) return;
  if (meaning.kind === "token") {
    for (const { above, price } of steps) {
      reading.put(key, { kind: "perMillionTokens", variant: "standard", part: meaning.part, above }, price);
    }
  } else if (meaning.kind === "audio_hour") {
    // Sound that is heard is part of any sound, and has the price that is its own where both are stated.
    if (meaning.heard || beside.input_audio_hours === undefined) readHours(key, steps, reading);
  } else {
    readInexpressible(key, steps, meaning, reading);
  }
}

function readInexpressible(
  key: string,
  steps: readonly Step[],
  { reason, within }: Extract<ReturnType<typeof genaiKey>, { readonly kind: "not_expressible" }>,
  reading: TableReading,
): undefined {
  const [base, ...tiers] = steps;
  if (within && base && tiers.length === 0) reading.within(key, within, base.price, reason);
  else if (within || steps.some(({ price }) => price.numerator > 0n)) reading.missCost(key, reason);
}

function readHours(key: string, steps: readonly Step[], reading: TableReading): undefined {
  for (const { above, price } of steps) {
    const minute = divided(price, MINUTES_PER_HOUR);
    if (!minute.exact) reading.tell("approximated", key, "a sixtieth of it has no end; it is rounded to 30 decimals");
    reading.put(
      key,
      { kind: "perAudioMinute", variant: "standard", part: "price", above },
      multiplied(minute.value, 1n),
    );
  }
}

interface Step {
  readonly above: number;
  readonly price: Decimal;
}

/** A price, or one with tiers by length of prompt, as steps; undefined, and told, when it is neither. */
function stepsOf(key: string, value: ListJson, reading: TableReading): readonly Step[] | undefined {
  if (!isObject(value)) {
    const price = reading.decimal(key, value);
    return price && [{ above: 0, price }];
  }
  const { base, tiers, ...others } = value;
  for (const name of Object.keys(others)) reading.tell("not_understood", `${key}.${name}`, "an unknown key");
  if (!Array.isArray(tiers)) return reading.tell("not_understood", `${key}.tiers`, "no list stands here");
  const price = reading.decimal(`${key}.base`, base);
  const steps = (tiers as readonly ListJson[]).map((tier) => tierOf(key, tier, reading));
  return price && steps.every((step) => step !== undefined) ? [{ above: 0, price }, ...steps] : undefined;
}

function tierOf(key: string, tier: ListJson, reading: TableReading): Step | undefined {
  const { start, price: stated, ...others } = isObject(tier) ? tier : {};
  for (const name of Object.keys(others)) reading.tell("not_understood", `${key}.tiers.${name}`, "an unknown key");
  const above = start instanceof NumberText ? countOf(start) : undefined;
  if (above === undefined) return reading.tell("not_understood", `${key}.tiers.start`, "no whole number stands here");
  const price = reading.decimal(`${key}.tiers.price`, stated);
  return price && { above, price };
}

/** What the published package @pydantic/genai-prices says about usage, in exact numbers, and random usage to ask it. */

import { calcPrice, type ModelInfo, type ModelPrice, type Provider, waitForUpdate } from "@pydantic/genai-prices";
import fc from "fast-check";
import { type Decimal, parseDecimal } from "../../src/domain/money.ts";
import { CONTEXT_CLASS_EDGES } from "../../src/domain/usage.ts";

/** The list inside the package, as JSON, which is how it is published too. */
export async function bundledProviders(): Promise<readonly Provider[]> {
  const providers = await waitForUpdate();
  if (!providers) throw new Error("the package has no list");
  return providers;
}

export interface Asked {
  readonly provider: Provider;
  readonly name: string;
  readonly at: Date;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly audioMs: number;
}

/** What they answer; undefined when they know no such model. */
export interface Theirs {
  readonly total: number;
  readonly provider: Provider;
  readonly model: ModelInfo;
  readonly prices: ModelPrice;
}

export function askThem(asked: Asked): Theirs | undefined {
  const audio = { audio_seconds: asked.audioMs / 1000, input_audio_seconds: asked.audioMs / 1000 };
  const usage = {
    input_tokens: asked.inputTokens,
    cache_read_tokens: asked.cachedTokens,
    output_tokens: asked.outputTokens,
    ...(asked.audioMs > 0 && audio),
  };
  const found = calcPrice(usage, asked.name, { providerId: asked.provider.id, timestamp: asked.at });
  if (!found) return undefined;
  return { total: found.total_price, provider: found.provider, model: found.model, prices: found.model_price };
}

/** The decimal that a double of the list was written as: the shortest text that reads as it. */
export function decimalOf(value: number): Decimal {
  const [digits = "", exponent = "0"] = String(value).split("e");
  const decimal = parseDecimal(digits)!;
  const scale = decimal.scale - Number(exponent);
  return scale >= 0
    ? { numerator: decimal.numerator, scale }
    : { numerator: decimal.numerator * 10n ** BigInt(-scale), scale: 0 };
}

/** The price under a key for a prompt of so many tokens; undefined when the list has none. */
export function priceAt(prices: ModelPrice, key: string, inputTokens: number): Decimal | undefined {
  const price = prices[key];
  if (price === undefined || typeof price === "number") return price === undefined ? undefined : decimalOf(price);
  let value = price.base;
  for (const tier of price.tiers.toSorted((a, b) => a.start - b.start)) {
    if (inputTokens > tier.start) value = tier.price;
  }
  return decimalOf(value);
}

/** Lengths of prompts at which some tier of the prices starts. */
export function tierStarts(prices: ModelPrice): number[] {
  return Object.values(prices).flatMap((price) =>
    typeof price === "object" ? price.tiers.map((tier) => tier.start) : [],
  );
}

/** The prices at an instant, conditions by time of day left out. */
export function pricesByDate({ prices }: ModelInfo, at: Date): ModelPrice {
  if (!Array.isArray(prices)) return prices;
  const dated = prices.filter(({ constraint }) => constraint?.type !== "time_of_date");
  const chosen = dated.findLast(({ constraint }) => !constraint || new Date(startOf(constraint)) <= at) ?? prices[0];
  return chosen!.prices;
}

function startOf(constraint: object): string {
  return String((constraint as { start_date?: string }).start_date);
}

/** A clause of a match that stands alone: what any of them takes, the model takes. */
export interface Clause {
  readonly kind: string;
  readonly text: string;
}

export function clausesOf(match: object): Clause[] {
  const [[kind, value]] = Object.entries(match) as [[string, unknown]];
  if (kind === "or") return (value as object[]).flatMap(clausesOf);
  return [{ kind, text: typeof value === "string" ? value : "" }];
}

interface Offered {
  readonly provider: Provider;
  readonly model: ModelInfo;
}

/** Usage of any model of the list, under names that it has, nearly has, and has not. */
export function anyUsage(providers: readonly Provider[]): fc.Arbitrary<Asked> {
  const models = providers.flatMap((provider) => provider.models.map((model) => ({ provider, model })));
  const tokens = fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 1_200_000 }), anyEdge());
  const audioMs = fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 20_000 }),
    fc.integer({ min: 1, max: 90_000_000 }),
  );
  return fc
    .record({
      // Models with more than one plain price are few, and most can differ in.
      offered: fc.oneof(fc.constantFrom(...models), fc.constantFrom(...models.filter(isPeculiar))),
      which: fc.nat(),
      how: fc.nat(),
      // From before the first dated price of the list to behind the last, on any millisecond.
      time: fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2027, 2, 1) }),
      inputTokens: tokens,
      cachedShare: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
      outputTokens: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200_000 })),
      audioMs,
    })
    .map(({ offered, which, how, time, cachedShare, ...quantities }) => ({
      provider: offered.provider,
      name: nameOf(offered, which, how, providers),
      at: new Date(time),
      inputTokens: quantities.inputTokens,
      cachedTokens: Math.floor(quantities.inputTokens * cachedShare),
      outputTokens: quantities.outputTokens,
      audioMs: how % 16 === 0 || isPriced(offered.model, "audio_hours") ? quantities.audioMs : 0,
    }));
}

/** Prompts about as long as the limits of classes. */
function anyEdge(): fc.Arbitrary<number> {
  const off = fc.integer({ min: -2, max: 2 });
  return fc.tuple(fc.constantFrom(...CONTEXT_CLASS_EDGES), off).map(([tokens, more]) => tokens + more);
}

function pricesOf({ prices }: ModelInfo): readonly ModelPrice[] {
  return Array.isArray(prices) ? prices.map((one) => one.prices) : [prices];
}

function isPriced(model: ModelInfo, key: string): boolean {
  return pricesOf(model).some((prices) => key in prices);
}

function isPeculiar({ provider, model }: Offered): boolean {
  const hasTiers = pricesOf(model).some((prices) => tierStarts(prices).length > 0);
  const hasOther = isPriced(model, "audio_hours") || isPriced(model, "requests_kcount");
  const hasDate = clausesOf(model.match).some(({ text }) => HYPHENATED.test(text));
  const looksOn = provider.fallback_model_providers !== undefined;
  return hasTiers || hasOther || hasDate || looksOn || Array.isArray(model.prices);
}

const ENDS = ["", "-latest", "-20250514", "-2026-01-31", ":free"];
const HYPHENATED = /-(20\d\d)-(\d\d)-(\d\d)$/;

function nameOf({ provider, model }: Offered, which: number, how: number, providers: readonly Provider[]): string {
  const end = ENDS[how % ENDS.length]!;
  if (which % 23 === 0) return `no-such-model${end}`;
  const others = providers.filter(({ id }) => provider.fallback_model_providers?.includes(id));
  if (others.length > 0 && which % 3 === 0) {
    const models = others.flatMap((one) => one.models);
    return models[how % models.length]!.id;
  }
  const clauses = clausesOf(model.match).filter(({ text }) => text !== "");
  const clause = clauses[which % Math.max(clauses.length, 1)];
  if (!clause || which % 5 === 0) return which % 7 === 0 ? model.id.toUpperCase() : model.id;
  const { kind, text } = clause;
  if (kind === "starts_with") return `${text}${end}`;
  if (kind === "contains") return `${how % 2 === 0 ? "some." : ""}${text}${end}`;
  if (kind === "ends_with") return `some.${text}`;
  if (kind === "equals") return how % 2 === 0 ? text : text.replace(HYPHENATED, "-$1$2$3");
  return model.id;
}

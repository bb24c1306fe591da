/**
 * An oracle for rating and for the import of price lists: the published package @pydantic/genai-prices rates the same
 * usage by the list that it carries, and Daybook by the book that it made of that list. Every unit price must be the
 * same to the last digit, and every difference must belong to a class of the table below, by that class's own rule.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelPrice, Provider } from "@pydantic/genai-prices";
import fc from "fast-check";
import { ATTO_PER_USD, attoPerUnit, type Decimal } from "../../src/domain/money.ts";
import { CONTEXT_CLASS_EDGES, contextClassOf, METERS } from "../../src/domain/usage.ts";
import { loadPriceBook } from "../../src/rating/book.ts";
import { importPriceList } from "../../src/rating/import/import.ts";
import { type Component, RATE_FIELDS, type RateAttributes } from "../../src/rating/price.ts";
import { rate, type Tariff, unitRates } from "../../src/rating/rate.ts";
import {
  type Asked,
  anyUsage,
  askThem,
  bundledProviders,
  clausesOf,
  priceAt,
  pricesByDate,
  type Theirs,
  tierStarts,
} from "./genai-usage.ts";

const PROVIDERS = await bundledProviders();
const MADE = importPriceList(JSON.stringify(PROVIDERS), {
  from: "genai-prices",
  name: "data.json",
  effectiveFrom: Date.UTC(2020, 0, 1),
  modelPrefix: "{provider}/",
});
const TARIFF: Tariff = { list: loadPriceBook("oracle", MADE.yaml), contract: undefined };

/** Their sums are of doubles: so far they may be from the exact sum of their own prices. */
const ROUNDING = 1e-9;

/**
 * Every way to differ, with its reason, and how many of the 20,000 usages of one seed differ by it. `name`: in who the
 * model is; `price`: in one component of the usage.
 */
const CLASSES = {
  "cached at the input price": {
    count: 257,
    reason: "price: they price cached tokens without a price as input; here they are unpriced",
  },
  "no price is 0": {
    count: 2589,
    reason: "price: what their list states no price for costs them 0; here it is unpriced",
  },
  "a price a request": {
    count: 221,
    reason: "price: they add a price for each call; a book has none (the report says so)",
  },
  "a minimum of 10 s": {
    count: 21,
    reason: "price: their code bills 10 s at least for Groq's whisper; their list does not say so",
  },
  "a price by the hour": {
    count: 66,
    reason: "price: they take another price at some hours; a book the one without them (the report says so)",
  },
  "or more": {
    count: 8,
    reason: "price: their limit is one token lower; a prompt of just that length is short here (the report says so)",
  },
  "a part of a name": {
    count: 1426,
    reason: "name: they find the model by a part of its name; a book does not (the report says so)",
  },
  "letter case": { count: 429, reason: "name: they do not regard letter case; a book does (the report says so)" },
  "a date with hyphens": { count: 628, reason: "name: they read -20250514 as -2025-05-14, too" },
  "another provider's name": {
    count: 680,
    reason: "name: they look on in other providers' models (the report says so)",
  },
  "the model's own id": {
    count: 85,
    reason: "name: they do not know the id of a model whose match does not take it; the book has it",
  },
} as const;
/** Of the same usages those that are rated the same, or known to neither. */
const SAME = 13_653;
type Class = keyof typeof CLASSES;

interface Ours {
  readonly prices: Readonly<Partial<Record<Component, bigint>>>;
  readonly atto: bigint;
  readonly unpriced: readonly Component[];
}

function askUs(asked: Asked): Ours {
  const attributes = Object.fromEntries(RATE_FIELDS.map((field) => [field, ""])) as Record<
    keyof RateAttributes,
    string
  >;
  attributes.usageType = "TEXT_COMPLETION_INFERENCE_USAGE";
  attributes.model = `${asked.provider.id}/${asked.name}`;
  attributes.contextClass = contextClassOf(asked.inputTokens);
  const prices = unitRates(TARIFF, attributes, asked.at.getTime()).net;
  const quantities: Partial<Record<(typeof METERS)[number], number>> = {
    promptTokens: asked.inputTokens,
    cachedPromptTokens: asked.cachedTokens,
    completionTokens: asked.outputTokens,
    audioInputMs: asked.audioMs,
  };
  const rated = rate(
    METERS.map((meter) => BigInt(quantities[meter] ?? 0)),
    prices,
  );
  return { prices, atto: rated.atto, unpriced: rated.unpriced.map(({ component }) => component) };
}

/** The classes that one usage differs by. @throws AssertionError for a difference that no class explains. */
function differences(asked: Asked): Class[] {
  const [theirs, ours] = [askThem(asked), askUs(asked)];
  const known = Object.keys(ours.prices).length > 0;
  const what = `${asked.provider.id} ${asked.name} ${asked.at.toISOString()} ${JSON.stringify({ ...asked, provider: 0 })}`;
  if (!theirs) {
    if (!known) return [];
    assert.ok(
      asked.provider.models.some(({ id }) => id === asked.name),
      `only here it has a price: ${what}`,
    );
    return ["the model's own id"];
  }
  checkRounding(theirs, asked, what);
  const other = differenceOfName(theirs, asked);
  if (other) {
    assert.ok(!known, `${other}, and yet it has a price here: ${what}`);
    return [other];
  }
  return differencesOfPrice(theirs, ours, asked, what);
}

/** How they came to the model where a book's names do not lead to it. */
function differenceOfName({ provider, model }: Theirs, asked: Asked): Class | undefined {
  if (provider.id !== asked.provider.id) return "another provider's name";
  if (!asked.provider.models.includes(model)) return "another provider's name";
  const takes = (name: string, of: (text: string) => string): boolean =>
    clausesOf(model.match).some(
      ({ kind, text }) =>
        (kind === "equals" && of(text) === name) || (kind === "starts_with" && name.startsWith(of(text))),
    ) || of(model.id) === name;
  if (takes(asked.name, (text) => text)) return undefined;
  const lower = asked.name.toLowerCase();
  if (takes(lower, (text) => text.toLowerCase())) return "letter case";
  const parts = clausesOf(model.match).filter(({ kind }) => kind !== "equals" && kind !== "starts_with");
  const byPart = parts.some(
    ({ kind, text }) =>
      (kind === "contains" && lower.includes(text.toLowerCase())) ||
      (kind === "ends_with" && lower.endsWith(text.toLowerCase())) ||
      (kind === "regex" && new RegExp(text).test(lower)) ||
      kind === "and",
  );
  if (byPart) return "a part of a name";
  const hyphens = lower.replace(/-(20\d\d)(\d\d)(\d\d)/g, "-$1-$2-$3");
  assert.notEqual(hyphens, lower, `they found ${asked.name} in a way that is not known`);
  return "a date with hyphens";
}

const COMPONENTS = [
  { component: "uncachedPromptTokens", key: "input_mtok", per: 1_000_000n },
  { component: "cachedPromptTokens", key: "cache_read_mtok", per: 1_000_000n },
  { component: "completionTokens", key: "output_mtok", per: 1_000_000n },
  { component: "audioInputMs", key: "audio_hours", per: 3_600_000n },
] as const;

function quantityOf(component: (typeof COMPONENTS)[number]["component"], asked: Asked): number {
  switch (component) {
    case "uncachedPromptTokens":
      return asked.inputTokens - asked.cachedTokens;
    case "cachedPromptTokens":
      return asked.cachedTokens;
    case "completionTokens":
      return asked.outputTokens;
    default:
      return asked.audioMs;
  }
}

/** The length of prompt by which a book chooses: one less where a limit of theirs is taken one token further. */
function lengthHere(prices: ModelPrice, { inputTokens }: Asked): number {
  const isEdge = (CONTEXT_CLASS_EDGES as readonly number[]).includes(inputTokens);
  return isEdge && tierStarts(prices).includes(inputTokens - 1) ? inputTokens - 1 : inputTokens;
}

function differencesOfPrice(theirs: Theirs, ours: Ours, asked: Asked, what: string): Class[] {
  const found = new Set<Class>();
  const allDay = pricesByDate(theirs.model, asked.at);
  const length = lengthHere(allDay, asked);
  let atto = 0n;
  for (const { component, key, per } of COMPONENTS) {
    const quantity = quantityOf(component, asked);
    if (quantity === 0) continue;
    // First what a book must say, from the list itself, to the last digit.
    const price = hourOr(allDay, key, length);
    const unit = price && attoPerUnit(price, per);
    assert.equal(ours.prices[component], unit, `${component}: ${what}`);
    assert.equal(ours.unpriced.includes(component), unit === undefined, `${component}: ${what}`);
    atto += (unit ?? 0n) * BigInt(quantity);
    // Then why they say something else, if they do.
    const now = hourOr(theirs.prices, key, asked.inputTokens);
    const cachedAsInput = component === "cachedPromptTokens" && !now && theirs.prices.input_mtok !== undefined;
    if (cachedAsInput) found.add("cached at the input price");
    else if (!now) found.add("no price is 0");
    const shorter = hourOr(theirs.prices, key, length);
    if (theirs.prices !== allDay && !isSame(shorter, price)) found.add("a price by the hour");
    if (!isSame(now, shorter)) found.add("or more");
  }
  assert.equal(ours.atto, atto, what);
  if (theirs.prices.requests_kcount !== undefined) found.add("a price a request");
  if (minimumMs(theirs, asked) !== asked.audioMs && ours.prices.audioInputMs) found.add("a minimum of 10 s");
  return [...found];
}

/** Sound that is heard has its own price where the list states one. */
function hourOr(prices: ModelPrice, key: string, length: number): Decimal | undefined {
  const heard = key === "audio_hours" ? priceAt(prices, "input_audio_hours", length) : undefined;
  return heard ?? priceAt(prices, key, length);
}

function isSame(a: Decimal | undefined, b: Decimal | undefined): boolean {
  return a?.numerator === b?.numerator && a?.scale === b?.scale;
}

function minimumMs({ provider, model }: Theirs, { audioMs }: Asked): number {
  const isGroq = provider.id === "groq" && /^whisper-large-v3(-turbo)?$/.test(model.id);
  return isGroq && audioMs > 0 ? Math.max(audioMs, 10_000) : audioMs;
}

/** Their total is the exact sum of their own prices but for the rounding of doubles. */
function checkRounding(theirs: Theirs, asked: Asked, what: string): void {
  const { prices } = theirs;
  // Scaled by 10^18 and by all that prices are for, so that nothing is divided.
  const all = 3_600_000_000_000n;
  const cost = (price: Decimal | undefined, quantity: number, per: bigint): bigint =>
    price ? (price.numerator * BigInt(quantity) * ATTO_PER_USD * (all / per)) / 10n ** BigInt(price.scale) : 0n;
  let exact = cost(priceAt(prices, "requests_kcount", 0), 1, 1000n);
  for (const { component, key, per } of COMPONENTS) {
    const own = hourOr(prices, key, asked.inputTokens);
    const cachedAsInput = component === "cachedPromptTokens" && !own;
    const price = cachedAsInput ? priceAt(prices, "input_mtok", asked.inputTokens) : own;
    const quantity = component === "audioInputMs" ? minimumMs(theirs, asked) : quantityOf(component, asked);
    exact += cost(price, quantity, per);
  }
  const dollars = Number(exact / all) / 1e18;
  assert.ok(
    Math.abs(theirs.total - dollars) <= ROUNDING * Math.max(dollars, 1e-9),
    `${theirs.total} ${dollars} ${what}`,
  );
}

test("the whole list becomes a book, and the report names all that it does not hold", () => {
  const { report } = MADE;
  const models = PROVIDERS.reduce((count: number, { models }: Provider) => count + models.length, 0);
  assert.equal(models, 1694);
  assert.equal(report.models, models);
  assert.equal(report.imported + report.unpriced.length, models);
  assert.equal(TARIFF.list.entries.length, report.entries);
  assert.deepEqual(
    report.findings.filter(({ kind }) => kind === "not_understood" || kind === "conflict" || kind === "merged"),
    [],
  );
});

test("whatever the usage, Daybook rates it as genai-prices does, or differs by a class of the table", () => {
  fc.assert(
    fc.property(anyUsage(PROVIDERS), (asked) => {
      differences(asked);
    }),
    { numRuns: 5_000 },
  );
});

test("each class of difference has its reason and is met as often as it was", (t) => {
  const counts = Object.fromEntries(Object.keys(CLASSES).map((name) => [name, 0])) as Record<Class, number>;
  let same = 0;
  for (const asked of fc.sample(anyUsage(PROVIDERS), { seed: 4, numRuns: 20_000 })) {
    const found = differences(asked);
    if (found.length === 0) same += 1;
    for (const one of found) counts[one] += 1;
  }
  for (const [name, { reason }] of Object.entries(CLASSES)) t.diagnostic(`${counts[name as Class]} ${name}: ${reason}`);
  assert.deepEqual(counts, Object.fromEntries(Object.entries(CLASSES).map(([name, { count }]) => [name, count])));
  assert.equal(same, SAME);
});

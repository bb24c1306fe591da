import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "../../src/domain/fault.ts";
import { CONTEXT_CLASS_EDGES, contextClassOf, METERS, type Meter } from "../../src/domain/usage.ts";
import { loadPriceBook } from "../../src/rating/book.ts";
import type { BookKind, PriceBook, RateAttributes } from "../../src/rating/price.ts";
import { priceEdges, rate, type Tariff, unitRates } from "../../src/rating/rate.ts";
import {
  type Fraction,
  fraction,
  type NaiveBook,
  type NaiveContract,
  type NaiveDiscount,
  type NaiveEntry,
  type NaiveLine,
  type NaiveUsage,
  naiveRates,
} from "./naive-rater.ts";

const MODELS = ["a", "ab", "abc", "accounts/x/routers/r", "z"];
const TIERS = ["STANDARD", "FAST", "PRIORITY"];
const GPUS = ["NVIDIA_H100_80GB", "NVIDIA_L4_24GB"];
const PLACEMENTS = ["", "GLOBAL", "US", "EUROPE"];
const CALLS = ["TEXT_COMPLETION_INFERENCE_USAGE", "EMBEDDING_INFERENCE_USAGE"];
const GPU_USAGE = "DEDICATED_DEPLOYMENT_USAGE";

const some = <T>(values: readonly T[], maxLength = 2): fc.Arbitrary<T[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength });
const patterns = some(["a", "ab", "abc", "a*", "ab*", "*", "accounts/x/routers/*", "z"], 3);
const limits = <T>(values: readonly T[]): fc.Arbitrary<{ above?: T; atMost?: T }> =>
  fc.uniqueArray(fc.nat({ max: values.length - 1 }), { minLength: 2, maxLength: 2 }).chain(([a, b]) => {
    const [above, atMost] = [values[Math.min(a!, b!)]!, values[Math.max(a!, b!)]!];
    return fc.constantFrom<{ above?: T; atMost?: T }>({ above }, { atMost }, { above, atMost });
  });
const months = fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 6 }));
// Down to a cent for a million: smaller prices can vanish below the attodollar, and such a book is refused.
const price = fc.bigInt({ min: 10n ** 6n, max: 10n ** 11n }).map((value) => fraction(value, 10n ** 8n));
const priceOrFree = fc.oneof({ weight: 9, arbitrary: price }, { weight: 1, arbitrary: fc.constant(fraction(0n)) });
const factor = fc.bigInt({ min: 10n ** 6n, max: 3n * 10n ** 8n }).map((value) => fraction(value, 10n ** 8n));
const multipliers = fc.record(
  { batch: factor, cachedInput: factor, restrictedPlacement: factor },
  { requiredKeys: [] },
);
const models = fc.dictionary(fc.constantFrom(...MODELS), fc.integer({ min: 1, max: 9 }), { noNullPrototype: true });
const prices = fc
  .record({ input: priceOrFree, cachedInput: priceOrFree, output: priceOrFree }, { requiredKeys: [] })
  .filter((one) => Object.keys(one).length > 0);

const named = { model: patterns, baseModel: patterns, parametersBillions: limits([2, 4, 6, 8]) };
const callMatch = {
  ...named,
  serviceTier: some(TIERS),
  contextTokens: limits(CONTEXT_CLASS_EDGES.slice(0, 4)),
  batch: fc.boolean(),
  usageType: some(CALLS),
};
const gpuMatch = {
  ...named,
  acceleratorType: some(GPUS),
  placement: some(PLACEMENTS.slice(1)),
  usageType: fc.constant([GPU_USAGE]),
};
/** A line that asks for at most two fields: with more, hardly any usage would fit it. */
const lineOf = <M extends object>(fields: { [K in keyof M]: fc.Arbitrary<M[K]> }): fc.Arbitrary<NaiveLine> =>
  fc
    .record({
      values: fc.record(fields),
      asked: fc.uniqueArray(fc.constantFrom(...Object.keys(fields)), { maxLength: 2 }),
      dates: months,
    })
    .map(({ values, asked, dates: [from, count] }) => {
      const match = Object.fromEntries(Object.entries(values).filter(([field]) => asked.includes(field)));
      return { match, from, to: from + count };
    });
const entryOf: fc.Arbitrary<NaiveEntry> = fc
  .boolean()
  .chain((call) =>
    fc
      .record({ line: call ? lineOf(callMatch) : lineOf(gpuMatch), prices, hour: price })
      .map(({ line, ...rest }) => ({ ...line, ...rest, kind: call ? "perMillionTokens" : "perAcceleratorHour" })),
  );
const discountOf: fc.Arbitrary<NaiveDiscount> = fc
  .record({
    line: lineOf({
      ...callMatch,
      acceleratorType: gpuMatch.acceleratorType,
      usageType: some([...CALLS, GPU_USAGE], 3),
    }),
    percent: fc.bigInt({ min: 1n, max: 100_000n }).map((value) => fraction(value, 1000n)),
  })
  .map(({ line, percent }) => ({ ...line, percent }));
const bookOf = fc.record({ multipliers, models, entries: fc.array(entryOf, { minLength: 3, maxLength: 14 }) });
const contractOf = fc.record({
  multipliers,
  models,
  entries: fc.array(entryOf, { maxLength: 4 }),
  discounts: fc.array(discountOf, { minLength: 1, maxLength: 4 }),
});

const usageOf: fc.Arbitrary<NaiveUsage> = fc.record({
  usageType: fc.constantFrom(...CALLS, GPU_USAGE),
  model: fc.constantFrom("", ...MODELS, "abcd"),
  baseModel: fc.constantFrom("", ...MODELS),
  serviceTier: fc.constantFrom("", ...TIERS),
  batch: fc.boolean(),
  promptTokens: fc.constantFrom(0, 1, ...CONTEXT_CLASS_EDGES.flatMap((edge) => [edge, edge + 1])),
  acceleratorType: fc.constantFrom("", ...GPUS),
  placement: fc.constantFrom(...PLACEMENTS),
  month: fc.integer({ min: 1, max: 12 }),
});

/** A fraction whose divisor is a power of ten, as a book writes it. */
function decimal({ n, d }: Fraction): string {
  const scale = d.toString().length - 1;
  const digits = n.toString().padStart(scale + 1, "0");
  return JSON.stringify(scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
}

const day = (month: number): string => new Date(Date.UTC(2026, month - 1, 1)).toISOString().replace(".000", "");

function lineYaml(line: NaiveEntry | NaiveDiscount): string {
  const { match, from, to } = line;
  const fields = Object.entries(match).map(([field, value]) => {
    if (field !== "parametersBillions") return `${field}: ${JSON.stringify(value)}`;
    const stated = Object.entries(value as Record<string, number>).map(([limit, one]) => `${limit}: "${one}"`);
    return `${field}: { ${stated.join(", ")} }`;
  });
  const asked = `match: { ${fields.length > 0 ? fields.join(", ") : 'model: "*"'} }`;
  const dates = `effectiveFrom: ${day(from)}, effectiveTo: ${day(to)}, source: s`;
  if ("percent" in line) return `  - { ${asked}, percent: ${decimal(line.percent)}, ${dates} }`;
  const stated = Object.entries(line.prices).map(([one, value]) => `${one}: ${decimal(value)}`);
  const what = line.kind === "perMillionTokens" ? `{ ${stated.join(", ")} }` : decimal(line.hour);
  return `  - { ${asked}, ${line.kind}: ${what}, ${dates} }`;
}

function listYaml(name: string, lines: readonly (NaiveEntry | NaiveDiscount)[]): string {
  return lines.length === 0 ? `${name}: []` : `${name}:\n${lines.map(lineYaml).join("\n")}`;
}

function bookYaml(book: NaiveBook | NaiveContract): string {
  const factors = Object.entries(book.multipliers).map(([name, value]) => `${name}: ${decimal(value as Fraction)}, `);
  const sizes = Object.entries(book.models).map(
    ([model, size]) => `${model}: { parametersBillions: "${size}", architecture: dense }`,
  );
  return [
    "currency: USD",
    `multipliers: { ${factors.join("")}source: s }`,
    `models: { ${sizes.join(", ")} }`,
    listYaml("prices", book.entries),
    ...("discounts" in book ? [listYaml("discounts", book.discounts)] : []),
  ].join("\n");
}

function loads(book: NaiveBook | NaiveContract, kind: BookKind): boolean {
  try {
    load(book, kind);
    return true;
  } catch (error) {
    assert.ok(error instanceof Fault);
    for (const { facts } of error.problems) assert.match(String(facts.reason), /could both|means nothing/);
    return false;
  }
}

/** The lines that load one after the other: a line that would dispute an earlier one is left out. */
function sound<L>(lines: readonly L[], fits: (lines: readonly L[]) => boolean): L[] {
  const kept: L[] = [];
  for (const line of lines) if (fits([...kept, line])) kept.push(line);
  return kept;
}

interface Drawn {
  readonly list: NaiveBook;
  readonly contract: NaiveContract | undefined;
  readonly tariff: Tariff;
}

const drawn: fc.Arbitrary<Drawn> = fc
  .record({ list: bookOf, contract: fc.option(contractOf, { nil: undefined }) })
  .map((draft) => {
    const list = {
      ...draft.list,
      entries: sound(draft.list.entries, (entries) => loads({ ...draft.list, entries }, "list")),
    };
    if (!draft.contract)
      return { list, contract: undefined, tariff: { list: load(list, "list"), contract: undefined } };
    const whole = draft.contract;
    const entries = sound(whole.entries, (some) => loads({ ...whole, entries: some, discounts: [] }, "contract"));
    const discounts = sound(whole.discounts, (some) => loads({ ...whole, entries, discounts: some }, "contract"));
    const contract = { ...whole, entries, discounts };
    return { list, contract, tariff: { list: load(list, "list"), contract: load(contract, "contract") } };
  });

function load(book: NaiveBook | NaiveContract, kind: BookKind): PriceBook {
  return loadPriceBook("random", bookYaml(book), kind);
}

function attributesOf(usage: NaiveUsage): RateAttributes {
  const { usageType, model, baseModel, serviceTier, acceleratorType, placement } = usage;
  const batch = usage.batch ? "true" : "";
  const contextClass = contextClassOf(usage.promptTokens);
  return { usageType, model, baseModel, serviceTier, acceleratorType, placement, batch, contextClass, jobType: "" };
}

const middle = (month: number): number => Date.UTC(2026, month - 1, 15);

test("property: random lists, contracts and discounts rate as fractions do", () => {
  const seen = { priced: 0, unpriced: 0, lowered: 0, agreed: 0 };
  fc.assert(
    fc.property(drawn, fc.array(usageOf, { minLength: 20, maxLength: 60 }), ({ list, contract, tariff }, usages) => {
      for (const usage of usages) {
        const want = naiveRates(list, contract, usage);
        const got = unitRates(tariff, attributesOf(usage), middle(usage.month));
        const text = `${bookYaml(list)}\n${contract ? bookYaml(contract) : ""}\n${JSON.stringify(usage)}`;
        assert.deepEqual({ ...got.list }, want.list, text);
        assert.deepEqual({ ...got.net }, want.net, text);
        const same =
          JSON.stringify(Object.entries(want.list).map(String)) ===
          JSON.stringify(Object.entries(want.net).map(String));
        if (same) assert.equal(got.net, got.list);
        if (Object.keys(want.net).length === 0) seen.unpriced += 1;
        else seen.priced += 1;
        if (Object.keys(want.list).some((one) => want.net[one]! < want.list[one]!)) seen.lowered += 1;
        if (Object.keys(want.list).some((one) => want.net[one]! > want.list[one]!)) seen.agreed += 1;
      }
    }),
    { numRuns: 150 },
  );
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 20, `${what} ${count}`);
});

/** Quantities in the order of METERS that a piece of usage could have. */
const quantitiesFor = (call: boolean): fc.Arbitrary<bigint[]> => {
  const amount = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n });
  return fc.tuple(amount, amount, amount).map(([first, second, third]) => {
    const some: Partial<Record<Meter, bigint>> = call
      ? { promptTokens: first + second, cachedPromptTokens: second, completionTokens: third }
      : { acceleratorMs: first };
    return METERS.map((meter) => some[meter] ?? 0n);
  });
};
const piecesOf = fc.array(
  usageOf.chain((usage) => quantitiesFor(usage.usageType !== GPU_USAGE).map((quantities) => ({ usage, quantities }))),
  { minLength: 1, maxLength: 30 },
);

test("property: a range rated by its segments is its pieces rated one by one, in any order", () => {
  const range = { start: Date.UTC(2025, 11, 1), end: Date.UTC(2027, 1, 1) };
  fc.assert(
    fc.property(drawn, piecesOf, ({ list, contract, tariff }, pieces) => {
      const starts = [range.start, ...priceEdges(tariff, range)];
      const sums = new Map<string, { attributes: RateAttributes; start: number; quantities: bigint[] }>();
      for (const { usage, quantities } of pieces) {
        const attributes = attributesOf(usage);
        const start = starts.findLast((one) => one <= middle(usage.month))!;
        const key = JSON.stringify([attributes, start]);
        const sum = sums.get(key) ?? { attributes, start, quantities: METERS.map(() => 0n) };
        sums.set(key, { ...sum, quantities: sum.quantities.map((one, at) => one + quantities[at]!) });
      }
      const bySegments = [...sums.values()]
        .map(({ attributes, start, quantities }) => rate(quantities, unitRates(tariff, attributes, start).net).atto)
        .reduce((a, b) => a + b, 0n);
      const one = ({ usage, quantities }: (typeof pieces)[number]): bigint => {
        const { net } = naiveRates(list, contract, usage);
        const [prompt = 0n, cached = 0n, completion = 0n] = quantities;
        const amounts = {
          uncachedPromptTokens: prompt - cached,
          cachedPromptTokens: cached,
          completionTokens: completion,
        };
        const all: Record<string, bigint> = { ...amounts, acceleratorMs: quantities[METERS.indexOf("acceleratorMs")]! };
        return Object.entries(all).reduce((sum, [component, amount]) => sum + amount * (net[component] ?? 0n), 0n);
      };
      const total = (list: typeof pieces): bigint => list.reduce((sum, piece) => sum + one(piece), 0n);
      assert.equal(bySegments, total(pieces));
      assert.equal(bySegments, total([...pieces].reverse()));
    }),
    { numRuns: 100 },
  );
});

test("property: the order of a book's lines changes no price", () => {
  fc.assert(
    fc.property(drawn, fc.array(usageOf, { minLength: 20, maxLength: 40 }), ({ list, contract, tariff }, usages) => {
      const turned: Tariff = {
        list: load({ ...list, entries: list.entries.toReversed() }, "list"),
        contract:
          contract &&
          load(
            {
              ...contract,
              entries: contract.entries.toReversed(),
              discounts: contract.discounts.toReversed(),
            },
            "contract",
          ),
      };
      for (const usage of usages) {
        const [attributes, at] = [attributesOf(usage), middle(usage.month)];
        assert.deepEqual(unitRates(turned, attributes, at), unitRates(tariff, attributes, at));
      }
    }),
    { numRuns: 60 },
  );
});

test("a discount of 100 % leaves a price of 0, which is a price", () => {
  const dates = "effectiveFrom: 2026-01-01T00:00:00Z, source: s";
  const list = loadPriceBook(
    "l",
    `currency: USD\nprices: [{ match: { model: m }, perMillionTokens: { output: "1" }, ${dates} }]`,
  );
  const contract = loadPriceBook("c", `currency: USD\ndiscounts: [{ percent: "100", ${dates} }]`, "contract");
  const usage = { usageType: CALLS[0]!, model: "m", baseModel: "", serviceTier: "FAST", batch: false, promptTokens: 1 };
  const who = attributesOf({ ...usage, serviceTier: "", acceleratorType: "", placement: "", month: 5 });
  assert.deepEqual(unitRates({ list, contract }, who, middle(5)), {
    list: { completionTokens: 10n ** 12n },
    net: { completionTokens: 0n },
  });
});

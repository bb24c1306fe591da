import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "../domain/fault.ts";
import { CONTEXT_CLASS_EDGES, contextClassOf, type UsageType } from "../domain/usage.ts";
import { loadPriceBook } from "./book.ts";
import { inForce } from "./desk.ts";
import { entryMatches, matches, specificity, type UsageFacts } from "./match.ts";
import type { BookLine, PriceBook, PriceEntry, RateAttributes } from "./price.ts";
import { unitRates } from "./rate.ts";

const NOTHING: RateAttributes = {
  usageType: "",
  model: "",
  serviceTier: "",
  batch: "",
  acceleratorType: "",
  placement: "",
  jobType: "",
  baseModel: "",
  contextClass: "",
};
const AT = Date.UTC(2026, 5, 1);

function call(some: Partial<RateAttributes>): RateAttributes {
  return { ...NOTHING, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", ...some };
}

const FULL_BATCH = 'multipliers: { batch: "1", source: s }\n';

/** A book whose entries cost as many dollars per 1M output tokens as their place, from 1. */
function bookOf(matchTexts: readonly string[]): PriceBook {
  const entries = matchTexts.map(
    (match, at) => `
  - { match: ${match}, perMillionTokens: { output: "${at + 1}" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }`,
  );
  return loadPriceBook("trial", `currency: USD\n${FULL_BATCH}prices:${entries.join("")}\n`);
}

/** The place, from 1, of the entry that wins; 0 where none is for the usage. */
function winner(list: PriceBook, attributes: RateAttributes): number {
  const { completionTokens = 0n } = unitRates({ list, contract: undefined }, attributes, AT).net;
  return Number(completionTokens / 10n ** 12n);
}

test("the more of a name an entry states, the more it weighs, whatever else the others state", () => {
  const book = bookOf([
    '{ model: "*" }',
    '{ model: "g*" }',
    '{ model: "gpt-*" }',
    "{ model: [gpt-4, k2] }",
    '{ model: "g*", batch: true }',
    "{ usageType: TEXT_COMPLETION_INFERENCE_USAGE, serviceTier: STANDARD }",
    '{ model: ["gpt-4o*", "h*"], serviceTier: [STANDARD, FAST] }',
    "{ router: accounts/a/routers/* }",
  ]);
  const won: [Partial<RateAttributes>, number][] = [
    [{ model: "gpt-4" }, 4],
    [{ model: "gpt-5" }, 3],
    [{ model: "gpt-" }, 3],
    [{ model: "gpt" }, 2],
    [{ model: "gpt", batch: "true" }, 5],
    [{ model: "gpt-5", batch: "true" }, 3],
    [{ model: "gpt-4o-mini" }, 7],
    [{ model: "h" }, 7],
    [{ model: "gpt-4o", serviceTier: "FAST" }, 7],
    [{ model: "gpt-4", serviceTier: "FAST" }, 0],
    [{ model: "k2" }, 4],
    [{ model: "k20" }, 6],
    [{ model: "accounts/a/routers/kimi-fast" }, 8],
    [{ model: "" }, 6],
    [{ model: "*" }, 6],
    [{ model: "g*" }, 2],
    [{ model: "m", usageType: "EMBEDDING_INFERENCE_USAGE" }, 1],
  ];
  for (const [attributes, place] of won)
    assert.equal(winner(book, call(attributes)), place, JSON.stringify(attributes));
});

test("a base model may be a prefix, too, and weighs less than the model", () => {
  const book = bookOf(['{ baseModel: "llama*" }', "{ baseModel: llama-3 }", '{ model: "m*" }']);
  assert.equal(winner(book, call({ baseModel: "llama-3" })), 2);
  assert.equal(winner(book, call({ baseModel: "llama-3.1" })), 1);
  assert.equal(winner(book, call({ baseModel: "llama-3", model: "mine" })), 3);
});

test("a prompt's length picks the entry of its class, and one without a class is for any length", () => {
  const book = bookOf([
    "{ model: m }",
    "{ model: m, contextTokens: { above: 200000 } }",
    "{ model: n, contextTokens: { atMost: 128000 } }",
    "{ model: n, contextTokens: { above: 128000, atMost: 256000 } }",
  ]);
  const won: [string, number, number][] = [
    ["m", 200_000, 1],
    ["m", 200_001, 2],
    ["m", 1_000_000, 2],
    ["n", 0, 3],
    ["n", 128_000, 3],
    ["n", 128_001, 4],
    ["n", 256_000, 4],
    ["n", 256_001, 0],
  ];
  for (const [model, tokens, place] of won) {
    assert.equal(winner(book, call({ model, contextClass: contextClassOf(tokens) })), place, `${model} ${tokens}`);
  }
  for (const edge of CONTEXT_CLASS_EDGES) bookOf([`{ contextTokens: { above: ${edge} } }`]);
});

// A small universe: every value that a random line can name, and some that it cannot.
const MODELS = ["", "a", "ax", "ab", "abx", "abc", "abcx", "b", "x"];
const PATTERNS = ["a", "ab", "abc", "a*", "ab*", "abc*", "b", "*"];
const BASES = ["", "a", "ax"];
const BASE_PATTERNS = ["a", "a*", "*"];
const TYPES: UsageType[] = [
  "TEXT_COMPLETION_INFERENCE_USAGE",
  "EMBEDDING_INFERENCE_USAGE",
  "DEDICATED_DEPLOYMENT_USAGE",
];
const SIZES = [
  undefined,
  ...[1_000_000_000n, 4_500_000_000n, 5_000_000_000n, 9_000_000_000n].map(
    (parameters) => ({ parameters, architecture: "dense" }) as const,
  ),
];
const INSTANTS = [0, 1, 2, 3, 4, 5].map((month) => Date.UTC(2026, month, 10));

const UNIVERSE: UsageFacts[] = MODELS.flatMap((model) =>
  BASES.flatMap((baseModel) =>
    TYPES.flatMap((usageType) =>
      ["", "FAST"].flatMap((serviceTier) =>
        ["", "true"].flatMap((batch) =>
          ["", "32000", "64000"].flatMap((contextClass) =>
            SIZES.map((size) => ({
              usageType,
              size,
              attributes: { ...NOTHING, usageType, model, baseModel, serviceTier, batch, contextClass },
            })),
          ),
        ),
      ),
    ),
  ),
);

const some = <T>(values: readonly T[], max = 3): fc.Arbitrary<T[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: max });
const FIELDS = {
  model: some(PATTERNS),
  baseModel: some(BASE_PATTERNS, 2),
  parametersBillions: fc.constantFrom('{ below: "5" }', '{ atMost: "5" }', '{ above: "4" }', '{ atLeast: "6" }'),
  serviceTier: some(["STANDARD", "FAST"], 2),
  contextTokens: fc
    .constantFrom("above: 32000", "atMost: 32000", "above: 64000", "above: 32000, atMost: 64000")
    .map((limits) => `{ ${limits} }`),
  batch: fc.boolean(),
  usageType: some(TYPES, 2),
};
type Field = keyof typeof FIELDS;
const lineOf = fc.record({
  ...FIELDS,
  gpu: fc.integer({ min: 0, max: 5 }).map((one) => one === 0),
  from: fc.integer({ min: 1, max: 4 }),
  months: fc.integer({ min: 1, max: 3 }),
  /** A field that this line states though the others do not, or the other way round. */
  astray: fc.option(fc.constantFrom(...(Object.keys(FIELDS) as Field[])), { freq: 4 }),
});
/** Lines that state nearly the same fields: of others none ever ties. */
const linesOf = fc
  .record({
    fields: fc.uniqueArray(fc.constantFrom(...(Object.keys(FIELDS) as Field[])), { maxLength: 3 }),
    lines: fc.array(lineOf, { minLength: 2, maxLength: 4 }),
  })
  .map(({ fields, lines }) =>
    lines.map(({ gpu, from, months, astray, ...values }) => {
      const stated = (Object.keys(FIELDS) as Field[]).filter((one) => fields.includes(one) !== (one === astray));
      const texts = stated.map((field) => `${field}: ${asYaml(values[field])}`);
      return {
        match: `{ ${(texts.length > 0 ? texts : ['model: "*"']).join(", ")} }`,
        price: gpu ? 'perAcceleratorHour: "1"' : 'perMillionTokens: { input: "1" }',
        dates: `effectiveFrom: 2026-0${from}-01T00:00:00Z, effectiveTo: 2026-0${from + months}-01T00:00:00Z`,
      };
    }),
  );

function asYaml(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The book, or the reasons why it is none. */
function load(yamlText: string, kind: "list" | "contract"): PriceBook | string[] {
  try {
    return loadPriceBook("random", yamlText, kind);
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    return error.problems.map((one) => String(one.facts.reason));
  }
}

/** Loads each line alone, so that whether it is sound is known without what stands beside it. */
function soundLines(texts: readonly string[], list: "prices" | "discounts"): { text: string; line: BookLine }[] {
  return texts.flatMap((text) => {
    const book = load(`currency: USD\n${list}:\n${text}`, "contract");
    return Array.isArray(book) ? [] : [{ text, line: book.entries[0] ?? book.discounts[0]! }];
  });
}

function tie(a: BookLine, b: BookLine, fit: (line: BookLine, usage: UsageFacts) => boolean): boolean {
  if (!INSTANTS.some((at) => inForce(a, at) && inForce(b, at))) return false;
  return UNIVERSE.some(
    (usage) =>
      fit(a, usage) &&
      fit(b, usage) &&
      specificity(a.match, usage.attributes) === specificity(b.match, usage.attributes),
  );
}

for (const list of ["prices", "discounts"] as const) {
  test(`property: ${list} are refused for a dispute exactly when some usage ties two of them`, () => {
    let [refused, taken] = [0, 0];
    const fit = (line: BookLine, usage: UsageFacts): boolean =>
      list === "prices" ? entryMatches(line as PriceEntry, usage) : matches(line.match, usage);
    fc.assert(
      fc.property(linesOf, (drafts) => {
        const texts = drafts.map(
          ({ match, price, dates }) =>
            `  - { match: ${match}, ${list === "prices" ? price : 'percent: "5"'}, ${dates}, source: s }`,
        );
        const sound = soundLines(texts, list);
        if (sound.length < 2) return;
        const kindOf = (line: BookLine): unknown => ("kind" in line ? line.kind : "");
        const ties = sound.some(({ line: a }, at) =>
          sound.slice(at + 1).some(({ line: b }) => kindOf(a) === kindOf(b) && tie(a, b, fit)),
        );
        const book = load(`currency: USD\n${list}:\n${sound.map((one) => one.text).join("\n")}`, "contract");
        if (Array.isArray(book)) for (const reason of book) assert.match(reason, /could both/);
        assert.equal(Array.isArray(book), ties, sound.map((one) => one.text).join("\n"));
        if (ties) refused += 1;
        else taken += 1;
      }),
      { numRuns: 300 },
    );
    assert.ok(refused > 5 && taken > 5, `${refused} refused, ${taken} taken`);
  });
}

test("10,000 entries with prefixes answer a new set of attributes in well under a millisecond", () => {
  const entries = Array.from(
    { length: 10_000 },
    (_, at) =>
      `  - { match: { model: "accounts/a${at % 50}/models/m${at}*" }, perMillionTokens: { input: "1" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }`,
  );
  const list = loadPriceBook("many", `currency: USD\nprices:\n${entries.join("\n")}`);
  const tariff = { list, contract: undefined };
  unitRates(tariff, call({ model: "warm" }), AT);
  // Of this thread's time: on a busy machine less than passes.
  const start = process.threadCpuUsage();
  for (let at = 0; at < 1000; at += 1) {
    const model = `accounts/a${at % 50}/models/m${at}-new`;
    assert.equal(unitRates(tariff, call({ model }), AT).list.uncachedPromptTokens, 10n ** 12n);
  }
  const { user, system } = process.threadCpuUsage(start);
  const each = (user + system) / 1000 / 1000;
  assert.ok(each < 0.5, `${each} ms each`);
});

test("usage that a field leaves out ties nothing: accelerators have no tier", () => {
  const discount = (usageType: string): string =>
    `  - { match: { serviceTier: FAST, usageType: [DEDICATED_DEPLOYMENT_USAGE, ${usageType}] }, percent: "5", effectiveFrom: 2026-01-01T00:00:00Z, source: s }\n`;
  const text = (a: string, b: string): string => `currency: USD\ndiscounts:\n${discount(a)}${discount(b)}`;
  const [completion, embedding] = ["TEXT_COMPLETION_INFERENCE_USAGE", "EMBEDDING_INFERENCE_USAGE"];
  assert.ok(!Array.isArray(load(text(completion, embedding), "contract")));
  assert.ok(Array.isArray(load(text(completion, completion), "contract")));
});

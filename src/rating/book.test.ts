import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Fault } from "../domain/fault.ts";
import { SLOT_MS } from "../domain/time.ts";
import { CONTEXT_CLASS_EDGES } from "../domain/usage.ts";
import { loadPriceBook } from "./book.ts";
import { BOOK_BYTES_MAX } from "./book-reader.ts";
import { bookField } from "./describe.ts";
import { MATCH_ORDER } from "./match.ts";
import type { BookKind } from "./price.ts";

const DEFAULT_YAML = readFileSync(new URL("../../prices/default.yaml", import.meta.url), "utf8");

test("the default book loads, and every entry is dated and tells its source", () => {
  const book = loadPriceBook("default", DEFAULT_YAML);
  assert.equal(book.entries.length, 75);
  for (const entry of book.entries) {
    assert.match(entry.source, /^Fireworks public price list/);
    assert.ok(entry.effectiveFrom >= Date.UTC(2025, 9, 1) && entry.effectiveFrom % SLOT_MS === 0, `line ${entry.line}`);
    assert.ok(Object.keys(entry.stated).length > 0);
  }
  const dates = ["2025-10-01", "2026-01-01", "2026-05-01", "2026-06-17", "2026-08-01", "2026-09-01", "2026-10-01"];
  assert.deepEqual(
    book.edges,
    dates.map((date) => Date.parse(date)),
  );
});

/** A sound book of one entry, on lines 1 to 6; a case replaces a piece of it. */
const SOUND = `currency: USD
prices:
  - match: { model: m }
    perMillionTokens: { input: "1", output: "2" }
    effectiveFrom: 2026-05-01T00:00:00Z
    source: a list
`;
const ANOTHER = `  - match: { model: m }
    perMillionTokens: { input: "3" }
    effectiveFrom: 2026-06-01T00:00:00Z
    source: another list
`;
const MODELS = "models: { m: { parametersBillions: ";
const PRICED = `match: { model: m }
    perMillionTokens: { input: "1", output: "2" }`;
const GPU = "match: { acceleratorType: NVIDIA_L4_24GB";

// what is wrong, what of the sound book is replaced, by what, the line that is named, what the reason says
const BAD: [string, string, string, number, RegExp][] = [
  ["a float", '"1"', "0.95", 4, /input: the bare number 0\.95 .* in quotes/],
  ["a float with exponent", '"1"', "1e-7", 4, /the bare number 1e-7 .* in quotes/],
  ["an exponent in quotes", '"1"', '"1e-7"', 4, /"1e-7" is no plain decimal/],
  ["a negative price", '"1"', '"-0.5"', 4, /"-0\.5" is negative/],
  ["not a number", '"1"', '"NaN"', 4, /no plain decimal/],
  ["a price below one attodollar", '"1"', '"0.0000000000001"', 4, /would be lost/],
  [
    "a price that is a slip of the hand",
    '"1"',
    '"1000000000.01"',
    4,
    /"1000000000\.01" is above \$1000 a token; state it/,
  ],
  ["no price", '{ input: "1", output: "2" }', "{}", 4, /states no price/],
  [
    "an unknown price",
    "output:",
    "outputs:",
    4,
    /outputs: unknown field, did you mean output\?; allowed are input, cachedInput, output/,
  ],
  ["no kind of price", 'perMillionTokens: { input: "1", output: "2" }', "", 3, /a price is missing/],
  ["two kinds of price", "    source", '    perImage: "1"\n    source', 3, /perMillionTokens and perImage/],
  ["a date off the slot edge", "00:00:00Z", "00:10:00Z", 5, /off the 15-minute edges.*2026-05-01T00:00:00Z/],
  ["a date off by a fraction", "00:00:00Z", "00:00:00.0000001Z", 5, /off the 15-minute edges/],
  ["a date with an offset", "00:00:00Z", "00:00:00+02:00", 5, /no UTC time/],
  ["a date without time", "2026-05-01T00:00:00Z", "2026-05-01", 5, /"2026-05-01" is no UTC time/],
  ["a day that is none", "2026-05-01", "2026-02-30", 5, /no UTC time/],
  ["no date", "    effectiveFrom: 2026-05-01T00:00:00Z\n", "", 3, /effectiveFrom is missing/],
  ["an empty source", "a list", '""', 6, /source: "" is not 1 to 256/],
  ["no source", "    source: a list\n", "", 3, /source is missing/],
  [
    "an end at the start",
    "    source",
    "    effectiveTo: 2026-05-01T00:00:00Z\n    source",
    6,
    /not after effectiveFrom/,
  ],
  ["an unknown field of an entry", "    source", "    unit: 1\n    source", 6, /unit: unknown field/],
  [
    "an unknown field of a match",
    "model: m",
    "modle: m",
    3,
    /modle: unknown field, did you mean model\?; allowed are usageType, model/,
  ],
  ["an empty match", "{ model: m }", "{}", 3, /names nothing/],
  ["an empty list", "model: m", "model: []", 3, /the list is empty/],
  ["a number as model", "model: m", "model: 7", 3, /the bare number 7 stands here; write a text/],
  ["an unknown usageType", "model: m", "usageType: TEXT", 3, /"TEXT" is unknown; allowed are TEXT_COMPLETION_INF/],
  ["an unknown tier", "model: m", "model: m, serviceTier: TURBO", 3, /"TURBO" is unknown; allowed are STANDARD, PRIO/],
  ["an unknown accelerator", "model: m", "acceleratorType: H100", 3, /"H100" is unknown; allowed are NVIDIA_A100_80/],
  ["an unknown architecture", "model: m", "architecture: sparse", 3, /allowed are dense, moe/],
  ["a batch that is text", "model: m", 'batch: "true"', 3, /write true or false/],
  ["usage the price is not for", "model: m", "usageType: TRAINING_TOKEN_USAGE", 3, /never prices TRAINING_TOKEN/],
  ["sizes without a limit", "model: m", "parametersBillions: {}", 3, /states no limit/],
  ["sizes upside down", "model: m", 'parametersBillions: { above: "4", below: "4" }', 3, /end is not above its start/],
  ["two lower limits", "model: m", 'parametersBillions: { above: "4", atLeast: "4" }', 3, /atLeast and above/],
  ["a size finer than one", "prices:", `${MODELS}"0.0000000001", architecture: moe } }\nprices:`, 2, /finer than one/],
  ["a size that is a number", "prices:", `${MODELS}8, architecture: moe } }\nprices:`, 2, /the bare number 8/],
  [
    "a multiplier that is a number",
    "prices:",
    "multipliers: { batch: 0.5, source: s }\nprices:",
    2,
    /bare number 0\.5/,
  ],
  ["multipliers without a source", "prices:", 'multipliers: { batch: "0.5" }\nprices:', 2, /source is missing/],
  [
    "a tier on an accelerator",
    PRICED,
    `${GPU}, serviceTier: FAST }\n    perAcceleratorHour: "1"`,
    3,
    /nothing for perA/,
  ],
  ["another currency", "USD", "EUR", 1, /currency: "EUR" is unknown; allowed are USD/],
  ["no currency", "currency: USD\n", "", 1, /currency is missing/],
  ["an unknown field of the book", "currency: USD", "currency: USD\nversion: 2", 2, /version: unknown field/],
  ["prices that are no list", SOUND.slice(14), "prices: free\n", 2, /prices: "free" stands here; write a list/],
  ["two that could both win", SOUND, SOUND + ANOTHER, 7, /the one on line 3 could both price the same usage/],
  ["a repeated key", "currency: USD", "currency: USD\ncurrency: USD", 2, /currency stands here twice; leave one/],
  ["no YAML", "prices:", "prices: [", 3, /./],
  ["a second document", "prices:", "---\nprices:", 2, /a second document begins here; a book is one/],
  ["two that share one of their models", SOUND, SOUND + ANOTHER.replace("m }", "[n, m] }"), 7, /the one on line 3/],
  ["two listed latest first", SOUND, `currency: USD\nprices:\n${ANOTHER}${SOUND.slice(22)}`, 7, /the one on line 3/],
  [
    "a misspelt kind of price",
    "perMillionTokens",
    "perMilionTokens",
    4,
    /unknown field, did you mean perMillionTokens/,
  ],
  ["capitals astray", "{ model: m }", "{ Model: m }", 3, /Model: unknown field, did you mean model\?/],
  ["a misspelt tier", "model: m", "model: m, serviceTier: PRIORTIY", 3, /is unknown, did you mean PRIORITY\?; allowed/],
  ["an unknown unit", "perMillionTokens", "perFortnight", 4, /perFortnight: unknown field; allowed are match, perMill/],
  ["a tab", "    source", "\tsource", 6, /[Tt]ab/],
  ["a * in the middle", "model: m", "model: a*b", 3, /"a\*b" has a \* before its end/],
  ["two *", "model: m", 'model: "a**"', 3, /has a \* before its end/],
  ["a * in a placement", "model: m", 'placement: "US*"', 3, /only model, router and baseModel take one/],
  ["a router that is none", "model: m", "router: accounts/a/models/m", 3, /"accounts\/a\/models\/m" is no router/],
  ["model and router", "model: m", "model: m, router: a/routers/b", 3, /states model and router/],
  [
    "a context limit that is none",
    "model: m",
    "contextTokens: { above: 200001 }",
    3,
    /number 200001 is none .* are 32000, 64000/,
  ],
  ["a context limit in quotes", "model: m", 'contextTokens: { above: "200000" }', 3, /"200000" is none of the limits/],
  ["a context without a limit", "model: m", "contextTokens: {}", 3, /states no limit; state above, atMost or both/],
  [
    "a context upside down",
    "model: m",
    "contextTokens: { above: 64000, atMost: 32000 }",
    3,
    /atMost is not more than above/,
  ],
  [
    "a context of an accelerator",
    PRICED,
    `${GPU}, contextTokens: { above: 32000 } }\n    perAcceleratorHour: "1"`,
    3,
    /contextTokens: it means nothing for perA/,
  ],
  [
    "a tier where no usage has one",
    "model: m",
    "usageType: TRAINING_TOKEN_USAGE, serviceTier: FAST",
    3,
    /serviceTier: it means nothing/,
  ],
  ["discounts in a list", "prices:", "discounts: []\nprices:", 2, /a list has no discounts/],
  [
    "two that share a prefix",
    SOUND,
    SOUND.replace("model: m", "model: [a, m*]") + ANOTHER.replace("model: m", "model: [m*, m]"),
    7,
    /line 3/,
  ],
  [
    "two for any model",
    SOUND,
    SOUND.replace("model: m", 'model: "*"') + ANOTHER.replace("model: m", 'model: [x, "*"]'),
    7,
    /line 3/,
  ],
  ["an alias", SOUND, `${SOUND.replace("{ model", "&m { model")}  - match: *m\n`, 7, /\*m is an alias/],
  ["a tag", '"1"', '!!float "1"', 4, /Unresolved tag/],
  ["nothing", SOUND, "", 1, /it is empty/],
];

for (const [what, from, to, line, reason] of BAD) {
  test(`a book is refused for ${what}`, () => {
    assert.ok(SOUND.includes(from));
    const fault = refusal(SOUND.replace(from, () => to));
    const named = fault.problems.find((one) => one.facts.line === line && reason.test(String(one.facts.reason)));
    assert.ok(named, JSON.stringify(fault.problems));
    assert.equal(named.code, "bad_price_book");
    assert.equal(named.facts.value, "trial");
  });
}

function refusal(yamlText: string, kind: BookKind = "list"): Fault {
  try {
    loadPriceBook("trial", yamlText, kind);
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    return error;
  }
  throw new Error("the book was taken");
}

/** A sound contract, on lines 1 to 5. */
const CONTRACT = `currency: USD
discounts:
  - percent: "12.5"
    effectiveFrom: 2026-05-01T00:00:00Z
    source: a contract
`;
const SAME = CONTRACT.slice(CONTRACT.indexOf("  -"));

const BAD_CONTRACTS: [string, string, string, number, RegExp][] = [
  ["no percentage", '"12.5"', '"0"', 3, /"0" is not above "0" and at most "100"/],
  ["more than all", '"12.5"', '"100.01"', 3, /"100\.01" is not above "0" and at most "100"/],
  ["a bare percentage", '"12.5"', "12.5", 3, /the bare number 12\.5 .* in quotes/],
  ["a negative percentage", '"12.5"', '"-1"', 3, /is negative/],
  ["a percent sign", '"12.5"', '"12.5%"', 3, /no plain decimal/],
  ["nothing agreed", CONTRACT.slice(14), "", 1, /prices and discounts are missing/],
  ["two discounts of everything", CONTRACT, CONTRACT + SAME, 6, /this discount and the one on line 3 could both lower/],
  ["a discount without a source", "    source: a contract\n", "", 3, /source is missing/],
  [
    "a price in a discount",
    '"12.5"',
    '"12.5"\n    perImage: "1"',
    4,
    /perImage: unknown field; allowed are match, perc/,
  ],
  [
    "a tier where no usage has one",
    '"12.5"',
    '"12.5"\n    match: { usageType: DEDICATED_DEPLOYMENT_USAGE, serviceTier: FAST }',
    4,
    /serviceTier: it means nothing for DEDICATED_DEPLOYMENT_USAGE/,
  ],
];

for (const [what, from, to, line, reason] of BAD_CONTRACTS) {
  test(`a contract is refused for ${what}`, () => {
    assert.ok(CONTRACT.includes(from));
    const text = CONTRACT.replace(from, () => to);
    const fault = refusal(text, "contract");
    const named = fault.problems.find((one) => one.facts.line === line && reason.test(String(one.facts.reason)));
    assert.ok(named, JSON.stringify(fault.problems));
  });
}

test("a contract may state prices, discounts or both, each with its dates", () => {
  const book = loadPriceBook("acme", CONTRACT, "contract");
  assert.deepEqual(
    book.discounts.map(({ percent, factor, match }) => [percent, factor, match]),
    [[{ numerator: 125n, scale: 1 }, { numerator: 875n, scale: 3 }, {}]],
  );
  assert.deepEqual(book.edges, [Date.UTC(2026, 4, 1)]);
  assert.equal(loadPriceBook("acme", SOUND, "contract").entries.length, 1);
  const both = loadPriceBook("acme", CONTRACT + SOUND.slice(14).replaceAll("05-01", "06-01"), "contract");
  assert.deepEqual(both.edges, [Date.UTC(2026, 4, 1), Date.UTC(2026, 5, 1)]);
});

test("the sound book is sound, and one that goes on where another ends is, too", () => {
  assert.equal(loadPriceBook("trial", SOUND).entries.length, 1);
  const ended = SOUND.replace("    source", "    effectiveTo: 2026-06-01T00:00:00Z\n    source");
  assert.equal(loadPriceBook("trial", ended + ANOTHER).entries.length, 2);
});

test("all mistakes come in one fault, in the order of the lines", () => {
  const fault = refusal(
    SOUND.replace("USD", "EUR").replace('"1"', "1").replace("00:00Z", "01:00Z").replace("a list", "[]"),
  );
  assert.deepEqual(
    fault.problems.map((one) => one.facts.line),
    [1, 4, 5, 6],
  );
  assert.equal(fault.message, 'price book "trial", line 1: currency: "EUR" is unknown; allowed are USD');
});

test("sizes dispute when they meet, and not when one begins behind the other", () => {
  const sizes = (a: string, b: string): string =>
    [a, b].reduce(
      (text, one) =>
        `${text}  - match: { architecture: dense, parametersBillions: { ${one} } }
    perMillionTokens: { input: "1" }
    effectiveFrom: 2026-05-01T00:00:00Z
    source: s
`,
      "currency: USD\nprices:\n",
    );
  assert.equal(loadPriceBook("trial", sizes('atMost: "16"', 'above: "16"')).entries.length, 2);
  assert.equal(loadPriceBook("trial", sizes('below: "4"', 'atLeast: "4"')).entries.length, 2);
  assert.equal(refusal(sizes('atMost: "16"', 'atLeast: "16"')).problems[0].facts.line, 7);
});

test("a bomb of aliases, a huge book and a deep one are refused soon, and the largest book loads", () => {
  const bomb = `a: &a [x]\n${Array.from({ length: 30 }, (_, at) => `b${at}: [*a, *a, *a]`).join("\n")}\n`;
  const huge = `currency: USD\n${"# padding\n".repeat(BOOK_BYTES_MAX / 10)}`;
  const fifty = "x".repeat(50 * 1024 * 1024);
  const deep = `prices: ${"[".repeat(50_000)}`;
  const many = Array.from({ length: 10_000 }, (_, at) => ANOTHER.replace("m }", `m${at} }`)).join("");
  // Of this thread's time: on a busy machine less than passes.
  const ranMs = (): number => process.threadCpuUsage().user / 1_000;
  const start = ranMs();
  assert.equal(loadPriceBook("trial", SOUND + many.slice(ANOTHER.length)).entries.length, 10_000);
  assert.match(refusal(SOUND + many).message, /there are 10001 entries; at most 10000 are allowed/);
  const aliases = refusal(bomb).problems.filter((one) => /^\*a is an alias/.test(String(one.facts.reason)));
  assert.equal(aliases.length, 30, "once a line");
  assert.match(refusal(huge).message, /at most 5242880 are allowed/);
  const before = ranMs();
  assert.match(
    refusal(fifty).message,
    /line 1: it has 52428800 bytes; at most 5242880 are allowed; let one entry name/,
  );
  assert.ok(ranMs() - before < 1000, "such a text is not parsed");
  assert.equal(refusal(deep).message, 'price book "trial", line 1: it nests deeper than any book does; write it flat');
  assert.equal(refusal(deep).problems.length, 1);
  const alike = Array.from({ length: 9_999 }, (_, at) => ANOTHER.replace("m }", `m, placement: p${at} }`)).join("");
  assert.equal(loadPriceBook("trial", SOUND + alike).entries.length, 10_000);
  assert.ok(ranMs() - start < 20_000);
});

test("the books of docs/prices.md load: one list of ten lines, one contract", () => {
  const text = readFileSync(new URL("../../docs/prices.md", import.meta.url), "utf8");
  const [list = "", contract = ""] = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml!);
  assert.equal(list.trim().split("\n").length, 10);
  assert.equal(loadPriceBook("docs", list).entries.length, 1);
  const { entries, discounts } = loadPriceBook("docs", contract, "contract");
  assert.deepEqual([entries.length, discounts.length], [1, 1]);
});

test("docs/prices.md states the order of the fields and the limits of context as they are", () => {
  const text = readFileSync(new URL("../../docs/prices.md", import.meta.url), "utf8").replace(/\s+/g, " ");
  assert.ok(text.includes(`in this order: ${MATCH_ORDER.map((field) => `\`${bookField(field)}\``).join(", ")}.`));
  assert.ok(text.includes(`Limits are ${CONTEXT_CLASS_EDGES.join(", ")} |`));
});

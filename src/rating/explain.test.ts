import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { loadPriceBook } from "./book.ts";
import { describeMatch } from "./describe.ts";
import { explainPrices, OTHERS_MAX, type PriceReason } from "./explain.ts";
import { type Component, type PriceBook, RATE_FIELDS, type RateAttributes } from "./price.ts";
import type { Tariff } from "./rate.ts";

const LIST = loadPriceBook(
  "list",
  `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.1", restrictedPlacement: "1.5", source: s }
prices:
  - match: { model: "gpt-*" }
    perMillionTokens: { input: "2", output: "8" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: the prefix
  - match: { model: gpt-5 }
    perMillionTokens: { input: "4", output: "16" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: the model
  - match: { model: gpt-5, contextTokens: { above: 200000 } }
    perMillionTokens: { input: "6", output: "24" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: the long prompt
  - match: { model: new-1 }
    perMillionTokens: { input: "1" }
    effectiveFrom: 2026-07-01T00:00:00Z
    effectiveTo: 2026-08-01T00:00:00Z
    source: later
  - match: { model: new-1, serviceTier: [PRIORITY, FAST] }
    perMillionTokens: { input: "2" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: another tier
  - match: { usageType: TEXT_COMPLETION_INFERENCE_USAGE, architecture: dense, parametersBillions: { atMost: "16" } }
    perMillionTokens: { input: "0.2", output: "0.2" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: by size
  - match: { acceleratorType: NVIDIA_H100_80GB }
    perAcceleratorHour: "8"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: accelerators
`,
);
const CONTRACT = loadPriceBook(
  "acme",
  `currency: USD
prices:
  - match: { model: gpt-5 }
    perMillionTokens: { output: "10" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: the contract
discounts:
  - percent: "5"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: five of all
  - match: { model: "gpt*" }
    percent: "12.50"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: more of these
`,
  "contract",
);
const AT = Date.UTC(2026, 5, 1);
const ALONE: Tariff = { list: LIST, contract: undefined };
const BOTH: Tariff = { list: LIST, contract: CONTRACT };

function reasons(tariff: Tariff, some: Partial<RateAttributes>, at = AT): Map<Component, PriceReason> {
  const nothing = Object.fromEntries(RATE_FIELDS.map((field) => [field, ""])) as RateAttributes;
  const all = explainPrices(tariff, { ...nothing, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", ...some }, at);
  return new Map(all.map((one) => [one.component, one]));
}

test("a price tells its entry, its multipliers, and who lost in which field", () => {
  const cached = reasons(ALONE, { model: "gpt-5", batch: "true" }).get("cachedPromptTokens")!;
  // $4 x 0.1 x 0.5 per 1M = 200 nanos a token
  assert.deepEqual(cached.list, {
    atto: 200n * 10n ** 9n,
    entry: {
      book: "list",
      line: 8,
      match: "model gpt-5",
      kind: "perMillionTokens",
      effectiveFrom: Date.UTC(2026, 0, 1),
      effectiveTo: undefined,
      source: "the model",
    },
    stated: "4",
    per: 1_000_000n,
    multipliers: [
      { name: "cachedInput", factor: "0.1" },
      { name: "batch", factor: "0.5" },
    ],
    discount: undefined,
  });
  assert.deepEqual(cached.net, cached.list);
  assert.deepEqual(
    cached.others.map(({ line, lostIn, needs }) => [line, lostIn, needs]),
    [[4, "model", []]],
  );
  const long = reasons(ALONE, { model: "gpt-5", contextClass: "256000" }).get("completionTokens")!;
  assert.equal(long.list!.entry.source, "the long prompt");
  assert.deepEqual(
    long.others.map(({ line, lostIn }) => [line, lostIn]),
    [
      [8, "contextTokens"],
      [4, "model"],
    ],
  );
});

test("every component of the usage type has a reason, priced or not", () => {
  assert.deepEqual(
    [...reasons(ALONE, { model: "gpt-5" }).keys()],
    ["uncachedPromptTokens", "cachedPromptTokens", "completionTokens", "audioInputMs"],
  );
  const gpu = { usageType: "DEDICATED_DEPLOYMENT_USAGE", acceleratorType: "NVIDIA_H100_80GB", placement: "EUROPE" };
  const [[component, reason]] = [...reasons(ALONE, gpu)] as [[Component, PriceReason]];
  assert.equal(component, "acceleratorMs");
  assert.deepEqual(reason.net!.multipliers, [{ name: "restrictedPlacement", factor: "1.5" }]);
  assert.deepEqual(explainPrices(ALONE, { ...gpu, usageType: "NONE" } as RateAttributes, AT), []);
});

test("list and net differ by the contract's entry, or by the discount that says most", () => {
  const both = reasons(BOTH, { model: "gpt-5" });
  const output = both.get("completionTokens")!;
  assert.deepEqual([output.list!.entry.book, output.list!.atto], ["list", 16n * 10n ** 12n]);
  assert.deepEqual([output.net!.entry.book, output.net!.atto], ["contract", 10n * 10n ** 12n]);
  assert.equal(output.net!.discount, undefined);
  const input = both.get("uncachedPromptTokens")!;
  assert.equal(input.net!.atto, 3_500_000_000_000n);
  assert.deepEqual(input.net!.discount, {
    book: "contract",
    line: 11,
    match: "model gpt*",
    effectiveFrom: Date.UTC(2026, 0, 1),
    effectiveTo: undefined,
    source: "more of these",
    percent: "12.5",
  });
});

test("without a price, the entries that come nearest tell what they need", () => {
  const needs = (some: Partial<RateAttributes>, component: Component, at = AT): unknown[] => {
    const reason = reasons(ALONE, some, at).get(component)!;
    assert.equal(reason.net, undefined);
    return reason.others.map((one) => [one.line, one.needs]);
  };
  const size = "no book states the size of new-1";
  assert.deepEqual(needs({ model: "new-1" }, "uncachedPromptTokens"), [
    [21, ["serviceTier PRIORITY or FAST, not STANDARD"]],
    [16, ["a time from 2026-07-01T00:00:00Z on"]],
    [25, [`up to 16B, dense; ${size}`]],
  ]);
  assert.deepEqual(needs({ model: "new-1", serviceTier: "PRIORITY" }, "completionTokens"), [
    [21, ["a price for completionTokens, which it does not state"]],
    [25, [`up to 16B, dense; ${size}`, "serviceTier STANDARD, not PRIORITY"]],
    [
      16,
      [
        "a time from 2026-07-01T00:00:00Z on",
        "serviceTier STANDARD, not PRIORITY",
        "a price for completionTokens, which it does not state",
      ],
    ],
  ]);
  assert.deepEqual(needs({ model: "new-1" }, "uncachedPromptTokens", Date.UTC(2027, 0))[1], [
    16,
    ["a time before 2026-08-01T00:00:00Z"],
  ]);
  assert.deepEqual(needs({ model: "gpt-5" }, "audioInputMs"), []);
});

test("a multiplier that no book states is told", () => {
  const bare = loadPriceBook(
    "bare",
    `currency: USD
prices:
  - { match: { model: m }, perMillionTokens: { input: "1" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }`,
  );
  const reason = reasons({ list: bare, contract: undefined }, { model: "m", batch: "true" }).get("cachedPromptTokens")!;
  assert.equal(reason.list, undefined);
  assert.deepEqual(reason.others[0]!.needs, [
    "the multiplier cachedInput, which no book states",
    "the multiplier batch, which no book states",
  ]);
});

test("the default book explains each of its own entries, and never tells more others than it may", () => {
  const list: PriceBook = loadPriceBook(
    "default",
    readFileSync(new URL("../../prices/default.yaml", import.meta.url), "utf8"),
  );
  for (const { match, effectiveFrom, line } of list.entries) {
    if (!match.model) continue;
    for (const usageType of ["TEXT_COMPLETION_INFERENCE_USAGE", "AUDIO_INFERENCE_USAGE", "IMAGE_GENERATION_USAGE"]) {
      const asked: Partial<RateAttributes> = {
        usageType,
        model: match.model[0]!,
        serviceTier: match.serviceTier?.[0] ?? "",
      };
      const told = [...reasons({ list, contract: undefined }, asked, effectiveFrom).values()];
      for (const { list: price, others } of told) {
        if (price) assert.ok(price.entry.match.length > 0);
        assert.ok(others.length <= OTHERS_MAX && others.every((one) => one.lostIn || one.needs.length > 0), `${line}`);
      }
    }
  }
});

test("a match reads as a few words", () => {
  const words = (match: string): string => {
    const price = match.includes("acceleratorType") ? 'perAcceleratorHour: "1"' : 'perMillionTokens: { input: "1" }';
    const dates = "effectiveFrom: 2026-01-01T00:00:00Z, source: s";
    const book = loadPriceBook("trial", `currency: USD\nprices: [{ match: { ${match} }, ${price}, ${dates} }]`);
    return describeMatch(book.entries[0]!.match);
  };
  assert.equal(words("model: [a, b], serviceTier: FAST, batch: true"), "model a or b; serviceTier FAST; batch");
  assert.equal(words('model: "a*", batch: false'), "model a*; not batch");
  assert.equal(words("model: [a, b, c, d, e]"), "model a, b, c and 2 more");
  assert.equal(words("contextTokens: { above: 200000 }"), "prompt above 200000 tokens");
  assert.equal(words("contextTokens: { atMost: 128000 }"), "prompt of at most 128000 tokens");
  assert.equal(
    words("contextTokens: { above: 32000, atMost: 64000 }"),
    "prompt above 32000 and of at most 64000 tokens",
  );
  assert.equal(words('architecture: moe, parametersBillions: { above: "56", atMost: "176" }'), "56B - 176B; moe");
  assert.equal(words("acceleratorType: NVIDIA_L4_24GB, placement: US"), "acceleratorType NVIDIA_L4_24GB; placement US");
  assert.equal(describeMatch({}), "any usage");
});

test("a price that a discount takes below one attodollar is told as none, with what it lacks", () => {
  const list = loadPriceBook("list", TINY);
  const contract = loadPriceBook("acme", TINY.replace(/prices:[\s\S]*/, HALF), "contract");
  const reason = reasons({ list, contract }, { model: "m" }).get("uncachedPromptTokens")!;
  assert.equal(reason.net, undefined);
  assert.deepEqual(
    reason.others.map(({ line, needs }) => [line, needs]),
    [[3, ["a price of at least one attodollar (1e-18 USD) a unit, multipliers and discount included"]]],
  );
});

const TINY = `currency: USD
prices:
  - match: { model: m }
    perMillionTokens: { input: "0.000000000001" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: s
`;
const HALF = `discounts:
  - { percent: "50", effectiveFrom: 2026-01-01T00:00:00Z, source: s }
`;

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { ATTO_PER_USD, moneyOfAtto } from "../domain/money.ts";
import { HOUR_MS } from "../domain/time.ts";
import { METERS, type Meter } from "../domain/usage.ts";
import { loadPriceBook } from "./book.ts";
import { COMPONENTS, type PriceBook, RATE_FIELDS, type RateAttributes, type UnitPrices } from "./price.ts";
import { priceEdges, rate, type Tariff, unitRates } from "./rate.ts";

const DEFAULT_BOOK = loadPriceBook(
  "default",
  readFileSync(new URL("../../prices/default.yaml", import.meta.url), "utf8"),
);

const DEFAULT = listOnly(DEFAULT_BOOK);

function listOnly(list: PriceBook): Tariff {
  return { list, contract: undefined };
}

function attributes(some: Partial<RateAttributes>): RateAttributes {
  return { ...(Object.fromEntries(RATE_FIELDS.map((field) => [field, ""])) as RateAttributes), ...some };
}

function amounts(some: Partial<Record<Meter, bigint>>): bigint[] {
  return METERS.map((meter) => some[meter] ?? 0n);
}

/** Dollars with all 18 decimals, trailing zeros cut. */
function usd(atto: bigint): string {
  const text = atto.toString().padStart(19, "0");
  return `${text.slice(0, -18)}.${text.slice(-18)}`.replace(/\.?0+$/, "");
}

const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";
const M = "accounts/fireworks/models";
const R = "accounts/fireworks/routers";
const LLAMA_8B = `${M}/llama-v3p1-8b-instruct`;
const GPU_HOUR = { acceleratorMs: 3_600_000n };
const MILLION = 1_000_000n;

// time, attributes, quantities, dollars printed to the nano, what has no price
type Bill = [string, Partial<RateAttributes>, Partial<Record<Meter, bigint>>, string, string];
const GPU = (acceleratorType: string, placement = ""): Partial<RateAttributes> => ({
  usageType: "DEDICATED_DEPLOYMENT_USAGE",
  acceleratorType,
  placement,
});
const TRAIN = (jobType: string, baseModel: string): Partial<RateAttributes> => ({
  usageType: "TRAINING_TOKEN_USAGE",
  jobType,
  baseModel: `${M}/${baseModel}`,
});
const CALL = (model: string, more: Partial<RateAttributes> = {}): Partial<RateAttributes> => ({
  usageType: TEXT,
  model,
  ...more,
});
const IMAGE = (model: string): Partial<RateAttributes> => ({ usageType: "IMAGE_GENERATION_USAGE", model });
const AUDIO = (model: string): Partial<RateAttributes> => ({ usageType: "AUDIO_INFERENCE_USAGE", model });
const EMBED = (model: string): Partial<RateAttributes> => ({ usageType: "EMBEDDING_INFERENCE_USAGE", model });

const IN = { promptTokens: MILLION };
const CACHED = { promptTokens: MILLION, cachedPromptTokens: MILLION };
const OUT = { completionTokens: MILLION };
const ALL = { promptTokens: 3n * MILLION, cachedPromptTokens: MILLION, completionTokens: MILLION };
const IMAGES = { imageCount: 100n };
const MINUTE = { audioInputMs: 60_000n };
const TOKENS = { tokens: 2n * MILLION };

const BILLS: Bill[] = [
  // 17,580,572 tokens x 28 nanos (the contract's sample), and 75 nanos less half of it: 37.5 nanos, 3 tokens
  [
    "2026-07-01",
    CALL(`${M}/deepseek-v4-flash`),
    { promptTokens: 17_580_572n, cachedPromptTokens: 17_580_572n },
    "0.492256016",
    "",
  ],
  [
    "2026-07-01",
    CALL(`${M}/qwen3-vl-30b-a3b-instruct`, { batch: "true" }),
    { promptTokens: 3n, cachedPromptTokens: 3n },
    "0.0000001125",
    "",
  ],
  // 2 x .95 + .16 + 4
  ["2026-07-01", CALL(`${M}/kimi-k2p6`), ALL, "6.06", ""],
  ["2026-07-01", CALL(`${M}/kimi-k2.6`), ALL, "6.06", ""],
  ["2026-07-01", CALL(`${M}/kimi-k2p6`, { serviceTier: "STANDARD" }), ALL, "6.06", ""],
  ["2026-07-01", CALL(`${M}/kimi-k2p6`, { batch: "true" }), ALL, "3.03", ""],
  // 2 x 2 + .3 + 8, three ways to say fast; and half of it
  ["2026-07-01", CALL(`${M}/kimi-k2p6`, { serviceTier: "FAST" }), ALL, "12.3", ""],
  ["2026-07-01", CALL(`${R}/kimi-k2p6-fast`), ALL, "12.3", ""],
  ["2026-07-01", CALL(`${R}/kimi-k2p6-fast`, { serviceTier: "FAST" }), ALL, "12.3", ""],
  ["2026-07-01", CALL(`${R}/kimi-k2p6-fast`, { batch: "true" }), ALL, "6.15", ""],
  ["2026-07-01", CALL(`${M}/kimi-k2p7-code`, { serviceTier: "PRIORITY" }), IN, "1.425", ""],
  // a tier that no entry names, a time before the list, a model nobody knows
  ["2026-07-01", CALL(`${M}/kimi-k2p6`, { serviceTier: "PRIORITY" }), OUT, "0", "completionTokens 1000000"],
  ["2026-04-30", CALL(`${M}/kimi-k2p6`), OUT, "0", "completionTokens 1000000"],
  [
    "2026-07-01",
    CALL("gpt-unheard-of"),
    ALL,
    "0",
    "uncachedPromptTokens 2000000, cachedPromptTokens 1000000, completionTokens 1000000",
  ],
  ["2026-07-01", CALL("gpt-unheard-of"), {}, "0", ""],
  // a second of audio that came with tokens has no price with this model
  ["2026-07-01", CALL(`${M}/kimi-k2p6`), { ...OUT, audioInputMs: 1000n }, "4", "audioInputMs 1000"],
  // GLM 5.2: cached input .26, and .14 from 1 August
  ["2026-07-31", CALL(`${M}/glm-5p2`), CACHED, "0.26", ""],
  ["2026-08-01", CALL(`${M}/glm-5p2`), CACHED, "0.14", ""],
  // by size, cached at half of input
  ["2026-07-01", CALL(`${M}/llama-v3p2-3b-instruct`), IN, "0.1", ""],
  ["2026-07-01", CALL(LLAMA_8B), IN, "0.2", ""],
  ["2026-07-01", CALL(LLAMA_8B), CACHED, "0.1", ""],
  ["2026-07-01", CALL(LLAMA_8B, { batch: "true" }), CACHED, "0.05", ""],
  ["2026-07-01", CALL(`${M}/llama-v3p3-70b-instruct`), OUT, "0.9", ""],
  ["2026-07-01", CALL(`${M}/mixtral-8x7b-instruct`), OUT, "0.5", ""],
  ["2026-07-01", CALL(`${M}/mixtral-8x22b-instruct`), OUT, "1.2", ""],
  ["2026-07-01", CALL(`${M}/qwen3-235b-a22b`), OUT, "0", "completionTokens 1000000"],
  // a listed model beats its size
  ["2026-07-01", CALL(`${M}/gpt-oss-20b`), OUT, "0.3", ""],
  ["2026-07-01", EMBED("nomic-ai/nomic-embed-text-v1.5"), IN, "0.008", ""],
  ["2026-07-01", EMBED("thenlper/gte-large"), IN, "0.016", ""],
  ["2026-07-01", EMBED(LLAMA_8B), IN, "0", "uncachedPromptTokens 1000000"],
  ["2026-07-01", AUDIO("whisper-v3"), MINUTE, "0.0015", ""],
  ["2026-07-01", AUDIO(`${M}/whisper-v3-turbo`), MINUTE, "0.0009", ""],
  ["2026-07-01", AUDIO("fireworks-asr-v2"), { audioInputMs: 3_600_000n }, "0.21", ""],
  ["2026-07-01", IMAGE(`${M}/flux-1-dev-fp8`), IMAGES, "1.4", ""],
  ["2026-07-01", IMAGE(`${M}/flux-1-schnell-fp8`), IMAGES, "0.14", ""],
  ["2026-07-01", IMAGE(`${M}/playground-v2-5-1024px-aesthetic`), IMAGES, "0.39", ""],
  // accelerators: the change on 1 September, x1.5 where the placement is a region, none where the list has none
  ["2025-12-31", GPU("NVIDIA_A100_40GB"), GPU_HOUR, "2.9", ""],
  ["2026-01-01", GPU("NVIDIA_A100_80GB"), GPU_HOUR, "0", "acceleratorMs 3600000"],
  ["2026-08-31T23:45:00Z", GPU("NVIDIA_H100_80GB"), GPU_HOUR, "7", ""],
  ["2026-09-01T00:00:00Z", GPU("NVIDIA_H100_80GB"), GPU_HOUR, "8", ""],
  ["2026-09-01", GPU("NVIDIA_H100_80GB", "GLOBAL"), GPU_HOUR, "8", ""],
  ["2026-09-01", GPU("NVIDIA_H100_80GB", "REGION_UNSPECIFIED"), GPU_HOUR, "8", ""],
  ["2026-09-01", GPU("NVIDIA_H100_80GB", "EUROPE"), GPU_HOUR, "12", ""],
  ["2026-09-01", GPU("NVIDIA_L4_24GB"), GPU_HOUR, "0", "acceleratorMs 3600000"],
  [
    "2026-09-01",
    { ...GPU("NVIDIA_B200_180GB"), usageType: "TRAINING_ACCELERATOR_USAGE", jobType: "RFT" },
    GPU_HOUR,
    "13",
    "",
  ],
  // training, 2M tokens: the method and the size of the base model
  ["2026-07-01", TRAIN("SFT", "llama-v3p1-8b-instruct"), TOKENS, "1", ""],
  ["2026-07-01", TRAIN("LORA_DPO", "llama-v3p3-70b-instruct"), TOKENS, "12", ""],
  ["2026-07-01", TRAIN("FULL_SFT", "gpt-oss-120b"), TOKENS, "24", ""],
  ["2026-07-01", TRAIN("FULL_DPO", "kimi-k2p6"), TOKENS, "80", ""],
  ["2026-07-01", TRAIN("RFT", "kimi-k2p6"), TOKENS, "0", "tokens 2000000"],
  ["2026-07-01", TRAIN("SFT", "unheard-of"), TOKENS, "0", "tokens 2000000"],
];

for (const [time, who, what, dollars, without] of BILLS) {
  test(`${time} ${Object.values(who).filter(Boolean).join(" ")} costs ${dollars}`, () => {
    const rated = rate(amounts(what), unitRates(DEFAULT, attributes(who), Date.parse(time)).net);
    // A price an hour is no whole number of attodollars a millisecond, so hours are compared as printed.
    if (what.acceleratorMs || what.audioInputMs) {
      const { units, nanos } = moneyOfAtto(rated.atto);
      assert.equal(usd(BigInt(units) * ATTO_PER_USD + BigInt(nanos) * 10n ** 9n), dollars);
    } else assert.equal(usd(rated.atto), dollars);
    assert.equal(rated.unpriced.map((one) => `${one.component} ${one.quantity}`).join(", "), without);
  });
}

test("a price of zero is a price", () => {
  const book = loadPriceBook(
    "free",
    `currency: USD
prices:
  - { match: { model: m }, perMillionTokens: { input: "0" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }`,
  );
  const prices = unitRates(listOnly(book), attributes(CALL("m")), Date.UTC(2026, 1)).net;
  assert.deepEqual(rate(amounts({ promptTokens: 5n, completionTokens: 7n }), prices), {
    atto: 0n,
    unpriced: [{ component: "completionTokens", quantity: 7n }],
  });
});

test("a price that a contract takes below one attodollar is no price, unless it takes all of it", () => {
  const entry = (input: string): string => `currency: USD
prices:
  - match: { model: m }
    perMillionTokens: { input: "${input}", cachedInput: "${input}" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: s
`;
  const discount = (percent: string): string => `currency: USD
discounts:
  - { percent: "${percent}", effectiveFrom: 2026-01-01T00:00:00Z, source: s }
`;
  const contract = (text: string): PriceBook => loadPriceBook("trial", text, "contract");
  const smallest = entry("0.000000000001");
  const halved = `${smallest.slice(0, 14)}multipliers: { batch: "0.5", source: s }\n`;
  const list = loadPriceBook("trial", smallest);
  const calls = CALL("m");
  const priced = (tariff: Tariff, call = calls): string => {
    const { net, list: listed } = unitRates(tariff, attributes(call), Date.UTC(2026, 1, 1));
    const rated = rate(amounts({ promptTokens: 7n }), net);
    return `${listed.uncachedPromptTokens} ${net.uncachedPromptTokens} ${rated.unpriced.map((one) => one.quantity)}`;
  };
  assert.equal(priced(listOnly(list)), "1 1 ");
  assert.equal(priced({ list, contract: contract(discount("49")) }), "1 1 ");
  assert.equal(priced({ list, contract: contract(discount("50")) }), "undefined undefined 7");
  assert.equal(priced({ list, contract: contract(discount("100")) }), "1 0 ");
  // The list's multiplier bears on the contract's own price, which neither book can see when it is put.
  const batched = loadPriceBook("trial", `${halved}${entry("1").slice(14)}`);
  const own = { list: batched, contract: contract(smallest) };
  assert.equal(priced(own), "1000000000000 1 ");
  assert.equal(priced(own, CALL("m", { batch: "true" })), "undefined undefined 7");
});

test("a stated batch or placement sets the multiplier aside; without a multiplier there is no such price", () => {
  const entry = (match: string, price: string): string =>
    `  - { match: { ${match} }, ${price}, effectiveFrom: 2026-01-01T00:00:00Z, source: s }\n`;
  const book = (multipliers: string): string =>
    `currency: USD\n${multipliers}prices:\n${[
      entry("model: m", 'perMillionTokens: { input: "8" }'),
      entry("model: n", 'perMillionTokens: { input: "8" }'),
      entry("model: m, batch: true", 'perMillionTokens: { input: "3" }'),
      entry("acceleratorType: NVIDIA_L4_24GB", 'perAcceleratorHour: "3.6"'),
      entry("acceleratorType: NVIDIA_L4_24GB, placement: US", 'perAcceleratorHour: "7.2"'),
    ].join("")}`;
  const full = loadPriceBook(
    "full",
    book('multipliers: { batch: "0.25", cachedInput: "0.1", restrictedPlacement: "3", source: s }\n'),
  );
  const bare = loadPriceBook("bare", book(""));
  const price = (one: typeof full, who: Partial<RateAttributes>): UnitPrices =>
    unitRates(listOnly(one), attributes(who), Date.UTC(2026, 1)).list;
  const nanos = 10n ** 9n;
  const input = (n: bigint): UnitPrices => ({ uncachedPromptTokens: n * nanos });
  assert.deepEqual(price(bare, CALL("m", { batch: "true" })), input(3000n));
  assert.deepEqual(price(bare, CALL("n")), input(8000n));
  assert.deepEqual(price(bare, CALL("n", { batch: "true" })), {});
  assert.deepEqual(price(full, CALL("n", { batch: "true" })), { ...input(2000n), cachedPromptTokens: 200n * nanos });
  assert.deepEqual(price(full, GPU("NVIDIA_L4_24GB", "US")), { acceleratorMs: 2000n * nanos });
  assert.deepEqual(price(full, GPU("NVIDIA_L4_24GB", "EUROPE")), { acceleratorMs: 3000n * nanos });
  assert.deepEqual(price(bare, GPU("NVIDIA_L4_24GB", "EUROPE")), {});
});

test("unit prices hold from one price edge to the next, and a range is split strictly inside", () => {
  const [september, october] = [Date.UTC(2026, 8, 1), Date.UTC(2026, 9, 1)];
  assert.deepEqual(priceEdges(DEFAULT, { start: september - 1, end: october + 1 }), [september, october]);
  assert.deepEqual(priceEdges(DEFAULT, { start: september, end: october }), []);
  const h100 = (at: number): bigint | undefined =>
    unitRates(DEFAULT, attributes(GPU("NVIDIA_H100_80GB")), at).net.acceleratorMs;
  assert.equal(h100(september - 1), h100(Date.UTC(2026, 0, 1)));
  assert.notEqual(h100(september - 1), h100(september));
  assert.equal(h100(september), h100(Date.UTC(2030, 0, 1)));
});

test("property: the rated sum of parts is the sum of the rated parts, in attodollars", () => {
  const quantity = fc.bigInt({ min: 0n, max: 2n ** 53n });
  const part = fc.tuple(...METERS.map(() => quantity)).map((list) => {
    const [prompt, cached, ...rest] = list as bigint[];
    return [prompt! + cached!, cached!, ...rest];
  });
  const prices = fc.record(
    Object.fromEntries(COMPONENTS.map((one) => [one, fc.bigInt({ min: 0n, max: 10n ** 20n })])),
    { requiredKeys: [] },
  ) as fc.Arbitrary<UnitPrices>;
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 20 }), prices, (parts, price) => {
      const whole = rate(
        METERS.map((_, at) => parts.reduce((sum, one) => sum + one[at]!, 0n)),
        price,
      );
      const rated = parts.map((one) => rate(one, price));
      assert.equal(
        whole.atto,
        rated.reduce((sum, one) => sum + one.atto, 0n),
      );
      const missing = (list: typeof rated, component: string): bigint =>
        list
          .flatMap((one) => one.unpriced)
          .reduce((sum, one) => sum + (one.component === component ? one.quantity : 0n), 0n);
      for (const component of COMPONENTS) assert.equal(missing([whole], component), missing(rated, component));
    }),
  );
});

test("property: a range rated whole is its pieces rated, each by the price of its time", () => {
  const who = attributes(GPU("NVIDIA_H200_141GB", "US"));
  const start = Date.UTC(2025, 8, 1);
  const hour = fc.integer({ min: 0, max: 400 * 24 });
  fc.assert(
    fc.property(fc.array(hour, { minLength: 2, maxLength: 8 }), (hours) => {
      const cuts = hours.map((one) => start + one * HOUR_MS).sort((a, b) => a - b);
      const cost = (from: number, to: number): bigint => {
        const edges = [from, ...priceEdges(DEFAULT, { start: from, end: to }), to];
        return edges.slice(1).reduce((sum, edge, at) => {
          const lived = amounts({ acceleratorMs: BigInt(edge - edges[at]!) });
          return sum + rate(lived, unitRates(DEFAULT, who, edges[at]!).net).atto;
        }, 0n);
      };
      const pieces = cuts.slice(1).reduce((sum, cut, at) => sum + cost(cuts[at]!, cut), 0n);
      assert.equal(cost(cuts[0]!, cuts.at(-1)!), pieces);
    }),
  );
});

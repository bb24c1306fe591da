/** Dollars on serverless rows, counted by hand from prices/default.yaml, and what has no price. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Daybook, startDaybook, usageOf, writeUsage } from "./serving.ts";

const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
});
after(() => daybook.close());

test("each model, tier and pool at its own price on its own day; what has none is named", async () => {
  await daybook.account("rated");
  const M = "1000000";
  const OCT = "2026-10-05T10:00:00Z";
  const none = (...pairs: [quantity: string, amount: string][]) =>
    pairs.map(([quantity, amount]) => ({ quantity, amount }));
  // biome-ignore format: a ledger
  const cases: [model: string, time: string, tier: string, batch: string, prompt: string, cached: string,
    completion: string, audio: string, nanos: number, unpriced: object[]][] = [
    ["kimi-k2p6",               OCT, "STANDARD", "",     M,   "",       M,   "", 4_950_000_000, []],
    ["kimi-k2p6",               OCT, "",         "",     M,   "400000", "",  "", 634_000_000, []],
    ["kimi-k2p6",               OCT, "FAST",     "",     M,   "",       M,   "", 10_000_000_000, []],
    ["kimi-k2p6",               OCT, "PRIORITY", "",     M,   "100",    M,   "", 0, none(["uncachedPromptTokens", "999900"], ["cachedPromptTokens", "100"], ["completionTokens", M])],
    ["kimi-k2p6",               OCT, "",         "true", M,   "500000", M,   "", 2_277_500_000, []],
    ["glm-5p2",                 OCT, "PRIORITY", "",     M,   M,        "",  "", 390_000_000, []],
    ["glm-5p2", "2026-07-31T23:59:59.999Z", "",  "",     M,   M,        "",  "", 260_000_000, []],
    ["glm-5p2", "2026-08-01T00:00:00Z",     "",  "",     M,   M,        "",  "", 140_000_000, []],
    ["deepseek-v4p1-flash",     OCT, "",         "",     "1", "1",      "",  "", 6, []],
    ["kimi-k3",                 OCT, "FAST",     "",     M,   "",       M,   "", 27_000_000_000, []],
    // $0.075 per 1M, halved for batch, is 37.5 nanos a token: half-even at the end, not on the way.
    ["qwen3-vl-30b-a3b-instruct", OCT, "",       "true", "1", "1",      "",  "", 38, []],
    ["qwen3-vl-30b-a3b-instruct", OCT, "",       "true", "3", "3",      "",  "", 112, []],
    // By size: 8B at $0.20 in and out, cached at half; a mixture of 46.7B at $0.50.
    ["llama-v3p1-8b-instruct",  OCT, "",         "",     M,   M,        M,   "", 300_000_000, []],
    ["mixtral-8x7b-instruct",   OCT, "",         "",     M,   "",       M,   "", 1_000_000_000, []],
    ["nobody-knows",            OCT, "",         "",     "7", "2",      "3", "", 0, none(["uncachedPromptTokens", "5"], ["cachedPromptTokens", "2"], ["completionTokens", "3"])],
    ["kimi-k2p6", "2026-04-30T23:59:59.999Z", "", "",    "1", "",       "",  "", 0, none(["uncachedPromptTokens", "1"])],
    ["kimi-k2p6", "2026-05-01T00:00:00Z",     "", "",    "1", "",       "",  "", 950, []],
    // The part that has a price is priced, the other is named.
    ["kimi-k2p6",               OCT, "",         "",     "1", "",       "", "1.25", 950, none(["audioInputSeconds", "1.25"])],
  ];
  const rows = cases.map(([model, time, tier, batch, prompt, cached, completion, audio], at) =>
    [
      `c${at}`,
      time,
      `accounts/fireworks/models/${model}`,
      `k${at}`,
      tier,
      batch,
      prompt,
      cached,
      completion,
      audio,
    ].join("|"),
  );
  const head =
    "id|time|model|apiKeyId|serviceTier|batch|promptTokens|cachedPromptTokens|completionTokens|audioInputSeconds";
  const table = [`${head}|usageType`, ...rows.map((row) => `${row}|${TEXT}`)].join("\n");
  await writeUsage(daybook, "rated", table);
  for (const [at, [model, time, tier, batch, , , , , nanos, unpriced]] of cases.entries()) {
    const startTime = `${time.slice(0, 10)}T00:00:00Z`;
    const endTime = new Date(Date.parse(startTime) + 86_400_000).toISOString();
    const { json } = await usageOf(daybook, "rated", { startTime, endTime, "filter[api_key_id][values]": `k${at}` });
    assert.equal(json.serverlessCosts.length, 1);
    const [row] = json.serverlessCosts;
    const what = `${model} ${time} ${tier} ${batch}`;
    assert.deepEqual([row.costNanoUsd, row.unpricedQuantities], [nanos, unpriced], what);
    const units = String(Math.floor(nanos / 1e9));
    assert.deepEqual(row.cost, { currencyCode: "USD", units, nanos: nanos % 1e9 }, what);
  }
});

test("the router of a fast model, and sums of what is finer than a nano", async () => {
  await daybook.account("fine");
  const words = { TEXT, FAST: "accounts/fireworks/routers/kimi-k2p6-fast", VL: "accounts/fireworks/models/qwen3-vl-30b-a3b-thinking" }; // biome-ignore format: one line
  const table = `
    id | time                 | usageType | model | batch | promptTokens | cachedPromptTokens | completionTokens | apiKeyId
    a  | 2026-10-05T10:00:00Z | TEXT      | FAST  |       | 1000000      |                    | 1000000          |
    b  | 2026-10-05T10:00:00Z | TEXT      | VL    | true  | 1            | 1                  |                  | k1
    c  | 2026-10-05T10:00:00Z | TEXT      | VL    | true  | 1            | 1                  |                  | k2
    d  | 2026-10-05T18:00:00Z | TEXT      | VL    | true  | 1            | 1                  |                  | k3
  `;
  await writeUsage(daybook, "fine", table, words);
  const day = { startTime: "2026-10-05T00:00:00Z", endTime: "2026-10-06T00:00:00Z" };
  const { json } = await usageOf(daybook, "fine", day);
  // 3 x 37.5 = 112.5: half-even 112, while three rounded ones would be 114.
  assert.deepEqual(
    json.serverlessCosts.map((row: { modelName: string; costNanoUsd: number }) => [row.modelName, row.costNanoUsd]),
    [
      ["accounts/fireworks/models/qwen3-vl-30b-a3b-thinking", 112],
      ["accounts/fireworks/routers/kimi-k2p6-fast", 10_000_000_000],
    ],
  );
});

test("quantities and costs beyond 2^53 come out to the last digit", async () => {
  await daybook.account("huge");
  const table = `
    id | time                 | usageType | model | promptTokens     | completionTokens
    a  | 2026-10-05T10:00:00Z | ${TEXT}   | KIMI  | 9007199254740991 |
    b  | 2026-10-05T11:00:00Z | ${TEXT}   | KIMI  | 9007199254740991 | 9007199254740991
  `;
  await writeUsage(daybook, "huge", table, { KIMI: "accounts/fireworks/models/kimi-k2p6" });
  const day = { startTime: "2026-10-05T00:00:00Z", endTime: "2026-10-06T00:00:00Z" };
  const { json, text } = await usageOf(daybook, "huge", day);
  const [row] = json.serverlessCosts;
  assert.deepEqual([row.promptTokens, row.completionTokens], ["18014398509481982", "9007199254740991"]);
  const nanos = 18_014_398_509_481_982n * 950n + 9_007_199_254_740_991n * 4000n;
  assert.ok(text.includes(`"costNanoUsd":${nanos},`), text);
  assert.deepEqual(row.cost, { currencyCode: "USD", units: `${nanos / 10n ** 9n}`, nanos: Number(nanos % 10n ** 9n) });
});

/** billing/summary: the contract's section 3 over real HTTP, counted by hand from prices/default.yaml. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Daybook, HOME, linesOf, OPERATOR_KEY, post, queryString, startDaybook, writeUsage } from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const M = "accounts/fireworks/models";
const WORDS = {
  TEXT: "TEXT_COMPLETION_INFERENCE_USAGE",
  AUDIO: "AUDIO_INFERENCE_USAGE",
  EMBED: "EMBEDDING_INFERENCE_USAGE",
  IMAGE: "IMAGE_GENERATION_USAGE",
  GPU: "DEDICATED_DEPLOYMENT_USAGE",
  TRAIN: "TRAINING_TOKEN_USAGE",
  RFTGPU: "TRAINING_ACCELERATOR_USAGE",
  V4FLASH: `${M}/deepseek-v4-flash`,
  GLM: `${M}/glm-5p2`,
  KIMI: `${M}/kimi-k2p6`,
  VL: `${M}/qwen3-vl-30b-a3b-instruct`,
  VLT: `${M}/qwen3-vl-30b-a3b-thinking`,
  FLUX: `${M}/flux-1-schnell`,
  NOMIC: "nomic-ai/nomic-embed-text-v1.5",
  LLAMA8: `${M}/llama-v3p1-8b-instruct`,
  H100: "NVIDIA_H100_80GB",
  B200: "NVIDIA_B200_180GB",
};
const COLUMNS =
  "series | category | groupingKey | groupingValue | secondaryGroupingKey | secondaryGroupingValue | quantity | unitAmount.nanos | totalCost.units | totalCost.nanos";
const UNPRICED =
  "series | category | groupingKey | groupingValue | secondaryGroupingKey | secondaryGroupingValue | quantity";
const ZERO = { currencyCode: "USD", units: "0", nanos: 0 };

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook(NOW);
});
after(() => daybook.close());

async function summaryOf(account: string, startTime: string, endTime: string, more: Record<string, string> = {}) {
  const path = `/v1/accounts/${account}/billing/summary?${queryString({ startTime, endTime, ...more })}`;
  const answer = await daybook.call("GET", path, { key: OPERATOR_KEY });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

const usd = (units: string, nanos: number) => ({ currencyCode: "USD", units, nanos });

test("17,580,572 cached tokens at 28 nanos are 0.492256016 USD; the whole answer", async () => {
  await daybook.account("fact");
  const table = `
    id | time                     | usageType | model   | promptTokens | cachedPromptTokens
    a  | 2026-06-20T00:00:00.000Z | TEXT      | V4FLASH | 17580000     | 17580000
    b  | 2026-06-20T23:59:59.999Z | TEXT      | V4FLASH | 572          | 572
    c  | 2026-06-21T00:00:00.000Z | TEXT      | V4FLASH | 1000000      |
    d  | 2026-06-19T23:59:59.999Z | TEXT      | V4FLASH | 1000000      |
  `;
  await writeUsage(daybook, "fact", table, WORDS);
  const { json, headers } = await summaryOf("fact", "2026-06-20", "2026-06-21");
  assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
  const cost = usd("0", 492_256_016);
  assert.deepEqual(json, {
    lineItems: [
      {
        category: "LLM input tokens (cached)",
        series: "SERVERLESS",
        groupingKey: "model",
        groupingValue: WORDS.V4FLASH,
        secondaryGroupingKey: "is_batch",
        secondaryGroupingValue: "false",
        quantity: 17_580_572,
        unitAmount: usd("0", 28),
        totalCost: cost,
      },
    ],
    unpricedLineItems: [],
    totalCost: cost,
    subtotal: cost,
    total: cost,
    seriesTotals: [
      { series: "SERVERLESS", totalCost: cost },
      { series: "DEDICATED_DEPLOYMENT", totalCost: ZERO },
      { series: "TRAINING", totalCost: ZERO },
    ],
  });
});

test("of a time only its UTC date counts, in any writing; the end date is excluded", async () => {
  const plain = await summaryOf("fact", "2026-06-20", "2026-06-21");
  // biome-ignore format: a ledger
  const same: [start: string, end: string][] = [
    ["2026-06-20T00:00:00Z",          "2026-06-21T00:00:00Z"],
    ["2026-06-20T23:59:59.999999999Z", "2026-06-21T13:00:00Z"],
    ["2026-06-20",                    "2026-06-21T23:59:59Z"],
    ["2026-06-19T17:00:00-07:00",     "2026-06-21T05:30:00+05:30"],
  ];
  for (const [start, end] of same)
    assert.equal((await summaryOf("fact", start, end)).text, plain.text, `${start} ${end}`);
  // A millisecond earlier at +05:30 is the UTC day before, so the range is empty.
  const empty = { startTime: "2026-06-20", endTime: "2026-06-21T05:29:59.999+05:30" };
  const path = `/v1/accounts/fact/billing/summary?${queryString(empty)}`;
  const refused = await daybook.call("GET", path, { key: OPERATOR_KEY });
  const sentence = 'endTime: "2026-06-20" is not after startTime 2026-06-20; endTime is exclusive and must be later';
  assert.deepEqual([refused.status, refused.json.message], [400, sentence]);
  const snake = "/v1/accounts/fact/billing/summary?start_time=2026-06-20&end_time=2026-06-21";
  assert.equal((await daybook.call("GET", snake, { key: OPERATOR_KEY })).text, plain.text);
});

test("granularity DAILY adds a bucket for each day, used or not, with its own lines and total", async () => {
  const plain = await summaryOf("fact", "2026-06-20", "2026-06-23");
  const { json } = await summaryOf("fact", "2026-06-20", "2026-06-23", { granularity: "DAILY" });
  const { usageBuckets, ...rest } = json;
  assert.deepEqual(rest, plain.json);
  assert.deepEqual(linesOf(usageBuckets, "startTime | endTime | totalCost.nanos"), [
    "2026-06-20T00:00:00Z | 2026-06-21T00:00:00Z | 492256016",
    "2026-06-21T00:00:00Z | 2026-06-22T00:00:00Z | 140000000",
    "2026-06-22T00:00:00Z | 2026-06-23T00:00:00Z | 0",
  ]);
  assert.deepEqual(Object.keys(usageBuckets[0]), [
    "startTime",
    "endTime",
    "lineItems",
    "unpricedLineItems",
    "totalCost",
    "subtotal",
    "total",
  ]);
  assert.deepEqual(linesOf(usageBuckets[1].lineItems, COLUMNS), [
    `SERVERLESS | LLM input tokens (uncached) | model | ${WORDS.V4FLASH} | is_batch | false | 1000000 | 140 | 0 | 140000000`,
  ]);
  assert.deepEqual(usageBuckets[2].lineItems, []);
  // A year, and the longest one.
  const year = await summaryOf("fact", "2026-01-01", "2027-01-02", { granularity: "DAILY" });
  assert.equal(year.json.usageBuckets.length, 366);
});

test("a line for each price: a change inside the range, tiers and batch; equal prices are one line", async () => {
  await daybook.account("split");
  const table = `
    id | time                     | usageType | model | serviceTier | batch | promptTokens | cachedPromptTokens | completionTokens | apiKeyId | user
    a  | 2026-07-31T23:59:59.999Z | TEXT      | GLM   |             |       | 1000         | 1000               |                  | k1       | ada
    b  | 2026-08-01T00:00:00.000Z | TEXT      | GLM   | STANDARD    |       | 3000         | 2000               |                  | k2       | bob
    c  | 2026-08-01T00:00:00.000Z | TEXT      | GLM   | PRIORITY    |       | 500          |                    | 10               |          |
    d  | 2026-08-01T09:00:00.000Z | TEXT      | GLM   |             | true  | 500          |                    |                  |          |
  `;
  await writeUsage(daybook, "split", table, WORDS);
  const { json } = await summaryOf("split", "2026-07-31", "2026-08-02");
  assert.deepEqual(linesOf(json.lineItems, COLUMNS), [
    `SERVERLESS | LLM input tokens (cached) | model | ${WORDS.GLM} | is_batch | false | 2000 | 140 | 0 | 280000`,
    `SERVERLESS | LLM input tokens (cached) | model | ${WORDS.GLM} | is_batch | false | 1000 | 260 | 0 | 260000`,
    `SERVERLESS | LLM input tokens (uncached) | model | ${WORDS.GLM} | is_batch | false | 1000 | 1400 | 0 | 1400000`,
    `SERVERLESS | LLM input tokens (uncached) | model | ${WORDS.GLM} | is_batch | false | 500 | 2100 | 0 | 1050000`,
    `SERVERLESS | LLM input tokens (uncached) | model | ${WORDS.GLM} | is_batch | true | 500 | 700 | 0 | 350000`,
    `SERVERLESS | LLM output tokens | model | ${WORDS.GLM} | is_batch | false | 10 | 6600 | 0 | 66000`,
  ]);
  assert.deepEqual(json.totalCost, usd("0", 3_406_000));
});

test("prices finer than a nano rate exactly: totals are rounded once, never made of rounded lines", async () => {
  await daybook.account("fine");
  const table = `
    id | time                 | usageType | model | batch | promptTokens | cachedPromptTokens
    a  | 2026-10-05T10:00:00Z | TEXT      | VL    | true  | 1            | 1
    b  | 2026-10-05T10:00:00Z | TEXT      | VLT   | true  | 1            | 1
    c  | 2026-10-06T10:00:00Z | TEXT      | VLT   | true  | 2            | 2
  `;
  await writeUsage(daybook, "fine", table, WORDS);
  const { json } = await summaryOf("fine", "2026-10-05", "2026-10-07", { granularity: "DAILY" });
  // 37.5 nanos a token, shown half-even as 38; 3 tokens are 112.5, so 112.
  assert.deepEqual(linesOf(json.lineItems, "groupingValue | quantity | unitAmount.nanos | totalCost.nanos"), [
    `${WORDS.VL} | 1 | 38 | 38`,
    `${WORDS.VLT} | 3 | 38 | 112`,
  ]);
  assert.equal(json.totalCost.nanos, 150);
  assert.equal(json.seriesTotals[0].totalCost.nanos, 150);
  // Two of 37.5 are 75, while two rounded ones would be 76.
  assert.deepEqual(linesOf(json.usageBuckets, "totalCost.nanos"), ["75", "75"]);
});

test("each kind of usage has its category, unit and price; what has no price is listed apart", async () => {
  await daybook.account("kinds");
  const table = `
    id | time                 | usageType | model      | batch | promptTokens | cachedPromptTokens | completionTokens | audioInputSeconds | imageCount | serviceTier
    a  | 2026-10-05T10:00:00Z | TEXT      | KIMI       |       | 1000         | 400                | 200              | 1.25              |            |
    b  | 2026-10-05T10:00:00Z | AUDIO     | whisper-v3 |       |              |                    |                  | 90.5              |            |
    c  | 2026-10-05T10:00:00Z | EMBED     | NOMIC      |       | 1000         |                    |                  |                   |            |
    d  | 2026-10-05T10:00:00Z | IMAGE     | FLUX       |       |              |                    |                  |                   | 2          |
    e  | 2026-10-05T10:00:00Z | TEXT      |            | true  | 5            |                    |                  |                   |            |
    f  | 2026-10-05T10:00:00Z | TEXT      | KIMI       |       | 7            |                    |                  |                   |            | PRIORITY
  `;
  await writeUsage(daybook, "kinds", table, WORDS);
  const others = `
    id | time                 | usageType | jobType | baseModel | tokens  | acceleratorType   | acceleratorSeconds
    g  | 2026-10-05T10:00:00Z | TRAIN     | SFT     | LLAMA8    | 2000000 |                   |
    h  | 2026-10-05T10:00:00Z | RFTGPU    | RFT     | GLM       |         | B200              | 7200
    i  | 2026-10-05T10:00:00Z | GPU       |         |           |         | AMD_MI300X_192GB  | 0.5
    j  | 2026-10-05T10:00:00Z | GPU       |         |           |         |                   | 3
  `;
  await writeUsage(daybook, "kinds", others, WORDS);
  // Runs on: two H100 from noon to now, half an hour, in a region, at $8 an hour x 1.5.
  daybook.setClock("2026-10-05T13:00:00Z");
  const chat = { name: "chat", acceleratorType: WORDS.H100, acceleratorCount: 2, placement: "US" };
  await post(daybook, "/v1/accounts/kinds/deployments", chat);
  await post(daybook, "/v1/accounts/kinds/deployments/chat:scale", { replicaCount: 1, time: "2026-10-05T12:30:00Z" });
  const { json } = await summaryOf("kinds", "2026-10-05", "2026-10-06");
  daybook.setClock(NOW);
  assert.deepEqual(linesOf(json.lineItems, COLUMNS), [
    "SERVERLESS | Audio Transcription | model | whisper-v3 | is_batch | false | 90.5 | 25000 | 0 | 2262500",
    `SERVERLESS | Embedding input tokens (uncached) | model | ${WORDS.NOMIC} | is_batch | false | 1000 | 8 | 0 | 8000`,
    `SERVERLESS | Image Generation | model | ${WORDS.FLUX} | is_batch | false | 2 | 1400000 | 0 | 2800000`,
    `SERVERLESS | LLM input tokens (cached) | model | ${WORDS.KIMI} | is_batch | false | 400 | 160 | 0 | 64000`,
    `SERVERLESS | LLM input tokens (uncached) | model | ${WORDS.KIMI} | is_batch | false | 600 | 950 | 0 | 570000`,
    `SERVERLESS | LLM output tokens | model | ${WORDS.KIMI} | is_batch | false | 200 | 4000 | 0 | 800000`,
    `DEDICATED_DEPLOYMENT | Accelerator time (${WORDS.H100}) | accelerator_type | ${WORDS.H100} |  |  | 3600 | 3333333 | 12 | 0`,
    `TRAINING | Accelerator time (${WORDS.B200}) | accelerator_type | ${WORDS.B200} | job_type | RFT | 7200 | 3611111 | 26 | 0`,
    `TRAINING | Training tokens | base_model | ${WORDS.LLAMA8} | job_type | SFT | 2000000 | 500 | 1 | 0`,
  ]);
  assert.deepEqual(linesOf(json.unpricedLineItems, UNPRICED), [
    `SERVERLESS | LLM audio input | model | ${WORDS.KIMI} | is_batch | false | 1.25`,
    "SERVERLESS | LLM input tokens (uncached) | model |  | is_batch | true | 5",
    `SERVERLESS | LLM input tokens (uncached) | model | ${WORDS.KIMI} | is_batch | false | 7`,
    "DEDICATED_DEPLOYMENT | Accelerator time | accelerator_type |  |  |  | 3",
    "DEDICATED_DEPLOYMENT | Accelerator time (AMD_MI300X_192GB) | accelerator_type | AMD_MI300X_192GB |  |  | 0.5",
  ]);
  assert.deepEqual(linesOf(json.seriesTotals, "series | totalCost.units | totalCost.nanos"), [
    "SERVERLESS | 0 | 6504500",
    "DEDICATED_DEPLOYMENT | 12 | 0",
    "TRAINING | 27 | 0",
  ]);
  assert.deepEqual(json.totalCost, usd("39", 6_504_500));
  // Half an hour later the running deployment has cost $24.
  daybook.setClock("2026-10-05T13:30:00Z");
  const later = await summaryOf("kinds", "2026-10-05", "2026-10-06");
  daybook.setClock(NOW);
  assert.equal(later.json.seriesTotals[1].totalCost.units, "24");
});

test("quantities keep all their digits, as numbers", async () => {
  await daybook.account("large");
  const most = "9007199254740991";
  const table = `
    id | time                 | usageType | model | promptTokens | cachedPromptTokens
    a  | 2026-10-05T10:00:00Z | TEXT      | KIMI  | ${most}      | ${most}
    b  | 2026-10-05T10:00:00Z | TEXT      | KIMI  | ${most}      | ${most}
  `;
  await writeUsage(daybook, "large", table, WORDS);
  const { text, json } = await summaryOf("large", "2026-10-05", "2026-10-06");
  assert.ok(text.includes('"quantity":18014398509481982,'), text);
  assert.deepEqual(json.totalCost, usd("2882303761", 517_117_120));
});

test("what is wrong with a question, all of it at once", async () => {
  const allowed = "allowed are startTime, endTime, granularity, asOf";
  const mend = "send a date such as 2026-05-28";
  const form = "is neither a date nor an RFC 3339 time; send one such as 2026-05-28 or 2026-05-28T00:00:00Z";
  // biome-ignore format: a ledger
  const cases: [query: string, ...sentences: string[]][] = [
    ["", `startTime: is required; ${mend}`, `endTime: is required; ${mend}`],
    ["startTime=2026-05-01&endTime=", `endTime: is required; ${mend}`],
    ["startTime=2026-02-30&endTime=2026-5-1", `startTime: "2026-02-30" ${form}`, `endTime: "2026-5-1" ${form}`],
    ["startTime=2026-05-01T00:00:00&endTime=now", `startTime: "2026-05-01T00:00:00" ${form}`, `endTime: "now" ${form}`],
    ["startTime=2026-05-01&startTime=2026-05-02&endTime=2026-05-03", "startTime: was sent 2 times; send it once"],
    ["startTime=2026-05-01&endTime=2026-05-01T23:59:59Z", 'endTime: "2026-05-01" is not after startTime 2026-05-01; endTime is exclusive and must be later'],
    ["startTime=2026-01-01&endTime=2027-01-03", 'endTime: "2027-01-03" is more than 366 days after startTime 2026-01-01; the latest allowed is 2027-01-02'],
    ["startTime=2026-05-01&endTime=2026-05-02&granularity=HOURLY", 'granularity: "HOURLY" was sent; allowed are DAILY'],
    ["startTime=x&endTime=2026-05-02&granularity=y&timezone=UTC&__proto__=z", `timezone: unknown query parameter; ${allowed}`, `__proto__: unknown query parameter; ${allowed}`,
      `startTime: "x" ${form}`, 'granularity: "y" was sent; allowed are DAILY'],
  ];
  for (const [query, ...sentences] of cases) {
    const path = `/v1/accounts/${HOME}/billing/summary?${query}`;
    const { status, json } = await daybook.call("GET", path, { key: OPERATOR_KEY });
    assert.deepEqual([status, json.code], [400, 3], query);
    const told = json.details[0].fieldViolations.map(({ description }: { description: string }) => description);
    assert.deepEqual(told, sentences, query);
  }
});

test("every role but METER may read it; another account is not to be found", async () => {
  await daybook.account("own");
  const path = (account: string) => `/v1/accounts/${account}/billing/summary?startTime=2026-05-01&endTime=2026-05-02`;
  // biome-ignore format: a ledger
  const cases: [role: string, own: number, other: number][] = [
    ["ADMIN", 200, 404],
    ["USER",  200, 404],
    ["METER", 403, 404],
  ];
  for (const [role, own, other] of cases) {
    const { key } = await daybook.key("own", { role });
    const statuses = [path("own"), path("fact")].map(async (one) => (await daybook.call("GET", one, { key })).status);
    assert.deepEqual(await Promise.all(statuses), [own, other], role);
  }
});

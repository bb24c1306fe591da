/** Why a unit costs what it costs, and what a price book holds before it is put. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Answer, type Daybook, linesOf, OPERATOR_KEY, post, startDaybook } from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const LIST = `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.1", restrictedPlacement: "1.5", source: s }
prices:
  - match: { model: m1 }
    perMillionTokens: { input: "0.0375", output: "4.00" }
    effectiveFrom: 2026-05-01T00:00:00Z
    effectiveTo: 2026-06-01T00:00:00Z
    source: May
  - match: { model: m1 }
    perMillionTokens: { input: "0.05", output: "4.00" }
    effectiveFrom: 2026-07-01T00:00:00Z
    source: July
  - match: { usageType: TEXT_COMPLETION_INFERENCE_USAGE }
    perMillionTokens: { input: "9" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: all others
  - match: { acceleratorType: NVIDIA_H100_80GB }
    perAcceleratorHour: "8"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: GPUs
  - match: { model: painter }
    perImage: "0.04"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: pictures
  - match: { model: hearer }
    perAudioMinute: "0.0015"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: sound
  - match: { model: omni }
    perMillionTokens: { input: "1", output: "2" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: text and sound
  - match: { model: omni }
    perAudioMinute: "0.002"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: text and sound
`;
const CONTRACT = `currency: USD
discounts:
  - { percent: "10", match: { model: m1 }, effectiveFrom: 2026-01-01T00:00:00Z, source: agreed }
`;

let daybook: Daybook;
let userKey: string;
before(async () => {
  daybook = await startDaybook(NOW);
  for (const account of ["acme", "beta"]) await daybook.account(account);
  userKey = (await daybook.key("acme", { role: "USER" })).key;
  daybook.setClock("2026-10-20T13:00:00Z");
  await post(daybook, "/v1/priceBooks", { priceBook: { document: LIST } });
  await post(daybook, "/v1/priceBooks", { priceBook: { account: "acme", document: CONTRACT } });
  daybook.setClock("2026-10-20T14:00:00Z");
});
after(() => daybook.close());

const explain = (query: string, account = "acme", key = OPERATOR_KEY): Promise<Answer> =>
  daybook.call("GET", `/v1/accounts/${account}/prices:explain?${query}`, { key });

test("the entry, its line, the multipliers and the discount; what lost and in what", async () => {
  const { json, status, text } = await explain("model=m1&at=2026-05-15T00:00:00Z&batch=true", "acme", userKey);
  assert.equal(status, 200, text);
  const [prompt, cached, output] = json.components;
  assert.deepEqual(linesOf([json], "account|usageType|batch|priceBook|contractPriceBook"), [
    "accounts/acme | TEXT_COMPLETION_INFERENCE_USAGE | true | priceBooks/2 | priceBooks/3",
  ]);
  assert.deepEqual(
    linesOf([prompt.list, prompt.net], "unitUsd|statedUsd|perUnits|entry.priceBook|entry.line|discount"),
    [
      "0.00000001875 | 0.0375 | 1000000 | priceBooks/2 | 4 | null",
      `0.000000016875 | 0.0375 | 1000000 | priceBooks/2 | 4 | ${JSON.stringify(prompt.net.discount)}`,
    ],
  );
  assert.deepEqual(linesOf([prompt.net.discount], "percent|priceBook|line|source"), ["10 | priceBooks/3 | 3 | agreed"]);
  const batch = { name: "batch", factor: "0.5" };
  assert.deepEqual(prompt.net.multipliers, [batch]);
  assert.deepEqual(cached.net.multipliers, [{ name: "cachedInput", factor: "0.1" }, batch]);
  assert.equal(cached.net.unitUsd, "0.0000000016875");
  assert.equal(output.list.unitUsd, "0.000002");
  assert.deepEqual(linesOf(prompt.others, "line|source|lostIn"), ["13 | all others | model"]);
});

test("in a gap the next entry prices it, or none, and what comes nearest is told", async () => {
  const inGap = (await explain("model=m1&at=2026-06-15T00:00:00Z", "beta")).json;
  assert.equal(inGap.contractPriceBook, "");
  const [prompt, , output] = inGap.components;
  assert.deepEqual([prompt.net.unitUsd, prompt.net.entry.line], ["0.000009", 13]);
  assert.deepEqual([output.list, output.net], [null, null]);
  assert.ok(output.others.length > 0 && output.others.every((one: { needs: string[] }) => one.needs.length > 0));

  const gpu = (await explain("acceleratorType=NVIDIA_H100_80GB&placement=US", "beta")).json;
  assert.deepEqual(linesOf([gpu], "usageType|at"), ["DEDICATED_DEPLOYMENT_USAGE | 2026-10-20T14:00:00Z"]);
  const [time] = gpu.components;
  // $8 x 1.5 an hour, rounded once to attodollars a millisecond.
  assert.deepEqual(
    [time.quantity, time.net.unitUsd, time.net.statedUsd, time.net.perUnits],
    ["acceleratorSeconds", "0.003333333333333", "8", "3600"],
  );
});

test("a usage type that was not named is the first whose own meter an entry prices for the model itself", async () => {
  const typeOf = async (query: string) => (await explain(query, "beta")).json.usageType;
  assert.equal(await typeOf("model=painter"), "IMAGE_GENERATION_USAGE");
  assert.equal(await typeOf("model=hearer"), "AUDIO_INFERENCE_USAGE");
  assert.equal(await typeOf("model=omni"), "TEXT_COMPLETION_INFERENCE_USAGE");
  assert.equal(await typeOf("model=unheard-of"), "TEXT_COMPLETION_INFERENCE_USAGE");
  assert.equal(await typeOf("model=painter&usageType=TRAINING_TOKEN_USAGE"), "TRAINING_TOKEN_USAGE");
});

test("as it was known: before the first correction the shipped book's price", async () => {
  const model = "model=accounts/fireworks/models/kimi-k2p6";
  const old = (await explain(`${model}&asOf=2026-10-20T12:30:00Z`)).json;
  assert.deepEqual(linesOf([old], "priceBook|contractPriceBook"), ["priceBooks/1 | "]);
  assert.equal(old.components[0].net.statedUsd, "0.95");
  assert.equal((await explain(model)).json.components[0].net.statedUsd, "9");
});

test("wrong questions are refused, all mistakes at once", async () => {
  // biome-ignore format: a ledger
  const cases: [query: string, ...sentences: string[]][] = [
    ["", "model: is required; send model, baseModel or acceleratorType"],
    ["model=m&x=1", "x: unknown query parameter; allowed are model, placement, jobType, baseModel, at, usageType, serviceTier, batch, acceleratorType, promptTokens, asOf"],
    ["model=m&at=now&batch=yes&promptTokens=-1", 'at: "now" is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z', 'batch: "yes" was sent; allowed are true, false', 'promptTokens: "-1" was sent; it must be a whole number from 0 to 9007199254740991'],
    ["model=m&asOf=2026-10-20T11:59:59Z", 'asOf: "2026-10-20T11:59:59Z" is before the first price book was known; the earliest allowed is 2026-10-20T12:00:00Z'],
    ["model=m&as_of=2026-10-20T14:00:00Z", 'asOf: "2026-10-20T14:00:00Z" is not over yet (2026-10-20T14:00:00Z now); send an earlier time, or leave it out for the newest prices'],
    ["model=m&model=n", "model: was sent 2 times; send it once"],
    ["model=a%0Ab", 'model: "a\\nb" was sent; it must be 0 to 256 characters of well-formed text without control characters'],
  ];
  for (const [query, ...sentences] of cases) {
    const { status, json } = await explain(query);
    assert.equal(status, 400, query);
    const told = json.details[0].fieldViolations.map((one: { description: string }) => one.description);
    assert.deepEqual(told, sentences, query);
  }
});

test("a check tells the gaps of a book, or its mistakes, and puts nothing", async () => {
  const check = (document: string, account?: string) =>
    daybook.call("POST", "/v1/priceBooks:check", {
      key: OPERATOR_KEY,
      body: { priceBook: { document, ...(account && { account }) } },
    });
  assert.deepEqual((await check(LIST)).json, {
    entryCount: 8,
    gaps: [
      {
        kind: "perMillionTokens",
        match: "model m1",
        lines: [4, 9],
        startTime: "2026-06-01T00:00:00Z",
        endTime: "2026-07-01T00:00:00Z",
      },
    ],
  });
  assert.equal((await check(CONTRACT)).status, 400, "a contract is no list");
  assert.deepEqual((await check(CONTRACT, "acme")).json, { entryCount: 1, gaps: [] });
  assert.match((await check("prices: []")).json.message, /^price book "document", line 1: currency is missing/);
  const { json } = await daybook.call("GET", "/v1/priceBooks", { key: OPERATOR_KEY });
  assert.equal(json.totalSize, 3);
});

test("other calls are answered while a large text is read", async () => {
  const document = `a:\n${"- x\n".repeat(250_000)}`;
  const headers = { "content-type": "application/yaml" };
  const reading = daybook.call("POST", "/v1/priceBooks:check", { key: OPERATOR_KEY, body: document, headers });
  let isRead = false;
  const done = reading.finally(() => {
    isRead = true;
  });
  let others = 0;
  for (; !isRead; others += 1) await daybook.call("GET", "/v1/accounts/acme", { key: userKey });
  // What reads it here, on the thread of the calls, would let one or two through.
  assert.ok(others > 5, `${others} calls were answered meanwhile`);
  assert.match((await done).json.message, /line 1: a: unknown field/);
});

/** Quotas and notification settings: who reads and sets what, and how much of the month's money is gone. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Daybook, linesOf, OPERATOR_KEY, post, startDaybook, usageOf, writeUsage } from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const UNLIMITED = "9223372036854775807";
const SPEND = "/v1/accounts/acme/quotas/monthly-spend-usd";
const RPM = "/v1/accounts/acme/quotas/serverless-inference-rpm";
const SETTINGS = "/v1/accounts/acme/billing/notificationSettings";
const words = { TEXT: "TEXT_COMPLETION_INFERENCE_USAGE", K2: "accounts/fireworks/models/kimi-k2p6" };

let daybook: Daybook;
const keys: Record<string, string> = { OPERATOR: OPERATOR_KEY };

before(async () => {
  daybook = await startDaybook(NOW);
  for (const account of ["acme", "rival"]) await daybook.account(account);
  for (const role of ["ADMIN", "USER", "METER"]) keys[role] = (await daybook.key("acme", { role })).key;
  keys.RIVAL = (await daybook.key("rival", { role: "ADMIN" })).key;
});
after(() => daybook.close());

/** Each violation's sentence, or the message alone where there are none. */
function sentencesOf(json: { message: string; details: { fieldViolations: { description: string }[] }[] }): string[] {
  return json.details[0]?.fieldViolations.map((one) => one.description) ?? [json.message];
}

const usageOfSpend = async (account: string): Promise<number> =>
  (await daybook.call("GET", `/v1/accounts/${account}/quotas/monthly-spend-usd`, { key: OPERATOR_KEY })).json.usage;

test("every account has its quotas from the beginning: no limit, nothing used", async () => {
  const quota = (id: string) => ({
    name: `accounts/acme/quotas/${id}`,
    value: UNLIMITED,
    maxValue: UNLIMITED,
    usage: 0,
    updateTime: NOW,
  });
  const [spend, rpm] = [quota("monthly-spend-usd"), quota("serverless-inference-rpm")];
  const list = "/v1/accounts/acme/quotas";
  const key = keys.USER!;
  assert.deepEqual((await daybook.call("GET", list, { key })).json, { quotas: [spend, rpm], totalSize: 2 });
  assert.deepEqual((await daybook.call("GET", SPEND, { key })).json, spend);
  assert.deepEqual((await daybook.call("GET", RPM, { key })).json, rpm);

  const first = await daybook.call("GET", `${list}?page_size=1`, { key });
  assert.deepEqual(Object.keys(first.json), ["quotas", "nextPageToken", "totalSize"]);
  assert.deepEqual(first.json.quotas, [spend]);
  const last = await daybook.call("GET", `${list}?pageSize=1&pageToken=${first.json.nextPageToken}`, { key });
  assert.deepEqual(last.json, { quotas: [rpm], totalSize: 2 });
});

test("an administrator moves the value up to the maxValue, the operator both; one after the other", async () => {
  const only = 'role: "ADMIN" may not do this; it takes OPERATOR';
  const reader = 'role: "USER" may not do this; it takes OPERATOR, ADMIN';
  // biome-ignore format: a ledger
  const steps: [role: string, body: object, status: number, value: string, maxValue: string, message?: string][] = [
    // role      body                                    status  value      maxValue   message
    ["ADMIN",    { value: "500" },                          200, "500",     UNLIMITED],
    ["ADMIN",    { value: 800 },                            200, "800",     UNLIMITED],
    ["ADMIN",    { maxValue: "5000" },                      403, "800",     UNLIMITED, only],
    ["ADMIN",    { value: "1", maxValue: "5000" },          403, "800",     UNLIMITED, only],
    ["ADMIN",    { value: "700", maxValue: UNLIMITED },     200, "700",     UNLIMITED],
    ["OPERATOR", { maxValue: "600" },                       400, "700",     UNLIMITED, 'maxValue: "600" was sent; it must be at least the quota\'s value 700, or come with a lower value'],
    ["OPERATOR", { maxValue: 5000 },                        200, "700",     "5000"],
    ["ADMIN",    { value: "5000" },                         200, "5000",    "5000"],
    ["ADMIN",    { value: "5001" },                         400, "5000",    "5000",    'value: "5001" was sent; it must be at most the maxValue 5000'],
    ["ADMIN",    { value: UNLIMITED },                      400, "5000",    "5000",    `value: "${UNLIMITED}" was sent; it must be at most the maxValue 5000`],
    ["OPERATOR", { value: "5001" },                         400, "5000",    "5000",    'value: "5001" was sent; it must be at most the maxValue 5000'],
    ["OPERATOR", { value: "50", maxValue: "50" },           200, "50",      "50"],
    ["ADMIN",    { value: "0" },                            200, "0",       "50"],
    ["USER",     { value: "1" },                            403, "0",       "50",      reader],
    ["METER",    { value: "1" },                            403, "0",       "50",      reader.replace("USER", "METER")],
    ["OPERATOR", { value: UNLIMITED, maxValue: UNLIMITED }, 200, UNLIMITED, UNLIMITED],
  ];
  for (const [at, [role, body, status, value, maxValue, message]] of steps.entries()) {
    const time = `2026-10-20T12:${10 + at}:00Z`;
    daybook.setClock(time);
    const answer = await daybook.call("PATCH", RPM, { key: keys[role]!, body });
    const what = `${role} ${JSON.stringify(body)}`;
    assert.deepEqual([answer.status, answer.json.message], [status, message], what);
    const kept = await daybook.call("GET", RPM, { key: keys.ADMIN! });
    assert.deepEqual([kept.json.value, kept.json.maxValue], [value, maxValue], what);
    if (status === 200) assert.deepEqual([answer.json, answer.json.updateTime], [kept.json, time], what);
  }
  daybook.setClock(NOW);
  const rival = await daybook.call("GET", RPM.replace("acme", "rival"), { key: keys.RIVAL! });
  assert.deepEqual([rival.json.value, rival.json.updateTime], [UNLIMITED, NOW], "another account's stays as it was");
});

test("what is no limit is refused, all of it at once, and changes nothing", async () => {
  const digits = "a whole number of at most 19 digits, as text where it is past 9007199254740991";
  const range = `a whole number from 0 to ${UNLIMITED}`;
  // biome-ignore format: a ledger
  const cases: [body: string, ...sentences: string[]][] = [
    ["{}",                              "value: is required; send value, maxValue or both"],
    ['{"limit":"5"}',                   "limit: unknown field; allowed are value, maxValue"],
    ['{"value":"5","name":"x"}',        "name: unknown field; allowed are value, maxValue"],
    ['{"value":"-1"}',                  `value: "-1" was sent; it must be ${range}`],
    ['{"value":-1,"maxValue":"-2"}',    `value: "-1" was sent; it must be ${range}`, `maxValue: "-2" was sent; it must be ${range}`],
    ['{"maxValue":"9223372036854775808"}', `maxValue: "9223372036854775808" was sent; it must be ${range}`],
    ['{"value":"99999999999999999999"}', `value: "99999999999999999999" was sent; it must be ${digits}`],
    ['{"value":9007199254740993}',      `value: 9007199254740992 was sent; it must be ${digits}`],
    ['{"value":"","maxValue":"1e3"}',   `value: "" was sent; it must be ${digits}`, `maxValue: "1e3" was sent; it must be ${digits}`],
    ['{"value":" 5"}',                  `value: " 5" was sent; it must be ${digits}`],
    ['{"value":"5.0"}',                 `value: "5.0" was sent; it must be ${digits}`],
    ['{"value":5.5}',                   "value: 5.5 was sent; it must be of type string or integer"],
    ['{"value":null,"maxValue":[]}',    "value: null was sent; it must be of type string or integer", "maxValue: an array was sent; it must be of type string or integer"],
    ["[]",                              "body: an array was sent; it must be of type object"],
  ];
  const before = (await daybook.call("GET", SPEND, { key: OPERATOR_KEY })).text;
  const headers = { "content-type": "application/json" };
  for (const [body, ...sentences] of cases) {
    const { status, json } = await daybook.call("PATCH", SPEND, { key: OPERATOR_KEY, body, headers });
    assert.equal(status, 400, body);
    assert.deepEqual(sentencesOf(json), sentences, body);
  }
  assert.equal((await daybook.call("GET", SPEND, { key: OPERATOR_KEY })).text, before);
});

test("an id that is no quota is not there; another account's are as absent ones", async () => {
  for (const id of ["none", "MONTHLY-SPEND-USD", "__proto__", "'; DROP TABLE quotas; --"]) {
    const path = `/v1/accounts/acme/quotas/${encodeURIComponent(id)}`;
    for (const [method, body] of [
      ["GET"],
      ["PATCH", { value: "1" }],
      ["PATCH", { value: "1", maxValue: "1" }],
    ] as const) {
      const { status, json } = await daybook.call(method, path, { key: keys.ADMIN!, ...(body && { body }) });
      assert.deepEqual([status, json.message], [404, `quota: "${id}" was not found`], `${method} ${id}`);
    }
  }
  for (const path of [SPEND, SETTINGS, "/v1/accounts/acme/quotas"]) {
    const { status, json } = await daybook.call("GET", path, { key: keys.RIVAL! });
    assert.deepEqual([status, json.message], [404, 'account: "acme" was not found'], path);
  }
});

test("the month's spend is live: the running UTC month's three streams, exactly, and nothing else", async () => {
  const account = await daybook.account("spender");
  // One million prompt tokens of K2.6 are $0.95, a cached one 160 nanos.
  await writeUsage(
    daybook,
    account,
    `id | time                     | usageType | model | promptTokens | cachedPromptTokens
     a  | 2026-09-30T23:59:59.999Z | TEXT      | K2    | 1000000      |
     b  | 2026-10-01T00:00:00Z     | TEXT      | K2    | 1000000      |
     c  | 2026-10-20T12:00:00Z     | TEXT      | K2    | 1            | 1`,
    words,
  );
  assert.equal(await usageOfSpend(account), 0.95000016);
  await writeUsage(
    daybook,
    account,
    "id|time|usageType|model|promptTokens\nd|2026-10-20T11:00:00Z|TEXT|K2|2000000",
    words,
  );
  assert.equal(await usageOfSpend(account), 2.85000016, "in the next answer");
  await post(daybook, `/v1/accounts/${account}/usageEvents:void`, { ids: ["d"] });
  assert.equal(await usageOfSpend(account), 0.95000016, "voided");
  await writeUsage(
    daybook,
    account,
    `id | time                 | usageType                  | jobType | baseModel                                       | tokens  | acceleratorType   | acceleratorSeconds
     t  | 2026-10-02T00:00:00Z | TRAINING_TOKEN_USAGE       | SFT     | accounts/fireworks/models/llama-v3p1-8b-instruct | 1000000 |                   |
     g  | 2026-10-02T00:00:00Z | DEDICATED_DEPLOYMENT_USAGE |         |                                                 |         | NVIDIA_H100_80GB  | 3600`,
  );
  await post(daybook, `/v1/accounts/${account}/deployments`, {
    name: "chat",
    acceleratorType: "NVIDIA_H200_141GB",
    acceleratorCount: 2,
    replicaCount: 1,
  });
  try {
    // An H100 hour is $8; two H200 for half an hour $8 more. billingUsage of the same month says what training costs.
    daybook.setClock("2026-10-20T12:30:00Z");
    const month = { startTime: "2026-10-01T00:00:00Z", endTime: "2026-11-01T00:00:00Z" };
    const { json } = await usageOf(daybook, account, month);
    const rows = [...json.serverlessCosts, ...json.dedicatedCosts, ...json.trainingCosts];
    assert.deepEqual(linesOf(json.dedicatedCosts, "deploymentId | costNanoUsd"), [
      " | 8000000000",
      "chat | 8000000000",
    ]);
    const nanos = rows.reduce((sum: number, row: { costNanoUsd: number }) => sum + row.costNanoUsd, 0);
    assert.ok(nanos > 16_950_000_160);
    assert.equal(await usageOfSpend(account), nanos / 1e9);
    daybook.setClock("2026-11-01T00:00:00Z");
    assert.equal(await usageOfSpend(account), 0, "a new month");
    daybook.setClock("2026-11-01T00:15:00Z");
    assert.equal(await usageOfSpend(account), 8 / 2, "the deployment still runs");
  } finally {
    daybook.setClock(NOW);
  }
  assert.equal(await usageOfSpend("acme"), 0, "another account");
});

test("thresholds are read by all, replaced by administrators", async () => {
  const none = { monthlySpendUsdThresholds: [], webhookUrl: "", updateTime: NOW };
  assert.deepEqual((await daybook.call("GET", SETTINGS, { key: keys.USER! })).json, none);
  // biome-ignore format: a ledger
  const steps: [role: string, sent: (string | number)[], status: number, kept: string[]][] = [
    ["ADMIN",    ["500", "800"],           200, ["500", "800"]],
    ["OPERATOR", [1, "1000000000"],        200, ["1", "1000000000"]],
    ["USER",     ["5"],                    403, ["1", "1000000000"]],
    ["METER",    ["5"],                    403, ["1", "1000000000"]],
    ["ADMIN",    Array.from({ length: 20 }, (_, at) => at + 1), 200, Array.from({ length: 20 }, (_, at) => `${at + 1}`)],
    ["ADMIN",    [],                       200, []],
  ];
  for (const [role, sent, status, kept] of steps) {
    const body = { monthlySpendUsdThresholds: sent };
    daybook.setClock("2026-10-20T12:01:00Z");
    const answer = await daybook.call("PATCH", SETTINGS, { key: keys[role]!, body });
    assert.equal(answer.status, status, `${role} ${sent}`);
    const expected = { monthlySpendUsdThresholds: kept, webhookUrl: "", updateTime: "2026-10-20T12:01:00Z" };
    if (status === 200) assert.deepEqual(answer.json, expected);
    assert.deepEqual((await daybook.call("GET", SETTINGS, { key: keys.USER! })).json, expected);
  }
  daybook.setClock(NOW);
  assert.equal((await daybook.call("GET", SETTINGS, { key: keys.METER! })).status, 403);
  const rival = await daybook.call("GET", SETTINGS.replace("acme", "rival"), { key: keys.RIVAL! });
  assert.deepEqual(rival.json, none);
});

test("thresholds that are none are refused, all at once, and change nothing", async () => {
  const field = "monthlySpendUsdThresholds";
  const whole = "it must be whole dollars from 1 to 1000000000";
  const digits = "it must be a whole number of at most 19 digits, as text where it is past 9007199254740991";
  // biome-ignore format: a ledger
  const cases: [sent: unknown, ...sentences: string[]][] = [
    [undefined,            "body: an object was sent; it must be an object with at least 1 field"],
    ["500",                `${field}: "500" was sent; it must be of type array`],
    [["0"],                `${field}.0: "0" was sent; ${whole}`],
    [["-5", 1000000001],   `${field}.0: "-5" was sent; ${whole}`, `${field}.1: "1000000001" was sent; ${whole}`],
    [["500", "500"],       `${field}.1: "500" was sent; it must be more than the threshold before it, 500`],
    [["800", "500", "9"],  `${field}.1: "500" was sent; it must be more than the threshold before it, 800`, `${field}.2: "9" was sent; it must be more than the threshold before it, 500`],
    [["5.50", "x", 0],     `${field}.0: "5.50" was sent; ${digits}`, `${field}.1: "x" was sent; ${digits}`, `${field}.2: "0" was sent; ${whole}`],
    [[5.5, null],          `${field}.0: 5.5 was sent; it must be of type string or integer`, `${field}.1: null was sent; it must be of type string or integer`],
    [Array.from({ length: 21 }, (_, at) => at + 1), `${field}: an array was sent; it must be a list of at most 20`],
  ];
  for (const [sent, ...sentences] of cases) {
    const { status, json } = await daybook.call("PATCH", SETTINGS, { key: keys.ADMIN!, body: { [field]: sent } });
    assert.equal(status, 400, JSON.stringify(sent));
    assert.deepEqual(sentencesOf(json), sentences, JSON.stringify(sent));
  }
  const { json } = await daybook.call("GET", SETTINGS, { key: keys.ADMIN! });
  assert.deepEqual(json.monthlySpendUsdThresholds, []);
});

test("a webhook has an address and a secret, which is never shown", async () => {
  // biome-ignore format: a ledger
  const cases: [body: object, sentence: string][] = [
    [{ webhookUrl: "https://hooks.example/x" },        "webhookSecret: is required; send it with the webhookUrl: it signs the notices"],
    [{ webhookUrl: "ftp://x.example" },                'webhookUrl: "ftp://x.example" was sent; it must be an http or https address of at most 1,024 characters'],
    [{ webhookUrl: "https://u:p@x.example/secret" },   'webhookUrl: "https://x.example" was sent; it must have no user, password or fragment'],
    [{ webhookUrl: "https://x.example", webhookSecret: "short" }, 'webhookSecret: "5 characters" was sent; it must be 16 to 256 visible ASCII characters'],
  ];
  for (const [body, sentence] of cases) {
    const { status, json } = await daybook.call("PATCH", SETTINGS, { key: keys.ADMIN!, body });
    assert.deepEqual([status, json.message], [400, sentence]);
  }
  const body = { webhookUrl: "https://hooks.example/x", webhookSecret: "whsec_0123456789abcdef" };
  const set = await daybook.call("PATCH", SETTINGS, { key: keys.ADMIN!, body });
  assert.deepEqual([set.status, set.json.webhookUrl], [200, body.webhookUrl]);
  assert.ok(!set.text.includes("whsec") && !daybook.log.some((line) => line.includes("whsec")));
  const gone = await daybook.call("PATCH", SETTINGS, { key: keys.ADMIN!, body: { webhookUrl: "" } });
  assert.equal(gone.json.webhookUrl, "");
});

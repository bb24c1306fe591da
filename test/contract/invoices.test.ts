/** Invoices: one for each UTC month with usage, of exactly what billingUsage says of the month. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Daybook,
  linesOf,
  OPERATOR_KEY,
  post,
  queryString,
  startDaybook,
  usageOf,
  writeUsage,
} from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const COLUMNS = "name | state | startTime | endTime | amount.units | amount.nanos";
const words = {
  TEXT: "TEXT_COMPLETION_INFERENCE_USAGE",
  K2: "accounts/fireworks/models/kimi-k2p6",
  H200: "NVIDIA_H200_141GB",
};
const HEAD = "id | time | usageType | model | promptTokens | cachedPromptTokens";

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook(NOW);
});
after(() => daybook.close());

async function invoicesOf(account: string, query: Record<string, string> = {}, key = OPERATOR_KEY) {
  const path = `/v1/accounts/${account}/billing/invoices?${queryString(query)}`;
  const { status, json, text } = await daybook.call("GET", path, { key });
  assert.equal(status, 200, text);
  return json;
}

test("an account without usage has no invoice; the running month's is there when asked for", async () => {
  await daybook.account("idle");
  assert.deepEqual(await invoicesOf("idle"), { invoices: [], totalSize: 0 });
  assert.deepEqual(await invoicesOf("idle", { showPending: "false" }), { invoices: [], totalSize: 0 });
  const pending = {
    name: "accounts/idle/invoices/2026-10",
    state: "PENDING",
    startTime: "2026-10-01T00:00:00Z",
    endTime: "2026-11-01T00:00:00Z",
    amount: { currencyCode: "USD", units: "0", nanos: 0 },
    subtotal: { currencyCode: "USD", units: "0", nanos: 0 },
    total: { currencyCode: "USD", units: "0", nanos: 0 },
    unpricedQuantities: [],
    priceBookVersion: "1",
  };
  assert.deepEqual(await invoicesOf("idle", { showPending: "true" }), { invoices: [pending], totalSize: 1 });
  assert.deepEqual(await invoicesOf("idle", { show_pending: "true" }), { invoices: [pending], totalSize: 1 });
});

test("months in UTC to the millisecond, newest first, each amount rounded once; months without usage have none", async () => {
  await daybook.account("months");
  const table = `${HEAD}
    a | 2026-05-31T23:59:59.999Z | TEXT | K2 | 1000000 |
    b | 2026-06-01T00:00:00Z     | TEXT | K2 | 2000000 |
    c | 2026-09-30T23:59:59.999Z | TEXT | K2 | 1 | 1
    d | 2026-10-01T00:00:00Z     | TEXT | K2 | 3 |
    e | 2026-10-21T12:00:00Z     | TEXT | K2 | 4 |
    o | 2000-01-01T00:00:00Z     | TEXT | K2 | 7 | 2`;
  await writeUsage(daybook, "months", table, words);
  const closed = [
    "accounts/months/invoices/2026-09 | CLOSED | 2026-09-01T00:00:00Z | 2026-10-01T00:00:00Z | 0 | 160",
    "accounts/months/invoices/2026-06 | CLOSED | 2026-06-01T00:00:00Z | 2026-07-01T00:00:00Z | 1 | 900000000",
    "accounts/months/invoices/2026-05 | CLOSED | 2026-05-01T00:00:00Z | 2026-06-01T00:00:00Z | 0 | 950000000",
    "accounts/months/invoices/2000-01 | CLOSED | 2000-01-01T00:00:00Z | 2000-02-01T00:00:00Z | 0 | 0",
  ];
  // What was accepted ahead of the clock is in its month.
  const pending = "accounts/months/invoices/2026-10 | PENDING | 2026-10-01T00:00:00Z | 2026-11-01T00:00:00Z | 0 | 6650";
  const without = await invoicesOf("months");
  assert.deepEqual([linesOf(without.invoices, COLUMNS), without.totalSize], [closed, 4]);
  const all = await invoicesOf("months", { showPending: "true" });
  assert.deepEqual([linesOf(all.invoices, COLUMNS), all.totalSize], [[pending, ...closed], 5]);
  // The book begins later than January 2000: named, not priced at zero in silence.
  assert.deepEqual(all.invoices.at(-1).unpricedQuantities, [
    { quantity: "uncachedPromptTokens", amount: "5" },
    { quantity: "cachedPromptTokens", amount: "2" },
  ]);

  const names: string[] = [];
  let pageToken = "";
  do {
    const page = await invoicesOf("months", { showPending: "true", pageSize: "2", ...(pageToken && { pageToken }) });
    assert.equal(page.totalSize, 5);
    names.push(...page.invoices.map(({ name }: { name: string }) => name.slice(-7)));
    pageToken = page.nextPageToken ?? "";
  } while (pageToken !== "");
  assert.deepEqual(names, ["2026-10", "2026-09", "2026-06", "2026-05", "2000-01"]);

  await post(daybook, "/v1/accounts/months/usageEvents:void", { ids: ["b", "c"] });
  const left = await invoicesOf("months");
  assert.deepEqual(linesOf(left.invoices, "name"), [
    "accounts/months/invoices/2026-05",
    "accounts/months/invoices/2000-01",
  ]);
  daybook.setClock("2026-11-01T00:00:00Z");
  try {
    const next = await invoicesOf("months", { showPending: "true" });
    assert.deepEqual(linesOf(next.invoices, "name | state"), [
      "accounts/months/invoices/2026-11 | PENDING",
      "accounts/months/invoices/2026-10 | CLOSED",
      "accounts/months/invoices/2026-05 | CLOSED",
      "accounts/months/invoices/2000-01 | CLOSED",
    ]);
  } finally {
    daybook.setClock(NOW);
  }
});

test("a month's amount is the sum of its billingUsage rows: three streams, price changes, deployments up to now", async () => {
  await daybook.account("sums");
  const table = `id | time             | usageType                  | model                              | promptTokens | cachedPromptTokens | jobType | baseModel | tokens | acceleratorType | acceleratorSeconds
    a | 2026-07-31T23:50:00Z | TEXT                       | accounts/fireworks/models/glm-5p2  | 1000003      | 1000001            |     |           |         |                  |
    b | 2026-08-01T00:00:00Z | TEXT                       | accounts/fireworks/models/glm-5p2  | 1000003      | 1000001            |     |           |         |                  |
    c | 2026-08-31T23:59:59.999Z | DEDICATED_DEPLOYMENT_USAGE |                                |              |                    |     |           |         | NVIDIA_H100_80GB | 1.001
    d | 2026-09-01T00:00:00Z | DEDICATED_DEPLOYMENT_USAGE |                                    |              |                    |     |           |         | NVIDIA_H100_80GB | 1.001
    e | 2026-08-15T00:00:00Z | TRAINING_TOKEN_USAGE       |                                    |              |                    | SFT | accounts/fireworks/models/llama-v3p1-8b-instruct | 1234567 | |
    f | 2026-08-15T00:00:00Z | TEXT                       | nobody-knows                       | 9            |                    |     |           |         |                  |`;
  await writeUsage(daybook, "sums", table, words);
  const make = { name: "chat", acceleratorType: "NVIDIA_H200_141GB", placement: "US" };
  await post(daybook, "/v1/accounts/sums/deployments", make);
  // Runs from August on, through a month without any event of its own, to now.
  await post(daybook, "/v1/accounts/sums/deployments/chat:scale", {
    replicaCount: 1,
    time: "2026-08-20T01:02:03.004Z",
  });
  const { invoices } = await invoicesOf("sums", { showPending: "true" });
  assert.deepEqual(
    linesOf(invoices, "name"),
    ["10", "09", "08", "07"].map((month) => `accounts/sums/invoices/2026-${month}`),
  );
  for (const { name, startTime, endTime, amount } of invoices) {
    const { text } = await usageOf(daybook, "sums", { startTime, endTime });
    const nanos = [...text.matchAll(/"costNanoUsd":(\d+)/g)].reduce((sum, [, digits]) => sum + BigInt(digits!), 0n);
    const billed = BigInt(amount.units) * 1_000_000_000n + BigInt(amount.nanos);
    // Rows are rounded one by one, the invoice once.
    const rows = BigInt(text.split('"costNanoUsd"').length);
    const off = billed - nanos;
    assert.ok(nanos > 0n && off * 2n <= rows && -off * 2n <= rows, `${name}: ${billed} and ${nanos}`);
  }
  const unpriced = invoices.map((one: { unpricedQuantities: object[] }) => one.unpricedQuantities);
  assert.deepEqual(unpriced, [[], [], [{ quantity: "uncachedPromptTokens", amount: "9" }], []]);
  const quota = await daybook.call("GET", "/v1/accounts/sums/quotas/monthly-spend-usd", { key: OPERATOR_KEY });
  const [{ amount }] = invoices;
  assert.equal(quota.json.usage, Number(`${amount.units}.${String(amount.nanos).padStart(9, "0")}`));
});

test("a life of many years: each month counted, whatever the run of months it is read in", async () => {
  await daybook.account("old");
  const months = Array.from({ length: 60 }, (_, at) => new Date(Date.UTC(2021, 10 + at, 1)).toISOString());
  const rows = months.map((time, at) => `e${at} | ${time} | TEXT | K2 | ${at + 1} |`);
  await writeUsage(daybook, "old", [HEAD, ...rows].join("\n"), words);
  const { invoices, totalSize } = await invoicesOf("old", { showPending: "true", pageSize: "200" });
  assert.deepEqual([invoices.length, totalSize], [60, 60]);
  const names = months.map((time) => `accounts/old/invoices/${time.slice(0, 7)}`).reverse();
  assert.deepEqual(linesOf(invoices, "name"), names);
  // K2.6 is 950 nanos a token from May 2026 on; the months before have no price.
  for (const [at, { startTime, amount, unpricedQuantities }] of invoices.entries()) {
    const tokens = 60 - at;
    if (startTime >= "2026-05") assert.deepEqual([amount.nanos, unpricedQuantities], [tokens * 950, []], startTime);
    else assert.deepEqual(unpricedQuantities, [{ quantity: "uncachedPromptTokens", amount: `${tokens}` }], startTime);
  }
});

test("who sees them, and what is refused", async () => {
  for (const account of ["acme", "rival"]) await daybook.account(account);
  await writeUsage(daybook, "acme", `${HEAD}\na | 2026-09-01T00:00:00Z | TEXT | K2 | 1 |`, words);
  const keys: Record<string, string> = { OPERATOR: OPERATOR_KEY };
  for (const role of ["ADMIN", "USER", "METER"]) keys[role] = (await daybook.key("acme", { role })).key;
  keys.RIVAL = (await daybook.key("rival", { role: "ADMIN" })).key;
  const path = "/v1/accounts/acme/billing/invoices";
  // biome-ignore format: a ledger
  const cases: [role: string, query: string, status: number, message?: string | RegExp][] = [
    ["OPERATOR", "",                               200],
    ["ADMIN",    "",                               200],
    ["USER",     "showPending=true",               200],
    ["METER",    "",                               403, /^role: "METER" may not do this/],
    ["RIVAL",    "",                               404, 'account: "acme" was not found'],
    ["ADMIN",    "showPending=yes",                400, 'showPending: "yes" was sent; allowed are true, false'],
    ["ADMIN",    "showPending=",                   400, 'showPending: "" was sent; allowed are true, false'],
    ["ADMIN",    "showPending=true&showPending=true", 400, /^showPending: was sent 2 times/],
    ["ADMIN",    "pageSize=-1",                    400, /^pageSize: "-1" was sent; it must be a whole number/],
    ["ADMIN",    "pageToken=garbage",              400, /^pageToken: "garbage" is not a page token of this list/],
    ["ADMIN",    "startTime=2026-01-01T00:00:00Z", 400, "startTime: unknown query parameter; allowed are showPending, pageSize, pageToken"],
  ];
  for (const [role, query, status, message] of cases) {
    const answer = await daybook.call("GET", `${path}?${query}`, { key: keys[role]! });
    assert.equal(answer.status, status, `${role} ${query}: ${answer.text}`);
    if (message instanceof RegExp) assert.match(answer.json.message, message);
    else assert.equal(answer.json.message, message, query);
  }
  assert.deepEqual(await invoicesOf("rival"), { invoices: [], totalSize: 0 }, "another account's usage");
});

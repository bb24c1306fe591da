/** Prices with a history over real HTTP: a correction, an answer as of before it, an issued invoice, a contract. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Answer,
  type Daybook,
  linesOf,
  OPERATOR_KEY,
  post,
  queryString,
  startDaybook,
  writeUsage,
} from "./serving.ts";

const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";
const HEAD = "id | time | usageType | model | promptTokens | cachedPromptTokens | completionTokens | apiKeyId | user";
const RANGE = { startTime: "2026-10-05T00:00:00Z", endTime: "2026-10-06T00:00:00Z" };

/** A list book with one price of a million input tokens, and a graphics card. */
function listBook(input: string): string {
  return `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.1", restrictedPlacement: "1.5", source: test }
prices:
  - match: { model: m }
    perMillionTokens: { input: "${input}", output: "10" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: test
  - match: { acceleratorType: NVIDIA_H100_80GB }
    perAcceleratorHour: "8"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: test
`;
}

const CONTRACT = `currency: USD
prices:
  - match: { model: m }
    perMillionTokens: { output: "6" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: agreement
discounts:
  - match: { model: m }
    percent: "25"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: agreement
`;

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
  await put("2026-10-20T12:00:01Z", listBook("2"));
  daybook.setClock("2026-10-20T12:00:10Z");
});
after(() => daybook.close());

/** Puts a book at a time; its version. */
async function put(time: string, document: string, account?: string): Promise<string> {
  daybook.setClock(time);
  const priceBook = { document, ...(account !== undefined && { account }) };
  return (await post(daybook, "/v1/priceBooks", { priceBook })).json.version;
}

async function get(path: string, account = "acme"): Promise<Answer> {
  const answer = await daybook.call("GET", `/v1/accounts/${account}/${path}`, { key: OPERATOR_KEY });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

async function costs(account: string, more: object = {}): Promise<Answer> {
  return post(daybook, `/v1/accounts/${account}/usageCosts:query`, { ...RANGE, groupBy: ["DAY", "MODEL"], ...more });
}

/** Every report of an account, each as it is asked. */
function reports(account: string, asOf?: string): Promise<Answer[]> {
  const known = asOf === undefined ? {} : { asOf };
  const query = queryString({ ...RANGE, ...known });
  const body = { ...RANGE, ...known };
  return Promise.all([
    get(`billingUsage?${query}`, account),
    post(daybook, `/v1/accounts/${account}/billingUsage:query`, body),
    get(`billing/summary?${query}&granularity=DAILY`, account),
    get(`billingUsage:explain?${query}&row[startTime]=${RANGE.startTime}&group[model_name]=m`, account),
    get(`billingUsage?${query.replace("asOf", "as_of")}&granularity=HOURLY&timezone=Asia/Kathmandu`, account),
  ]);
}

const BASIS = ["price-book-version", "price-book-hash", "contract-version", "tzdb-version", "ledger-position"];
const basisOf = ({ headers }: Answer): (string | null)[] => BASIS.map((name) => headers.get(`x-daybook-${name}`));

test("as of before a correction the answers have their old bytes; now they have the new price", async () => {
  daybook.setClock("2026-10-20T12:01:00Z");
  await daybook.account("acme");
  await writeUsage(
    daybook,
    "acme",
    `${HEAD}\n a | 2026-10-05T10:00:00Z | ${TEXT} | m | 1000003 | 400001 | 20 | k | ada`,
  );
  const old = await reports("acme");
  const oldCosts = await costs("acme");
  await put("2026-10-20T12:05:00Z", listBook("3"));
  daybook.setClock("2026-10-20T12:10:00Z");
  const asOf = "2026-10-20T14:04:59.999+02:00";
  const told = await reports("acme", asOf);
  for (const [at, answer] of told.entries()) {
    assert.equal(answer.text, old[at]!.text);
    assert.deepEqual(basisOf(answer), basisOf(old[at]!), "and the same basis");
  }
  const { evaluationTime: _, ...before } = oldCosts.json;
  const { evaluationTime: __, ...again } = (await costs("acme", { asOf })).json;
  assert.deepEqual(again, before);
  const now = await reports("acme");
  for (const [at, answer] of now.entries()) {
    assert.notEqual(answer.text, old[at]!.text);
    assert.notDeepEqual(basisOf(answer), basisOf(old[at]!));
  }
  // 600,002 at $2, 400,001 at $0.20 and 20 at $10; then a half more of the first two.
  assert.equal(old[0]!.json.serverlessCosts[0].costNanoUsd, 1_280_204_200);
  assert.equal(now[0]!.json.serverlessCosts[0].costNanoUsd, 1_920_206_300);
  // At the instant itself the correction is known.
  assert.equal((await reports("acme", "2026-10-20T12:05:00Z"))[0]!.text, now[0]!.text);
});

test("asOf: what is refused", async () => {
  daybook.setClock("2026-10-20T12:10:00Z");
  const early = "is before the first price book was known; the earliest allowed is 2026-10-20T12:00:00Z";
  // biome-ignore format: a ledger
  const cases: [asOf: string, message: string][] = [
    ["yesterday", 'asOf: "yesterday" is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z'],
    ["2026-10-20T12:10:00Z", 'asOf: "2026-10-20T12:10:00Z" is not over yet (2026-10-20T12:10:00Z now); send an earlier time, or leave it out for the newest prices'],
    ["2026-10-20T11:59:59Z", `asOf: "2026-10-20T11:59:59Z" ${early}`],
  ];
  for (const [asOf, message] of cases) {
    for (const path of ["billingUsage", "billing/summary", "billingUsage:explain"]) {
      const query = queryString({ ...RANGE, asOf });
      const answer = await daybook.call("GET", `/v1/accounts/acme/${path}?${query}`, { key: OPERATOR_KEY });
      assert.deepEqual([answer.status, answer.json.message], [400, message], path);
    }
    const body = { ...RANGE, asOf };
    const answer = await daybook.call("POST", "/v1/accounts/acme/usageCosts:query", { key: OPERATOR_KEY, body });
    assert.deepEqual([answer.status, answer.json.message], [400, message]);
  }
});

test("a page token of one knowledge is refused with another", async () => {
  await daybook.account("paged");
  const rows = ["k1", "k2"].map((key) => ` ${key} | 2026-10-05T10:00:00Z | ${TEXT} | m | 1 | | | ${key} | ada`);
  await writeUsage(daybook, "paged", [HEAD, ...rows].join("\n"));
  daybook.setClock("2026-10-20T12:11:00Z");
  const ask = { groupBy: ["API_KEY"], pageSize: 1 };
  const pageToken: string = (await costs("paged", { ...ask, asOf: "2026-10-20T12:10:00Z" })).json.nextPageToken;
  const body = { ...RANGE, ...ask, pageToken };
  const other = await daybook.call("POST", "/v1/accounts/paged/usageCosts:query", { key: OPERATOR_KEY, body });
  assert.match(other.json.message, /^pageToken: .* was given for another question/);
  assert.equal((await costs("paged", { ...ask, pageToken, asOf: "2026-10-20T12:10:00Z" })).json.rows.length, 1);
});

test("an issued invoice keeps its bytes after a correction; the running month takes the new price", async () => {
  daybook.setClock("2026-11-10T00:00:00Z");
  await daybook.account("billed");
  const rows = ["2026-10-05T10:00:00Z", "2026-11-05T10:00:00Z"].map(
    (time, at) => `${at} | ${time} | ${TEXT} | m | 1000000 | | | |`,
  );
  await writeUsage(daybook, "billed", [HEAD, ...rows].join("\n"));
  const invoices = async () => (await get("billing/invoices?showPending=true", "billed")).json.invoices;
  const [pending, closed] = await invoices();
  const version = await put("2026-11-10T00:00:01Z", listBook("4"));
  daybook.setClock("2026-11-10T00:00:02Z");
  const [corrected, kept] = await invoices();
  assert.equal(JSON.stringify(kept), JSON.stringify(closed));
  assert.deepEqual([closed.priceBookVersion, closed.amount.units], ["3", "3"]);
  assert.deepEqual([pending.amount.units, corrected.amount.units, corrected.priceBookVersion], ["3", "4", version]);
  // November ends with version 4 known: a later correction does not touch it either.
  await put("2026-12-02T00:00:00Z", listBook("5"));
  daybook.setClock("2026-12-03T00:00:00Z");
  const [, november, october] = await invoices();
  assert.deepEqual(november, { ...corrected, state: "CLOSED" });
  assert.equal(JSON.stringify(october), JSON.stringify(closed));
});

test("a contract: list and net in every report, and what an account without one sees stays as it was", async () => {
  daybook.setClock("2026-12-03T00:00:00Z");
  await put("2026-12-03T00:00:01Z", listBook("2"));
  for (const account of ["big", "small"]) {
    await daybook.account(account);
    const rows = [
      ` a | 2026-10-05T10:00:00Z | ${TEXT} | m | 1000000 | 500000 | 1000000 | k | ada`,
      ` b | 2026-10-05T11:00:00Z | ${TEXT} | nobody-knows | 7 | | | k | ada`,
    ];
    await writeUsage(daybook, account, [HEAD, ...rows].join("\n"));
  }
  const contract = await put("2026-12-03T00:00:02Z", CONTRACT, "big");
  daybook.setClock("2026-12-03T00:01:00Z");
  const usd = (units: string, nanos = 0) => ({ currencyCode: "USD", units, nanos });
  // 500,000 at $2, 500,000 at $0.20, 1,000,000 at $10; net: 25 % less of the first two, and $6.
  const [list, net] = [usd("11", 100_000_000), usd("6", 825_000_000)];

  const usage = await get(`billingUsage?${queryString(RANGE)}`, "big");
  assert.deepEqual(
    linesOf(usage.json.serverlessCosts, "modelName | costNanoUsd | cost.units | listCost.units | listCost.nanos"),
    ["m | 6825000000 | 6 | 11 | 100000000", "nobody-knows | 0 | 0 | 0 | 0"],
  );
  assert.equal(usage.headers.get("x-daybook-contract-version"), contract);
  const plain = await get(`billingUsage?${queryString(RANGE)}`, "small");
  assert.ok(!plain.text.includes("listCost"));
  assert.equal(plain.headers.get("x-daybook-contract-version"), null);
  const asOf = { asOf: "2026-12-03T00:00:01.500Z" };
  assert.equal((await get(`billingUsage?${queryString({ ...RANGE, ...asOf })}`, "big")).text, plain.text);

  const summary = (await get(`billing/summary?${queryString(RANGE)}`, "big")).json;
  assert.deepEqual([summary.subtotal, summary.total, summary.totalCost], [list, net, net]);
  assert.deepEqual(
    linesOf(
      summary.lineItems,
      "category | quantity | unitAmount.nanos | totalCost.units | totalCost.nanos | listUnitAmount.nanos | listCost.units | listCost.nanos",
    ),
    [
      "LLM input tokens (cached) | 500000 | 150 | 0 | 75000000 | 200 | 0 | 100000000",
      "LLM input tokens (uncached) | 500000 | 1500 | 0 | 750000000 | 2000 | 1 | 0",
      "LLM output tokens | 1000000 | 6000 | 6 | 0 | 10000 | 10 | 0",
    ],
  );
  assert.deepEqual(summary.seriesTotals[0], { series: "SERVERLESS", totalCost: net, listCost: list });
  const small = (await get(`billing/summary?${queryString(RANGE)}`, "small")).json;
  assert.deepEqual([small.subtotal, small.total], [list, list]);
  assert.ok(!JSON.stringify(small).includes("listUnitAmount"));

  const rated = (await costs("big")).json;
  assert.deepEqual([rated.subtotal, rated.total], [list, net]);
  assert.deepEqual([rated.rows[0].subtotal, rated.rows[0].total], [list, net]);

  // The contract came after October: its invoice is by the list, for ever. What is spent counts net.
  const now = ` c | 2026-12-03T00:00:30Z | ${TEXT} | m | | | 1000000 | k | ada`;
  await writeUsage(daybook, "big", `${HEAD}\n${now}`);
  const { invoices } = (await get("billing/invoices?showPending=true", "big")).json;
  assert.deepEqual(
    linesOf(invoices, "name | subtotal.units | total.units | amount.units | priceBookVersion | contractVersion"),
    [
      `accounts/big/invoices/2026-12 | 10 | 6 | 6 | ${Number(contract) - 1} | ${contract}`,
      // By the $3 that was known when October ended.
      "accounts/big/invoices/2026-10 | 11 | 11 | 11 | 3 | absent",
    ],
  );
  const quota = await get("quotas/monthly-spend-usd", "big");
  assert.equal(quota.json.usage, 6);
});

test("every report tells what it was made of; equal telling means equal bytes", async () => {
  const export_ = await get(`billing/metrics:export?${queryString(RANGE)}`, "big");
  const invoices = await get("billing/invoices", "big");
  const answers = [...(await reports("big")), await costs("big"), invoices, export_];
  for (const answer of answers) {
    const { headers } = answer;
    assert.match(headers.get("x-daybook-price-book-version") ?? "", /^\d+$/);
    assert.match(headers.get("x-daybook-price-book-hash") ?? "", /^[0-9a-f]{64}$/);
    assert.match(headers.get("x-daybook-ledger-position") ?? "", /^[1-9]\d*$/);
    assert.equal(headers.get("x-daybook-tzdb-version"), process.versions.tz);
    assert.equal(headers.get("x-daybook-evaluation-time"), "2026-12-03T00:01:00Z");
  }
  const before = await reports("small");
  daybook.setClock("2026-12-03T01:00:00Z");
  const again = await reports("small");
  for (const [at, answer] of before.entries()) {
    assert.deepEqual(basisOf(again[at]!), basisOf(answer));
    assert.equal(again[at]!.text, answer.text);
  }
  await writeUsage(daybook, "small", `${HEAD}\n z | 2026-10-05T10:00:00Z | ${TEXT} | m | 1 | | | k | ada`);
  const [later] = await reports("small");
  assert.notEqual(basisOf(later!)[4], basisOf(before[0]!)[4]);
});

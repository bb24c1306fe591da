/** Who may call what: every operation of openapi.json, every role, one's own account, another's and none at all. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Daybook, OPERATOR_KEY, post, startDaybook } from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const RANGE = { startTime: "2026-10-05T00:00:00Z", endTime: "2026-10-06T00:00:00Z" };
const QUERY = "startTime=2026-10-05T00:00:00Z&endTime=2026-10-06T00:00:00Z";
const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";
const NO_KEY =
  '{"code":16,"message":"Authorization: no valid API key; send Authorization: Bearer <key> with a key that is not revoked or expired","details":[]}';

let daybook: Daybook;
/** The keys of the account acme, and the operator's. */
const keys: Record<"OPERATOR" | "ADMIN" | "USER" | "METER", string> = { OPERATOR: OPERATOR_KEY, ADMIN: "", USER: "", METER: "" }; // biome-ignore format: one line
let revoked: string;
let expired: string;

before(async () => {
  daybook = await startDaybook(NOW);
  for (const account of ["acme", "rival"]) {
    await daybook.account(account);
    await post(daybook, `/v1/accounts/${account}/users`, { name: "ada" });
    await post(daybook, `/v1/accounts/${account}/deployments`, { name: "d", acceleratorType: "NVIDIA_L4_24GB" });
    const events = [{ id: "e", time: "2026-10-05T10:00:00Z", usageType: TEXT, promptTokens: 1 }];
    await post(daybook, `/v1/accounts/${account}/usageEvents:batchCreate`, { events });
  }
  keys.ADMIN = (await daybook.key("acme", { role: "ADMIN" })).key;
  keys.USER = (await daybook.key("acme", { role: "USER" }, "ada")).key;
  keys.METER = (await daybook.key("acme", { role: "METER" })).key;
  const gone = await daybook.key("acme", { role: "ADMIN" });
  await post(daybook, "/v1/accounts/acme/users/admin/apiKeys:delete", { keyId: gone.keyId });
  revoked = gone.key;
  expired = (await daybook.key("acme", { role: "ADMIN", expireTime: "2026-10-20T13:00:00Z" })).key;
});
after(() => daybook.close());

const A = "/v1/accounts/{account_id}";
// What each role gets in its own account; the operator in any that exists. The paths' other parameters are named here.
// biome-ignore format: a ledger
const TABLE: [operation: string, parameter: string, query: string, body: object | undefined, operator: number, admin: number, user: number, meter: number][] = [
  ["GET /healthz",                               "",     "",    undefined,                 200, 200, 200, 200],
  ["GET /readyz",                                "",     "",    undefined,                 200, 200, 200, 200],
  ["GET /metrics",                               "",     "",    undefined,                 200, 200, 200, 200],
  ["GET /verifyApiKey",                          "",     "",    undefined,                 200, 200, 200, 200],
  ["GET /v1/accounts",                           "",     "",    undefined,                 200, 200, 200, 200],
  ["POST /v1/accounts",                          "",     "",    {},                        400, 403, 403, 403],
  [`GET ${A}`,                                   "",     "",    undefined,                 200, 200, 200, 200],
  [`PATCH ${A}`,                                 "",     "",    { timezone: "UTC" },       200, 200, 403, 403],
  [`GET ${A}/users`,                             "",     "",    undefined,                 200, 200, 200, 403],
  [`POST ${A}/users`,                            "",     "",    {},                        400, 400, 403, 403],
  [`GET ${A}/users/{user_id}`,                   "ada",  "",    undefined,                 200, 200, 200, 403],
  [`GET ${A}/users/{user_id}/apiKeys`,           "-",    "",    undefined,                 200, 200, 200, 403],
  [`GET ${A}/users/{user_id}/apiKeys`,           "ada",  "",    undefined,                 200, 200, 200, 403],
  [`GET ${A}/users/{user_id}/apiKeys`,           "admin", "",   undefined,                 200, 200, 403, 403],
  [`POST ${A}/users/{user_id}/apiKeys`,          "ada",  "",    {},                        200, 200, 200, 403],
  [`POST ${A}/users/{user_id}/apiKeys`,          "admin", "",   {},                        200, 200, 403, 403],
  [`POST ${A}/users/{user_id}/apiKeys`,          "ada",  "",    { apiKey: { role: "OPERATOR" } }, 200, 403, 403, 403],
  [`POST ${A}/users/{user_id}/apiKeys`,          "ada",  "",    { apiKey: { role: "ADMIN" } },    200, 200, 403, 403],
  [`POST ${A}/users/{user_id}/apiKeys:delete`,   "-",    "",    { keyId: "key_none" },     404, 404, 404, 403],
  [`GET ${A}/deployments`,                       "",     "",    undefined,                 200, 200, 200, 403],
  [`POST ${A}/deployments`,                      "",     "",    {},                        400, 400, 403, 403],
  [`GET ${A}/deployments/{deployment_id}`,       "d",    "",    undefined,                 200, 200, 200, 403],
  [`PATCH ${A}/deployments/{deployment_id}`,     "d",    "",    {},                        200, 200, 403, 403],
  [`DELETE ${A}/deployments/{deployment_id}`,    "gone", "",    undefined,                 404, 404, 403, 403],
  [`POST ${A}/deployments/{deployment_id}:scale`, "d",   "",    { replicaCount: 0 },       200, 200, 403, 403],
  [`GET ${A}/quotas`,                            "",     "",    undefined,                 200, 200, 200, 403],
  [`GET ${A}/quotas/{quota_id}`,                 "serverless-inference-rpm", "", undefined, 200, 200, 200, 403],
  [`PATCH ${A}/quotas/{quota_id}`,               "serverless-inference-rpm", "", { value: "1" }, 200, 200, 403, 403],
  [`PATCH ${A}/quotas/{quota_id}`,               "serverless-inference-rpm", "", { maxValue: "0" }, 400, 403, 403, 403],
  [`GET ${A}/budgets`,                           "",     "",    undefined,                 200, 200, 200, 403],
  [`POST ${A}/budgets`,                          "",     "",    {},                        400, 400, 403, 403],
  [`PATCH ${A}/budgets/{budget_id}`,             "none", "",    { monthlyUsd: "1" },       404, 404, 403, 403],
  [`DELETE ${A}/budgets/{budget_id}`,            "none", "",    undefined,                 404, 404, 403, 403],
  [`GET ${A}/billing/notificationSettings`,      "",     "",    undefined,                 200, 200, 200, 403],
  [`PATCH ${A}/billing/notificationSettings`,    "",     "",    { monthlySpendUsdThresholds: [] }, 200, 200, 403, 403],
  [`GET ${A}/billing/invoices`,                  "",     "",    undefined,                 200, 200, 200, 403],
  [`POST ${A}/usageEvents:batchCreate`,          "",     "",    { events: [] },            200, 200, 403, 200],
  [`POST ${A}/usageEvents:void`,                 "",     "",    { ids: ["none"] },         200, 200, 403, 200],
  [`GET ${A}/usageEvents:tail`,                  "",     "forSeconds=0", undefined,        200, 200, 200, 403],
  [`GET ${A}/usageEvents/{event_id}`,            "e",    "",    undefined,                 200, 200, 200, 403],
  [`GET ${A}/billing/summary`,                   "",     QUERY, undefined,                200, 200, 200, 403],
  [`GET ${A}/billing/metrics:export`,            "",     QUERY, undefined,                 200, 200, 200, 403],
  [`POST ${A}/usageCosts:query`,                 "",     "",    RANGE,                     200, 200, 200, 403],
  [`GET ${A}/billingUsage`,                      "",     QUERY, undefined,                 200, 200, 200, 403],
  [`POST ${A}/billingUsage:query`,               "",     "",    RANGE,                     200, 200, 200, 403],
  [`GET ${A}/prices:explain`,                     "",     "model=m", undefined,            200, 200, 200, 403],
  ["GET /v1/priceBooks",                         "",     "",    undefined,                 200, 403, 403, 403],
  ["POST /v1/priceBooks",                        "",     "",    {},                        400, 403, 403, 403],
  ["POST /v1/priceBooks:check",                  "",     "",    {},                        400, 403, 403, 403],
  ["POST /v1/priceBooks:diff",                   "",     "",    { to: { version: "1" }, ...RANGE }, 200, 403, 403, 403],
  ["GET /v1/priceBooks/{version}",               "1",    "",    undefined,                 200, 403, 403, 403],
  [`GET ${A}/billingUsage:explain`,              "",     `${QUERY}&row[startTime]=2026-10-05T00:00:00Z`, undefined, 200, 200, 200, 403],
  [`POST ${A}/billingUsage:explain`,             "",     "",    RANGE,                     200, 200, 200, 403],
  [`GET ${A}/accountUsageFilterOptions`,         "",     QUERY, undefined,                 200, 200, 200, 403],
];
const PUBLIC = ["GET /healthz", "GET /readyz", "GET /metrics"];

/** One call of a line of the table, in an account. */
function callLine([operation, parameter, query, body]: (typeof TABLE)[number], account: string, key?: string) {
  const [method = "", template = ""] = operation.split(" ");
  const path = template.replace("{account_id}", account).replace(/\{\w+\}/, parameter);
  const options = { ...(key !== undefined && { key }), ...(body && { body }) };
  return daybook.call(method, query === "" ? path : `${path}?${query}`, options);
}

test("the table has every operation of openapi.json", () => {
  const named = new Set(TABLE.map(([operation]) => operation));
  assert.deepEqual([...named].sort(), [...daybook.openapi.operations.keys()].sort());
});

test("in one's own account each role gets what the table says", async () => {
  for (const line of TABLE) {
    const [operation, parameter, , body, ...expected] = line;
    const got: number[] = [];
    for (const role of ["OPERATOR", "ADMIN", "USER", "METER"] as const) {
      const { status, json } = await callLine(line, "acme", keys[role]);
      got.push(status);
      if (status !== 403) continue;
      assert.equal(json.code, 7);
      assert.match(json.message, new RegExp(`^role: "${role}" may not do this; it takes [A-Z, ]+$`));
    }
    assert.deepEqual(got, expected, `${operation} ${parameter} ${JSON.stringify(body)}`);
  }
});

test("another account is as an absent one: 404, the same bytes but for the name; an operator sees all there are", async () => {
  for (const line of TABLE.filter(([operation]) => operation.includes("{account_id}"))) {
    const [operation, , , , forOperator] = line;
    for (const role of ["ADMIN", "USER", "METER"] as const) {
      const rival = await callLine(line, "rival", keys[role]);
      const absent = await callLine(line, "nowhere", keys[role]);
      assert.deepEqual([rival.status, absent.status], [404, 404], `${operation} ${role}`);
      assert.equal(rival.text, '{"code":5,"message":"account: \\"rival\\" was not found","details":[]}', operation);
      assert.equal(absent.text, rival.text.replace("rival", "nowhere"), operation);
      const headers = (answer: typeof rival) => [...answer.headers.keys()].sort();
      assert.deepEqual(headers(absent), headers(rival), operation);
    }
    assert.equal((await callLine(line, "rival", OPERATOR_KEY)).status, forOperator, operation);
    const absent = await callLine(line, "nowhere", OPERATOR_KEY);
    assert.equal(absent.text, '{"code":5,"message":"account: \\"nowhere\\" was not found","details":[]}', operation);
  }
});

test("no key, a wrong one, a revoked one and an expired one: 401, the same bytes, whatever the account", async () => {
  daybook.setClock("2026-10-20T12:59:59.999Z");
  assert.equal((await daybook.call("GET", "/v1/accounts/acme", { key: expired })).status, 200);
  daybook.setClock("2026-10-20T13:00:00Z");
  try {
    const bad = [undefined, "", "garbage", `fw_${"0".repeat(32)}`, `${OPERATOR_KEY}x`, OPERATOR_KEY.slice(0, -1), revoked, expired, "x".repeat(5000)]; // biome-ignore format: a list
    for (const line of TABLE) {
      for (const account of ["acme", "nowhere"]) {
        for (const key of bad) {
          const { status, text, headers } = await callLine(line, account, key);
          if (PUBLIC.includes(line[0])) assert.equal(status, 200, line[0]);
          else {
            assert.deepEqual([status, text, headers.get("www-authenticate")], [401, NO_KEY, "Bearer"], line[0]);
          }
        }
      }
    }
    for (const authorization of [`Basic ${OPERATOR_KEY}`, OPERATOR_KEY, `Bearer: ${OPERATOR_KEY}`, `Bearer ${OPERATOR_KEY.toUpperCase()}`]) {
      const { status, text } = await daybook.call("GET", "/v1/accounts", { headers: { authorization } });
      assert.deepEqual([status, text], [401, NO_KEY], authorization);
    } // biome-ignore format: one list
    const lower = await daybook.call("GET", "/v1/accounts", { headers: { authorization: `bearer ${OPERATOR_KEY}` } });
    assert.equal(lower.status, 200);
  } finally {
    daybook.setClock(NOW);
  }
});

test("what is of another account is as what is not there, through one's own paths too", async () => {
  const theirs = await daybook.key("rival", { role: "USER" }, "ada");
  await post(daybook, "/v1/accounts/rival/deployments", { name: "theirs", acceleratorType: "NVIDIA_L4_24GB" });
  const event = { id: "theirs", time: "2026-10-05T10:00:00Z", usageType: TEXT, model: "their-model", promptTokens: 7 };
  await post(daybook, "/v1/accounts/rival/usageEvents:batchCreate", { events: [event] });
  // biome-ignore format: a ledger
  const cases: [method: string, path: string, body?: (name: string) => object][] = [
    ["GET",    "deployments/{}"],
    ["PATCH",  "deployments/{}",          () => ({ displayName: "x" })],
    ["DELETE", "deployments/{}"],
    ["POST",   "deployments/{}:scale",    () => ({ replicaCount: 1 })],
    ["GET",    "usageEvents/{}"],
    ["POST",   "users/-/apiKeys:delete",  (name) => ({ keyId: name === "theirs" ? theirs.keyId : "key_0000000000000000" })],
  ];
  for (const [method, path, body] of cases) {
    const calls = ["theirs", "nothing"].map((name) => {
      const options = { key: keys.ADMIN, ...(body && { body: body(name) }) };
      return daybook.call(method, `/v1/accounts/acme/${path.replace("{}", name)}`, options);
    });
    const [known, unknown] = await Promise.all(calls);
    assert.deepEqual([known!.status, unknown!.status], [404, 404], path);
    const plain = (text: string): string => text.replace(theirs.keyId, "*").replace(/theirs|nothing|key_0{16}/, "*");
    assert.equal(plain(known!.text), plain(unknown!.text), path);
  }
  const voided = await daybook.call("POST", "/v1/accounts/acme/usageEvents:void", {
    key: keys.METER,
    body: { ids: ["theirs"] },
  });
  assert.deepEqual(voided.json, { voided: 0, alreadyVoided: 0, notFound: [{ index: 0, id: "theirs" }] });
  const filter = { api_key_id: { values: [theirs.keyId] }, model_name: { values: ["their-model"] } };
  for (const one of Object.entries(filter)) {
    const body = { ...RANGE, filter: Object.fromEntries([one]) };
    const usage = await daybook.call("POST", "/v1/accounts/acme/billingUsage:query", { key: keys.USER, body });
    assert.deepEqual(usage.json.serverlessCosts, []);
  }
  const options = await daybook.call("GET", `/v1/accounts/acme/accountUsageFilterOptions?${QUERY}`, { key: keys.USER });
  assert.ok(!options.text.includes("their"), options.text);
  assert.equal((await daybook.call("GET", "/verifyApiKey", { key: theirs.key })).status, 200);
});

test("spaces between the scheme and the key", async () => {
  const { status } = await daybook.call("GET", "/v1/accounts", {
    headers: { authorization: `Bearer  ${OPERATOR_KEY}` },
  });
  assert.equal(status, 200);
});

test("a key lists the accounts it can see, and answers whose it is", async () => {
  const cases: [key: string, accounts: string, header: string][] = [
    [OPERATOR_KEY, "accounts/acme accounts/home accounts/rival", "home"],
    [keys.ADMIN, "accounts/acme", "acme"],
    [keys.USER, "accounts/acme", "acme"],
    [keys.METER, "accounts/acme", "acme"],
  ];
  for (const [key, accounts, header] of cases) {
    const { json } = await daybook.call("GET", "/v1/accounts", { key });
    assert.equal(json.accounts.map(({ name }: { name: string }) => name).join(" "), accounts);
    assert.equal(json.totalSize, accounts.split(" ").length);
    const verified = await daybook.call("GET", "/verifyApiKey", { key });
    assert.equal(verified.headers.get("x-fireworks-account-id"), header);
  }
});

test("lists come in pages; nextPageToken is left out on the last", async () => {
  const page = (query: string) => daybook.call("GET", `/v1/accounts?${query}`, { key: OPERATOR_KEY });
  const names = ({ json }: { json: { accounts: { name: string }[] } }) => json.accounts.map(({ name }) => name);
  const first = await page("pageSize=2");
  assert.deepEqual(names(first), ["accounts/acme", "accounts/home"]);
  assert.deepEqual(Object.keys(first.json), ["accounts", "nextPageToken", "totalSize"]);
  const last = await page(`page_size=2&page_token=${encodeURIComponent(first.json.nextPageToken)}`);
  assert.deepEqual(names(last), ["accounts/rival"]);
  assert.deepEqual([Object.keys(last.json), last.json.totalSize], [["accounts", "totalSize"], 3]);
  assert.deepEqual(names(await page("pageSize=9999")), ["accounts/acme", "accounts/home", "accounts/rival"]);
  // biome-ignore format: a ledger
  const bad: [query: string, message: RegExp][] = [
    ["pageSize=-1", /^pageSize: "-1" was sent; it must be a whole number/],
    ["pageSize=two", /^pageSize: "two" was sent; it must be a whole number/],
    ["pageSize=1&pageSize=2", /^pageSize: was sent 2 times; send it once$/],
    ["pageToken=garbage", /^pageToken: "garbage" is not a page token of this list; send it as given$/],
    ["filter=x", /^filter: unknown query parameter; allowed are pageSize, pageToken$/],
  ];
  for (const [query, message] of bad) {
    const { status, json } = await page(query);
    assert.equal(status, 400, query);
    assert.match(json.message, message);
  }
});

test("a key is shown when it is made and never again: not in a list, an error or the log", async () => {
  const made = await daybook.key("acme", { displayName: "secret" }, "ada");
  assert.ok(made.key.startsWith("fw_"));
  // A key sent where its id belongs, and as one of a wrong form.
  const body = { keyId: made.key };
  const mixed = await daybook.call("POST", "/v1/accounts/acme/users/-/apiKeys:delete", { key: made.key, body });
  assert.equal(mixed.status, 404);
  await daybook.call("GET", "/v1/accounts", { headers: { authorization: `Basic ${made.key}` } });
  const lists = await Promise.all(
    ["/v1/accounts/acme/users/-/apiKeys", "/v1/accounts/acme/users/ada/apiKeys"].map((path) =>
      daybook.call("GET", path, { key: made.key }),
    ),
  );
  const secrets = [...Object.values(keys), revoked, expired, made.key];
  for (const { text, json } of lists) {
    assert.ok(json.apiKeys.some(({ keyId }: { keyId: string }) => keyId === made.keyId));
    for (const secret of secrets) assert.ok(!text.includes(secret));
  }
  const log = daybook.log.join("");
  assert.ok(daybook.log.length > 500, `${daybook.log.length} lines`);
  for (const line of daybook.log) assert.equal(typeof JSON.parse(line).level, "number");
  for (const secret of secrets) assert.ok(!log.includes(secret), "a key is in the log");
  assert.ok(log.includes("/v1/accounts/acme/billingUsage"), "the log says what was asked");
});

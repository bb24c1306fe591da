/** usageCosts:query: the contract's section 4 over real HTTP, counted by hand from prices/default.yaml. */

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { type Daybook, HOME, linesOf, OPERATOR_KEY, post, startDaybook, writeUsage } from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const M = "accounts/fireworks/models";
const FLASH = `${M}/deepseek-v4-flash`;
const KIMI = `${M}/kimi-k2p6`;
const WEEK = { startTime: "2026-10-05T00:00:00Z", endTime: "2026-10-12T00:00:00Z" };
const usd = (units: string, nanos: number) => ({ currencyCode: "USD", units, nanos });

let daybook: Daybook;
/** Ids and keys of the account acme: ada has two keys, the first of them revoked; bob one. */
const made: Record<"old" | "ada" | "bob" | "admin" | "meter", { keyId: string; key: string }> = {} as never;

before(async () => {
  daybook = await startDaybook(NOW);
  await daybook.account("acme");
  for (const name of ["ada", "bob"]) await post(daybook, "/v1/accounts/acme/users", { name });
  made.old = await daybook.key("acme", { role: "USER" }, "ada");
  made.ada = await daybook.key("acme", { role: "USER" }, "ada");
  made.bob = await daybook.key("acme", { role: "USER" }, "bob");
  made.admin = await daybook.key("acme", { role: "ADMIN" });
  made.meter = await daybook.key("acme", { role: "METER" });
  await post(daybook, "/v1/accounts/acme/users/ada/apiKeys:delete", { keyId: made.old.keyId });
  // V4 Flash: 140 nanos in, 280 out; Kimi K2.6: 950 in. The nameless model and the training have nothing to do here.
  const words = { TEXT: "TEXT_COMPLETION_INFERENCE_USAGE", TRAIN: "TRAINING_TOKEN_USAGE", FLASH, KIMI, OLD: made.old.keyId, ADA: made.ada.keyId, BOB: made.bob.keyId }; // biome-ignore format: one line
  const table = `
    id | time                     | usageType | model | apiKeyId | user | promptTokens | completionTokens | tokens
    a  | 2026-10-05T10:00:00Z     | TEXT      | FLASH | OLD      | web  | 1000         |                  |
    b  | 2026-10-05T10:59:59.999Z | TEXT      | FLASH | ADA      | web  | 1000         | 10               |
    c  | 2026-10-05T11:00:00Z     | TEXT      | KIMI  | BOB      | app  | 2000         |                  |
    d  | 2026-10-06T00:00:00Z     | TEXT      | KIMI  |          |      | 100          |                  |
    e  | 2026-10-06T09:30:00Z     | TEXT      |       | BOB      | app  | 7            | 3                |
    f  | 2026-10-11T23:59:59.999Z | TEXT      | FLASH | BOB      |      | 1            |                  |
    g  | 2026-10-12T00:00:00Z     | TEXT      | FLASH | BOB      | app  | 1000000      |                  |
    h  | 2026-10-06T10:00:00Z     | TRAIN     |       |          | ada  |              |                  | 1000000
  `;
  await writeUsage(daybook, "acme", table, words);
});
after(() => daybook.close());

type Sent = Record<string, unknown>;
const PATH = "/v1/accounts/acme/usageCosts:query";

async function ask(body: Sent, key = OPERATOR_KEY) {
  const answer = await daybook.call("POST", PATH, { key, body: { ...WEEK, ...body } });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

/** 2 x 1000 x 140 + 10 x 280, 2000 x 950, 100 x 950, 140. */
const WHOLE = usd("0", 280_000 + 2_800 + 1_900_000 + 95_000 + 140);
const NAMELESS = [
  { quantity: "uncachedPromptTokens", amount: "7" },
  { quantity: "completionTokens", amount: "3" },
];

test("without groupBy: the subtotal, what has no price, and no rows", async () => {
  assert.deepEqual(await ask({}), {
    rows: [],
    subtotal: WHOLE,
    total: WHOLE,
    unpricedQuantities: NAMELESS,
    evaluationTime: NOW,
    attributionCompleteness: "UNKNOWN",
  });
  const none = await ask({ startTime: "2026-01-01T00:00:00Z", endTime: "2026-02-01T00:00:00Z", groupBy: ["MODEL"] });
  assert.deepEqual([none.rows, none.subtotal, none.attributionCompleteness], [[], usd("0", 0), "COMPLETE"]);
});

test("each grouping: only the asked dimensions, ordered by startTime, model, user, apiKeyId", async () => {
  // biome-ignore format: a ledger
  const cases: [groupBy: string[], completeness: string, ...rows: [dimensions: Sent, nanos: number][]][] = [
    [["DAY"], "COMPLETE",
      [{ startTime: "2026-10-05T00:00:00Z" }, 2_182_800],
      [{ startTime: "2026-10-06T00:00:00Z" }, 95_000],
      [{ startTime: "2026-10-11T00:00:00Z" }, 140]],
    [["HOUR"], "COMPLETE",
      [{ startTime: "2026-10-05T10:00:00Z" }, 282_800],
      [{ startTime: "2026-10-05T11:00:00Z" }, 1_900_000],
      [{ startTime: "2026-10-06T00:00:00Z" }, 95_000],
      [{ startTime: "2026-10-06T09:00:00Z" }, 0],
      [{ startTime: "2026-10-11T23:00:00Z" }, 140]],
    [["MODEL"], "INCOMPLETE",
      [{ model: "", unknownModel: true }, 0],
      [{ model: FLASH }, 282_940],
      [{ model: KIMI }, 1_995_000]],
    [["MODEL_TIER"], "COMPLETE",
      [{ modelTier: "STANDARD" }, 2_277_940]],
    [["USER", "MODEL"], "INCOMPLETE",
      [{ model: "", user: "app", unknownModel: true }, 0],
      [{ model: FLASH, user: "", unattributedDimensions: ["USER"] }, 140],
      [{ model: FLASH, user: "web" }, 282_800],
      [{ model: KIMI, user: "", unattributedDimensions: ["USER"] }, 95_000],
      [{ model: KIMI, user: "app" }, 1_900_000]],
    [["API_KEY", "DAY"], "INCOMPLETE",
      [{ startTime: "2026-10-05T00:00:00Z", apiKeyId: "ADA" }, 142_800],
      [{ startTime: "2026-10-05T00:00:00Z", apiKeyId: "BOB" }, 1_900_000],
      [{ startTime: "2026-10-05T00:00:00Z", apiKeyId: "OLD" }, 140_000],
      [{ startTime: "2026-10-06T00:00:00Z", apiKeyId: "", unattributedDimensions: ["API_KEY"] }, 95_000],
      [{ startTime: "2026-10-06T00:00:00Z", apiKeyId: "BOB" }, 0],
      [{ startTime: "2026-10-11T00:00:00Z", apiKeyId: "BOB" }, 140]],
    [["USER", "API_KEY"], "INCOMPLETE",
      [{ user: "", apiKeyId: "", unattributedDimensions: ["USER", "API_KEY"] }, 95_000],
      [{ user: "", apiKeyId: "BOB", unattributedDimensions: ["USER"] }, 140],
      [{ user: "app", apiKeyId: "BOB" }, 1_900_000],
      [{ user: "web", apiKeyId: "ADA" }, 142_800],
      [{ user: "web", apiKeyId: "OLD" }, 140_000]],
  ];
  const ids: Record<string, string> = { ADA: made.ada.keyId, BOB: made.bob.keyId, OLD: made.old.keyId };
  for (const [groupBy, completeness, ...expected] of cases) {
    const json = await ask({ groupBy });
    const rows = expected.map(([dimensions, nanos]) => {
      const key = dimensions.apiKeyId as string | undefined;
      return [{ ...dimensions, ...(key !== undefined && { apiKeyId: ids[key] ?? "" }) }, nanos] as const;
    });
    // Keys have random ids, so rows of one start, model and user are in an order that is only known now.
    const sortKey = ([{ startTime = "", model = "", user = "", apiKeyId = "" }]: readonly [Sent, number]) =>
      [startTime, model, user, apiKeyId].join("\u0000");
    rows.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
    const got = json.rows.map((row: { dimensions: Sent; subtotal: { nanos: number } }) => [row.dimensions, row.subtotal.nanos]); // biome-ignore format: one line
    assert.deepEqual(got, rows, groupBy.join());
    assert.deepEqual([json.attributionCompleteness, json.subtotal], [completeness, WHOLE], groupBy.join());
    assert.ok(!("nextPageToken" in json));
  }
});

test("usage without a price keeps its row and its quantity", async () => {
  const { rows } = await ask({ groupBy: ["MODEL"] });
  assert.deepEqual(rows[0], {
    dimensions: { model: "", unknownModel: true },
    subtotal: usd("0", 0),
    total: usd("0", 0),
    unpricedQuantities: NAMELESS,
  });
  assert.deepEqual(rows[1].unpricedQuantities, []);
});

test("filters: all must hold; an empty one asks for nothing; usage has no session", async () => {
  const bob = made.bob.keyId;
  // biome-ignore format: a ledger
  const cases: [filter: Sent, nanos: number][] = [
    [{},                                       2_277_940],
    [{ model: FLASH },                         282_940],
    [{ model: FLASH, user: "web" },            282_800],
    [{ user: "app" },                          1_900_000],
    [{ apiKeyId: bob },                        1_900_140],
    [{ apiKeyId: bob, model: FLASH },          140],
    [{ apiKeyId: "key_of_nobody" },            0],
    [{ model: "", user: "", sessionId: "" },   2_277_940],
    [{ model: null },                          2_277_940],
    [{ sessionId: "s1" },                      0],
    [{ sessionId: "s1", model: FLASH },        0],
  ];
  for (const [filter, nanos] of cases) {
    assert.equal((await ask({ filter })).subtotal.nanos, nanos, JSON.stringify(filter));
    const grouped = await ask({ filter, groupBy: ["HOUR", "API_KEY"] });
    assert.equal(grouped.subtotal.nanos, nanos, JSON.stringify(filter));
    const sum = grouped.rows.reduce((total: number, row: { subtotal: { nanos: number } }) => total + row.subtotal.nanos, 0); // biome-ignore format: one line
    assert.equal(sum, nanos, JSON.stringify(filter));
  }
});

test("hours and days are of UTC and whole, though usage outside of the range is not counted", async () => {
  const json = await ask({
    startTime: "2026-10-05T10:30:00Z",
    endTime: "2026-10-05T13:00:00+02:00",
    groupBy: ["HOUR"],
  });
  assert.deepEqual(linesOf(json.rows, "dimensions.startTime | subtotal.nanos"), ["2026-10-05T10:00:00Z | 142800"]);
});

suite("scope", () => {
  test("a USER sees the usage of their own keys, revoked ones too; administrators the account's", async () => {
    // biome-ignore format: a ledger
    const cases: [who: string, key: string, scope: string | undefined, nanos: number][] = [
      ["operator", OPERATOR_KEY,   undefined,           2_277_940],
      ["operator", OPERATOR_KEY,   "SCOPE_UNSPECIFIED", 2_277_940],
      ["operator", OPERATOR_KEY,   "ACCOUNT",           2_277_940],
      ["operator", OPERATOR_KEY,   "SELF",              0],
      ["admin",    made.admin.key, undefined,           2_277_940],
      ["admin",    made.admin.key, "ACCOUNT",           2_277_940],
      ["admin",    made.admin.key, "SELF",              0],
      ["ada",      made.ada.key,   undefined,           282_800],
      ["ada",      made.ada.key,   "SCOPE_UNSPECIFIED", 282_800],
      ["ada",      made.ada.key,   "SELF",              282_800],
      ["bob",      made.bob.key,   "SELF",              1_900_140],
    ];
    for (const [who, key, scope, nanos] of cases) {
      const json = await ask(scope === undefined ? {} : { scope }, key);
      assert.equal(json.subtotal.nanos, nanos, `${who} ${scope}`);
    }
    assert.equal((await ask({ filter: { apiKeyId: made.bob.keyId } }, made.ada.key)).subtotal.nanos, 0);
    assert.equal((await ask({ filter: { apiKeyId: made.old.keyId } }, made.ada.key)).subtotal.nanos, 140_000);
  });

  test("a user of the same id in another account is another user", async () => {
    // The operator's user is "owner" of the first account.
    await daybook.account("namesake");
    await post(daybook, "/v1/accounts/namesake/users", { name: "owner" });
    const { keyId, key } = await daybook.key("namesake", { role: "USER" }, "owner");
    const event = { id: "e", time: "2026-10-05T10:00:00Z", usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: FLASH, promptTokens: 1, apiKeyId: keyId }; // biome-ignore format: one line
    await post(daybook, "/v1/accounts/namesake/usageEvents:batchCreate", { events: [event] });
    const body = { ...WEEK, scope: "SELF" };
    const path = "/v1/accounts/namesake/usageCosts:query";
    assert.equal((await daybook.call("POST", path, { key, body })).json.subtotal.nanos, 140);
    assert.equal((await daybook.call("POST", path, { key: OPERATOR_KEY, body })).json.subtotal.nanos, 0);
  });

  test("ACCOUNT is above a USER; METER may not ask at all; another account is not to be found", async () => {
    // biome-ignore format: a ledger
    const cases: [key: string, path: string, body: Sent, status: number, message: string][] = [
      [made.ada.key,   PATH, { ...WEEK, scope: "ACCOUNT" }, 403, 'role: "USER" may not do this; it takes ADMIN, OPERATOR'],
      [made.meter.key, PATH, WEEK,                          403, 'role: "METER" may not do this; it takes USER, ADMIN, OPERATOR'],
      [made.ada.key,   `/v1/accounts/${HOME}/usageCosts:query`, WEEK, 404, `account: "${HOME}" was not found`],
    ];
    for (const [key, path, body, status, message] of cases) {
      const answer = await daybook.call("POST", path, { key, body });
      assert.deepEqual([answer.status, answer.json.message], [status, message]);
    }
  });
});

suite("pages", () => {
  const grouped = { groupBy: ["USER", "HOUR"] };

  test("joined they are the one answer; each has the whole subtotal", async () => {
    const whole = await ask(grouped);
    for (const pageSize of [1, 2, 3, "2", whole.rows.length]) {
      const rows: unknown[] = [];
      let pageToken: string | undefined;
      do {
        const page = await ask({ ...grouped, pageSize, ...(pageToken !== undefined && { pageToken }) });
        assert.ok(page.rows.length > 0 && page.rows.length <= Number(pageSize));
        assert.deepEqual([page.subtotal, page.unpricedQuantities], [whole.subtotal, whole.unpricedQuantities]);
        assert.equal(page.attributionCompleteness, "INCOMPLETE");
        rows.push(...page.rows);
        pageToken = page.nextPageToken;
      } while (pageToken !== undefined);
      assert.deepEqual(rows, whole.rows);
    }
    assert.deepEqual((await ask({ ...grouped, pageSize: 0 })).rows, whole.rows);
    assert.deepEqual((await ask({ ...grouped, pageSize: 1_000_000 })).rows, whole.rows);
  });

  test("a page goes on behind its last row while usage arrives before and after it", async () => {
    await daybook.account("busy");
    const event = (user: string, promptTokens: number) => ({ id: `${user}${promptTokens}`, time: "2026-10-05T10:00:00Z", usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: FLASH, user, promptTokens }); // biome-ignore format: one line
    const write = (...events: object[]) => post(daybook, "/v1/accounts/busy/usageEvents:batchCreate", { events });
    const page = async (pageToken?: string) => {
      const body = { ...WEEK, groupBy: ["USER"], pageSize: 2, ...(pageToken !== undefined && { pageToken }) };
      return (await post(daybook, "/v1/accounts/busy/usageCosts:query", body)).json;
    };
    await write(event("b", 1), event("d", 1), event("f", 1));
    const first = await page();
    assert.deepEqual(linesOf(first.rows, "dimensions.user | subtotal.nanos"), ["b | 140", "d | 140"]);
    await write(event("a", 1), event("c", 1), event("d", 2), event("e", 1));
    const second = await page(first.nextPageToken);
    assert.deepEqual(linesOf(second.rows, "dimensions.user | subtotal.nanos"), ["e | 140", "f | 140"]);
    assert.deepEqual([second.subtotal.nanos, "nextPageToken" in second], [140 * 8, false]);
    // The row that a token names may vanish.
    await post(daybook, "/v1/accounts/busy/usageEvents:void", { ids: ["d1", "d2"] });
    assert.deepEqual((await page(first.nextPageToken)).rows, second.rows);
  });

  test("a token of another question is refused, as is what is none; the size of pages may change", async () => {
    const { nextPageToken: pageToken } = await ask({ ...grouped, pageSize: 1 });
    const foreign = /^pageToken: ".+" was given for another question; send it with that one, or leave it out$/;
    // biome-ignore format: a ledger
    const cases: [body: Sent, status: number][] = [
      [{ ...grouped, pageToken },                                          200],
      [{ ...grouped, pageToken, pageSize: 3 },                             200],
      [{ groupBy: ["HOUR", "USER"], pageToken },                           200],
      [{ ...grouped, pageToken, scope: "ACCOUNT", filter: { model: "" } }, 200],
      [{ groupBy: ["HOUR"], pageToken },                                   400],
      [{ pageToken },                                                      400],
      [{ ...grouped, pageToken, filter: { model: FLASH } },                400],
      [{ ...grouped, pageToken, scope: "SELF" },                           400],
      [{ ...grouped, pageToken, endTime: "2026-10-11T00:00:00Z" },         400],
    ];
    for (const [body, status] of cases) {
      const answer = await daybook.call("POST", PATH, { key: OPERATOR_KEY, body: { ...WEEK, ...body } });
      assert.equal(answer.status, status, JSON.stringify(body));
      if (status === 400) assert.match(answer.json.message, foreign);
    }
    const token = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString("base64url");
    const question = JSON.parse(Buffer.from(pageToken, "base64url").toString())[0];
    const garbage = [
      "garbage",
      `${pageToken}=`,
      pageToken.slice(1),
      token({}),
      token([question, 1]),
      token([question]),
    ];
    for (const bad of garbage) {
      const body = { ...WEEK, ...grouped, pageToken: bad };
      const { status, json } = await daybook.call("POST", PATH, { key: OPERATOR_KEY, body });
      assert.equal(status, 400, bad);
      assert.match(json.message, /^pageToken: ".+" is not a page token of this list; send it as given$/);
    }
  });
});

test("what is wrong with a question, all of it at once", async () => {
  const mend = "send an RFC 3339 time such as 2026-05-28T00:00:00Z";
  const fields = "allowed are startTime, endTime, scope, groupBy, filter, asOf, pageSize, pageToken";
  const dimensions = "allowed are HOUR, DAY, MODEL, MODEL_TIER, USER, API_KEY";
  const size = "it must be a whole number from 1";
  // biome-ignore format: a ledger
  const cases: [body: object | string, ...sentences: string[]][] = [
    [{}, `startTime: is required; ${mend}`, `endTime: is required; ${mend}`],
    [[], "body: an array was sent; it must be a JSON object"],
    ["null", "body: null was sent; it must be a JSON object"],
    ["7", "body: 7 was sent; it must be a JSON object"],
    [{ ...WEEK, startTime: "2026-10-05" }, 'startTime: "2026-10-05" is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z'],
    [{ ...WEEK, endTime: WEEK.startTime }, 'endTime: "2026-10-05T00:00:00Z" is not after startTime 2026-10-05T00:00:00Z; endTime is exclusive and must be later'],
    [{ ...WEEK, endTime: "2026-11-05T00:00:00.001Z" }, 'endTime: "2026-11-05T00:00:00.001Z" is more than 31 days after startTime 2026-10-05T00:00:00Z; the latest allowed is 2026-11-05T00:00:00Z'],
    [{ ...WEEK, scope: "account" }, 'scope: "account" was sent; allowed are SCOPE_UNSPECIFIED, ACCOUNT, SELF'],
    [{ ...WEEK, groupBy: ["HOUR", "DAY"] }, 'groupBy: "HOUR" was sent with DAY, and they exclude each other; send one of them'],
    [{ ...WEEK, groupBy: ["MODEL", "MODEL"] }, 'groupBy: "MODEL" was sent twice; name each dimension once'],
    [{ ...WEEK, groupBy: ["MODEL", "USER", "DAY"] }, "groupBy: 3 were sent; at most 2 are allowed"],
    [{ ...WEEK, groupBy: ["model", 1] }, "groupBy: 1 was sent; it must be a text or a list of texts", `groupBy: "model" is not a dimension; ${dimensions}`],
    [{ ...WEEK, filter: "m" }, 'filter: "m" was sent; it must be an object such as {"model":"m"}'],
    [{ ...WEEK, filter: { team: "x", model: ["m"], user: 1 } }, "filter.team: unknown field; allowed are apiKeyId, model, sessionId, user",
      "filter.model: an array was sent; it must be a text", "filter.user: 1 was sent; it must be a text"],
    [{ ...WEEK, filter: { user: "a\u0000b" } }, 'filter.user: "a\\u0000b" was sent; it must be 1 to 256 characters of well-formed text without control characters'],
    [{ ...WEEK, pageSize: -1 }, `pageSize: -1 was sent; ${size}`],
    [{ ...WEEK, pageSize: 1.5 }, `pageSize: 1.5 was sent; ${size}`],
    [{ ...WEEK, pageSize: "ten" }, `pageSize: "ten" was sent; ${size}`],
    [{ ...WEEK, pageSize: true, pageToken: 7 }, `pageSize: true was sent; ${size}`, "pageToken: 7 was sent; it must be a text"],
    [{ startTime: "x", scope: "y", groupBy: "z", usageType: "SERVERLESS" }, `usageType: unknown field; ${fields}`, 'startTime: "x" is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z',
      `endTime: is required; ${mend}`, 'scope: "y" was sent; allowed are SCOPE_UNSPECIFIED, ACCOUNT, SELF', `groupBy: "z" is not a dimension; ${dimensions}`],
  ];
  for (const [body, ...sentences] of cases) {
    const headers = { "content-type": "application/json" };
    const { status, json } = await daybook.call("POST", PATH, { key: OPERATOR_KEY, body, headers });
    assert.deepEqual([status, json.code], [400, 3], JSON.stringify(body));
    const told = json.details[0].fieldViolations.map(({ description }: { description: string }) => description);
    assert.deepEqual(told, sentences, JSON.stringify(body));
  }
  const { json } = await daybook.call("POST", `${PATH}?pageSize=5`, { key: OPERATOR_KEY, body: WEEK });
  assert.equal(json.message, "pageSize: unknown query parameter; allowed are none");
});

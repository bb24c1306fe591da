/** Bad questions: each with its status, rpc code and every sentence, which names the field, the value and the mend. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Daybook, HOME, OPERATOR_KEY, startDaybook } from "./serving.ts";

const USAGE = `/v1/accounts/${HOME}/billingUsage`;
const OPTIONS = `/v1/accounts/${HOME}/accountUsageFilterOptions`;
const DAY = "startTime=2026-05-01T00:00:00Z&endTime=2026-05-02T00:00:00Z";
const TAGS = "annotations.team, annotations.project, annotations.environment";
const SERVERLESS = `model_name, api_key_id, api_key_name, ${TAGS}`;
const DEDICATED = `deployment_name, accelerator_type, ${TAGS}`;
const TRAINING = `accelerator_type, job_id, job_type, usage_type, base_model, ${TAGS}`;
const ALL = `model_name, api_key_id, api_key_name, deployment_name, accelerator_type, job_id, job_type, usage_type, base_model, ${TAGS}`;
const TYPES = "USAGE_TYPE_UNSPECIFIED, SERVERLESS, DEDICATED_DEPLOYMENT, TRAINING";
const PARAMETERS = "startTime, endTime, usageType, timezone, groupBy, filter, granularity, asOf";
const SEND_TIME = "send an RFC 3339 time such as 2026-05-28T00:00:00Z";
const NO_TIME = "is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z";
const NO_ZONE = "is not an IANA time zone; send one such as America/Los_Angeles or UTC";
const FILTER_SHAPE = 'an object such as {"model_name":{"values":["m"]}}';
const SQL = "x'; DROP TABLE events; --";

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
});
after(() => daybook.close());

/** All field violations of an INVALID_ARGUMENT, the first of which is the message. */
function sentencesOf(json: { details: { fieldViolations: { description: string }[] }[] }): string[] {
  return json.details.flatMap((detail) => detail.fieldViolations.map((violation) => violation.description));
}

test("a good question, so that the bad ones fail for their own reason", async () => {
  const good = [`${USAGE}?${DAY}`, `${OPTIONS}?${DAY}`, `${USAGE}?${DAY}&timezone=&usageType=&granularity=`];
  for (const path of good) assert.equal((await daybook.call("GET", path, { key: OPERATOR_KEY })).status, 200, path);
});

test("GET billingUsage: what is wrong, all of it at once", async () => {
  // biome-ignore format: a ledger
  const cases: [query: string, ...sentences: string[]][] = [
    ["", `startTime: is required; ${SEND_TIME}`, `endTime: is required; ${SEND_TIME}`],
    ["startTime=&endTime=", `startTime: is required; ${SEND_TIME}`, `endTime: is required; ${SEND_TIME}`],
    ["startTime=2026-05-01T00:00:00Z", `endTime: is required; ${SEND_TIME}`],
    ["startTime=yesterday&endTime=2026-05-02T00:00:00Z", `startTime: "yesterday" ${NO_TIME}`],
    ["startTime=2026-05-01&endTime=2026-05-02", `startTime: "2026-05-01" ${NO_TIME}`, `endTime: "2026-05-02" ${NO_TIME}`],
    ["startTime=2026-02-30T00:00:00Z&endTime=2026-03-02T00:00:00Z", `startTime: "2026-02-30T00:00:00Z" ${NO_TIME}`],
    ["startTime=2026-05-01T00:00:00&endTime=2026-05-02T00:00:00Z", `startTime: "2026-05-01T00:00:00" ${NO_TIME}`],
    ["startTime=1777593600&endTime=2026-05-02T00:00:00Z", `startTime: "1777593600" ${NO_TIME}`],
    ["startTime=2026-05-01T00:00:00.0000000001Z&endTime=2026-05-02T00:00:00Z", `startTime: "2026-05-01T00:00:00.0000000001Z" ${NO_TIME}`],
    ["startTime=2026-05-01T00:00:00Z&endTime=2026-05-01T00:00:00Z", 'endTime: "2026-05-01T00:00:00Z" is not after startTime 2026-05-01T00:00:00Z; endTime is exclusive and must be later'],
    ["startTime=2026-05-01T02:00:00%2B02:00&endTime=2026-05-01T00:00:00Z", 'endTime: "2026-05-01T00:00:00Z" is not after startTime 2026-05-01T00:00:00Z; endTime is exclusive and must be later'],
    ["startTime=2026-05-02T00:00:00Z&endTime=2026-05-01T00:00:00Z", 'endTime: "2026-05-01T00:00:00Z" is not after startTime 2026-05-02T00:00:00Z; endTime is exclusive and must be later'],
    ["startTime=2026-05-01T00:00:00Z&endTime=2026-06-01T00:00:00.001Z", 'endTime: "2026-06-01T00:00:00.001Z" is more than 31 days after startTime 2026-05-01T00:00:00Z; the latest allowed is 2026-06-01T00:00:00Z'],
    ["startTime=0000-01-01T00:00:00Z&endTime=9999-12-31T23:59:59Z", 'endTime: "9999-12-31T23:59:59Z" is more than 31 days after startTime 0000-01-01T00:00:00Z; the latest allowed is 0000-02-01T00:00:00Z'],
    [`${DAY}&usageType=SERVERLES`, `usageType: "SERVERLES" was sent; allowed are ${TYPES}`],
    [`${DAY}&usageType=serverless`, `usageType: "serverless" was sent; allowed are ${TYPES}`],
    [`${DAY}&granularity=WEEKLY`, 'granularity: "WEEKLY" was sent; allowed are DAILY, HOURLY'],
    [`${DAY}&timezone=Mars/Olympus`, `timezone: "Mars/Olympus" ${NO_ZONE}`],
    [`${DAY}&timezone=%2B02:00`, `timezone: "+02:00" ${NO_ZONE}`],
    [`${DAY}&timezone=../../etc/passwd`, `timezone: "../../etc/passwd" ${NO_ZONE}`],
    [`${DAY}&timezone=America/Los_Angeles%00`, `timezone: "America/Los_Angeles\\u0000" ${NO_ZONE}`],
    [`${DAY}&startTime=2026-05-01T00:00:00Z`, "startTime: was sent 2 times; send it once"],
    [`${DAY}&start_time=2026-05-01T00:00:00Z&end_time=2026-05-02T00:00:00Z`, "startTime: was sent 2 times; send it once", "endTime: was sent 2 times; send it once"],
    [`${DAY}&usageType=TRAINING&usage_type=TRAINING&usageType=TRAINING`, "usageType: was sent 3 times; send it once"],
    [`${DAY}&timezone=UTC&timezone=UTC`, "timezone: was sent 2 times; send it once"],
    [`${DAY}&granularity=DAILY&granularity=HOURLY`, "granularity: was sent 2 times; send it once"],
    [`${DAY}&groupBy=team`, `groupBy: "team" is not a dimension; allowed are ${ALL}`],
    [`${DAY}&groupBy=`, `groupBy: "" is not a dimension; allowed are ${ALL}`],
    [`${DAY}&groupBy=modelName`, `groupBy: "modelName" is not a dimension; allowed are ${ALL}`],
    [`${DAY}&groupBy=model_name,api_key_id`, `groupBy: "model_name,api_key_id" is not a dimension; allowed are ${ALL}`],
    [`${DAY}&groupBy=constructor&groupBy=__proto__`, `groupBy: "constructor" is not a dimension; allowed are ${ALL}`, `groupBy: "__proto__" is not a dimension; allowed are ${ALL}`],
    [`${DAY}&groupBy=model_name&groupBy=model_name`, 'groupBy: "model_name" was sent twice; name each dimension once'],
    [`${DAY}&groupBy=model_name&groupBy=api_key_id&groupBy=api_key_name&groupBy=annotations.team&groupBy=annotations.project&groupBy=annotations.environment`, "groupBy: 6 were sent; at most 5 are allowed"],
    [`${DAY}&usageType=SERVERLESS&groupBy=job_id`, `groupBy: "job_id" is not a dimension of usageType SERVERLESS; allowed are ${SERVERLESS}`],
    [`${DAY}&usageType=DEDICATED_DEPLOYMENT&groupBy=model_name`, `groupBy: "model_name" is not a dimension of usageType DEDICATED_DEPLOYMENT; allowed are ${DEDICATED}`],
    [`${DAY}&usageType=TRAINING&groupBy=deployment_name`, `groupBy: "deployment_name" is not a dimension of usageType TRAINING; allowed are ${TRAINING}`],
    [`${DAY}&usageType=TRAINING&filter[model_name][values]=m`, `filter: "model_name" is not a dimension of usageType TRAINING; allowed are ${TRAINING}`],
    [`${DAY}&filter[region][values]=us`, `filter: "region" is not a dimension; allowed are ${ALL}`],
    [`${DAY}&filter[__proto__][values]=x`, `filter: "__proto__" is not a dimension; allowed are ${ALL}`],
    [`${DAY}&filter[toString][values]=x`, `filter: "toString" is not a dimension; allowed are ${ALL}`],
    [`${DAY}&filter=x`, `filter: "x" was sent; it must be ${FILTER_SHAPE}`],
    [`${DAY}&filter=x&filter[model_name][values]=y`, `filter: "x" was sent; it must be ${FILTER_SHAPE}`],
    [`${DAY}&filter[model_name]=x`, `filter[model_name]: unknown query parameter; allowed are ${PARAMETERS}`],
    [`${DAY}&filter[model_name][value]=x`, `filter[model_name][value]: unknown query parameter; allowed are ${PARAMETERS}`],
    [`${DAY}&filter.model_name.values=x`, `filter.model_name.values: unknown query parameter; allowed are ${PARAMETERS}`],
    [`${DAY}&pageSize=5`, `pageSize: unknown query parameter; allowed are ${PARAMETERS}`],
    [`${DAY}&__proto__=x&constructor=y`, `__proto__: unknown query parameter; allowed are ${PARAMETERS}`, `constructor: unknown query parameter; allowed are ${PARAMETERS}`],
    ["startTime=now&endTime=then&usageType=ALL&timezone=Here&granularity=MONTHLY&groupBy=a&filter[b][values]=c&d=e",
      `d: unknown query parameter; allowed are ${PARAMETERS}`, `startTime: "now" ${NO_TIME}`, `endTime: "then" ${NO_TIME}`, `timezone: "Here" ${NO_ZONE}`,
      `usageType: "ALL" was sent; allowed are ${TYPES}`, 'granularity: "MONTHLY" was sent; allowed are DAILY, HOURLY',
      `groupBy: "a" is not a dimension; allowed are ${ALL}`, `filter: "b" is not a dimension; allowed are ${ALL}`],
  ];
  for (const [query, ...sentences] of cases) {
    const { status, json } = await daybook.call("GET", `${USAGE}?${query}`, { key: OPERATOR_KEY });
    assert.deepEqual([status, json.code], [400, 3], query);
    assert.deepEqual(sentencesOf(json), sentences, query);
    assert.equal(json.message, sentences[0], query);
  }
});

test("an unknown parameter is named as it was sent", async () => {
  const { json } = await daybook.call("GET", `${USAGE}?${DAY}&group_bye=model_name`, { key: OPERATOR_KEY });
  assert.equal(json.message, `group_bye: unknown query parameter; allowed are ${PARAMETERS}`);
});

test("POST billingUsage:query: what is wrong in a JSON body", async () => {
  const day = { startTime: "2026-05-01T00:00:00Z", endTime: "2026-05-02T00:00:00Z" };
  const values = Array.from({ length: 1001 }, (_, at) => `m${at}`);
  // biome-ignore format: a ledger
  const cases: [body: object, ...sentences: string[]][] = [
    [{}, `startTime: is required; ${SEND_TIME}`, `endTime: is required; ${SEND_TIME}`],
    [{ ...day, startTime: 1777593600 }, "startTime: 1777593600 was sent; it must be a text"],
    [{ ...day, startTime: null }, `startTime: is required; ${SEND_TIME}`],
    [{ ...day, timezone: true }, "timezone: true was sent; it must be a text"],
    [{ ...day, usageType: {} }, "usageType: an object was sent; it must be a text"],
    [{ ...day, groupBy: [1] }, "groupBy: 1 was sent; it must be a text or a list of texts"],
    [{ ...day, groupBy: { model_name: 1 } }, "groupBy: an object was sent; it must be a text or a list of texts"],
    [{ ...day, groupBy: ["team"] }, `groupBy: "team" is not a dimension; allowed are ${ALL}`],
    [{ ...day, groupBy: Array(7).fill("job_id"), usageType: "SERVERLESS" }, "groupBy: 7 were sent; at most 5 are allowed", ...Array(5).fill(`groupBy: "job_id" is not a dimension of usageType SERVERLESS; allowed are ${SERVERLESS}`)],
    [{ ...day, filter: [] }, `filter: an array was sent; it must be ${FILTER_SHAPE}`],
    [{ ...day, filter: { model_name: "m" } }, 'filter[model_name]: "m" was sent; it must be an object with "values" and nothing else'],
    [{ ...day, filter: { model_name: { value: ["m"] } } }, 'filter[model_name]: an object was sent; it must be an object with "values" and nothing else'],
    [{ ...day, filter: { model_name: { values: [7] } } }, "filter[model_name][values]: 7 was sent; it must be a text or a list of texts"],
    [{ ...day, filter: { model_name: { values } } }, "filter[model_name][values]: 1001 were sent; at most 1000 are allowed"],
    [{ ...day, filter: { region: { values: ["us"] } } }, `filter: "region" is not a dimension; allowed are ${ALL}`],
    [{ ...day, usageType: "TRAINING", filter: { model_name: { values: ["m"] } } }, `filter: "model_name" is not a dimension of usageType TRAINING; allowed are ${TRAINING}`],
    [JSON.parse(`{"startTime":"2026-05-01T00:00:00Z","endTime":"2026-05-02T00:00:00Z","filter":{"__proto__":{"values":["x"]}}}`), `filter: "__proto__" is not a dimension; allowed are ${ALL}`],
  ];
  for (const [body, ...sentences] of cases) {
    const { status, json } = await daybook.call("POST", `${USAGE}:query`, { key: OPERATOR_KEY, body });
    const what = JSON.stringify(body).slice(0, 300);
    assert.deepEqual([status, json.code], [400, 3], what);
    assert.deepEqual(sentencesOf(json), sentences, what);
  }
  const most = { ...day, filter: { model_name: { values: values.slice(1) } } };
  assert.equal((await daybook.call("POST", `${USAGE}:query`, { key: OPERATOR_KEY, body: most })).status, 200);
});

test("a wrong name or list in a body is called what it is", async () => {
  const day = { startTime: "2026-05-01T00:00:00Z", endTime: "2026-05-02T00:00:00Z" };
  const unknown = await daybook.call("POST", `${USAGE}:query`, { key: OPERATOR_KEY, body: { ...day, page: 1 } });
  assert.equal(unknown.json.message, `page: unknown field; allowed are ${PARAMETERS}`);
  const list = await daybook.call("POST", `${USAGE}:query`, { key: OPERATOR_KEY, body: { ...day, timezone: ["UTC"] } });
  assert.equal(list.json.message, "timezone: an array was sent; it must be a text");
});

test("SQL in every text of a question is a plain wrong value, or finds nothing", async () => {
  const sql = encodeURIComponent(SQL);
  for (const name of ["startTime", "endTime", "usageType", "timezone", "granularity", "groupBy"]) {
    const query = new URLSearchParams(DAY);
    query.set(name, SQL);
    const { status, json } = await daybook.call("GET", `${USAGE}?${query}`, { key: OPERATOR_KEY });
    assert.equal(status, 400, name);
    assert.ok(json.message.startsWith(`${name}: "${SQL}" `), json.message);
  }
  for (const dimension of ALL.split(", ")) {
    const path = `${USAGE}?${DAY}&filter[${dimension}][values]=${sql}`;
    const { status, json } = await daybook.call("GET", path, { key: OPERATOR_KEY });
    const rows = { serverlessCosts: [], dedicatedCosts: [], trainingCosts: [] };
    assert.deepEqual([status, json], [200, rows], dimension);
  }
  const account = await daybook.call("GET", `/v1/accounts/${sql}/billingUsage?${DAY}`, { key: OPERATOR_KEY });
  assert.deepEqual([account.status, account.json.message], [404, `account: "${SQL}" was not found`]);
  const event = await daybook.call("GET", `/v1/accounts/${HOME}/usageEvents/${sql}`, { key: OPERATOR_KEY });
  assert.deepEqual([event.status, event.json.message], [404, `usageEvent: "${SQL}" was not found`]);
  const dimension = await daybook.call("GET", `${USAGE}?${DAY}&filter[${sql}][values]=x`, { key: OPERATOR_KEY });
  assert.equal(dimension.json.message, `filter: "${SQL}" is not a dimension; allowed are ${ALL}`);
  assert.equal((await daybook.call("GET", `${USAGE}?${DAY}`, { key: OPERATOR_KEY })).status, 200);
});

test("accountUsageFilterOptions takes a range and a usage type, nothing else", async () => {
  const allowed = "allowed are startTime, endTime, usageType";
  // biome-ignore format: a ledger
  const cases: [query: string, ...sentences: string[]][] = [
    ["", `startTime: is required; ${SEND_TIME}`, `endTime: is required; ${SEND_TIME}`],
    [`${DAY}&timezone=UTC`, `timezone: unknown query parameter; ${allowed}`],
    [`${DAY}&groupBy=job_id&granularity=DAILY`, `groupBy: unknown query parameter; ${allowed}`, `granularity: unknown query parameter; ${allowed}`],
    [`${DAY}&usageType=ALL`, `usageType: "ALL" was sent; allowed are ${TYPES}`],
    ["startTime=2026-05-01T00:00:00Z&endTime=2026-06-02T00:00:00Z", 'endTime: "2026-06-02T00:00:00Z" is more than 31 days after startTime 2026-05-01T00:00:00Z; the latest allowed is 2026-06-01T00:00:00Z'],
  ];
  for (const [query, ...sentences] of cases) {
    const { status, json } = await daybook.call("GET", `${OPTIONS}?${query}`, { key: OPERATOR_KEY });
    assert.equal(status, 400, query);
    assert.deepEqual(sentencesOf(json), sentences, query);
  }
});

test("no operation takes a parameter it does not know", async () => {
  const key = OPERATOR_KEY;
  for (const name of daybook.openapi.operations.keys()) {
    const [method = "", template = ""] = name.split(" ");
    const path = template.replace("{account_id}", HOME).replace(/\{\w+\}/g, "x");
    const body = daybook.openapi.exampleBody(name);
    const { status, json } = await daybook.call(method, `${path}?surprise=1`, { key, ...(body && { body }) });
    assert.equal(status, 400, name);
    assert.ok(
      sentencesOf(json).some((one) => one.startsWith("surprise: unknown query parameter; allowed are ")),
      name,
    );
  }
});

test("a body full of mistakes gets an answer of bounded size", async () => {
  const filter = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`d${at}`, 1]));
  const query = await daybook.call("POST", `${USAGE}:query`, { key: OPERATOR_KEY, body: { filter } });
  const path = `/v1/accounts/${HOME}/usageEvents:void`;
  const ids = await daybook.call("POST", path, { key: OPERATOR_KEY, body: { ids: Array(30_000).fill(1) } });
  assert.deepEqual([query.status, ids.status], [400, 400]);
  assert.deepEqual([query.text.length < 65_536, ids.text.length < 65_536], [true, true]);
});

test("the problems of query and body together", async () => {
  const path = `/v1/accounts/${HOME}/users/-/apiKeys:delete?surprise=1`;
  const { json } = await daybook.call("POST", path, { key: OPERATOR_KEY, body: { all: true } });
  assert.deepEqual(sentencesOf(json), [
    "keyId: is required; send it",
    "all: unknown field; allowed are keyId",
    "surprise: unknown query parameter; allowed are none",
  ]);
});

test("what the router and the parser refuse has the one form of errors", async () => {
  const key = OPERATOR_KEY;
  // The form is checked by call().
  const bad = await daybook.call("GET", `/v1/accounts/${HOME}/usageEvents/%ZZ`, { key });
  assert.deepEqual([bad.status, bad.json.code], [400, 3]);
  const long = await daybook.call("GET", `/v1/accounts/${HOME}/usageEvents/${"i".repeat(5_000)}`, { key });
  assert.deepEqual([long.status, long.json.code], [400, 3]);
  const headers = await daybook.call("GET", `${USAGE}?${DAY}&groupBy=${"g".repeat(70_000)}`, { key });
  assert.deepEqual([headers.status, headers.json.code], [431, 3]);
});

test("wrong method, unknown path, broken bodies, wrong content types", async () => {
  const key = OPERATOR_KEY;
  const json = { "content-type": "application/json" };
  const none = (path: string) => `"${path}": no such path; /openapi.json lists them`;
  // biome-ignore format: a ledger
  const cases: [method: string, path: string, headers: Record<string, string>, body: string | undefined, status: number, message: RegExp | string][] = [
    ["DELETE", USAGE, {}, undefined, 404, none(USAGE)],
    ["PUT", USAGE, json, "{}", 404, none(USAGE)],
    ["GET", `${USAGE}:query`, {}, undefined, 404, none(`${USAGE}:query`)],
    ["GET", `${USAGE}/`, {}, undefined, 404, none(`${USAGE}/`)],
    ["GET", "/", {}, undefined, 404, none("/")],
    ["GET", "/v2/accounts?x=secret", {}, undefined, 404, none("/v2/accounts")],
    ["GET", "/v1/accounts/home/__proto__", {}, undefined, 404, none("/v1/accounts/home/__proto__")],
    ["POST", `${USAGE}:query`, json, "", 400, "startTime: is required; send an RFC 3339 time such as 2026-05-28T00:00:00Z"],
    ["POST", `${USAGE}:query`, json, "{", 400, /^body: is not valid JSON: .+/],
    ["POST", `${USAGE}:query`, json, '{"startTime":"2026', 400, /^body: is not valid JSON: .+/],
    ["POST", `${USAGE}:query`, json, "[]", 400, "body: an array was sent; it must be a JSON object"],
    ["POST", `${USAGE}:query`, json, "null", 400, "body: null was sent; it must be a JSON object"],
    ["POST", `${USAGE}:query`, json, '"text"', 400, 'body: "text" was sent; it must be a JSON object'],
    ["POST", `${USAGE}:query`, {}, undefined, 400, "body: null was sent; it must be a JSON object"],
    ["POST", `${USAGE}:query`, json, `"${"x".repeat(1024 * 1024)}"`, 413, "body: is larger than 1048576 bytes; send less in one call"],
    ["POST", `${USAGE}:query`, { "content-type": "text/plain" }, "{}", 415, 'Content-Type: "text/plain" was sent; allowed are application/json'],
    ["POST", `${USAGE}:query`, { "content-type": "application/x-www-form-urlencoded" }, "a=b", 415, 'Content-Type: "application/x-www-form-urlencoded" was sent; allowed are application/json'],
    ["POST", "/v1/accounts/home/usageEvents:void", { "content-type": "application/xml" }, "<a/>", 415, 'Content-Type: "application/xml" was sent; allowed are application/json'],
    ["POST", "/v1/accounts/home/usageEvents:void", json, "{}", 400, "ids: is required; send a list of event ids"],
    ["POST", "/v1/accounts/home/usageEvents:void", json, '{"ids":[]}', 400, "ids: an array was sent; it must be a list of event ids, at least one"],
    ["POST", "/v1/accounts/home/usageEvents:void", json, '{"ids":[7]}', 400, "ids.0: 7 was sent; it must be 1 to 256 characters of well-formed text without control characters"],
    ["POST", "/v1/accounts/home/usageEvents:void", json, '{"ids":["a"],"all":true}', 400, "all: unknown field; allowed are ids"],
  ];
  for (const [method, path, headers, body, status, message] of cases) {
    const answer = await daybook.call(method, path, { key, headers, ...(body !== undefined && { body }) });
    const what = `${method} ${path} ${body?.slice(0, 40)}`;
    assert.equal(answer.status, status, `${what}: ${answer.text}`);
    if (typeof message === "string") assert.equal(answer.json.message, message, what);
    else assert.match(answer.json.message, message, what);
  }
});

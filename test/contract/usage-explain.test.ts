/** billingUsage:explain over real HTTP: each number of a row made again by hand, and the events behind it. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Answer,
  type Daybook,
  linesOf,
  OPERATOR_KEY,
  post,
  startDaybook,
  usageOf,
  writeUsage,
} from "./serving.ts";

const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";
const GPU = "DEDICATED_DEPLOYMENT_USAGE";
const PATH = "/v1/accounts/acme/billingUsage:explain";
const DAY = { startTime: "2026-08-31T00:00:00Z", endTime: "2026-09-02T00:00:00Z" };

const LIST = `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.1", restrictedPlacement: "1.5", source: test }
prices:
  - match: { model: flash }
    perMillionTokens: { input: "0.14", cachedInput: "0.028", output: "0.28" }
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: 2026-09-01T09:15:00Z
    source: "List, June"
  - match: { model: flash }
    perMillionTokens: { input: "0.15", output: "0.28" }
    effectiveFrom: 2026-09-01T09:15:00Z
    source: "List, September"
  - match: { acceleratorType: NVIDIA_H100_80GB }
    perAcceleratorHour: "8"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: "List, June"
`;
const CONTRACT = `currency: USD
discounts:
  - percent: "12.5"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: agreement
`;

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook("2026-08-31T12:00:00Z");
  await post(daybook, "/v1/priceBooks", { priceBook: { document: LIST } });
  for (const account of ["acme", "big"]) await daybook.account(account);
  const key = await daybook.key("acme", { displayName: "prod" });
  const words = { TEXT, GPU, KEY: key.keyId };
  const head =
    "id | time | usageType | model | promptTokens | cachedPromptTokens | completionTokens | apiKeyId | team | serviceTier";
  const early = `${head}
    a | 2026-08-31T10:00:00Z | TEXT | flash | 17580572 | 17580572 | 0 | KEY | search |
    b | 2026-08-31T11:00:00Z | TEXT | nobody-knows | 7 | 2 | 3 | KEY | search |
    v | 2026-08-31T11:00:00Z | TEXT | flash | 1 | 1 | 0 | KEY | search |`;
  await writeUsage(daybook, "acme", early, words);
  await writeUsage(daybook, "big", early, words);
  daybook.setClock("2026-09-02T00:00:00Z");
  const late = `${head}
    c | 2026-09-01T09:14:59.999Z | TEXT | flash | 1000 | 400 | 20 | other | search |
    d | 2026-09-01T09:15:00Z     | TEXT | flash | 1000 | 400 | 20 | KEY | search |
    e | 2026-09-01T10:00:00Z     | TEXT | flash | 1000 |     |    | KEY | ads | PRIORITY`;
  await writeUsage(daybook, "acme", late, words);
  await post(daybook, "/v1/accounts/acme/usageEvents:void", { ids: ["v"] });
  const own = { name: "chat", acceleratorType: "NVIDIA_H100_80GB", baseModel: "flash", placement: "US" };
  await post(daybook, "/v1/accounts/acme/deployments", own);
  await post(daybook, "/v1/accounts/acme/deployments/chat:scale", { replicaCount: 1, time: "2026-09-01T23:00:00Z" });
  await writeUsage(
    daybook,
    "acme",
    `id | time | usageType | deployment | acceleratorType | acceleratorSeconds | placement | baseModel
     g | 2026-09-01T22:00:00Z | GPU | chat | NVIDIA_H100_80GB | 0.5 | US | flash`,
    words,
  );
});
after(() => daybook.close());

async function explain(query: Record<string, string>, path = PATH): Promise<Answer> {
  const answer = await daybook.call("GET", `${path}?${new URLSearchParams({ ...DAY, ...query })}`, {
    key: OPERATOR_KEY,
  });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

const COLUMNS =
  "component | unit | quantity | unitPrice | costExact | entry.line | entry.price | entry.perUnits | entry.source";

test("17,580,572 cached tokens at 28 nanos are $0.492256016; the whole answer, by GET and by POST", async () => {
  const named = { "row[startTime]": "2026-08-31T00:00:00Z", "group[model_name]": "flash" };
  const { json, text, headers } = await explain(named);
  const report = await usageOf(daybook, "acme", DAY);
  const row = report.json.serverlessCosts[0];
  assert.deepEqual(json.row, row);
  assert.ok(report.text.includes(/^\{"row":(\{.*?"group":\{.*?\}\})/.exec(text)![1]!), "the row's own bytes");
  const { entry, ...component } = json.components[0];
  const cost = { currencyCode: "USD", units: "0", nanos: 492_256_016 };
  assert.deepEqual(component, {
    component: "cachedPromptTokens",
    unit: "token",
    quantity: "17580572",
    attributes: { model: "flash" },
    unitPrice: "0.000000028",
    unitAmount: { currencyCode: "USD", units: "0", nanos: 28 },
    cost,
    costExact: "0.492256016",
  });
  assert.match(entry.hash, /^[0-9a-f]{64}$/);
  assert.deepEqual(
    { ...entry, hash: "" },
    {
      book: "list",
      version: "2",
      hash: "",
      priceBook: "priceBooks/2",
      line: 4,
      match: "model flash",
      effectiveFrom: "2026-01-01T00:00:00Z",
      effectiveTo: "2026-09-01T09:15:00Z",
      source: "List, June",
      kind: "perMillionTokens",
      price: "0.028",
      perUnits: "1000000",
      multipliers: [],
    },
  );
  assert.deepEqual([json.components.length, json.unpricedComponents, json.costExact], [1, [], "0.492256016"]);
  assert.deepEqual(json.events, {
    count: "1",
    voided: "1",
    firstEventTime: "2026-08-31T10:00:00Z",
    lastEventTime: "2026-08-31T10:00:00Z",
    late: "0",
    lateDefinition: "received after the row's bucket had ended",
    unknownArrival: "0",
    estimated: "0",
  });
  assert.equal(json.deploymentSeconds, "0");
  assert.equal(headers.get("x-daybook-price-book-version"), "2");
  const body = { ...DAY, row: { startTime: named["row[startTime]"] }, group: { model_name: "flash" } };
  assert.equal((await post(daybook, PATH, body)).text, text);
  const snake = `start_time=${DAY.startTime}&end_time=${DAY.endTime}&row[start_time]=2026-08-30T17:00:00-07:00&group[model_name]=flash`;
  assert.equal((await daybook.call("GET", `${PATH}?${snake}`, { key: OPERATOR_KEY })).text, text);
});

test("a price that changes inside the day splits exactly; late events; whatever the grouping, and by key names", async () => {
  const { json } = await explain({
    "row[startTime]": "2026-09-01T00:00:00Z",
    groupBy: "annotations.team",
    "group[annotations.team]": "search",
  });
  assert.deepEqual(linesOf(json.components, `${COLUMNS} | from | to`), [
    "uncachedPromptTokens | token | 600 | 0.00000014 | 0.000084 | 4 | 0.14 | 1000000 | List, June | 2026-09-01T00:00:00Z | 2026-09-01T09:15:00Z",
    "uncachedPromptTokens | token | 600 | 0.00000015 | 0.00009 | 9 | 0.15 | 1000000 | List, September | 2026-09-01T09:15:00Z | 2026-09-02T00:00:00Z",
    "cachedPromptTokens | token | 400 | 0.000000028 | 0.0000112 | 4 | 0.028 | 1000000 | List, June | 2026-09-01T00:00:00Z | 2026-09-01T09:15:00Z",
    "cachedPromptTokens | token | 400 | 0.000000015 | 0.000006 | 9 | 0.15 | 1000000 | List, September | 2026-09-01T09:15:00Z | 2026-09-02T00:00:00Z",
    "completionTokens | token | 20 | 0.00000028 | 0.0000056 | 4 | 0.28 | 1000000 | List, June | 2026-09-01T00:00:00Z | 2026-09-01T09:15:00Z",
    "completionTokens | token | 20 | 0.00000028 | 0.0000056 | 9 | 0.28 | 1000000 | List, September | 2026-09-01T09:15:00Z | 2026-09-02T00:00:00Z",
  ]);
  assert.deepEqual(json.components[3].entry.multipliers, [{ name: "cachedInput", factor: "0.1" }]);
  assert.deepEqual([json.costExact, json.row.costNanoUsd], ["0.0002024", 202_400]);
  // Received at the very end of their day.
  assert.deepEqual(
    [json.events.count, json.events.late, json.events.firstEventTime],
    ["2", "2", "2026-09-01T09:14:59.999Z"],
  );
  const prod = await explain({
    "row[startTime]": "2026-09-01T00:00:00Z",
    groupBy: "api_key_name",
    "group[api_key_name]": "prod",
  });
  assert.deepEqual([prod.json.events.count, prod.json.costExact], ["2", "0.0001016"]);
  const nameless = await explain({
    "row[startTime]": "2026-09-01T00:00:00Z",
    groupBy: "api_key_name",
    "group[api_key_name]": "",
  });
  assert.deepEqual([nameless.json.events.count, nameless.json.costExact], ["1", "0.0001008"]);
});

test("what has no price is told with its reason", async () => {
  const { json } = await explain({ "row[startTime]": "2026-08-31T00:00:00Z", "group[model_name]": "nobody-knows" });
  assert.deepEqual([json.components, json.costExact], [[], "0"]);
  assert.deepEqual(linesOf(json.unpricedComponents, "component | quantity | attributes.model"), [
    "uncachedPromptTokens | 5 | nobody-knows",
    "cachedPromptTokens | 2 | nobody-knows",
    "completionTokens | 3 | nobody-knows",
  ]);
  const tier = await explain({
    "row[startTime]": "2026-09-01T00:00:00Z",
    groupBy: "annotations.team",
    "group[annotations.team]": "ads",
  });
  const [{ reason, nearestEntries }] = tier.json.unpricedComponents;
  assert.equal(
    reason,
    "no entry prices it; the nearest, line 9 of price book 2 (model flash), needs serviceTier STANDARD, not PRIORITY",
  );
  assert.equal(nearestEntries[0].needs.length, 1);
});

test("a running deployment: milliseconds, the multiplier of its placement, and time without events told apart", async () => {
  const { json } = await explain({ "row[usageType]": GPU, "row[placement]": "US", "group[deployment_name]": "chat" });
  assert.deepEqual(linesOf(json.components, `${COLUMNS} | attributes`), [
    `acceleratorMs | millisecond | 3600500 | 0.000003333333333333 | 12.0016666666654665 | 13 | 8 | 3600000 | List, June | {"acceleratorType":"NVIDIA_H100_80GB","placement":"US","baseModel":"flash"}`,
  ]);
  assert.deepEqual(json.components[0].entry.multipliers, [{ name: "restrictedPlacement", factor: "1.5" }]);
  assert.deepEqual([json.events.count, json.deploymentSeconds, json.costExact], ["1", "3600", "12.0016666666654665"]);
});

test("a contract: list beside net, with the discount's own line", async () => {
  await post(daybook, "/v1/priceBooks", { priceBook: { document: CONTRACT, account: "big" } });
  const named = { "row[startTime]": "2026-08-31T00:00:00Z", "group[model_name]": "flash" };
  const { json } = await explain(named, PATH.replace("acme", "big"));
  const [{ entry, listEntry, ...component }] = json.components;
  assert.deepEqual([component.unitPrice, component.costExact], ["0.0000000245", "0.4307240385"]);
  assert.deepEqual(
    [component.listUnitPrice, component.listCostExact, json.listCostExact],
    ["0.000000028", "0.492256044", "0.492256044"],
  );
  assert.deepEqual(
    [entry.book, entry.discount.percent, entry.discount.book, entry.discount.line, entry.discount.version],
    ["list", "12.5", "contract", 3, "3"],
  );
  assert.equal(listEntry.discount, undefined);
});

test("events in pages, voided ones too, as GET of one shows them", async () => {
  const named = {
    "row[startTime]": "2026-08-31T00:00:00Z",
    "group[model_name]": "flash",
    events: "true",
    pageSize: "1",
  };
  const first = (await explain(named)).json;
  assert.deepEqual(first.usageEvents, [
    {
      id: "a", time: "2026-08-31T10:00:00Z", usageType: TEXT, model: "flash", serviceTier: "STANDARD", apiKeyId: first.usageEvents[0].apiKeyId,
      promptTokens: 17_580_572, cachedPromptTokens: 17_580_572, annotations: { team: "search" },
      receivedAt: "2026-08-31T12:00:00Z", late: false,
    },
  ]); // biome-ignore format: a record
  const second = (await explain({ ...named, pageToken: first.nextPageToken })).json;
  assert.deepEqual(linesOf(second.usageEvents, "id | late | voidTime"), ["v | false | 2026-09-02T00:00:00Z"]);
  assert.deepEqual(["events" in second, "nextPageToken" in second], [false, false]);
  const one = await daybook.call("GET", "/v1/accounts/acme/usageEvents/v", { key: OPERATOR_KEY });
  const { receivedAt: _, late: __, ...shown } = second.usageEvents[0];
  assert.deepEqual(shown, one.json);
  const other = { ...named, "group[model_name]": "nobody-knows", pageToken: first.nextPageToken };
  const refused = await daybook.call("GET", `${PATH}?${new URLSearchParams({ ...DAY, ...other })}`, {
    key: OPERATOR_KEY,
  });
  assert.match(
    refused.json.message,
    /^pageToken: ".*" was given for another question; send it with that one, or leave it out$/,
  );
});

test("no row, several rows, and what is wrong with a question, all of it at once", async () => {
  const left = (count: number) => `${count} rows are left; name it to tell them apart, such as`;
  // biome-ignore format: a ledger
  const cases: [query: Record<string, string>, status: number, ...sentences: string[]][] = [
    [{ "row[startTime]": "2026-08-30T00:00:00Z", "group[model_name]": "flash" }, 404, 'row: no row has startTime 2026-08-30T00:00:00Z, model_name "flash"; billingUsage with the same parameters lists the rows'],
    [{ usageType: "TRAINING" }, 404, "row: no row has any usage; billingUsage with the same parameters lists the rows"],
    [{ "group[model_name]": "flash" }, 400, `row[startTime]: ${left(2)} 2026-08-31T00:00:00Z, 2026-09-01T00:00:00Z`],
    [{ "row[startTime]": "2026-08-31T00:00:00Z" }, 400, `group[model_name]: ${left(2)} "flash", "nobody-knows"`],
    [{ "row[startTime]": "2026-09-01T00:00:00Z" }, 400, `row[usageType]: ${left(2)} ${TEXT}, ${GPU}`],
    [{ "row[startTime]": "noon", "row[usageType]": "TEXT", "row[colour]": "red", "group[team]": "x", "group[job_id]": "j", events: "yes", pageSize: "-1" }, 400,
      "row[colour]: unknown field; allowed are startTime, usageType, placement, baseModel, trainingSessionId",
      'row[startTime]: "noon" is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z',
      'row[usageType]: "TEXT" was sent; allowed are TEXT_COMPLETION_INFERENCE_USAGE, AUDIO_INFERENCE_USAGE, EMBEDDING_INFERENCE_USAGE, IMAGE_GENERATION_USAGE, DEDICATED_DEPLOYMENT_USAGE, TRAINING_TOKEN_USAGE, TRAINING_ACCELERATOR_USAGE',
      'group: "team" is not a dimension; allowed are model_name, api_key_id, api_key_name, deployment_name, accelerator_type, job_id, job_type, usage_type, base_model, annotations.team, annotations.project, annotations.environment',
      'events: "yes" was sent; allowed are true, false',
      'pageSize: "-1" was sent; it must be a whole number from 1',
      "events: is required; send true with pageSize and pageToken: only events come in pages"],
    [{ "group[api_key_id]": "k" }, 400, 'group: "api_key_id" was sent; allowed are model_name, deployment_name, accelerator_type, job_id, job_type, usage_type, base_model'],
    [{ row: "x" }, 400, 'row: "x" was sent; it must be an object such as {"startTime":"2026-05-28T00:00:00Z"}'],
  ];
  for (const [query, status, ...sentences] of cases) {
    const answer = await daybook.call("GET", `${PATH}?${new URLSearchParams({ ...DAY, ...query })}`, {
      key: OPERATOR_KEY,
    });
    const what = JSON.stringify(query);
    assert.equal(answer.status, status, `${what} ${answer.text}`);
    if (status === 404) assert.deepEqual([answer.json.message], sentences, what);
    else
      assert.deepEqual(
        answer.json.details[0].fieldViolations.map((one: { description: string }) => one.description),
        sentences,
        what,
      );
  }
});

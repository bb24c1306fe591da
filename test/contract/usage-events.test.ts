/** Writing usage over HTTP (contract, section 7): outcomes event by event, and calls that are refused whole. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Daybook, OPERATOR_KEY, startDaybook, usageOf } from "./serving.ts";

const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";
const MODEL = "accounts/fireworks/models/kimi-k2p6";
const DAY = { startTime: "2026-10-05T00:00:00Z", endTime: "2026-10-06T00:00:00Z" };
const JSON_TYPE = { "content-type": "application/json" };
const NDJSON = { "content-type": "application/x-ndjson" };
const CLOUD = { "content-type": "application/cloudevents+json" };
const CLOUDS = { "content-type": "application/cloudevents-batch+json" };
const GZIP = { "content-encoding": "gzip" };
const MAX_BYTES = 16 * 1024 * 1024;

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
});
after(() => daybook.close());

/** A good event. */
function event(id: string, more: object = {}): object {
  return { id, time: "2026-10-05T10:00:00Z", usageType: TEXT, model: MODEL, promptTokens: 1, ...more };
}

function write(
  account: string,
  body: object | string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = JSON_TYPE,
) {
  return daybook.call("POST", `/v1/accounts/${account}/usageEvents:batchCreate`, { key: OPERATOR_KEY, body, headers });
}

/** The prompt tokens that count on 5 October, "" when there is no row. */
async function promptOf(account: string): Promise<string> {
  const { json } = await usageOf(daybook, account, DAY);
  return json.serverlessCosts.map((row: { promptTokens: string }) => row.promptTokens).join(" ");
}

const written = (created: number, duplicates = 0) => ({
  created,
  duplicates,
  conflicts: [],
  rejected: [],
  droppedAnnotations: 0,
});

test("an event that is refused says why, and the others of its call are written", async () => {
  await daybook.account("mixed");
  const long = "i".repeat(300);
  const QUANTITY = "it must be a whole number from 0 to 9007199254740991";
  const SECONDS = "it must be seconds from 0 to 9007199254740.991 with at most 3 decimals";
  const PLAIN = "it must be 1 to 256 characters of well-formed text without control characters";
  const BOUNDS = "it must be from 2000-01-01T00:00:00Z to 24 hours ahead of now (2026-10-21T12:00:00Z)";
  const NO_TIME = "is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z";
  // biome-ignore format: a ledger
  const cases: [event: unknown, id: string, field: string, message: string | RegExp][] = [
    [event(long), long.slice(0, 256), "id", new RegExp(`^id: "i+…" was sent; ${PLAIN}$`)],
    [event(""), "", "id", `id: "" was sent; ${PLAIN}`],
    [event("a\nb"), "a\nb", "id", `id: "a\\nb" was sent; ${PLAIN}`],
    [{ ...event("x"), id: 7 }, "", "id", `id: 7 was sent; ${PLAIN}`],
    [{ time: "2026-10-05T10:00:00Z", usageType: TEXT }, "", "id", "id: is required; send a text that no other event has"],
    [event("neg", { promptTokens: -1 }), "neg", "promptTokens", `promptTokens: -1 was sent; ${QUANTITY}`],
    [event("frac", { promptTokens: 1.5 }), "frac", "promptTokens", `promptTokens: 1.5 was sent; ${QUANTITY}`],
    [event("2^53", { promptTokens: 2 ** 53 }), "2^53", "promptTokens", `promptTokens: 9007199254740992 was sent; ${QUANTITY}`],
    [event("2^53t", { promptTokens: "9007199254740992" }), "2^53t", "promptTokens", `promptTokens: "9007199254740992" was sent; ${QUANTITY}`],
    [event("exp", { promptTokens: "1e3" }), "exp", "promptTokens", `promptTokens: "1e3" was sent; ${QUANTITY}`],
    [event("bool", { promptTokens: true }), "bool", "promptTokens", `promptTokens: true was sent; ${QUANTITY}`],
    [event("cached", { cachedPromptTokens: 2 }), "cached", "cachedPromptTokens", "cachedPromptTokens: 2 was sent with promptTokens 1; cached tokens are part of the prompt and cannot exceed it"],
    [event("sec", { audioInputSeconds: 0.0001 }), "sec", "audioInputSeconds", `audioInputSeconds: 0.0001 was sent; ${SECONDS}`],
    [event("y0", { time: "0000-01-01T00:00:00Z" }), "y0", "time", `time: "0000-01-01T00:00:00Z" was sent; ${BOUNDS}`],
    [event("y9999", { time: "9999-12-31T23:59:59Z" }), "y9999", "time", `time: "9999-12-31T23:59:59Z" was sent; ${BOUNDS}`],
    [event("1999", { time: "1999-12-31T23:59:59.999Z" }), "1999", "time", `time: "1999-12-31T23:59:59.999Z" was sent; ${BOUNDS}`],
    [event("ahead", { time: "2026-10-21T12:00:00.001Z" }), "ahead", "time", `time: "2026-10-21T12:00:00.001Z" was sent; ${BOUNDS}`],
    [event("date", { time: "2026-10-05" }), "date", "time", `time: "2026-10-05" ${NO_TIME}`],
    [event("num", { time: 1777593600 }), "num", "time", `time: 1777593600 ${NO_TIME}`],
    [event("type", { usageType: "TEXT" }), "type", "usageType", /^usageType: "TEXT" was sent; allowed are TEXT_COMPLETION_INFERENCE_USAGE, .*, TRAINING_ACCELERATOR_USAGE$/],
    [event("field", { prompt_tokens: 1 }), "field", "prompt_tokens", /^prompt_tokens: unknown field; allowed are id, time, usageType, model, .*, annotations$/],
    [JSON.parse('{"id":"proto","time":"2026-10-05T10:00:00Z","usageType":"TEXT_COMPLETION_INFERENCE_USAGE","__proto__":{"promptTokens":5}}'), "proto", "__proto__", /^__proto__: unknown field; allowed are /],
    [event("tier", { serviceTier: "GOLD" }), "tier", "serviceTier", 'serviceTier: "GOLD" was sent; allowed are STANDARD, PRIORITY, FAST'],
    [event("batch", { batch: "yes" }), "batch", "batch", 'batch: "yes" was sent; it must be true or false'],
    [event("other", { deployment: "accounts/home/deployments/x" }), "other", "deployment", `deployment: "accounts/home/deployments/x" was sent; allowed are a deployment's id and accounts/mixed/deployments/{id}`],
    [event("gpu", { acceleratorType: "H100" }), "gpu", "acceleratorType", /^acceleratorType: "H100" was sent; allowed are NVIDIA_A100_80GB, /],
    [event("meter", { tokens: 5 }), "meter", "tokens", /^tokens: 5 was sent; TEXT_COMPLETION_INFERENCE_USAGE meters promptTokens, /],
    [event("tags", { annotations: ["team"] }), "tags", "annotations", /^annotations: "?an array"? was sent; it must be an object of texts, such as {"team":"search"}$/],
    [event("lone", { model: "\ud800" }), "lone", "model", /^model: .* was sent; it must be 0 to 256 characters of well-formed text/],
    ["text", "", "event", 'event: "text" was sent; it must be an object'],
    [null, "", "event", "event: null was sent; it must be an object"],
  ];
  const bad = cases.map(([one]) => one);
  const { status, json } = await write("mixed", {
    events: [event("first"), ...bad, event("last", { promptTokens: 10 })],
  });
  assert.deepEqual([status, json.created, json.duplicates, json.conflicts], [200, 2, 0, []]);
  assert.equal(json.rejected.length, cases.length);
  for (const [at, [, id, field, message]] of cases.entries()) {
    const refused = json.rejected[at];
    assert.deepEqual([refused.index, refused.id, refused.field], [at + 1, id, field], refused.message);
    if (typeof message === "string") assert.equal(refused.message, message);
    else assert.match(refused.message, message);
  }
  assert.equal(await promptOf("mixed"), "11");
});

test("the edges of what is allowed are written", async () => {
  await daybook.account("allowed");
  const events = [
    event("i".repeat(256), { promptTokens: "3" }),
    event("max", { time: "2026-10-04T10:00:00Z", promptTokens: Number.MAX_SAFE_INTEGER }),
    event("first", { time: "2000-01-01T00:00:00Z" }),
    event("ahead", { time: "2026-10-21T12:00:00Z" }),
    event("zone", { time: "2026-10-05T23:59:59.999999999+14:00", promptTokens: 10 }),
    event("null", { user: null, annotations: null, promptTokens: 100 }),
    event("empty", { promptTokens: 0 }),
  ];
  assert.deepEqual((await write("allowed", { events })).json, written(7));
  assert.equal(await promptOf("allowed"), "113");
  assert.deepEqual((await write("allowed", { events: [] })).json, written(0));
});

test("a duplicate changes nothing, other content is a conflict and changes nothing", async () => {
  await daybook.account("twice");
  await daybook.account("other");
  assert.deepEqual((await write("twice", { events: [event("a"), event("a"), event("b")] })).json, written(2, 1));
  // The same content in other words: text for a number, an offset, a null, a default.
  const same = event("a", { time: "2026-10-05T12:00:00.000+02:00", promptTokens: "1", user: null, serviceTier: "STANDARD" }); // biome-ignore format: one event
  assert.deepEqual((await write("twice", { events: [same] })).json, written(0, 1));
  // biome-ignore format: a ledger
  const conflicts: [change: object, field: string][] = [
    [{ promptTokens: 2 }, "promptTokens"],
    [{ time: "2026-10-05T10:00:00.001Z" }, "time"],
    [{ time: "2026-09-01T10:00:00Z" }, "time"],
    [{ model: "m" }, "model"],
    [{ batch: true }, "batch"],
    [{ annotations: { team: "x" } }, "annotations.team"],
    [{ usageType: "EMBEDDING_INFERENCE_USAGE" }, "usageType"],
  ];
  for (const [change, field] of conflicts) {
    const { status, json } = await write("twice", { events: [event("new"), event("a", change)] });
    assert.equal(status, 200);
    assert.deepEqual(json.conflicts, [{ index: 1, id: "a", field }]);
  }
  assert.equal(await promptOf("twice"), "3");
  // The id is one within its account only.
  assert.deepEqual((await write("other", { events: [event("a", { promptTokens: 7 })] })).json, written(1));
  assert.equal(await promptOf("other"), "7");
});

test("a call that is refused whole wrote nothing", async () => {
  await daybook.account("whole");
  const good = JSON.stringify(event("good"));
  const list = (count: number) => `{"events":[${Array(count).fill(good).join(",")}]}`;
  const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024));
  const cut = gzipSync(`{"events":[${good}]}`).subarray(0, 60);
  const TYPES = "application/json, application/x-ndjson, application/cloudevents+json, application/cloudevents-batch+json"; // biome-ignore format: one list
  const LARGE = "body: is larger than 16777216 bytes; send less in one call";
  // biome-ignore format: a ledger
  const cases: [headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer>, status: number, message: RegExp | string][] = [
    [JSON_TYPE, `{"events":[${good},`, 400, /^body: is not valid JSON: /],
    [JSON_TYPE, "", 400, "body: is not valid JSON: Unexpected end of JSON input"],
    [JSON_TYPE, `[${good}]`, 400, /^body: "?an array"? was sent; it must be {"events":\[\.\.\.\]}$/],
    [JSON_TYPE, `{"event":${good}}`, 400, "event: unknown field; allowed are events"],
    [JSON_TYPE, `{"events":[${good}],"account":"home"}`, 400, "account: unknown field; allowed are events"],
    [JSON_TYPE, `{"events":{"0":${good}}}`, 400, /^events: "?an object"? was sent; it must be an array of events$/],
    [JSON_TYPE, new Uint8Array([0x7b, 0xff, 0x7d]), 400, "body: is not valid UTF-8; send the text as UTF-8"],
    [JSON_TYPE, list(20_001), 400, "events: 20001 were sent; at most 20000 are allowed"],
    [JSON_TYPE, " ".repeat(MAX_BYTES + 1), 413, LARGE],
    [NDJSON, `${good}\n\n{"id":\n${good}`, 400, /^body: line 3 is not valid JSON: /],
    [NDJSON, `${good}\n`.repeat(20_001), 400, "body: 20001 were sent; at most 20000 are allowed"],
    [CLOUD, `[${good}]`, 400, /^body: "?an array"? was sent; it must be one CloudEvent, an object$/],
    [CLOUDS, good, 400, /^body: "?an object"? was sent; it must be an array of CloudEvents$/],
    [{ "content-type": "text/csv" }, good, 415, `Content-Type: "text/csv" was sent; allowed are ${TYPES}`],
    [{ "content-type": "application/json; charset=utf-16" }, good, 415, `Content-Type: "application/json; charset=utf-16" was sent; allowed are ${TYPES}`],
    [{ ...JSON_TYPE, "content-encoding": "br" }, good, 415, 'Content-Encoding: "br" was sent; allowed are gzip and identity'],
    [{ ...JSON_TYPE, ...GZIP }, good, 400, "body: is not valid gzip; compress it again or leave Content-Encoding out"],
    [{ ...JSON_TYPE, ...GZIP }, new Uint8Array(cut), 400, "body: is not valid gzip; compress it again or leave Content-Encoding out"],
    [{ ...JSON_TYPE, ...GZIP }, new Uint8Array(bomb), 413, LARGE],
  ];
  for (const [headers, body, status, message] of cases) {
    const answer = await write("whole", body, headers);
    const what = `${JSON.stringify(headers)} ${body.slice(0, 40)}`;
    assert.equal(answer.status, status, `${what}: ${answer.text}`);
    if (typeof message === "string") assert.equal(answer.json.message, message, what);
    else assert.match(answer.json.message, message, what);
  }
  const path = "/v1/accounts/whole/usageEvents:batchCreate";
  const keyless = await daybook.call("POST", path, { body: `{"events":[${good}]}`, headers: JSON_TYPE });
  assert.equal(keyless.status, 401);
  const parameter = await daybook.call("POST", `${path}?dryRun=1`, {
    key: OPERATOR_KEY,
    body: { events: [event("good")] },
  });
  assert.deepEqual(
    [parameter.status, parameter.json.message],
    [400, "dryRun: unknown query parameter; allowed are none"],
  );
  const home = await write("nobody", `{"events":[${good}]}`);
  assert.deepEqual([home.status, home.json.message], [404, 'account: "nobody" was not found']);
  assert.equal(await promptOf("whole"), "");
  assert.equal((await daybook.call("GET", "/v1/accounts/whole/usageEvents/good", { key: OPERATOR_KEY })).status, 404);
});

test("20,000 events, and 16 MiB to the byte, in one call", async () => {
  await daybook.account("large");
  const events = Array.from({ length: 20_000 }, (_, at) => event(`n${at}`));
  assert.deepEqual((await write("large", { events })).json, written(20_000));
  assert.equal(await promptOf("large"), "20000");
  assert.deepEqual((await write("large", { events })).json, written(0, 20_000));
  const small = JSON.stringify({ events: [event("padded")] });
  assert.deepEqual((await write("large", small + " ".repeat(MAX_BYTES - small.length))).json, written(1));
  const zipped = new Uint8Array(gzipSync(JSON.stringify({ events })));
  assert.deepEqual((await write("large", zipped, { ...JSON_TYPE, ...GZIP })).json, written(0, 20_000));
  assert.equal(await promptOf("large"), "20001");
});

test("NDJSON, CloudEvents and gzip carry the same events", async () => {
  await daybook.account("forms");
  const data = { usageType: TEXT, model: MODEL, promptTokens: 1 };
  const time = "2026-10-05T10:00:00Z";
  const cloud = (id: string, more: object = {}) => ({
    specversion: "1.0",
    id,
    source: "gw/1",
    type: "usage",
    time,
    data,
    ...more,
  });
  const lines = `${JSON.stringify(event("l1"))}\r\n\n${JSON.stringify(event("l2"))}`;
  // biome-ignore format: a ledger
  const cases: [headers: Record<string, string>, body: string, outcome: object, total: string][] = [
    [NDJSON, lines, written(2), "2"],
    [NDJSON, lines, written(0, 2), "2"],
    [{ "content-type": "Application/JSON; Charset=UTF-8" }, JSON.stringify({ events: [event("l2"), event("j1")] }), written(1, 1), "3"],
    [CLOUD, JSON.stringify(cloud("c1")), written(1), "4"],
    [CLOUDS, JSON.stringify([cloud("c1"), cloud("c/2"), cloud("c3", { data: { ...data, id: "own" } })]), written(2, 1), "6"],
    [JSON_TYPE, JSON.stringify({ events: [event("gw/1/c1"), event("gw/1/c%2F2"), event("own")] }), written(0, 3), "6"],
  ];
  for (const [headers, body, outcome, total] of cases) {
    assert.deepEqual((await write("forms", body, headers)).json, outcome, body);
    const zipped = new Uint8Array(gzipSync(body));
    const again = (await write("forms", zipped, { ...headers, ...GZIP })).json;
    assert.deepEqual([again.created, again.rejected], [0, []], body);
    assert.equal(await promptOf("forms"), total, body);
  }
  const bad = await write("forms", JSON.stringify([cloud("ok"), cloud("no", { specversion: "0.3" }), cloud("neg", { data: { ...data, promptTokens: -1 } })]), CLOUDS); // biome-ignore format: one call
  assert.equal(bad.json.created, 1);
  assert.deepEqual(bad.json.rejected, [
    { index: 1, id: "gw/1/no", field: "specversion", message: 'specversion: "0.3" was sent; allowed are "1.0"' },
    {
      index: 2,
      id: "gw/1/neg",
      field: "data.promptTokens",
      message: "data.promptTokens: -1 was sent; it must be a whole number from 0 to 9007199254740991",
    },
  ]);
});

test("20 calls at once with overlapping ids: each event counts once, each outcome adds up", async () => {
  await daybook.account("race");
  // Call n sends the ids n*50 to n*50+199, so that an id is in up to four calls.
  const calls = Array.from({ length: 20 }, (_, call) =>
    write("race", { events: Array.from({ length: 200 }, (_, at) => event(`r${call * 50 + at}`)) }),
  );
  const answers = await Promise.all(calls);
  const sum = (field: string) => answers.reduce((total, { json }) => total + json[field], 0);
  assert.deepEqual([sum("created"), sum("duplicates")], [1150, 2850]);
  assert.equal(await promptOf("race"), "1150");
  // The same id with other content in 20 calls: one is first, the others are conflicts.
  const rivals = await Promise.all(
    Array.from({ length: 20 }, (_, at) => write("race", { events: [event("rival", { promptTokens: 1000 + at })] })),
  );
  assert.equal(rivals.filter(({ json }) => json.created === 1).length, 1);
  assert.equal(rivals.filter(({ json }) => json.conflicts.length === 1).length, 19);
  const won = rivals.findIndex(({ json }) => json.created === 1);
  assert.equal(await promptOf("race"), String(1150 + 1000 + won));
});

test("annotations: the event's, else its key's, else its deployment's; what is dropped is counted", async () => {
  await daybook.account("tags");
  const { keyId } = await daybook.key("tags", { annotations: { team: "key", project: "key" } });
  const deployment = { name: "d", acceleratorType: "NVIDIA_L4_24GB", annotations: { team: "dep", project: "dep", environment: "dep" } }; // biome-ignore format: one deployment
  await daybook.call("POST", "/v1/accounts/tags/deployments", { key: OPERATOR_KEY, body: deployment });
  const proto = JSON.parse(
    '{"team":"own","__proto__":"x","constructor":"y","region":"eu","project":"","environment":7}',
  );
  const events = [
    event("all", { apiKeyId: keyId, deployment: "d", annotations: { team: "own" } }),
    event("bad", { promptTokens: 10, annotations: proto }),
    event("long", {
      promptTokens: 100,
      annotations: { team: "t".repeat(129), project: "p".repeat(128), environment: "é" },
    }),
  ];
  const { json } = await write("tags", { events });
  assert.deepEqual(json, { ...written(3), droppedAnnotations: 7 });
  const groupBy = ["annotations.team", "annotations.project", "annotations.environment"];
  const rows = (await usageOf(daybook, "tags", { ...DAY, groupBy })).json.serverlessCosts;
  assert.deepEqual(
    rows.map((row: { group: object; promptTokens: string }) =>
      [...Object.values(row.group), row.promptTokens].join("|"),
    ),
    [`|${"p".repeat(128)}||100`, "own|||10", "own|key|dep|1"],
  );
});

test("one event is read back by any id it can have", async () => {
  await daybook.account("ids");
  const ids = ["a", "a/b/c", "100%", "%41", "a b", "ключ", "漢".repeat(256), "🎉", "?x=1", "#f", "..", ".", "a:void", "x'--", "__proto__", "+"]; // biome-ignore format: a list
  const events = ids.map((id, at) => event(id, { promptTokens: at, user: id, annotations: { team: "search" } }));
  assert.deepEqual((await write("ids", { events })).json, written(ids.length));
  for (const [at, id] of ids.entries()) {
    // URL parsers take dots for a path, escaped or not: such ids can be written and voided, not read alone.
    if (id === "." || id === "..") continue;
    const path = `/v1/accounts/ids/usageEvents/${encodeURIComponent(id)}`;
    const { status, json } = await daybook.call("GET", path, { key: OPERATOR_KEY });
    assert.equal(status, 200, id);
    assert.deepEqual(json, {
      id,
      time: "2026-10-05T10:00:00Z",
      usageType: TEXT,
      model: MODEL,
      user: id,
      serviceTier: "STANDARD",
      ...(at > 0 && { promptTokens: at }),
      annotations: { team: "search" },
    });
  }
  const voided = await daybook.call("POST", "/v1/accounts/ids/usageEvents:void", { key: OPERATOR_KEY, body: { ids } });
  assert.deepEqual(voided.json, { voided: ids.length, alreadyVoided: 0, notFound: [] });
  assert.equal(await promptOf("ids"), "");
});

test("voiding: twice in one call, what is not there, and another account's event", async () => {
  await daybook.account("mine");
  await daybook.account("theirs");
  await write("theirs", { events: [event("e")] });
  await write("mine", { events: [event("f")] });
  const body = { ids: ["e", "f", "f", "g"] };
  const { json } = await daybook.call("POST", "/v1/accounts/mine/usageEvents:void", { key: OPERATOR_KEY, body });
  assert.deepEqual(json, {
    voided: 1,
    alreadyVoided: 1,
    notFound: [
      { index: 0, id: "e" },
      { index: 3, id: "g" },
    ],
  });
  assert.deepEqual([await promptOf("mine"), await promptOf("theirs")], ["", "1"]);
  const many = { ids: Array.from({ length: 20_001 }, (_, at) => `${at}`) };
  const refused = await daybook.call("POST", "/v1/accounts/theirs/usageEvents:void", { key: OPERATOR_KEY, body: many });
  assert.equal(refused.status, 400);
  assert.match(refused.json.message, /^ids: 20001 were sent; at most 20000 are allowed$/);
  assert.equal(await promptOf("theirs"), "1");
});

test("why an event is an estimate is part of its content: written, read back, explained; another reason is a conflict", async () => {
  await daybook.account("estimates");
  const one = event("cut", { completionTokens: 3, estimated: "client_gone" });
  const events = [
    one,
    event("cut2", { estimated: "client_gone" }),
    event("odd", { estimated: "unsound_usage" }),
    event("exact"),
  ];
  assert.deepEqual((await write("estimates", { events })).json, written(4));
  const path = "/v1/accounts/estimates/usageEvents/cut";
  const read = await daybook.call("GET", path, { key: OPERATOR_KEY });
  assert.deepEqual(read.json, { ...one, serviceTier: "STANDARD" });
  assert.deepEqual(
    (await write("estimates", { events: [read.json] })).json,
    written(0, 1),
    "what was read can be written",
  );
  const { estimated: _, ...bare } = read.json as Record<string, unknown>;
  const others = [bare, { ...bare, estimated: "upstream_cut" }, { ...bare, id: "bad", estimated: "perhaps" }];
  const { json } = await write("estimates", { events: others });
  assert.deepEqual(
    json.conflicts.map(({ index, field }: { index: number; field: string }) => [index, field]),
    [
      [0, "estimated"],
      [1, "estimated"],
    ],
  );
  assert.match(json.rejected[0].message, /^estimated: "perhaps" was sent; allowed are upstream_cut, .*, no_usage$/);
  const named = { ...DAY, "group[model_name]": MODEL };
  const url = `/v1/accounts/estimates/billingUsage:explain?${new URLSearchParams(named)}`;
  const explained = await daybook.call("GET", url, { key: OPERATOR_KEY });
  const { count, estimated, estimatedReasons } = explained.json.events;
  assert.deepEqual([count, estimated, estimatedReasons], ["4", "3", { client_gone: "2", unsound_usage: "1" }]);
});

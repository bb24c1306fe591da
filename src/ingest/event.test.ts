import assert from "node:assert/strict";
import { test } from "node:test";
import { FIELD_AT, METERS } from "../domain/usage.ts";
import { type Decoded, decode } from "./decode.ts";

const NOW = Date.parse("2026-06-10T12:00:00Z");

/** Events as JSON text, so that what JavaScript objects cannot say (`__proto__`, 1e999) can be sent. */
function decodeEvents(...events: string[]): Decoded {
  const body = Buffer.from(`{"events":[${events.join(",")}]}`);
  return decode(body, { contentType: "application/json", contentEncoding: "", account: "acme", now: NOW });
}

const ID = `"id":"e1"`;
const TIME = `"time":"2026-06-10T00:00:00Z"`;
const TEXT = `"usageType":"TEXT_COMPLETION_INFERENCE_USAGE"`;
const GPU = `"usageType":"DEDICATED_DEPLOYMENT_USAGE"`;

// biome-ignore format: a table
const BAD: [event: string, field: string, message: RegExp][] = [
  [`1`,                                                   "event",     /^event: 1 was sent; it must be an object$/],
  [`null`,                                                "event",     /must be an object/],
  [`[]`,                                                  "event",     /an array/],
  [`{${TIME},${TEXT}}`,                                   "id",        /^id: is required/],
  [`{"id":null,${TIME},${TEXT}}`,                         "id",        /^id: is required/],
  [`{"id":"",${TIME},${TEXT}}`,                           "id",        /1 to 256 characters/],
  [`{"id":7,${TIME},${TEXT}}`,                            "id",        /^id: 7 was sent/],
  [`{"id":["a"],${TIME},${TEXT}}`,                        "id",        /1 to 256 characters/],
  [`{"id":"${"x".repeat(300)}",${TIME},${TEXT}}`,         "id",        /^id: "x{70,80}.{0,3} was sent; it must be 1 to 256/],
  [`{"id":"a\\u0000b",${TIME},${TEXT}}`,                  "id",        /without control characters/],
  [`{"id":"a\\ud800b",${TIME},${TEXT}}`,                  "id",        /well-formed/],
  [`{${ID},${TEXT}}`,                                     "time",      /^time: is required/],
  [`{${ID},"time":"yesterday",${TEXT}}`,                  "time",      /^time: "yesterday" is not an RFC 3339 time/],
  [`{${ID},"time":1780000000000,${TEXT}}`,                "time",      /is not an RFC 3339 time/],
  [`{${ID},"time":"2026-02-30T00:00:00Z",${TEXT}}`,       "time",      /is not an RFC 3339 time/],
  [`{${ID},"time":"2026-06-10T00:00:60Z",${TEXT}}`,       "time",      /is not an RFC 3339 time/],
  [`{${ID},"time":"0000-01-01T00:00:00Z",${TEXT}}`,       "time",      /from 2000-01-01T00:00:00Z to 24 hours ahead/],
  [`{${ID},"time":"1999-12-31T23:59:59.999Z",${TEXT}}`,   "time",      /from 2000-01-01T00:00:00Z/],
  [`{${ID},"time":"2026-06-11T12:00:00.001Z",${TEXT}}`,   "time",      /ahead of now \(2026-06-11T12:00:00Z\)$/],
  [`{${ID},"time":"9999-12-31T23:59:59Z",${TEXT}}`,       "time",      /ahead of now/],
  [`{${ID},${TIME}}`,                                     "usageType", /^usageType: is required; send one of TEXT_/],
  [`{${ID},${TIME},"usageType":"SMELL"}`,                 "usageType", /^usageType: "SMELL" was sent; allowed are TEXT_/],
  [`{${ID},${TIME},"usageType":"toString"}`,              "usageType", /allowed are/],
  [`{${ID},${TIME},${TEXT},"promptToken":1}`,             "promptToken", /unknown field; allowed are id, time/],
  [`{${ID},${TIME},${TEXT},"__proto__":{"model":"m"}}`,   "__proto__", /unknown field/],
  [`{${ID},${TIME},${TEXT},"constructor":1}`,             "constructor", /unknown field/],
  [`{${ID},"time":0,"0":0}`,                              "0",         /unknown field/],
  [`{${ID},${TIME},${TEXT},"model":7}`,                   "model",     /0 to 256 characters/],
  [`{${ID},${TIME},${TEXT},"model":"${"m".repeat(257)}"}`, "model",    /0 to 256 characters/],
  [`{${ID},${TIME},${TEXT},"user":"\\u0000"}`,            "user",      /control characters/],
  [`{${ID},${TIME},${TEXT},"jobId":"\\udc00"}`,           "jobId",     /well-formed/],
  [`{${ID},${TIME},${TEXT},"serviceTier":"fast"}`,        "serviceTier", /"fast" was sent; allowed are STANDARD, PRIORITY, FAST/],
  [`{${ID},${TIME},${TEXT},"batch":"true"}`,              "batch",     /must be true or false/],
  [`{${ID},${TIME},${TEXT},"estimated":"perhaps"}`,       "estimated", /"perhaps" was sent; allowed are upstream_cut, upstream_timeout/],
  [`{${ID},${TIME},${TEXT},"estimated":true}`,            "estimated", /true was sent; allowed are upstream_cut/],
  [`{${ID},${TIME},${GPU},"acceleratorType":"H100"}`,     "acceleratorType", /allowed are NVIDIA_A100_80GB/],
  [`{${ID},${TIME},${GPU},"deployment":"accounts/other/deployments/d"}`, "deployment", /accounts\/acme\/deployments\/\{id\}/],
  [`{${ID},${TIME},${GPU},"deployment":"accounts/acme/deployments/"}`,   "deployment", /0 to 256 characters/],
  [`{${ID},${TIME},${GPU},"deployment":"accounts/acme/deployments/a/b"}`, "deployment", /allowed are/],
  [`{${ID},${TIME},${GPU},"deployment":"a/b"}`,           "deployment", /allowed are a deployment's id/],
  [`{${ID},${TIME},${GPU},"deployment":{}}`,              "deployment", /0 to 256/],
  [`{${ID},${TIME},${TEXT},"promptTokens":-1}`,           "promptTokens", /^promptTokens: -1 was sent; it must be a whole number/],
  [`{${ID},${TIME},${TEXT},"promptTokens":1.5}`,          "promptTokens", /1.5 was sent/],
  [`{${ID},${TIME},${TEXT},"promptTokens":9007199254740992}`,   "promptTokens", /from 0 to 9007199254740991/],
  [`{${ID},${TIME},${TEXT},"promptTokens":"9007199254740992"}`, "promptTokens", /"9007199254740992" was sent/],
  [`{${ID},${TIME},${TEXT},"promptTokens":1e999}`,        "promptTokens", /Infinity/],
  [`{${ID},${TIME},${TEXT},"promptTokens":""}`,           "promptTokens", /whole number/],
  [`{${ID},${TIME},${TEXT},"promptTokens":true}`,         "promptTokens", /whole number/],
  [`{${ID},${TIME},${TEXT},"promptTokens":5,"cachedPromptTokens":6}`, "cachedPromptTokens", /6 was sent with promptTokens 5/],
  [`{${ID},${TIME},${TEXT},"audioInputSeconds":0.0001}`,  "audioInputSeconds", /at most 3 decimals/],
  [`{${ID},${TIME},${TEXT},"tokens":1}`,                  "tokens",    /TEXT_COMPLETION_INFERENCE_USAGE meters promptTokens/],
  [`{${ID},${TIME},${GPU},"promptTokens":1}`,             "promptTokens", /meters acceleratorSeconds$/],
  [`{${ID},${TIME},${TEXT},"annotations":"team=a"}`,      "annotations", /must be an object/],
  [`{${ID},${TIME},${TEXT},"annotations":[]}`,            "annotations", /must be an object/],
];

test("an event that is not one is refused with its first problem", () => {
  for (const [event, field, message] of BAD) {
    const { rejected, total, batch } = decodeEvents(event);
    assert.deepEqual([total, batch.ids.length, rejected.length], [1, 0, 1], event.slice(0, 200));
    assert.equal(rejected[0]!.field, field, event.slice(0, 200));
    assert.match(rejected[0]!.message, message);
  }
});

test("the refused leave no trace in the accepted, wherever they stand", () => {
  const good = (id: number) => `{"id":"g${id}",${TIME},${TEXT},"model":"m${id % 3}","promptTokens":${id}}`;
  const events = BAD.flatMap(([bad], at) => [good(2 * at), bad, good(2 * at + 1)]);
  const mixed = decodeEvents(...events);
  const alone = decodeEvents(...BAD.flatMap((_, at) => [good(2 * at), good(2 * at + 1)]));
  assert.equal(mixed.rejected.length, BAD.length);
  assert.deepEqual(mixed.batch, alone.batch);
  assert.deepEqual([...mixed.index.subarray(0, 4)], [0, 2, 3, 5]);
  assert.deepEqual(
    mixed.rejected.slice(0, 3).map(({ index }) => index),
    [1, 4, 7],
  );
});

test("a refused event is named by the id that was sent, cut at 256 characters", () => {
  const { rejected } = decodeEvents(`{"id":"${"x".repeat(300)}"}`, `{"id":5}`, `{"id":"e","x":1}`, `"e"`);
  assert.deepEqual(
    rejected.map(({ id }) => id),
    ["x".repeat(256), "", "e", ""],
  );
});

test("every field lands in its column", () => {
  const { batch, droppedAnnotations } = decodeEvents(
    `{"id":"full",${TIME},${TEXT},"model":"m","apiKeyId":"k","user":"u","serviceTier":"FAST","batch":true,` +
      `"promptTokens":3,"cachedPromptTokens":"2","completionTokens":1,"audioInputSeconds":1.5,"imageCount":0,` +
      `"deployment":"accounts/acme/deployments/d","acceleratorType":"NVIDIA_L4_24GB","acceleratorSeconds":0,"placement":"US",` +
      `"jobId":"j","jobType":"jt","trainingSessionId":"s","tokens":0,"baseModel":"b",` +
      `"estimated":"client_gone","annotations":{"team":"t","color":"red"}}`,
    `{"id":"bare",${TIME},${GPU},"acceleratorSeconds":"0.25","deployment":"d"}`,
    `{"id":"nulls","time":"2026-06-10T00:00:00.0019+00:00",${TEXT},"model":null,"batch":null,"user":"","promptTokens":null,"annotations":null}`,
  );
  // biome-ignore format: a table
  assert.deepEqual(batch.labels, [
    ["TEXT_COMPLETION_INFERENCE_USAGE", "m", "k", "u", "FAST",     "true", "d", "NVIDIA_L4_24GB", "US", "j", "jt", "s", "b", "t", "", "", "", "client_gone"],
    ["DEDICATED_DEPLOYMENT_USAGE",      "",  "",  "",  "",         "",     "d", "",               "",   "",  "",   "",  "",  "",  "", "", "", ""],
    ["TEXT_COMPLETION_INFERENCE_USAGE", "",  "",  "",  "STANDARD", "",     "",  "",               "",   "",  "",   "",  "",  "",  "", "", "", ""],
  ]);
  assert.deepEqual(batch.ids, ["full", "bare", "nulls"]);
  assert.deepEqual([...batch.times], [1781049600000, 1781049600000, 1781049600001]);
  // biome-ignore format: a table
  assert.deepEqual([...batch.quantities], [
    3, 2, 1, 1500, 0, 0,   0,
    0, 0, 0, 0,    0, 250, 0,
    0, 0, 0, 0,    0, 0,   0,
  ]);
  assert.deepEqual([METERS.length, [...batch.series], batch.sent === batch.series], [7, [0, 1, 2], true]);
  assert.equal(droppedAnnotations, 1);
});

test("annotations: bad ones are dropped and counted, and none reaches a prototype", () => {
  // biome-ignore format: a table
  const table: [annotations: string, team: string, project: string, dropped: number][] = [
    [`{}`,                                                "",  "",  0],
    [`{"team":"a"}`,                                      "a", "",  0],
    [`{"team":"a"}`,                                      "a", "",  0],
    [`{"team":"a","project":"p"}`,                        "a", "p", 0],
    [`{"project":"p","team":"a","x":"y"}`,                "a", "p", 1],
    [`{"project":"p"}`,                                   "",  "p", 0],
    [`{"team":"a","__proto__":{"project":"q"}}`,          "a", "",  1],
    [`{"team":"a","constructor":"q","toString":"r"}`,     "a", "",  2],
    [`{"team":""}`,                                       "",  "",  1],
    [`{"team":"é","project":"${"p".repeat(129)}"}`,       "",  "",  2],
    [`{"team":["a"],"project":null}`,                     "",  "",  2],
  ];
  let dropped = 0;
  for (const [at, [annotations, team, project, count]] of table.entries()) {
    // Each after all before it, so that what was kept from an earlier one would show.
    const events = table.slice(0, at + 1).map(([map], i) => `{"id":"e${i}",${TIME},${TEXT},"annotations":${map}}`);
    const { batch, droppedAnnotations } = decodeEvents(...events);
    const labels = batch.labels[batch.sent[at]!]!;
    dropped += count;
    assert.deepEqual(
      [labels[FIELD_AT.team], labels[FIELD_AT.project], droppedAnnotations],
      [team, project, dropped],
      annotations,
    );
  }
  assert.equal(({} as { project?: string }).project, undefined);
});

test("a good time is kept to the millisecond up to the very edges", () => {
  const times = ["2000-01-01T00:00:00Z", "2026-06-11T12:00:00Z", "2026-06-11T14:00:00.000000000+02:00"];
  const { batch } = decodeEvents(...times.map((time, at) => `{"id":"${at}","time":"${time}",${TEXT}}`));
  assert.deepEqual([...batch.times], [Date.UTC(2000, 0, 1), NOW + 86_400_000, NOW + 86_400_000]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { Fault, type FaultCode } from "../domain/fault.ts";
import {
  ACCELERATOR_TYPES,
  BODY_BYTES_MAX,
  METER_WIRE_FIELD,
  SERVICE_TIERS,
  USAGE_TYPE_NAMES,
  USAGE_TYPES,
} from "../domain/usage.ts";
import { type Decoded, decode } from "./decode.ts";

const NOW = Date.parse("2026-06-10T12:00:00Z");
const JSON_LIST = "application/json";
const LINES = "application/x-ndjson";
const CLOUD = "application/cloudevents+json";
const CLOUDS = "application/cloudevents-batch+json";

function decodeText(body: string | Uint8Array, contentType: string, contentEncoding = ""): Decoded {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  return decode(bytes, { contentType, contentEncoding, account: "acme", now: NOW });
}

type Event = Record<string, unknown>;
const EVENTS: Event[] = [
  { id: "a", time: "2026-06-10T00:00:00Z", usageType: "EMBEDDING_INFERENCE_USAGE", model: "m", promptTokens: 5 },
  { id: "b", time: "2026-06-10T00:00:00.5Z", usageType: "TRAINING_TOKEN_USAGE", jobId: "j", tokens: "7" },
];
const listed = (events: readonly Event[]) => JSON.stringify({ events });
const lined = (events: readonly Event[]) => events.map((event) => `${JSON.stringify(event)}\n`).join("");
const clouded = (events: readonly Event[]) =>
  JSON.stringify(events.map((data) => ({ specversion: "1.0", id: "ce", source: "/s", type: "t", data })));

test("all forms, plain and gzip, give the same events", () => {
  const expected = decodeText(listed(EVENTS), JSON_LIST);
  assert.deepEqual([expected.batch.ids, [...expected.index], expected.total], [["a", "b"], [0, 1], 2]);
  const [a, b] = EVENTS.map((event) => JSON.stringify(event));
  // biome-ignore format: a table
  const table: [contentType: string, body: string][] = [
    [JSON_LIST,                                   listed(EVENTS)],
    ["Application/JSON; charset=UTF-8",           `\ufeff${listed(EVENTS)}`],
    ['application/json;charset="utf-8"; a=b',     `${listed(EVENTS)}\r\n`],
    [LINES,                                       lined(EVENTS)],
    [`${LINES}; charset=utf-8`,                   `\ufeff\n \t\r\n${a}\r\n\r\n  ${b}`],
    [CLOUDS,                                      clouded(EVENTS)],
    [`${CLOUDS}; charset=utf-8`,                  clouded(EVENTS)],
  ];
  for (const [contentType, body] of table) {
    for (const encoding of ["", "identity", "gzip", "GZIP"]) {
      const bytes = /gzip/i.test(encoding) ? gzipSync(body) : body;
      assert.deepEqual(decodeText(bytes, contentType, encoding), expected, `${contentType} ${encoding}`);
    }
  }
  const halves = Buffer.concat([gzipSync(listed(EVENTS).slice(0, 20)), gzipSync(listed(EVENTS).slice(20))]);
  assert.deepEqual(decodeText(halves, JSON_LIST, "gzip"), expected, "gzip in two members");
  const one = decodeText(JSON.stringify(JSON.parse(clouded(EVENTS))[0]), CLOUD);
  assert.deepEqual(one, decodeText(listed(EVENTS.slice(0, 1)), JSON_LIST));
});

test("nothing is a fine number of events", () => {
  for (const [contentType, body] of [
    [JSON_LIST, '{"events":[]}'],
    [LINES, ""],
    [LINES, "\n\r\n"],
    [CLOUDS, "[]"],
  ] as const) {
    const { batch, total, rejected } = decodeText(body, contentType);
    assert.deepEqual([batch.ids, batch.labels, total, rejected], [[], [], 0, []]);
  }
});

test("a body that cannot be read is refused whole, with one clear reason", () => {
  const e = JSON.stringify(EVENTS[0]);
  const many = (count: number, one: string, by: string) => Array(count).fill(one).join(by);
  const bomb = gzipSync(Buffer.alloc(BODY_BYTES_MAX + 1, 32));
  const gz = gzipSync(listed(EVENTS));
  // biome-ignore format: a table
  const table: [contentType: string, encoding: string, body: string | Uint8Array, code: FaultCode, message: RegExp][] = [
    ["",                  "", "{}", "bad_content_type", /allowed are application\/json, application\/x-ndjson/],
    ["text/plain",        "", "{}", "bad_content_type", /"text\/plain" was sent/],
    ["application/jsonx", "", "{}", "bad_content_type", /./],
    ["constructor",       "", "{}", "bad_content_type", /./],
    ["application/json; charset=utf-16", "", "{}", "bad_content_type", /utf-16/],
    [JSON_LIST, "br",         "{}", "bad_content_encoding", /"br" was sent; allowed are gzip/],
    [JSON_LIST, "gzip, gzip", "{}", "bad_content_encoding", /./],
    [JSON_LIST, "gzip", listed(EVENTS),                     "bad_gzip", /not valid gzip/],
    [JSON_LIST, "gzip", "",                                 "bad_gzip", /./],
    [JSON_LIST, "gzip", gz.subarray(0, -4),                 "bad_gzip", /./],
    [JSON_LIST, "gzip", Buffer.concat([gz, Buffer.from("x")]), "bad_gzip", /./],
    [JSON_LIST, "gzip", bomb,                               "body_too_large", /larger than 16777216 bytes/],
    [JSON_LIST, "",     Buffer.alloc(BODY_BYTES_MAX + 1),   "body_too_large", /./],
    [JSON_LIST, "gzip", Buffer.alloc(BODY_BYTES_MAX + 1),   "body_too_large", /./],
    [JSON_LIST, "", Buffer.from([0x22, 0xff, 0x22]),        "bad_utf8", /not valid UTF-8/],
    [JSON_LIST, "", Buffer.from([0xed, 0xa0, 0x80]),        "bad_utf8", /./],
    [JSON_LIST, "", "",                                     "bad_json", /Unexpected end of JSON input/],
    [JSON_LIST, "", `{"events":[${e},]}`,                   "bad_json", /^body: is not valid JSON: Unexpected token '\]' near .{1,40}$/],
    [JSON_LIST, "", `{"events":[${e} ${e}]}`,               "bad_json", /at position \d+ \(line 1 column \d+\)$/],
    [JSON_LIST, "", `{"a":secret}`,                         "bad_json", /^body: is not valid JSON: Unexpected token 's'$/],
    [JSON_LIST, "", `{"events":[{"promptTokens":NaN}]}`,    "bad_json", /Unexpected token 'N' near \.\.\."ptTokens":NaN}]}"$/],
    [JSON_LIST, "", "[]",                                   "wrong_type", /^body: an array was sent; it must be \{"events":\[\.\.\.\]\}$/],
    [JSON_LIST, "", "null",                                 "wrong_type", /null was sent/],
    [JSON_LIST, "", "{}",                                   "required", /^events: is required/],
    [JSON_LIST, "", `{"events":{}}`,                        "wrong_type", /^events: an object was sent/],
    [JSON_LIST, "", `{"events":null}`,                      "wrong_type", /^events: null was sent/],
    [JSON_LIST, "", `{"events":[],"dryRun":true}`,          "unknown_field", /^dryRun: unknown field; allowed are events$/],
    [JSON_LIST, "", `{"__proto__":{"events":[]}}`,          "unknown_field", /^__proto__: unknown field/],
    [JSON_LIST, "", `{"events":[${many(20_001, "{}", ",")}]}`, "too_many", /^events: 20001 were sent; at most 20000/],
    [LINES,     "", many(20_001, "{}", "\n"),               "too_many", /20001/],
    [CLOUDS,    "", `[${many(20_001, "{}", ",")}]`,         "too_many", /20001/],
    [LINES,     "", `${e}\n\n{"id":\n${e}`,                 "bad_ndjson", /^body: line 3 is not valid JSON: /],
    [LINES,     "", `${e}\n${e} ${e}`,                      "bad_ndjson", /line 2 .* at position \d+$/],
    [LINES,     "", `${e},${e}`,                            "bad_ndjson", /line 1 /],
    [LINES,     "", `{"annotations":{"x":[{}\n{}]}},{}`,    "bad_ndjson", /line 1 /],
    [LINES,     "", `[\n]`,                                 "bad_ndjson", /line 1 /],
    [LINES,     "", `${e}\n\u00a0\n`,                       "bad_ndjson", /line 2 /],
    [CLOUDS,    "", "{}",                                   "wrong_type", /array of CloudEvents/],
    [CLOUD,     "", "[]",                                   "wrong_type", /one CloudEvent/],
    [JSON_LIST, "", "[".repeat(1_000_000),                  "bad_json", /./],
  ];
  for (const [contentType, encoding, body, code, message] of table) {
    const about = `${contentType} ${encoding} ${body.slice(0, 60)}`;
    assert.throws(
      () => decodeText(body, contentType, encoding),
      (fault) => {
        assert.ok(fault instanceof Fault, about);
        assert.equal(fault.problems[0].code, code, about);
        assert.match(fault.message, message);
        assert.ok(fault.message.length < 300, about);
        return true;
      },
    );
  }
  const status = (body: Uint8Array, encoding: string) => {
    try {
      decodeText(body, JSON_LIST, encoding);
    } catch (fault) {
      return (fault as Fault).http;
    }
    return 200;
  };
  assert.deepEqual([status(bomb, "gzip"), status(bomb, "br"), status(bomb, "")], [413, 415, 400]);
});

test("all that is wrong with the shape of the body is told at once", () => {
  assert.throws(
    () => decodeText('{"event":[],"x":1}', JSON_LIST),
    (fault: Fault) => {
      assert.deepEqual(
        fault.problems.map(({ field }) => field),
        ["event", "x", "events"],
      );
      return true;
    },
  );
});

test("nesting 100,000 deep is an ordinary wrong value", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const event = `"id":"e","time":"2026-06-10T00:00:00Z","usageType":"TRAINING_TOKEN_USAGE"`;
  const body = `{"events":[${deep},{"id":${deep}},{${event},"annotations":{"team":${deep}}}]}`;
  const { rejected, droppedAnnotations } = decodeText(body, JSON_LIST);
  assert.deepEqual(
    rejected.map(({ field }) => field),
    ["event", "id"],
  );
  assert.equal(droppedAnnotations, 1);
});

test("20,000 events are taken", () => {
  const events = Array.from({ length: 20_000 }, (_, at) => ({ ...EVENTS[0], id: `e${at}` }));
  const { batch, total } = decodeText(listed(events), JSON_LIST);
  assert.deepEqual([batch.ids.length, batch.labels.length, total], [20_000, 1, 20_000]);
});

test("a CloudEvent gives its identity and its time to data that has none", () => {
  const base = { specversion: "1.0", type: "any.type", time: "2026-06-09T00:00:00Z" };
  const data = { usageType: "TRAINING_TOKEN_USAGE", tokens: 1 };
  const { batch, rejected } = decodeText(
    JSON.stringify([
      { ...base, source: "/gw/a", id: "1", subject: "s", traceparent: "x", data },
      { ...base, source: "/gw", id: "a/1", data },
      { ...base, source: "/gw", id: "a%2F1", datacontenttype: "application/json; charset=utf-8", data },
      { ...base, source: "/gw", id: "2", data: { ...data, id: "own", time: "2026-06-08T00:00:00Z" } },
    ]),
    CLOUDS,
  );
  assert.deepEqual(rejected, []);
  assert.deepEqual(batch.ids, ["/gw/a/1", "/gw/a%2F1", "/gw/a%252F1", "own"]);
  assert.deepEqual(
    [...batch.times],
    [9, 9, 9, 8].map((day) => Date.UTC(2026, 5, day)),
  );
});

test("a CloudEvent that is none is refused by the path of its field", () => {
  const good = { specversion: "1.0", id: "1", source: "/s", type: "t", time: "2026-06-09T00:00:00Z" };
  const data = { usageType: "TRAINING_TOKEN_USAGE", tokens: 1 };
  // biome-ignore format: a table
  const table: [event: unknown, id: string, field: string, message: RegExp][] = [
    [7,                                                  "",        "event",           /an object/],
    [{ ...good, data, specversion: "0.3" },              "/s/1",    "specversion",     /"0.3" was sent; allowed are "1.0"/],
    [{ id: "1", source: "/s", type: "t", data },         "/s/1",    "specversion",     /is required/],
    [{ ...good, data, id: "" },                          "/s/",     "id",              /not empty/],
    [{ ...good, data, source: undefined },               "1",       "source",          /is required/],
    [{ ...good, data, type: 5 },                         "/s/1",    "type",            /5 was sent/],
    [{ ...good, data, datacontenttype: "text/xml" },     "/s/1",    "datacontenttype", /allowed are application\/json/],
    [{ ...good, data_base64: "e30=" },                   "/s/1",    "data_base64",     /left out/],
    [{ ...good },                                        "/s/1",    "data",            /is required/],
    [{ ...good, data: "x" },                             "/s/1",    "data",            /must be an object/],
    [{ ...good, data: { ...data, tokens: -1 } },         "/s/1",    "data.tokens",     /^data\.tokens: -1 was sent/],
    [{ ...good, data: { ...data, x: 1 } },               "/s/1",    "data.x",          /unknown field/],
    [{ ...good, data: { ...data, id: "" } },             "",        "data.id",         /1 to 256/],
    [{ ...good, data: { ...data, id: "own", time: 1 } }, "own",     "data.time",       /RFC 3339/],
    [{ ...good, data, time: "soon" },                    "/s/1",    "time",            /RFC 3339/],
    [{ ...good, data, time: undefined },                 "/s/1",    "data.time",       /is required/],
    [{ ...good, data, id: "i".repeat(254) },             `/s/${"i".repeat(253)}`, "id", /1 to 256/],
  ];
  for (const [event, id, field, message] of table) {
    const { rejected } = decodeText(JSON.stringify(event === 7 ? [7] : [event]), CLOUDS);
    assert.deepEqual([rejected[0]?.id, rejected[0]?.field], [id, field], JSON.stringify(event));
    assert.match(rejected[0]!.message, message);
  }
});

const text = fc
  .string({ minLength: 1, maxLength: 40, unit: "grapheme" })
  .filter((one) => /^[^\p{Cc}]+$/u.test(one) && one.length <= 256);
const quantity = fc
  .integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
  .chain((n) => fc.constantFrom<unknown>(n, String(n)));
const seconds = fc.integer({ min: 0, max: 4e12 }).chain((ms) => fc.constantFrom<unknown>(ms / 1000, String(ms / 1000)));

const goodEvent = fc.constantFrom(...USAGE_TYPE_NAMES).chain((usageType) => {
  const fields = USAGE_TYPES[usageType].meters.map((meter) => METER_WIRE_FIELD[meter]);
  return fc
    .record(
      {
        id: text,
        time: fc
          .date({ min: new Date("2000-01-01"), max: new Date(NOW), noInvalidDate: true })
          .map((date) => date.toISOString()),
        usageType: fc.constant(usageType),
        model: text,
        user: fc.constantFrom("", null, "u"),
        serviceTier: fc.constantFrom(...SERVICE_TIERS),
        batch: fc.boolean(),
        deployment: fc.constantFrom("d", "accounts/acme/deployments/d"),
        acceleratorType: fc.constantFrom(...ACCELERATOR_TYPES),
        annotations: fc.dictionary(
          fc.constantFrom("team", "project", "__proto__", "x"),
          fc.constantFrom("a", "b c", "é"),
        ),
        ...Object.fromEntries(fields.map((field) => [field, field.endsWith("Seconds") ? seconds : quantity])),
      },
      { requiredKeys: ["id", "time", "usageType"] },
    )
    .map((event: Event) => {
      if (Number(event.cachedPromptTokens ?? 0) > Number(event.promptTokens ?? 0)) delete event.cachedPromptTokens;
      return event;
    });
});

test("any good events are the same in every form", () => {
  fc.assert(
    fc.property(fc.array(goodEvent, { maxLength: 8 }), (events) => {
      const expected = decodeText(listed(events), JSON_LIST);
      assert.deepEqual(expected.rejected, []);
      assert.deepEqual(
        expected.batch.ids,
        events.map(({ id }) => id),
      );
      assert.deepEqual(
        [...expected.batch.times],
        events.map(({ time }) => Date.parse(time as string)),
      );
      assert.deepEqual(decodeText(lined(events), LINES), expected);
      assert.deepEqual(decodeText(clouded(events), CLOUDS), expected);
      assert.deepEqual(decodeText(gzipSync(lined(events)), LINES, "gzip"), expected);
    }),
    { numRuns: 200 },
  );
});

test("any bytes give events, refusals or a Fault, never another error", () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const names = fc.constantFrom(
    "id",
    "time",
    "usageType",
    "annotations",
    "tokens",
    "deployment",
    "data",
    "specversion",
    "__proto__",
  );
  const record = fc.oneof(value, fc.dictionary(names, value));
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string().map((one) => Buffer.from(one)),
    fc.array(record).map((events) => Buffer.from(JSON.stringify({ events }))),
    fc.array(record).map((events) => Buffer.from(JSON.stringify(events))),
    fc.array(record).map((events) => Buffer.from(events.map((one) => JSON.stringify(one)).join("\n"))),
    fc.uint8Array({ maxLength: 200 }).map((one) => gzipSync(one)),
  );
  const types = fc.oneof(fc.constantFrom(JSON_LIST, LINES, CLOUD, CLOUDS), fc.string());
  fc.assert(
    fc.property(bodies, types, fc.constantFrom("", "gzip"), (body, contentType, encoding) => {
      try {
        const { batch, rejected, total, index } = decodeText(body, contentType, encoding);
        assert.deepEqual([batch.ids.length + rejected.length, index.length], [total, batch.ids.length]);
      } catch (fault) {
        if (!(fault instanceof Fault)) throw fault;
      }
    }),
    { numRuns: 1000 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AnswerMeter, meterFor } from "./answer-meter.ts";
import { routeOf } from "./routes-table.ts";

const chat = routeOf("POST", "chat/completions")!;
const SSE = "text/event-stream";

/** Feeds a text, cut at these places, and gives all that goes to the client. */
function pass(meter: AnswerMeter, text: string, cuts: readonly number[] = []): string {
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const out: Buffer[] = [];
  for (let at = 1; at < places.length; at += 1) out.push(meter.feed(bytes.subarray(places[at - 1], places[at])));
  return Buffer.concat([...out, meter.rest()]).toString();
}

const content = fc.string({ unit: "binary" });
const event = fc.record({
  id: fc.constant("c-1"),
  choices: fc.array(fc.record({ delta: fc.record({ content }) }), { minLength: 1, maxLength: 3 }),
});
const usage = fc.record({ prompt_tokens: fc.nat(), completion_tokens: fc.nat() }, { noNullPrototype: true });
const ends = fc.constantFrom("\n", "\r\n");
const cutsAt = fc.array(fc.nat(), { maxLength: 30 });
const line = (json: object, end: string): string => `data: ${JSON.stringify(json)}${end}${end}`;

test("any stream, cut anywhere, goes on byte by byte without the usage that was asked for, and the usage is told", () => {
  fc.assert(
    fc.property(fc.array(event), usage, ends, cutsAt, fc.boolean(), (events, told, end, cuts, isNullTold) => {
      const done = `data: [DONE]${end}${end}`;
      const comment = `: keep-alive${end}${end}`;
      const direct = events.map((one) => line(one, end)).join(comment) + done;
      const more = isNullTold ? { usage: null } : {};
      const sent =
        events.map((one) => line({ ...one, ...more }, end)).join(comment) +
        line({ id: "c-1", choices: [], usage: told }, end) +
        done;
      const meter = meterFor({ route: chat, contentType: SSE, hidesUsage: true })!;
      assert.equal(pass(meter, sent, cuts), direct);
      assert.deepEqual(meter.told, { id: "c-1", usage: told });
      assert.equal(meter.isLast, true);
    }),
    { numRuns: 300 },
  );
});

test("a stream that is not to be changed is not, whatever it holds", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), cutsAt, (text, cuts) => {
      const meter = meterFor({ route: chat, contentType: `${SSE}; charset=utf-8`, hidesUsage: false })!;
      assert.equal(pass(meter, text, cuts), Buffer.from(text).toString());
    }),
  );
});

test("a stream that breaks off in an event that might be hidden gives what came of it", () => {
  const meter = meterFor({ route: chat, contentType: SSE, hidesUsage: true })!;
  assert.equal(
    pass(meter, 'data: {"id":"c","choices":[{}]}\n\ndata: {"id":"c","cho', [3, 40]),
    'data: {"id":"c","choices":[{}]}\n\ndata: {"id":"c","cho',
  );
  assert.equal(meter.isLast, false);
});

test("an event that is too long to be held goes on as it is, whatever it tells", () => {
  const long = "x".repeat(1_500_000);
  const events = [
    line({ id: "c", choices: [{ delta: { content: long } }], usage: null }, "\n"),
    line({ id: "c", choices: [], padding: long, usage: { prompt_tokens: 1 } }, "\n"),
  ];
  const cuts = Array.from({ length: 40 }, (_, at) => at * 80_000);
  const end = line({ id: "c", choices: [], usage: { prompt_tokens: 2 } }, "\n");
  const meter = meterFor({ route: chat, contentType: SSE, hidesUsage: true })!;
  assert.ok(pass(meter, events.join("") + end, cuts) === events.join(""));
  assert.deepEqual(meter.told.usage, { prompt_tokens: 2 });
});

test("an event that breaks off in an escape is no reason to misread the next", () => {
  const meter = meterFor({ route: chat, contentType: SSE, hidesUsage: false })!;
  pass(meter, `data: {"id":"a\\\n\n${line({ "": 0, id: "b", choices: [], usage: { prompt_tokens: 2 } }, "\n")}`);
  assert.deepEqual(meter.told, { id: "b", usage: { prompt_tokens: 2 } });
});

test("content of other types is not metered", () => {
  for (const contentType of ["text/plain", "audio/mpeg", "", "application/octet-stream"]) {
    assert.equal(meterFor({ route: chat, contentType, hidesUsage: false }), undefined);
  }
});

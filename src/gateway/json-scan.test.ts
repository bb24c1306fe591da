import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JsonScan } from "./json-scan.ts";

const PATHS = ["model", "usage", "data", "response.usage", "response.id", "a.b.c"];

function scanOf(text: string | Buffer, cuts: readonly number[] = []): JsonScan {
  const scan = new JsonScan(PATHS, 4096);
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let at = 1; at < places.length; at += 1) scan.feed(bytes.subarray(places[at - 1], places[at]));
  return scan;
}

function at(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((inner, name) => {
    const isObject = typeof inner === "object" && inner !== null && !Array.isArray(inner);
    return isObject && Object.hasOwn(inner, name) ? (inner as Record<string, unknown>)[name] : undefined;
  }, value);
}

const anyName = fc.oneof(
  fc.constantFrom("model", "usage", "data", "response", "id", "a", "b", "c", 'x"y', "\\"),
  fc.string(),
);
const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    fc.string({ unit: "binary" }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
  ),
  tree: fc.oneof(
    { maxDepth: 5 },
    tie("leaf"),
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(anyName, tie("tree"), { maxKeys: 5 }),
  ),
}));
const record = fc.dictionary(anyName, tree as fc.Arbitrary<unknown>, { maxKeys: 6 });

test("in any JSON, cut anywhere, with any spaces, the values are those that JSON.parse finds", () => {
  fc.assert(
    fc.property(record, fc.constantFrom(undefined, 1, "\t"), fc.array(fc.nat()), (value, spaces, cuts) => {
      const text = JSON.stringify(value, undefined, spaces);
      const scan = scanOf(text, cuts);
      assert.equal(scan.isWhole, true);
      assert.equal(scan.closedAt, Buffer.byteLength(text) - 1);
      const parsed: unknown = JSON.parse(text);
      for (const path of PATHS) {
        const expected = at(parsed, path);
        const found = scan.found.get(path);
        assert.equal(found !== undefined, expected !== undefined, path);
        if (!found) continue;
        if (found.text !== undefined) assert.deepEqual(scan.value(path), expected);
        assert.deepEqual(JSON.parse(Buffer.from(text).subarray(found.start, found.end).toString()), expected);
        assert.equal(found.items, Array.isArray(expected) ? expected.length : 0);
      }
    }),
    { numRuns: 500 },
  );
});

test("what is no JSON object by its brackets, keys and commas is not whole", () => {
  const bad = ["", "{", '{"a"}', '{"a":1,}', '{"a":1 "b":2}', '{"a":[1,]}', '{"a":[}', '{"a":1}}', '{"a":1} 2', "{a:1}", '{"a":}', '{"a":"x', ",", "[1", '{"a"::1}', '{,"a":1}']; // biome-ignore format: a list
  for (const text of bad) assert.equal(scanOf(text).isWhole, false, text);
  for (const text of ["{}", "[]", '{"a":1}', ' {"a" : [ ] } \n', '"text"'])
    assert.equal(scanOf(text).isWhole, true, text);
});

test("a name that is there twice, spelled in any way, is told, and one of many levels ends the scan", () => {
  assert.deepEqual([...scanOf('{"model":"a","mod\\u0065l":"b"}').repeated], ["model"]);
  assert.deepEqual([...scanOf('{"usage":{"model":"a"},"model":"b"}').repeated], []);
  assert.equal(scanOf("[".repeat(5000)).isWhole, false);
  assert.equal(scanOf(`{"usage":"${"x".repeat(5000)}","model":"m"}`).value("model"), "m");
  assert.equal(scanOf(`{"usage":"${"x".repeat(5000)}"}`).found.get("usage")?.text, undefined);
});

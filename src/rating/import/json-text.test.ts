import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NumberText } from "./exact-decimal.ts";
import { type ListJson, readJson } from "./json-text.ts";

function plain(json: ListJson): unknown {
  if (json instanceof NumberText) return Number(json.text);
  if (Array.isArray(json)) return json.map(plain);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, plain(value)]));
}

test("what JSON.parse takes is read alike, numbers with their own text", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom("", "\ufeff"), (text, mark) => {
      const read = readJson(mark + text);
      assert.ok(read.kind === "read");
      assert.deepEqual(JSON.stringify(plain(read.json)), JSON.stringify(JSON.parse(text)));
      assert.deepEqual(read.repeated, []);
    }),
  );
  const read = readJson("[1e-7, 2.50E-06, 0.10]");
  assert.deepEqual(
    read.kind === "read" && read.json,
    ["1e-7", "2.50E-06", "0.10"].map((text) => new NumberText(text)),
  );
});

test("what JSON.parse refuses is a mistake, and a text with one character changed is read or refused as it says", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom(...'{}[],:"\\e-.0t\u0001 '), (json, place, put) => {
      const at = place % (json.length + 1);
      const text = json.slice(0, at) + put + json.slice(at + 1);
      let good = true;
      try {
        JSON.parse(text);
      } catch {
        good = false;
      }
      assert.equal(readJson(text).kind === "read", good, text);
    }),
    { numRuns: 1000 },
  );
});

// text, line, column, what stands there
const MISTAKES: [string, number, number, string | undefined][] = [
  ["", 1, 1, undefined],
  ['{"a": 1,\n "b": }', 2, 7, '"}"'],
  ['{"a": 1,}', 1, 9, '"}"'],
  ["[1,\n\n 2", 3, 3, undefined],
  ['{"a": 01}', 1, 8, '"1}"'],
  ['{"a": tru}', 1, 7, '"tru}"'],
  ['{"a": "x\ny"}', 1, 7, '"\\"x\\ny\\"}"'],
  ['{"a": 1} x', 1, 10, '"x"'],
  ["{'a': 1}", 1, 2, `"'a': 1}"`],
  [`${"[".repeat(101)}${"]".repeat(101)}`, 1, 101, '"[]]]]]]]]]]]"'],
];

test("a mistake has its line and column", () => {
  for (const [text, line, column, found] of MISTAKES) {
    assert.deepEqual(readJson(text), { kind: "mistake", line, column, found }, text.slice(0, 20));
  }
});

test("a name that stands twice in one object is told, however it is written", () => {
  const read = readJson('{"a": {"x": 1}, "b": {"x": 1, "\\u0078": 2}, "a": 3, "c": [{"a": 1}]}');
  assert.deepEqual(read.kind === "read" && read.repeated, ["x", "a"]);
});

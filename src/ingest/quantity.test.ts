import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseInstant } from "../domain/time.ts";
import { emptyDayCache, instantOf } from "./instant-cache.ts";
import { msOfSeconds, wholeOf } from "./quantity.ts";

test("a whole number is taken as a number or as int64 text, up to 2^53-1", () => {
  // biome-ignore format: a table
  const table: [unknown, number | undefined][] = [
    [0, 0],                      ["0", 0],
    [7, 7],                      ["7", 7],
    [9007199254740991, 9007199254740991], ["9007199254740991", 9007199254740991],
    [9007199254740992, undefined],        ["9007199254740992", undefined],
    [1e300, undefined],          ["9007199254740993", undefined],
    [Number.POSITIVE_INFINITY, undefined], ["99999999999999999999", undefined],
    [-1, undefined],             ["-1", undefined],
    [0.5, undefined],            ["0.5", undefined],
    [true, undefined],           ["07", undefined],
    [[1], undefined],            ["", undefined],
    [{}, undefined],             [" 1", undefined],
    [undefined, undefined],      ["1e3", undefined],
  ];
  for (const [value, whole] of table) assert.equal(wholeOf(value), whole, JSON.stringify(value));
  assert.ok(Object.is(wholeOf(-0), 0) && Object.is(msOfSeconds(-0), 0), "-0 is kept as 0");
});

test("seconds have at most 3 decimals and are kept as milliseconds, exactly", () => {
  // biome-ignore format: a table
  const table: [unknown, number | undefined][] = [
    [0, 0],                      ["0", 0],
    [1.5, 1500],                 ["1.5", 1500],
    [0.001, 1],                  ["0.001", 1],
    [1.1, 1100],                 ["1.100", 1100],
    [4.35, 4350],                ["4.35", 4350],
    [0.0001, undefined],         ["0.0001", undefined],
    [1.0005, undefined],         ["1.1000", undefined],
    [-1, undefined],             ["-1", undefined],
    [9007199254741, undefined],  ["9007199254741", undefined],
    [Number.NaN, undefined],     ["9007199254740.991", 9007199254740991],
    [Number.POSITIVE_INFINITY, undefined], ["9007199254740.992", undefined],
    [8796093022209, 8796093022209000],     ["9999999999999.999", undefined],
    [Number("8796093022209.001"), undefined], ["8796093022209.001", 8796093022209001],
    [true, undefined],           [".5", undefined],
    [null, undefined],           ["1.", undefined],
    [[], undefined],             ["01", undefined],
  ];
  for (const [value, ms] of table) assert.equal(msOfSeconds(value), ms, JSON.stringify(value));
});

test("any milliseconds below 2^43 s come back from a number, and all from text", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (ms) => {
      const text = `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, "0")}`;
      assert.equal(msOfSeconds(text), ms);
      const number = JSON.parse(text);
      if (number < 2 ** 43) assert.equal(msOfSeconds(number), ms);
      else assert.ok([ms, undefined].includes(msOfSeconds(number)));
    }),
    { examples: [[4_430_923_356_922_146]], numRuns: 1_000 },
  );
});

test("instants are read as parseInstant reads them, whatever was read before", () => {
  const digit = fc.constantFrom(..."0123456789:.TtZz+- x");
  const near = fc
    .tuple(
      fc.date({ min: new Date("0000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
      fc.nat(25),
      digit,
    )
    .map(([date, at, other]) => {
      const text = date.toISOString();
      return text.slice(0, at) + other + text.slice(at + 1);
    });
  const sameDay = fc.tuple(fc.nat(86_399_999), fc.boolean(), fc.nat(25), digit).map(([ms, whole, at, other]) => {
    const text = new Date(Date.UTC(2026, 4, 28) + ms).toISOString();
    const usual = whole ? `${text.slice(0, 19)}Z` : text;
    return at % 2 ? usual : usual.slice(0, at) + other + usual.slice(at + 1);
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(near, sameDay, fc.string()), { minLength: 1, maxLength: 20 }), (texts) => {
      const cache = emptyDayCache();
      for (const text of texts) assert.equal(instantOf(text, cache), parseInstant(text), text);
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COLUMN_COUNT, columnsOf, type SumEntry } from "./day-columns.ts";
import { packDay, unpackDay } from "./day-pack.ts";

/** Values about the edges of each width, and a zero more often than not. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  fc.constantFrom(1, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 45),
  fc.nat(),
);
const row = fc.record({
  series: fc.nat(6),
  slotOfDay: fc.nat(95),
  sums: fc.array(value, { minLength: COLUMN_COUNT, maxLength: COLUMN_COUNT }),
});
const entriesArbitrary: fc.Arbitrary<SumEntry[]> = fc
  .uniqueArray(row, { selector: ({ series, slotOfDay }) => series * 96 + slotOfDay, maxLength: 60 })
  .map((rows) => rows.sort((a, b) => a.series - b.series || a.slotOfDay - b.slotOfDay));

test("a day that is packed and unpacked is the same day, at any place in memory", () => {
  fc.assert(
    fc.property(entriesArbitrary, fc.nat(15), (entries, offset) => {
      const day = columnsOf(entries);
      const bytes = packDay(day, day.series)!;
      const moved = new Uint8Array(bytes.length + offset).subarray(offset);
      moved.set(bytes);
      assert.deepEqual(unpackDay(moved), day);
    }),
  );
});

test("sums past the safe integers or below zero are not packed", () => {
  const day = (...sums: (number | bigint)[]) =>
    columnsOf(sums.map((sum, at) => ({ series: 0, slotOfDay: at, sums: [sum, ...Array(COLUMN_COUNT - 1).fill(0)] })));
  const isPacked = (...sums: (number | bigint)[]) => packDay(day(...sums), Uint32Array.of(1)) !== undefined;
  assert.equal(isPacked(Number.MAX_SAFE_INTEGER), true);
  assert.equal(isPacked(Number.MAX_SAFE_INTEGER, 1), false);
  assert.equal(isPacked(2n ** 53n), false);
  assert.equal(isPacked(5, -1), false);
});

test("bytes that are cut, longer, of another form or of a strange width are not read", () => {
  const day = columnsOf([{ series: 0, slotOfDay: 3, sums: Array(COLUMN_COUNT).fill(7) }]);
  const bytes = packDay(day, Uint32Array.of(1))!;
  assert.ok(unpackDay(bytes));
  for (let length = 0; length < bytes.length; length += 1) assert.equal(unpackDay(bytes.slice(0, length)), undefined);
  assert.equal(unpackDay(new Uint8Array([...bytes, 0])), undefined);
  assert.equal(unpackDay(bytes.with(0, 2)), undefined);
  assert.equal(unpackDay(bytes.with(12, 3)), undefined);
});

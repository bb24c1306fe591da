/** Sums in plain numbers are those in bigints, however many rows a table has. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COLUMN_COUNT, columnsOf, DayColumns } from "./day-columns.ts";
import { isSafe, Sums, type SumTable } from "./sum-table.ts";

const lines = ({ segment, group, sums }: SumTable): string[] =>
  Array.from(segment, (own, row) => {
    const cells = Array.from(sums.slice(row * COLUMN_COUNT, (row + 1) * COLUMN_COUNT), String);
    return `${own} ${group[row]} ${cells.join(" ")}`;
  });

test("rows of a day added to many groups of many segments are the same in both forms", () => {
  const added = fc.record({ group: fc.nat(199), start: fc.nat(5), length: fc.integer({ min: 1, max: 5 }) });
  // Columns 2 and up of a day count nothing: they are not kept.
  const counts = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(2 ** 40)), { minLength: 10, maxLength: 10 });
  const property = fc.property(
    counts,
    fc.array(fc.array(added, { maxLength: 300 }), { maxLength: 8 }),
    (rows, segments) => {
      const entries = rows.map((row, slotOfDay) => ({
        series: 0,
        slotOfDay,
        sums: [...row, ...Array<number>(COLUMN_COUNT - 2).fill(0)],
      }));
      const day = new DayColumns(1, columnsOf(entries));
      assert.equal(isSafe([day]), true);
      const [plain, exact] = [false, true].map((isExact) => {
        const sums = new Sums(200, isExact);
        for (const [segment, all] of segments.entries()) {
          for (const { group, start, length } of all) sums.addRows(group, day, start, start + length);
          sums.endSegment(segment);
        }
        return lines(sums.table([]));
      });
      assert.deepEqual(plain, exact);
    },
  );
  fc.assert(property, { numRuns: 50 });
});

test("a table of more rows than there was room for at first has all of them", () => {
  const sums = new Sums(200, false);
  const segments = 5;
  for (let segment = 0; segment < segments; segment += 1) {
    for (let group = 0; group < 200; group += 1) sums.add(group, 0, 1 + segment * 200 + group);
    sums.endSegment(segment);
  }
  const table = sums.table([]);
  const counts = Array.from({ length: segments * 200 }, (_, row) => table.sums[row * COLUMN_COUNT]);
  assert.deepEqual(
    counts,
    counts.map((_, row) => row + 1),
  );
});

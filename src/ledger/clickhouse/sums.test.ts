import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SLOT_MS } from "../../domain/time.ts";
import { piecesOf } from "./sums.ts";

const edges = fc
  .uniqueArray(
    fc.integer({ min: 0, max: 12 * 15 }).map((minute) => 1_800_000_000_000 + minute * 60_000 + (minute % 3)),
    {
      minLength: 2,
      maxLength: 9,
    },
  )
  .map((list) => list.sort((a, b) => a - b));

test("law 3: the pieces of the segments lie end to end; slots are whole, and the rest lies within one slot each", () => {
  fc.assert(
    fc.property(edges, (list) => {
      const { slots, times } = piecesOf(list);
      const inMs = slots.map(({ from, to, segment }) => ({ from: from * SLOT_MS, to: to * SLOT_MS, segment }));
      const pieces = [...inMs, ...times].sort((a, b) => a.from - b.from);
      for (const [segment, start] of list.slice(0, -1).entries()) {
        const own = pieces.filter((piece) => piece.segment === segment);
        assert.equal(own[0]!.from, start);
        assert.equal(own.at(-1)!.to, list[segment + 1]);
        for (const [at, { from }] of own.entries()) if (at > 0) assert.equal(from, own[at - 1]!.to);
      }
      for (const { from, to } of slots) assert.ok(Number.isInteger(from) && from < to);
      for (const { from, to } of times) {
        assert.ok(from < to);
        assert.equal(Math.floor(from / SLOT_MS), Math.floor((to - 1) / SLOT_MS));
      }
    }),
  );
});

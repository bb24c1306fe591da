/** What is written as bytes is what JavaScript writes as text. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JsonBytes } from "./json-bytes.ts";

const EDGES = [0n, 7n, 10n, 99_999_999n, 100_000_000n, 100_000_001n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n];
const whole = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt(-(2n ** 70n), 2n ** 70n), fc.bigInt(-100n, 10n ** 10n));

test("whole numbers of any size are written digit by digit", () => {
  for (const edge of EDGES.flatMap((one) => [one, -one, one + 1n, one - 1n])) {
    assert.equal(new JsonBytes().integer(edge).end().toString(), `${edge}`);
  }
  fc.assert(fc.property(whole, (value) => assert.equal(new JsonBytes().integer(value).end().toString(), `${value}`)));
});

test("texts, bytes and numbers follow each other, however many", () => {
  const piece = fc.oneof(fc.string({ unit: "grapheme", maxLength: 600, size: "max" }), whole);
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, encoded) => {
      const out = new JsonBytes(1);
      for (const one of pieces) {
        if (typeof one === "bigint") out.integer(one);
        else if (encoded) out.bytes(Buffer.from(one));
        else out.text(one);
      }
      assert.ok(out.end().toString() === pieces.join(""));
    }),
    // Shrinking such long texts takes minutes.
    { endOnFailure: true },
  );
});

test("what is written into memory that was used before is what is written, and too little of it is left alone", () => {
  const room = Buffer.alloc(8192, "x");
  const out = new JsonBytes(1, room).text("12").integer(Number.MAX_SAFE_INTEGER).bytes(Buffer.from("é")).end();
  assert.equal(out.toString(), "129007199254740991é");
  assert.equal(out.buffer, room.buffer);
  assert.notEqual(new JsonBytes(8193, room).end().buffer, room.buffer);
});

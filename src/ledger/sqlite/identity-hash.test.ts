import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { halfSipHash, identityHashes } from "./identity-hash.ts";

test("HalfSipHash-2-4 of the reference's messages is the reference's", () => {
  const key = [0x03020100, 0x07060504] as const;
  const words = Uint32Array.of(0x03020100, 0x07060504, 0x0b0a0908);
  const expected = ["218d1f59b9b83cc8", "d5e78a175be52ea1", "edfee820bce4858c", "7bc71f9faef5c799"];
  for (const [count, hex] of expected.entries()) {
    const hash = new Uint32Array(2);
    halfSipHash({ key, words, count, last: (4 * count) << 24 }, hash, 0, { word: 2, end: 4 });
    assert.equal(Buffer.from(hash.buffer).toString("hex"), hex);
  }
});

test("an id has one hash an account and key, alone or among others; another id has another", () => {
  const ids = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }), { maxLength: 20 });
  const property = fc.property(ids, fc.nat(5), (texts, account) => {
    const all = identityHashes([1, 2], account, texts);
    const seen = new Set<string>();
    for (const [at, id] of texts.entries()) {
      const own = [...all.subarray(2 * at, 2 * at + 2)];
      assert.deepEqual([...identityHashes([1, 2], account, [id])], own);
      for (const other of [identityHashes([1, 3], account, [id]), identityHashes([1, 2], account + 1, [id])]) {
        assert.notDeepEqual([...other], own);
      }
      seen.add(own.join());
    }
    assert.equal(seen.size, texts.length);
  });
  fc.assert(property);
});

test("half a surrogate pair is hashed as it is written", () => {
  assert.deepEqual(identityHashes([1, 2], 1, ["a\ud800"]), identityHashes([1, 2], 1, ["a\ufffd"]));
});

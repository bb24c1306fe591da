import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { hashOf, isGivenKey, makeKeyId, makeKeyText, prefixOf } from "./key-text.ts";

test("keys and their ids look as the contract shows them", () => {
  for (let round = 0; round < 200; round += 1) {
    const key = makeKeyText(randomBytes);
    assert.match(key, /^fw_[0-9A-Za-z]{32}$/);
    assert.match(makeKeyId(randomBytes), /^key_[0-9A-Za-z]{16}$/);
    assert.ok(key.startsWith(prefixOf(key)));
    assert.equal(prefixOf(key).length, 8);
    assert.ok(isGivenKey(key));
  }
});

test("every letter is as likely as any other", () => {
  // Of the 256 bytes, 4 make each letter; the 8 that are left over are drawn again.
  const counts = new Map<string, number>();
  for (let byte = 0; byte < 256; byte += 1) {
    let draws = 0;
    const key = makeKeyText((size) => new Uint8Array(size).fill(draws++ === 0 ? byte : 0));
    assert.equal(draws, byte < 248 ? 1 : 2);
    if (draws === 1) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.equal(counts.size, 62);
  assert.deepEqual([...new Set(counts.values())], [4]);
});

test("the hash is SHA-256", () => {
  assert.equal(hashOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("a key given beforehand", () => {
  const cases: [string, boolean][] = [
    ["fw_0123456789abcdef", true],
    ["fw_local-development_key", true],
    ["0123456789ab", true],
    ["0123456789a", false],
    ["fw_!~0123456789", true],
    [`fw_${"x".repeat(197)}`, true],
    [`fw_${"x".repeat(198)}`, false],
    ["fw_0123456789abcdé", false],
    ["fw_0123456789 abcdef", false],
    ["fw_0123456789abcdef\n", false],
    ["", false],
  ];
  for (const [key, good] of cases) assert.equal(isGivenKey(key), good, key);
});

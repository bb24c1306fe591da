import assert from "node:assert/strict";
import { test } from "node:test";
import { Remembered } from "./remembered.ts";

test("reads what is missing, once, until something is written", async () => {
  const remembered = new Remembered<string>(10);
  const reads: string[] = [];
  let version = 1;
  const read = async (keys: readonly string[]) => {
    reads.push(keys.join());
    return new Map(keys.filter((key) => key !== "none").map((key) => [key, `${key}${version}`]));
  };
  const get = async (...keys: string[]) => [...(await remembered.get(keys, read)).values()].join();
  assert.equal(await get("a", "b", "none"), "a1,b1");
  version = 2;
  assert.equal(await get("b", "none", "c"), "b1,c2");
  remembered.forget();
  assert.equal(await get("b"), "b2");
  assert.deepEqual(reads, ["a,b,none", "none,c", "b"]);
});

test("a read that was overtaken by a write is not kept", async () => {
  const remembered = new Remembered<string>(10);
  const slow = Promise.withResolvers<Map<string, string>>();
  const first = remembered.get(["a"], () => slow.promise);
  remembered.forget();
  slow.resolve(new Map([["a", "old"]]));
  assert.equal((await first).get("a"), "old");
  assert.equal((await remembered.get(["a"], async () => new Map([["a", "new"]]))).get("a"), "new");
});

test("keeps no more than it may", async () => {
  const remembered = new Remembered<number>(100);
  let reads = 0;
  const read = async (keys: readonly string[]) => {
    reads += 1;
    return new Map(keys.map((key) => [key, 1]));
  };
  for (let at = 0; at < 101; at += 1) await remembered.get([`k${at}`], read);
  await remembered.get(["k100"], read);
  assert.equal(reads, 101);
  await remembered.get(["k0"], read);
  assert.equal(reads, 102);
});

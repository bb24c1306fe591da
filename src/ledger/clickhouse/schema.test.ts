import assert from "node:assert/strict";
import { test } from "node:test";
import { laneOf, placed } from "./schema.ts";

test("a table is written once, for one node and for a cluster", () => {
  const table = "CREATE TABLE t {on cluster} (x Int8) ENGINE = {engine:ReplacingMergeTree} ORDER BY x";
  assert.equal(placed(table, undefined), "CREATE TABLE t  (x Int8) ENGINE = ReplacingMergeTree ORDER BY x");
  assert.equal(
    placed(table, "main"),
    "CREATE TABLE t ON CLUSTER 'main' (x Int8) ENGINE = ReplicatedReplacingMergeTree ORDER BY x",
  );
});

test("the lane of an account never changes", () => {
  // Tables that were written hold these: another answer here would make their events unknown.
  assert.deepEqual(["acme", "umbra", "default", "é"].map(laneOf), [5, 6, 1, 6]);
});

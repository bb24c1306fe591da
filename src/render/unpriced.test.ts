import assert from "node:assert/strict";
import { test } from "node:test";
import { unpricedQuantities } from "./unpriced.ts";

test("what has no price is told in one order, however its sums came", () => {
  const sums = [
    ["completionTokens", 5n],
    ["audioInputMs", 1_500n],
    ["uncachedPromptTokens", 7n],
  ] as const;
  const told = [
    { quantity: "uncachedPromptTokens", amount: "7" },
    { quantity: "completionTokens", amount: "5" },
    { quantity: "audioInputSeconds", amount: "1.5" },
  ];
  assert.deepEqual(unpricedQuantities(new Map(sums)), told);
  assert.deepEqual(unpricedQuantities(new Map(sums.toReversed())), told);
  assert.deepEqual(unpricedQuantities(new Map()), []);
});

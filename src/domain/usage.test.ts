import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CONTEXT_CLASS_EDGES, contextClassOf, QUANTITY_MAX } from "./usage.ts";

test("a context class is the largest edge that is exceeded", () => {
  const cases: [promptTokens: number, contextClass: string][] = [
    [0, ""],
    [32_000, ""],
    [32_001, "32000"],
    [64_000, "32000"],
    [128_000, "64000"],
    [128_001, "128000"],
    [272_000, "256000"],
    [272_001, "272000"],
    [512_001, "512000"],
    [QUANTITY_MAX, "512000"],
  ];
  for (const [promptTokens, expected] of cases) assert.equal(contextClassOf(promptTokens), expected, `${promptTokens}`);
});

test("usage is above an edge of a price exactly when its class is that edge or a larger one", () => {
  const tokens = fc.oneof(
    fc.nat(600_000),
    fc.constantFrom(...CONTEXT_CLASS_EDGES).chain((edge) => fc.constantFrom(edge - 1, edge, edge + 1)),
  );
  fc.assert(
    fc.property(tokens, fc.constantFrom(...CONTEXT_CLASS_EDGES), (promptTokens, edge) => {
      assert.equal(Number(contextClassOf(promptTokens)) >= edge, promptTokens > edge);
    }),
  );
});

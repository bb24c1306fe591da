import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { UsageType } from "../domain/usage.ts";
import { loadPriceBook } from "./book.ts";
import { modelBucket } from "./model-bucket.ts";

const book = loadPriceBook("default", readFileSync(join(import.meta.dirname, "../../prices/default.yaml"), "utf8"));
const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";

const cases: readonly (readonly [UsageType, model: string, parameters: bigint | undefined, bucket: string])[] = [
  [TEXT, "llama-v3p2-3b-instruct", 3_210_000_000n, "up to 4B"],
  [TEXT, "llama-v3p1-8b-instruct", 8_030_000_000n, "4B - 16B"],
  [TEXT, "llama-v3p1-405b-instruct", 405_000_000_000n, "above 16B"],
  [TEXT, "mixtral-8x7b-instruct", 46_700_000_000n, "MoE up to 56B"],
  [TEXT, "kimi-k2p6", 1_000_000_000_000n, ""],
  [TEXT, "nobody-knows", undefined, ""],
  ["TRAINING_TOKEN_USAGE", "llama-v3p1-8b-instruct", 8_030_000_000n, "up to 16B"],
  ["DEDICATED_DEPLOYMENT_USAGE", "llama-v3p1-8b-instruct", 8_030_000_000n, ""],
];

for (const [usageType, model, parameters, bucket] of cases) {
  test(`${usageType} of ${model}`, () => {
    assert.deepEqual(modelBucket(book, usageType, `accounts/fireworks/models/${model}`), { parameters, bucket });
  });
}

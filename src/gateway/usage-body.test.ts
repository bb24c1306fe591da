import assert from "node:assert/strict";
import { test } from "node:test";
import { routeOf } from "./routes-table.ts";
import { readUsage } from "./usage-body.ts";

// biome-ignore format: a ledger
const CASES: [name: string, path: string, usage: object, quantities: object, isSound?: boolean][] = [
  ["OpenAI", "chat/completions", { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120, prompt_tokens_details: { cached_tokens: 60 } }, { promptTokens: 100, cachedPromptTokens: 60, completionTokens: 20 }],
  ["reasoning inside", "chat/completions", { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120, completion_tokens_details: { reasoning_tokens: 15 } }, { promptTokens: 100, completionTokens: 20 }],
  ["reasoning beside", "chat/completions", { prompt_tokens: 100, completion_tokens: 20, total_tokens: 135, completion_tokens_details: { reasoning_tokens: 15 } }, { promptTokens: 100, completionTokens: 35 }],
  ["cache in DeepSeek's words", "chat/completions", { prompt_tokens: 100, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36, completion_tokens: 1 }, { promptTokens: 100, cachedPromptTokens: 64, completionTokens: 1 }],
  ["details null", "chat/completions", { prompt_tokens: 1, completion_tokens: 0, prompt_tokens_details: null, completion_tokens_details: null }, { promptTokens: 1, completionTokens: 0 }],
  ["responses", "responses", { input_tokens: 36, input_tokens_details: { cached_tokens: 12 }, output_tokens: 87, output_tokens_details: { reasoning_tokens: 60 }, total_tokens: 123 }, { promptTokens: 36, cachedPromptTokens: 12, completionTokens: 87 }],
  ["Anthropic", "messages", { input_tokens: 10, cache_creation_input_tokens: 300, cache_read_input_tokens: 2000, output_tokens: 7 }, { promptTokens: 2310, cachedPromptTokens: 2000, completionTokens: 7 }],
  ["Anthropic, no cache", "messages", { input_tokens: 10, output_tokens: 7 }, { promptTokens: 10, completionTokens: 7 }],
  ["embedding", "embeddings", { prompt_tokens: 8, total_tokens: 8, completion_tokens: 0 }, { promptTokens: 8 }],
  ["audio by time", "audio/transcriptions", { type: "duration", seconds: 9 }, { audioInputSeconds: 9 }],
  ["audio by tokens", "audio/transcriptions", { type: "tokens", input_tokens: 14, output_tokens: 11, total_tokens: 25 }, { promptTokens: 14, completionTokens: 11 }],
  ["nothing", "chat/completions", {}, {}],
  ["no quantity", "chat/completions", { prompt_tokens: 1.5, completion_tokens: "7" }, {}, false],
  ["negative", "chat/completions", { prompt_tokens: 5, completion_tokens: -7 }, { promptTokens: 5 }, false],
  ["too large", "chat/completions", { prompt_tokens: 2 ** 53, completion_tokens: 1 }, { completionTokens: 1 }, false],
  ["more cached than sent", "chat/completions", { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 9 } }, { promptTokens: 5, cachedPromptTokens: 5, completionTokens: 1 }, false],
  ["a time that is none", "audio/transcriptions", { type: "duration", seconds: "x" }, {}, false],
];

for (const [name, path, usage, quantities, isSound = true] of CASES) {
  test(`usage: ${name}`, () => {
    const { aside: _, ...read } = readUsage(routeOf("POST", path)!, usage);
    assert.deepEqual(read, { quantities, isSound });
  });
}

test("what went into the cache is prompt that was not cached, in each way of telling it, and known beside it", () => {
  const told = { input_tokens: 10, cache_read_input_tokens: 2000, output_tokens: 7 };
  const parts = { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 };
  for (const usage of [
    { ...told, cache_creation_input_tokens: 300 },
    { ...told, cache_creation_input_tokens: 300, cache_creation: parts },
  ]) {
    const { quantities, aside } = readUsage(routeOf("POST", "messages")!, usage);
    assert.deepEqual(quantities, { promptTokens: 2310, cachedPromptTokens: 2000, completionTokens: 7 });
    assert.deepEqual(aside, { cacheWrittenTokens: 300, reasoningTokens: 0 });
  }
});

test("seconds beside the usage are kept to the millisecond", () => {
  const { quantities } = readUsage(routeOf("POST", "audio/translations")!, undefined, 8.4700003);
  assert.deepEqual(quantities, { audioInputSeconds: 8.47 });
});

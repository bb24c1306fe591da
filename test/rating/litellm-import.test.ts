/** LiteLLM's list into a book: a sample of its form, its whole vocabulary, and random lists looked up again. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "../../src/domain/fault.ts";
import { attoPerUnit, parseDecimal } from "../../src/domain/money.ts";
import { CONTEXT_CLASS_EDGES } from "../../src/domain/usage.ts";
import { loadPriceBook } from "../../src/rating/book.ts";
import { importPriceList } from "../../src/rating/import/import.ts";
import { litellmKey } from "../../src/rating/import/litellm-keys.ts";
import type { PriceBook } from "../../src/rating/price.ts";
import { attoIn } from "./book-prices.ts";

const SAMPLE = readFileSync(join(import.meta.dirname, "litellm-sample.json"), "utf8");
const OPTIONS = { from: "litellm", name: "list.json", effectiveFrom: Date.UTC(2020, 0, 1) } as const;
const MADE = importPriceList(SAMPLE, OPTIONS);
const BOOK = loadPriceBook("sample", MADE.yaml);

/** The exact attodollars of one unit, from a decimal for a million. */
function perMillion(text: string): bigint {
  return attoPerUnit(parseDecimal(text)!, 1_000_000n);
}

test("the sample's prices are in the book, each at its tier, length of prompt and batch", () => {
  // model | tier | batch | prompt | input | cached | output, dollars for a million; - has no price
  const table = `
    gpt-4o                           |          |      | 1      | 2.5  | 1.25    | 10
    gpt-4o                           | PRIORITY |      | 1      | 4.25 | 2.125   | 17
    gpt-4o                           | FAST     |      | 1      | -    | -       | -
    gpt-4o                           |          | true | 1      | 1.25 | -       | 5
    gpt-4o                           | PRIORITY | true | 1      | -    | -       | -
    gpt-5.6-sol                      |          |      | 272000 | 1.25 | 0.125   | 10
    gpt-5.6-sol                      |          |      | 272001 | 2.5  | 0.25    | 15
    gpt-5.6-sol                      | PRIORITY |      | 272001 | 5    | 0.5     | 30
    gpt-5.6-sol                      |          | true | 272001 | 1.25 | -       | 7.5
    gpt-5.4-short-batch              |          | true | 272000 | 1    | -       | 4
    gpt-5.4-short-batch              |          | true | 272001 | -    | -       | 4
    gemini/gemini-1.5-flash          |          |      | 128001 | 1    | 0.01875 | 0.6
    gemini/gemini-2.5-pro            | PRIORITY |      | 200001 | 4.5  | 0.45    | 27
    dashscope/qwen3-max              |          |      | 32000  | 1.2  | -       | 6
    dashscope/qwen3-max              |          |      | 32001  | 2.4  | -       | 12
    dashscope/qwen3-max              |          |      | 900000 | 3    | -       | 15
    dashscope/qwen-odd-limit         |          |      | 64000  | 1    | 0.1     | 2
    dashscope/qwen-odd-limit         |          |      | 100000 | -    | -       | -
    dashscope/qwen-odd-limit         |          |      | 128001 | 3    | -       | 4
    deepseek/deepseek-chat           |          |      | 1      | 0.28 | 0.028   | 0.42
    minimax/minimax-m3               |          |      | 512001 | 0.6  | 0.12    | 2.4
    textembedding-gecko              |          | true | 1      | 0.005 | -      | -
    databricks/databricks-claude-sonnet-4 | | | 1 | 2.9999900000000002 | - | 15.000020000000002
    ollama/llama3                    |          |      | 1      | 0    | -       | 0
    cohere/rerank-v3.5               |          |      | 1      | -    | -       | -
    odd/values                       |          |      | 1      | -    | -       | -`;
  for (const line of table.trim().split("\n")) {
    const [model, serviceTier, batch, prompt, ...prices] = line.split("|").map((cell) => cell.trim());
    const use = { model: model!, serviceTier: serviceTier!, batch: batch!, promptTokens: Number(prompt) };
    const components = ["uncachedPromptTokens", "cachedPromptTokens", "completionTokens"] as const;
    for (const [at, component] of components.entries()) {
      const stated = prices[at] === "-" ? undefined : perMillion(prices[at]!);
      assert.equal(attoIn(BOOK, component, use), stated, `${component}: ${line}`);
    }
  }
  const minute = (model: string, promptTokens = 1) => attoIn(BOOK, "audioInputMs", { model, promptTokens });
  assert.equal(minute("whisper-1"), attoPerUnit(parseDecimal("0.0001")!, 1000n));
  assert.equal(minute("groq/whisper-large-v3-turbo"), attoPerUnit(parseDecimal("0.00001111")!, 1000n));
  assert.equal(minute("gemini/gemini-1.5-flash", 128_001), attoPerUnit(parseDecimal("0.000004")!, 1000n));
  assert.equal(minute("bedrock/us-east-1/1-month-commitment/anthropic.claude-v1"), undefined);
  const image = (model: string) => attoIn(BOOK, "imageCount", { model, usageType: "IMAGE_GENERATION_USAGE" });
  assert.equal(image("low/1024-x-1024/gpt-image-1"), attoPerUnit(parseDecimal("0.011")!, 1n));
  assert.equal(image("gemini/gemini-2.5-flash-image"), attoPerUnit(parseDecimal("0.039")!, 1n));
  assert.equal(image("amazon.titan-embed-image-v1"), undefined);
});

test("the report counts the sample, names what is not understood, and why the rest is not in the book", () => {
  const { report } = MADE;
  assert.deepEqual(
    [report.models, report.imported, report.entries, report.unpriced.length, report.free],
    [41, 32, 58, 9, ["ollama/llama3"]],
  );
  const keys = (kind: string) => report.findings.filter((one) => one.kind === kind).map(({ key }) => key);
  assert.deepEqual(keys("not_understood"), [
    "a_key_of_tomorrow",
    "another_key_of_tomorrow",
    "cache_read_input_token_cost",
    "input_cost_per_token",
  ]);
  const found = report.findings.find(({ key }) => key === "cache_creation_input_token_cost");
  assert.deepEqual(found, {
    kind: "not_expressible",
    key: "cache_creation_input_token_cost",
    reason: "tokens written to a cache are counted among the prompt's and priced like them",
    count: 3,
    example: "claude-sonnet-4-5-20250929-v1:0",
  });
  assert.deepEqual(report.partly.find(({ model }) => model === "gemini/gemini-2.5-flash")?.keys, [
    "google_maps_grounding_cost_per_query",
    "input_cost_per_audio_token",
  ]);
  assert.deepEqual(
    report.unpriced.find(({ model }) => model === "cohere/rerank-v3.5")?.reason,
    "not expressible: input_cost_per_query, prices of 0",
  );
  assert.match(MADE.yaml, /# gpt-4o-mini \(openai\), not in the book: search_context_cost_per_query\n/);
  assert.match(MADE.yaml, /source: "LiteLLM, list.json, https:\/\/ai.google.dev\/pricing"\n/);
});

test("one provider's models, under the names that a gateway reports", () => {
  const { yaml, report } = importPriceList(SAMPLE, { ...OPTIONS, provider: "deepseek", modelPrefix: "{provider}|x/" });
  assert.deepEqual([report.models, report.entries], [2, 2]);
  const book = loadPriceBook("one", yaml);
  assert.equal(attoIn(book, "completionTokens", { model: "deepseek|x/deepseek/deepseek-coder" }), perMillion("0.28"));
});

/** Every key that LiteLLM's own schema of the list allows (tests/test_litellm/test_utils.py, autumn 2026), by meaning. */
const VOCABULARY = {
  token: `cache_read_input_token_cost cache_read_input_token_cost_above_32k_tokens
    cache_read_input_token_cost_above_128k_tokens cache_read_input_token_cost_above_200k_tokens
    cache_read_input_token_cost_above_256k_tokens cache_read_input_token_cost_above_272k_tokens
    cache_read_input_token_cost_above_512k_tokens cache_read_input_token_cost_batches
    cache_read_input_token_cost_above_272k_tokens_batches cache_read_input_token_cost_priority
    cache_read_input_token_cost_above_200k_tokens_priority cache_read_input_token_cost_above_272k_tokens_priority
    input_cost_per_token input_cost_per_token_above_32k_tokens input_cost_per_token_above_128k_tokens
    input_cost_per_token_above_200k_tokens input_cost_per_token_above_256k_tokens
    input_cost_per_token_above_272k_tokens input_cost_per_token_above_512k_tokens input_cost_per_token_priority
    input_cost_per_token_above_200k_tokens_priority input_cost_per_token_above_272k_tokens_priority
    input_cost_per_token_above_272k_tokens_batches input_cost_per_token_batch_requests input_cost_per_token_batches
    input_cost_per_token_cache_hit output_cost_per_token output_cost_per_token_above_32k_tokens
    output_cost_per_token_above_128k_tokens output_cost_per_token_above_200k_tokens
    output_cost_per_token_above_256k_tokens output_cost_per_token_above_272k_tokens
    output_cost_per_token_above_512k_tokens output_cost_per_token_batches output_cost_per_token_priority
    output_cost_per_token_above_200k_tokens_priority output_cost_per_token_above_272k_tokens_priority
    output_cost_per_token_above_272k_tokens_batches`,
  audio_second: "input_cost_per_audio_per_second input_cost_per_audio_per_second_above_128k_tokens",
  second: "input_cost_per_second output_cost_per_second",
  image: "input_cost_per_image output_cost_per_image",
  ranges: "tiered_pricing",
  not_expressible: `annotation_cost_per_page annotation_cost_per_page_batches cache_creation_input_audio_token_cost
    cache_creation_input_token_cost cache_creation_input_token_cost_above_1hr
    cache_creation_input_token_cost_above_1hr_above_200k_tokens cache_creation_input_token_cost_above_32k_tokens
    cache_creation_input_token_cost_above_128k_tokens cache_creation_input_token_cost_above_200k_tokens
    cache_creation_input_token_cost_above_256k_tokens cache_creation_input_token_cost_above_272k_tokens
    cache_creation_input_token_cost_above_272k_tokens_flex cache_creation_input_token_cost_above_272k_tokens_priority
    cache_creation_input_token_cost_above_272k_tokens_batches cache_creation_input_token_cost_batches
    cache_creation_input_token_cost_flex cache_creation_input_token_cost_priority
    cache_read_input_audio_token_cost cache_read_input_image_token_cost cache_read_input_token_cost_flex
    cache_read_input_token_cost_above_272k_tokens_flex citation_cost_per_token code_interpreter_cost_per_session
    computer_use_input_cost_per_1k_tokens computer_use_output_cost_per_1k_tokens file_search_cost_per_1k_calls
    file_search_cost_per_gb_per_day google_maps_grounding_cost_per_query guardrail_cost_per_unit
    input_cost_per_audio_token input_cost_per_audio_token_batches input_cost_per_audio_token_priority
    input_cost_per_character input_cost_per_character_above_128k_tokens input_cost_per_image_above_128k_tokens
    input_cost_per_image_token input_cost_per_image_token_batches input_cost_per_pixel input_cost_per_query
    input_cost_per_request input_cost_per_token_flex input_cost_per_token_above_272k_tokens_flex
    input_cost_per_video_per_second input_cost_per_video_per_second_above_128k_tokens
    input_cost_per_video_per_second_above_8s_interval input_cost_per_video_per_second_above_15s_interval
    input_cost_per_video_token input_cost_per_video_token_batches input_dbu_cost_per_token ocr_cost_per_credit
    ocr_cost_per_page ocr_cost_per_page_batches off_peak_pricing output_cost_per_audio_token
    output_cost_per_character output_cost_per_character_above_128k_tokens output_cost_per_image_0.5K
    output_cost_per_image_1024 output_cost_per_image_1536 output_cost_per_image_1K output_cost_per_image_2K
    output_cost_per_image_4K output_cost_per_image_512 output_cost_per_image_token output_cost_per_pixel
    output_cost_per_reasoning_token output_cost_per_second_1080p output_cost_per_second_2k
    output_cost_per_second_480p output_cost_per_second_4k output_cost_per_second_720p output_cost_per_second_768p
    output_cost_per_token_flex output_cost_per_token_above_272k_tokens_flex output_cost_per_video_per_second
    output_cost_per_video_token output_db_cost_per_token output_dbu_cost_per_token provider_specific_entry
    regional_endpoint_uplift_multiplier regional_processing_uplift_multiplier_eu
    regional_processing_uplift_multiplier_us search_context_cost_per_query vector_store_cost_per_gb_per_day`,
  no_price: `audio_transcription_config bedrock_converse_supports_strict_tools bedrock_output_config_effort_ceiling
    comment default_reasoning_effort deprecation_date gemini_audio_only_live gemini_native_audio inference_geo
    litellm_provider max_input_tokens max_output_tokens max_tokens metadata mode output_vector_size
    prompt_cache_min_tokens reasoning_effort_levels rpd rpm source supported_audio_formats supported_endpoints
    supported_modalities supported_output_modalities supported_regions supports_adaptive_thinking
    supports_anthropic_compaction supports_anthropic_thinking_payload supports_assistant_prefill
    supports_audio_input supports_audio_output supports_computer_use supports_embedding_image_input
    supports_fast_mode supports_forced_tool_use supports_function_calling supports_image_input supports_image_size
    supports_legacy_thinking supports_low_reasoning_effort supports_max_reasoning_effort
    supports_mid_conversation_system supports_minimal_reasoning_effort supports_multimodal
    supports_native_streaming supports_native_structured_output supports_none_reasoning_effort
    supports_nova_canvas_image_edit supports_output_config supports_parallel_function_calling
    supports_parallel_tool_use_config supports_pdf_input supports_prompt_cache_breakpoint supports_prompt_caching
    supports_reasoning supports_response_schema supports_sampling_params supports_speed supports_system_messages
    supports_thinking_cache_preservation supports_tool_choice supports_tool_search supports_url_context
    supports_video_input supports_vision supports_web_search supports_xhigh_reasoning_effort thinking_always_on tpm
    use_openai_responses_path uses_embed_content vertex_ai_audio_api web_search_billing_unit`,
  unknown: `input_cost_per_tokens input_cost_per_token_above_200k input_cost_per_token_cheap supports_ constructor
    toString __proto__ cache_read_input_token_cost_above_1hr output_cost_per_image_3K max_cost`,
} as const;

test("every key of the list's own schema has its meaning, and no key gets one by its looks", () => {
  let known = 0;
  for (const [kind, keys] of Object.entries(VOCABULARY)) {
    for (const key of keys.trim().split(/\s+/)) {
      assert.equal(litellmKey(key).kind, kind, key);
      if (kind !== "unknown") known += 1;
    }
  }
  assert.equal(known, 203);
});

const PARTS = {
  input_cost_per_token: "uncachedPromptTokens",
  cache_read_input_token_cost: "cachedPromptTokens",
  output_cost_per_token: "completionTokens",
} as const;
const ENDINGS = { "": {}, _priority: { serviceTier: "PRIORITY" }, _batches: { batch: "true" } } as const;
type Price = { name: keyof typeof PARTS; edge: number; ending: keyof typeof ENDINGS; text: string };

/** A price a token as such lists write it: few digits, with or without an exponent. */
const anyPrice: fc.Arbitrary<string> = fc
  .tuple(fc.integer({ min: 0, max: 99_999 }), fc.integer({ min: 0, max: 6 }), fc.boolean())
  .map(([digits, shift, exponent]) => {
    const text = `0.${digits.toString().padStart(5 + shift, "0")}`;
    return exponent ? `${digits}e-${5 + shift}` : text;
  });

test("every price a token of any list is found again in the book, to the last digit", () => {
  const price: fc.Arbitrary<Price> = fc.record({
    name: fc.constantFrom(...(Object.keys(PARTS) as (keyof typeof PARTS)[])),
    edge: fc.constantFrom(0, ...CONTEXT_CLASS_EDGES),
    ending: fc.constantFrom(...(Object.keys(ENDINGS) as (keyof typeof ENDINGS)[])),
    text: anyPrice,
  });
  const keyOf = ({ name, edge, ending }: Price): string =>
    `${name}${edge ? `_above_${edge / 1000}k_tokens` : ""}${ending}`;
  const prices = fc.uniqueArray(price, { selector: keyOf, minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(prices, { minLength: 1, maxLength: 4 }), (models) => {
      const rows = models.map((list, at) => {
        const keys = list.map((one) => `${JSON.stringify(keyOf(one))}: ${one.text}`);
        return `"model-${at}": {${keys.join(", ")}}`;
      });
      const book = bookOf(`{${rows.join(", ")}}`);
      for (const [at, list] of models.entries()) {
        for (const one of list) {
          const use = { model: `model-${at}`, promptTokens: one.edge + 1, ...ENDINGS[one.ending] };
          assert.equal(attoIn(book, PARTS[one.name], use), attoOfToken(one.text), `${keyOf(one)} of ${rows[at]}`);
        }
        for (const [ending, name] of unstated(list)) {
          for (const promptTokens of [1, 100_000, 1_000_000]) {
            const use = { model: `model-${at}`, promptTokens, ...ENDINGS[ending] };
            assert.equal(attoIn(book, PARTS[name], use), undefined, `${name}${ending} of ${rows[at]}`);
          }
        }
      }
    }),
  );
});

/** What the list says nothing about: a book may not make it up. */
function unstated(list: readonly Price[]): [ending: Price["ending"], name: Price["name"]][] {
  const all = (Object.keys(ENDINGS) as Price["ending"][]).flatMap((ending) =>
    (Object.keys(PARTS) as Price["name"][]).map((name): [Price["ending"], Price["name"]] => [ending, name]),
  );
  return all.filter(([ending, name]) => !list.some((one) => one.ending === ending && one.name === name));
}

function bookOf(list: string): PriceBook {
  return loadPriceBook("random", importPriceList(list, OPTIONS).yaml);
}

/** Attodollars of a price a token, by a way of its own. */
function attoOfToken(text: string): bigint {
  const [digits = "", exponent = "0"] = text.split("e");
  const [whole = "", fraction = ""] = digits.split(".");
  return BigInt(whole + fraction) * 10n ** BigInt(18 + Number(exponent) - fraction.length);
}

// what the text is, options beside the usual, what is said
const REFUSED: [string, object, RegExp][] = [
  [
    '{"a": {"mode": "chat"},}',
    {},
    /^price list "list\.json": it is no valid JSON: "}" may not stand at line 1, column 24; mend it/,
  ],
  ['{"a": {"mode": "chat"}', {}, /it ends too early, at line 1, column 23; mend it there or get it again$/],
  ['[{"id": "openai", "models": []}]', {}, /it is a list of providers, .* use --from genai-prices$/],
  [SAMPLE, { from: "genai-prices" }, /it has prices by model, as LiteLLM .* use --from litellm$/],
  ["[]", {}, /it is neither a list of LiteLLM .* nor of genai-prices/],
  ['{"a": 1}', {}, /it is neither a list of LiteLLM/],
  ["null", { from: "genai-prices" }, /it is neither a list of LiteLLM/],
  [
    SAMPLE,
    { provider: "opena" },
    /it has no provider "opena"; it has anthropic, azure, bedrock, .*, openai, perplexity/,
  ],
];

test("what is no such list is refused in one sentence that names the mend", () => {
  for (const [text, options, said] of REFUSED) {
    assert.throws(
      () => importPriceList(text, { ...OPTIONS, ...options }),
      (error) => error instanceof Fault && error.problems.length === 1 && said.test(error.message),
      String(said),
    );
  }
});

test("a list of more models than a book holds says how to take less", () => {
  const rows = Array.from({ length: 10_001 }, (_, at) => `"m${at}": {"input_cost_per_token": 1e-06}`);
  assert.throws(
    () => importPriceList(`{${rows.join(",")}}`, OPTIONS),
    /it makes a book of 10001 entries and \d+ bytes; .*; import one provider at a time with --provider/,
  );
});

test("names that no book can hold are told, and the rest of the list is imported", () => {
  const price = '{"input_cost_per_token": 1e-06}';
  const list = `{"a\\u0085b": ${price}, "": ${price}, "${"x".repeat(257)}": ${price}, "\\ud800": ${price}, "m": ${price}, "w/*": ${price}}`;
  const { yaml, report } = importPriceList(list, OPTIONS);
  assert.deepEqual([report.models, report.imported], [6, 2]);
  assert.equal(report.findings.find(({ key }) => key === "name")?.count, 4);
  assert.equal(attoIn(loadPriceBook("names", yaml), "uncachedPromptTokens", { model: "w/any" }), perMillion("1"));
});

/** What each key of LiteLLM's list means to a price book. The tables are the whole vocabulary; no key is guessed. Pure. */

import type { Part, Variant } from "./price-table.ts";

export type LitellmKey =
  /** Dollars a token. `above` is 0 for prompts of any length. */
  | { readonly kind: "token"; readonly part: Part; readonly variant: Variant; readonly above: number }
  /** Dollars a second of sound in a prompt. */
  | { readonly kind: "audio_second"; readonly above: number }
  /** Dollars a second; of sound where the model turns sound into text. */
  | { readonly kind: "second"; readonly side: "input" | "output" }
  | { readonly kind: "image"; readonly side: "input" | "output" }
  /** Prices by ranges of prompt lengths. */
  | { readonly kind: "ranges" }
  | { readonly kind: "no_price" }
  /** A price that no book holds; with `within`, of units that a book counts among others and prices like them. */
  | { readonly kind: "not_expressible"; readonly reason: string; readonly within?: Part }
  | { readonly kind: "unknown" };

const TOKENS: Readonly<Record<string, Part>> = {
  input_cost_per_token: "input",
  input_cost_per_token_cache_hit: "cachedInput",
  cache_read_input_token_cost: "cachedInput",
  output_cost_per_token: "output",
};
const TOKEN_KEY = /^(.+?)(?:_above_(\d+)k_tokens)?(?:_(batches|batch_requests|priority|flex))?$/;
const VARIANT_OF: Readonly<Record<string, Variant>> = {
  batches: "batch",
  batch_requests: "batch",
  priority: "priority",
};
const AUDIO_SECOND = /^input_cost_per_audio_per_second(?:_above_(\d+)k_tokens)?$/;

/** Understood, and no price. Beside these the family `supports_*` says what a model can do. */
const NO_PRICE: ReadonlySet<string> = new Set([
  "audio_transcription_config",
  "bedrock_converse_supports_strict_tools",
  "bedrock_output_config_effort_ceiling",
  "comment",
  "default_reasoning_effort",
  "deprecation_date",
  "display_name",
  "gemini_audio_only_live",
  "gemini_native_audio",
  "inference_geo",
  "litellm_provider",
  "max_audio_length_hours",
  "max_audio_per_prompt",
  "max_document_chunks_per_query",
  "max_images_per_prompt",
  "max_input_tokens",
  "max_output_tokens",
  "max_pdf_size_mb",
  "max_query_tokens",
  "max_tokens",
  "max_tokens_per_document_chunk",
  "max_video_length",
  "max_videos_per_prompt",
  "metadata",
  "mode",
  "notes",
  "output_vector_size",
  "prompt_cache_min_tokens",
  "reasoning_effort_levels",
  "rpd",
  "rpm",
  "source",
  "supported_audio_formats",
  "supported_endpoints",
  "supported_modalities",
  "supported_output_modalities",
  "supported_regions",
  "thinking_always_on",
  "tool_use_system_prompt_tokens",
  "tpm",
  "use_openai_responses_path",
  "uses_embed_content",
  "vertex_ai_audio_api",
  "web_search_billing_unit",
]);
const ABILITY = /^supports_[a-z0-9_]+$/;

const APART_IN = "these tokens are counted among the prompt's and priced like them";
const APART_OUT = "these tokens are counted among the output's and priced like them";
const WRITTEN = "tokens written to a cache are counted among the prompt's and priced like them";
const VIDEO = "seconds of video are not metered";
const SIZES = "images are counted whatever their size or quality";
const PAGES = "pages are not metered";
const TOOLS = "calls of tools and their storage are not metered";
const FACTOR = "a book has no such multiplier";

/** What a book cannot hold; each may stand with {@link ENDINGS}. */
const NOT_EXPRESSIBLE: Readonly<Record<string, { readonly reason: string; readonly within?: Part }>> = {
  cache_creation_input_token_cost: { reason: WRITTEN, within: "input" },
  cache_creation_input_audio_token_cost: { reason: WRITTEN, within: "input" },
  cache_read_input_audio_token_cost: { reason: APART_IN, within: "cachedInput" },
  cache_read_input_image_token_cost: { reason: APART_IN, within: "cachedInput" },
  citation_cost_per_token: { reason: "tokens of citations are not metered" },
  input_cost_per_audio_token: { reason: APART_IN, within: "input" },
  input_cost_per_image_token: { reason: APART_IN, within: "input" },
  input_cost_per_video_token: { reason: APART_IN, within: "input" },
  output_cost_per_audio_token: { reason: APART_OUT, within: "output" },
  output_cost_per_image_token: { reason: APART_OUT, within: "output" },
  output_cost_per_reasoning_token: { reason: APART_OUT, within: "output" },
  output_cost_per_video_token: { reason: APART_OUT, within: "output" },
  annotation_cost_per_page: { reason: PAGES },
  ocr_cost_per_page: { reason: PAGES },
  ocr_cost_per_credit: { reason: PAGES },
  code_interpreter_cost_per_session: { reason: TOOLS },
  computer_use_input_cost_per_1k_tokens: { reason: TOOLS },
  computer_use_output_cost_per_1k_tokens: { reason: TOOLS },
  file_search_cost_per_1k_calls: { reason: TOOLS },
  file_search_cost_per_gb_per_day: { reason: TOOLS },
  google_maps_grounding_cost_per_query: { reason: TOOLS },
  search_context_cost_per_query: { reason: TOOLS },
  vector_store_cost_per_gb_per_day: { reason: TOOLS },
  guardrail_cost_per_unit: { reason: "checks of guardrails are not metered" },
  input_cost_per_character: { reason: "characters are not metered" },
  output_cost_per_character: { reason: "characters are not metered" },
  input_cost_per_pixel: { reason: "pixels are not metered" },
  output_cost_per_pixel: { reason: "pixels are not metered" },
  input_cost_per_query: { reason: "queries are not metered" },
  input_cost_per_request: { reason: "requests are not metered" },
  input_cost_per_video_per_second: { reason: VIDEO },
  output_cost_per_video_per_second: { reason: VIDEO },
  output_cost_per_second_480p: { reason: VIDEO },
  output_cost_per_second_720p: { reason: VIDEO },
  output_cost_per_second_768p: { reason: VIDEO },
  output_cost_per_second_1080p: { reason: VIDEO },
  output_cost_per_second_2k: { reason: VIDEO },
  output_cost_per_second_4k: { reason: VIDEO },
  output_cost_per_image_512: { reason: SIZES },
  output_cost_per_image_1024: { reason: SIZES },
  output_cost_per_image_1536: { reason: SIZES },
  "output_cost_per_image_0.5K": { reason: SIZES },
  output_cost_per_image_1K: { reason: SIZES },
  output_cost_per_image_2K: { reason: SIZES },
  output_cost_per_image_4K: { reason: SIZES },
  output_cost_per_image_premium_image: { reason: SIZES },
  output_cost_per_image_above_512_and_512_pixels: { reason: SIZES },
  output_cost_per_image_above_512_and_512_pixels_and_premium_image: { reason: SIZES },
  output_cost_per_image_above_1024_and_1024_pixels: { reason: SIZES },
  output_cost_per_image_above_1024_and_1024_pixels_and_premium_image: { reason: SIZES },
  input_dbu_cost_per_token: { reason: "it is in Databricks units, not in dollars" },
  output_dbu_cost_per_token: { reason: "it is in Databricks units, not in dollars" },
  output_db_cost_per_token: { reason: "it is in Databricks units, not in dollars" },
  off_peak_pricing: { reason: "a book has no prices by time of day; the all-day price is taken" },
  provider_specific_entry: { reason: FACTOR },
  regional_endpoint_uplift_multiplier: { reason: FACTOR },
  regional_processing_uplift_multiplier_eu: { reason: FACTOR },
  regional_processing_uplift_multiplier_us: { reason: FACTOR },
};
/** Limits and tiers behind a key. */
const ENDINGS = /(?:_above_\d+k_tokens|_above_1hr|_above_\d+s_interval|_batches|_priority|_flex)+$/;
const FLEX: LitellmKey = { kind: "not_expressible", reason: "Daybook has no FLEX service tier" };

/** Of model entries that are none: the list's own template and its rules. */
export const NOT_MODELS: ReadonlySet<string> = new Set(["sample_spec", "fallback_generalizations"]);

/** What the key means. */
export function litellmKey(key: string): LitellmKey {
  const token = TOKEN_KEY.exec(key);
  if (token && Object.hasOwn(TOKENS, token[1]!)) {
    const [, name, above = "0", ending] = token;
    if (ending === "flex") return FLEX;
    const variant = ending === undefined ? "standard" : VARIANT_OF[ending]!;
    return { kind: "token", part: TOKENS[name!]!, variant, above: Number(above) * 1000 };
  }
  const audio = AUDIO_SECOND.exec(key);
  if (audio) return { kind: "audio_second", above: Number(audio[1] ?? 0) * 1000 };
  if (key === "input_cost_per_second") return { kind: "second", side: "input" };
  if (key === "output_cost_per_second") return { kind: "second", side: "output" };
  if (key === "input_cost_per_image") return { kind: "image", side: "input" };
  if (key === "output_cost_per_image") return { kind: "image", side: "output" };
  if (key === "tiered_pricing") return { kind: "ranges" };
  if (NO_PRICE.has(key) || ABILITY.test(key)) return { kind: "no_price" };
  return notExpressible(key);
}

function notExpressible(key: string): LitellmKey {
  // What is known by a longer name is not its beginning with an ending.
  if (Object.hasOwn(NOT_EXPRESSIBLE, key)) return { kind: "not_expressible", ...NOT_EXPRESSIBLE[key]! };
  const name = key.replace(ENDINGS, "");
  if (name === "input_cost_per_image") return { kind: "not_expressible", reason: IMAGES_SENT };
  if (!Object.hasOwn(NOT_EXPRESSIBLE, name)) return { kind: "unknown" };
  return { kind: "not_expressible", reason: NOT_EXPRESSIBLE[name]!.reason };
}

/** Images are counted where they are generated. */
export const IMAGES_SENT = "images in a prompt are not metered";

/** What each price key of genai-prices means to a price book: its whole vocabulary of units. Pure. */

import type { Part } from "./price-table.ts";

export type GenaiKey =
  /** Dollars for a million tokens. */
  | { readonly kind: "token"; readonly part: Part }
  /** Dollars an hour of sound; a price of sound that is heard comes before one of any sound. */
  | { readonly kind: "audio_hour"; readonly heard: boolean }
  /** With `within`, of units that a book counts among others and prices like them. */
  | { readonly kind: "not_expressible"; readonly reason: string; readonly within?: Part }
  | { readonly kind: "unknown" };

const IN = "these tokens are counted among the prompt's and priced like them";
const CACHED = "these tokens are counted among the cached ones and priced like them";
const OUT = "these tokens are counted among the output's and priced like them";
const WRITTEN = "tokens written to a cache are counted among the prompt's and priced like them";
const TOOLS = "calls of tools are not metered";
const MODALITIES = ["text", "audio", "image", "video"] as const;

const KEYS = new Map<string, GenaiKey>([
  ["input_mtok", { kind: "token", part: "input" }],
  ["cache_read_mtok", { kind: "token", part: "cachedInput" }],
  ["output_mtok", { kind: "token", part: "output" }],
  ["input_audio_hours", { kind: "audio_hour", heard: true }],
  ["audio_hours", { kind: "audio_hour", heard: false }],
  ["output_audio_hours", missing("hours of sound that is made are not metered")],
  ["cache_write_mtok", missing(WRITTEN, "input")],
  ["cache_write_5m_mtok", missing(WRITTEN, "input")],
  ["cache_write_1h_mtok", missing(WRITTEN, "input")],
  ["input_tool_mtok", missing(IN, "input")],
  ["output_reasoning_mtok", missing(OUT, "output")],
  ["output_citation_mtok", missing(OUT, "output")],
  ["input_mchars", missing("characters are not metered")],
  ["input_text_messages_kcount", missing("messages are not metered")],
  ["input_gpixels", missing("pixels are not metered")],
  ["input_document_kpages", missing("pages are not metered")],
  ["input_annotated_document_kpages", missing("pages are not metered")],
  ["rerank_searches_kcount", missing(TOOLS)],
  ["web_searches_kcount", missing(TOOLS)],
  ["social_searches_kcount", missing(TOOLS)],
  ["storage_searches_kcount", missing(TOOLS)],
  ["code_executions_kcount", missing(TOOLS)],
  ["requests_kcount", missing("requests are not metered")],
  ...MODALITIES.flatMap((modality): [string, GenaiKey][] => [
    [`input_${modality}_mtok`, missing(IN, "input")],
    [`input_${modality}_tool_mtok`, missing(IN, "input")],
    [`cache_${modality}_read_mtok`, missing(CACHED, "cachedInput")],
    [`cache_${modality}_write_mtok`, missing(WRITTEN, "input")],
    [`cache_${modality}_write_5m_mtok`, missing(WRITTEN, "input")],
    [`cache_${modality}_write_1h_mtok`, missing(WRITTEN, "input")],
    [`output_${modality}_mtok`, missing(OUT, "output")],
    [`output_${modality}_reasoning_mtok`, missing(OUT, "output")],
    [`output_${modality}_citation_mtok`, missing(OUT, "output")],
  ]),
]);

function missing(reason: string, within?: Part): GenaiKey {
  return { kind: "not_expressible", reason, ...(within && { within }) };
}

export function genaiKey(key: string): GenaiKey {
  return KEYS.get(key) ?? { kind: "unknown" };
}

/** Fields of a provider that are understood, and no price. */
export const PROVIDER_FIELDS: ReadonlySet<string> = new Set([
  "api_pattern",
  "description",
  "extractors",
  "id",
  "model_match",
  "models",
  "name",
  "price_comments",
  "pricing_urls",
  "provider_match",
]);

/** Fields of a model that are understood. */
export const MODEL_FIELDS: ReadonlySet<string> = new Set([
  "context_window",
  "deprecated",
  "description",
  "id",
  "match",
  "name",
  "price_comments",
  "prices",
]);

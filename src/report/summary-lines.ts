/** The words of a summary's line: what each kind of usage is called and grouped by (contract, section 3). Pure. */

import { type Stream, USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import type { Component, RateAttributes } from "../rating/price.ts";

/** What a line is about, but for its price. A key that means nothing for the line is "". */
export interface LineWords {
  readonly series: Stream;
  readonly category: string;
  readonly groupingKey: string;
  readonly groupingValue: string;
  readonly secondaryGroupingKey: string;
  readonly secondaryGroupingValue: string;
}

/** How the tokens of a serverless usage type are called. */
const TOKEN_WORD: Readonly<Partial<Record<UsageType, string>>> = {
  TEXT_COMPLETION_INFERENCE_USAGE: "LLM",
  AUDIO_INFERENCE_USAGE: "Audio",
  EMBEDDING_INFERENCE_USAGE: "Embedding",
  IMAGE_GENERATION_USAGE: "Image",
};

function categoryOf(component: Component, usageType: UsageType, acceleratorType: string): string {
  const word = TOKEN_WORD[usageType] ?? "";
  switch (component) {
    case "cachedPromptTokens":
      return `${word} input tokens (cached)`;
    case "uncachedPromptTokens":
      return `${word} input tokens (uncached)`;
    case "completionTokens":
      return `${word} output tokens`;
    case "audioInputMs":
      return usageType === "AUDIO_INFERENCE_USAGE" ? "Audio Transcription" : `${word} audio input`;
    case "imageCount":
      return "Image Generation";
    case "acceleratorMs":
      return acceleratorType === "" ? "Accelerator time" : `Accelerator time (${acceleratorType})`;
    case "tokens":
      return "Training tokens";
    default:
      return component satisfies never;
  }
}

/**
 * Serverless lines are by model and batch, accelerators by type, training tokens by base model; training lines tell the
 * job's type too. Service tier and placement are told apart where they have other prices, by the price.
 */
export function lineWords(component: Component, attributes: RateAttributes): LineWords {
  const usageType = attributes.usageType as UsageType;
  const { model, batch, acceleratorType, baseModel, jobType } = attributes;
  const series = USAGE_TYPES[usageType].stream;
  const [groupingKey, groupingValue] =
    series === "SERVERLESS"
      ? ["model", model]
      : component === "acceleratorMs"
        ? ["accelerator_type", acceleratorType]
        : ["base_model", baseModel];
  const [secondaryGroupingKey, secondaryGroupingValue] =
    series === "SERVERLESS"
      ? ["is_batch", batch === "true" ? "true" : "false"]
      : series === "TRAINING"
        ? ["job_type", jobType]
        : ["", ""];
  const category = categoryOf(component, usageType, acceleratorType);
  return { category, series, groupingKey, groupingValue, secondaryGroupingKey, secondaryGroupingValue };
}

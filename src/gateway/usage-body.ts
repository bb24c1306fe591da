/**
 * The `usage` of an answer, in OpenAI's, Fireworks' or Anthropic's words, as the quantities of a usage event: prompt
 * tokens with the cached ones among them, completion tokens with the reasoning among them.
 */

import type { UsageType } from "../domain/usage.ts";
import { USAGE_TYPES } from "../domain/usage.ts";
import type { Route } from "./routes-table.ts";

/** Quantities under the names of an event's wire fields; what is not known is left out. */
export interface Quantities {
  promptTokens?: number;
  cachedPromptTokens?: number;
  completionTokens?: number;
  /** Seconds with at most 3 decimals. */
  audioInputSeconds?: number;
  imageCount?: number;
}

export interface ReadUsage {
  readonly quantities: Quantities;
  /** Tokens that no quantity of an event tells apart: in the prompt those that went into the cache, in the completion the reasoning. */
  readonly aside: { readonly cacheWrittenTokens: number; readonly reasoningTokens: number };
  /** False when a number in it was no quantity, or more was cached than sent: what is left is an estimate. */
  readonly isSound: boolean;
}

type Body = Readonly<Record<string, unknown>>;

const SECONDS_DECIMALS = 1_000;

function bodyOf(value: unknown): Body {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Body) : {};
}

/** Reads numbers and remembers whether each was one. */
class Numbers {
  isSound = true;

  /** The first of the values that is there, as a whole number. */
  whole(...values: readonly unknown[]): number | undefined {
    const value = values.find((one) => one !== undefined && one !== null);
    if (value === undefined) return undefined;
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    this.isSound = false;
    return undefined;
  }

  seconds(value: unknown): number | undefined {
    if (value === undefined || value === null) return undefined;
    const ms = typeof value === "number" || typeof value === "string" ? Number(value) * SECONDS_DECIMALS : Number.NaN;
    if (ms >= 0 && ms <= Number.MAX_SAFE_INTEGER) return Math.round(ms) / SECONDS_DECIMALS;
    this.isSound = false;
    return undefined;
  }
}

/**
 * Reads the usage of an answer.
 * @param usage the `usage` object as it was sent.
 * @param duration seconds of audio, where the answer tells them beside the usage.
 */
export function readUsage(route: Route, usage: unknown, duration?: unknown): ReadUsage {
  const numbers = new Numbers();
  const body = bodyOf(usage);
  const tokens = route.style === "anthropic" ? anthropicTokens(body, numbers) : openaiTokens(body, numbers);
  const seconds = numbers.seconds(body.type === "duration" ? body.seconds : duration);
  const quantities = metered(route.usageType, {
    ...tokens,
    ...(seconds !== undefined && { audioInputSeconds: seconds }),
  });
  const { promptTokens = 0, cachedPromptTokens = 0 } = quantities;
  const aside = {
    cacheWrittenTokens: numbers.whole(body.cache_creation_input_tokens) ?? 0,
    reasoningTokens: numbers.whole(outputDetails(body).reasoning_tokens) ?? 0,
  };
  if (cachedPromptTokens <= promptTokens) return { quantities, aside, isSound: numbers.isSound };
  return { quantities: { ...quantities, cachedPromptTokens: promptTokens }, aside, isSound: false };
}

function outputDetails(body: Body): Body {
  return bodyOf(body.completion_tokens_details ?? body.output_tokens_details);
}

/**
 * Input comes in three parts that exclude each other; output has the thinking in it. What was written to the cache was
 * not read from it, so it is part of the prompt that was not cached: an event has no third pool.
 */
function anthropicTokens(body: Body, numbers: Numbers): Quantities {
  const fresh = numbers.whole(body.input_tokens);
  const written = numbers.whole(body.cache_creation_input_tokens);
  const cached = numbers.whole(body.cache_read_input_tokens);
  const completion = numbers.whole(body.output_tokens);
  const known = [fresh, written, cached].filter((one) => one !== undefined);
  return withoutUnknown({
    promptTokens: known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0),
    cachedPromptTokens: cached,
    completionTokens: completion,
  });
}

function openaiTokens(body: Body, numbers: Numbers): Quantities {
  const input = bodyOf(body.prompt_tokens_details ?? body.input_tokens_details);
  const prompt = numbers.whole(body.prompt_tokens, body.input_tokens);
  const cached = numbers.whole(input.cached_tokens, body.cached_tokens, body.prompt_cache_hit_tokens);
  const completion = numbers.whole(body.completion_tokens, body.output_tokens);
  const reasoning = numbers.whole(outputDetails(body).reasoning_tokens);
  const total = numbers.whole(body.total_tokens);
  return withoutUnknown({
    promptTokens: prompt,
    cachedPromptTokens: cached,
    completionTokens: completionWithReasoning({ prompt, completion, reasoning, total }),
  });
}

/** Some upstreams count reasoning beside the completion; only their total tells. */
function completionWithReasoning(told: {
  prompt: number | undefined;
  completion: number | undefined;
  reasoning: number | undefined;
  total: number | undefined;
}): number | undefined {
  const { prompt = 0, completion = 0, reasoning = 0, total } = told;
  const isBeside = reasoning > 0 && total === prompt + completion + reasoning;
  return isBeside ? completion + reasoning : told.completion;
}

function withoutUnknown(quantities: { [name in keyof Quantities]: number | undefined }): Quantities {
  return Object.fromEntries(Object.entries(quantities).filter(([, value]) => value !== undefined));
}

/** Leaves out what usage of the type does not meter, such as the completion of an embedding. */
function metered(usageType: UsageType, quantities: Quantities): Quantities {
  const meters: readonly string[] = USAGE_TYPES[usageType].meters;
  const isMetered = (name: string): boolean => meters.includes(name === "audioInputSeconds" ? "audioInputMs" : name);
  return Object.fromEntries(Object.entries(quantities).filter(([name]) => isMetered(name)));
}

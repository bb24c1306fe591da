/** From what a call asked and its answer told to one usage event, or the reason why there is none. Pure. */

import type { Annotations } from "../domain/annotations.ts";
import { isPlainText } from "../domain/text.ts";
import { formatInstant, type Instant } from "../domain/time.ts";
import type { EstimateReason } from "../domain/usage.ts";
import type { Told } from "./answer-meter.ts";
import { headerOf, type RawHeaders } from "./headers.ts";
import type { Route } from "./routes-table.ts";
import { type Quantities, type ReadUsage, readUsage } from "./usage-body.ts";

/** How an answer ended. */
export type Ending =
  | "whole"
  | Extract<EstimateReason, "upstream_cut" | "upstream_timeout" | "client_gone" | "shutdown">;

/** What an answer told, and how it ended. */
export interface Answered {
  readonly route: Route;
  /** Undefined for an answer of a type that tells no usage. */
  readonly told: Told | undefined;
  readonly headers: RawHeaders;
  readonly ending: Ending;
  /** More usage might have been told: a stream did not come to its last event. */
  readonly lacksLastEvent: boolean;
}

export type Measured =
  | ({ readonly kind: "exact" } & Pick<ReadUsage, "quantities" | "aside">)
  | ({ readonly kind: "estimate"; readonly reason: EstimateReason } & Pick<ReadUsage, "quantities" | "aside">)
  | { readonly kind: "unknown"; readonly reason: EstimateReason };

/** Quantities are what the upstream told; none is made up. What is known of a broken answer is kept as an estimate. */
export function measure(answered: Answered): Measured {
  const { route, told, headers } = answered;
  const { quantities: read, aside, isSound } = readUsage(route, told?.usage, told?.duration);
  const images = told?.imageCount === undefined ? {} : { imageCount: told.imageCount };
  const quantities: Quantities = { ...promptOfHeaders(route, headers), ...read, ...images };
  const isTold = told?.usage !== undefined || Object.keys(read).length > 0 || told?.imageCount !== undefined;
  const reason = doubt(answered, isTold && Object.keys(quantities).length > 0, isSound);
  if (reason === undefined) return { kind: "exact", quantities: withCachedInPrompt(quantities), aside };
  const isKnown = Object.values(quantities).some((one) => one > 0);
  if (!isKnown) return { kind: "unknown", reason };
  return { kind: "estimate", quantities: withCachedInPrompt(quantities), aside, reason };
}

function doubt(answered: Answered, isTold: boolean, isSound: boolean): EstimateReason | undefined {
  const { route, told, ending, lacksLastEvent } = answered;
  if (ending !== "whole") return ending;
  if (told?.hasFailed && !isTold) return "upstream_error";
  if (!isTold) return "no_usage";
  if (told?.hasFailed && (lacksLastEvent || !route.endsWithEvent)) return "upstream_error";
  if (lacksLastEvent) return "no_last_event";
  return isSound ? undefined : "unsound_usage";
}

/** Fireworks tells the prompt in headers, so it is known of a stream that was cut, too. */
function promptOfHeaders(route: Route, headers: RawHeaders): Quantities {
  if (route.usageType !== "TEXT_COMPLETION_INFERENCE_USAGE") return {};
  const prompt = wholeHeader(headers, "fireworks-prompt-tokens");
  const cached = wholeHeader(headers, "fireworks-cached-prompt-tokens");
  return {
    ...(prompt !== undefined && { promptTokens: prompt }),
    ...(prompt !== undefined && cached !== undefined && { cachedPromptTokens: cached }),
  };
}

function wholeHeader(headers: RawHeaders, name: string): number | undefined {
  const value = Number(headerOf(headers, name) ?? Number.NaN);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function withCachedInPrompt(quantities: Quantities): Quantities {
  const { promptTokens = 0, cachedPromptTokens = 0 } = quantities;
  return cachedPromptTokens > promptTokens ? { ...quantities, cachedPromptTokens: promptTokens } : quantities;
}

/** Who called, and for what. */
export interface Asker {
  readonly apiKeyId: string;
  readonly user: string;
  readonly annotations: Annotations;
  readonly time: Instant;
  /** As the upstream knows it. */
  readonly model: string;
  readonly serviceTier: string | undefined;
}

/** The event under its wire fields. */
export function eventOf(
  id: string,
  asker: Asker,
  answer: {
    readonly route: Route;
    readonly told: Told | undefined;
    readonly quantities: Quantities;
    /** Undefined where the quantities are exact. */
    readonly estimated?: EstimateReason;
  },
): Record<string, unknown> {
  const { route, told, quantities, estimated } = answer;
  const tier = tierOf(told?.serviceTier ?? told?.usage?.service_tier ?? asker.serviceTier);
  const answered = told?.model;
  return {
    id,
    time: formatInstant(asker.time),
    usageType: route.usageType,
    model: asker.model,
    // The model as it answered: names such as `gpt-5` stand for a dated one.
    ...(isPlainText(answered) && answered !== asker.model && { baseModel: answered }),
    apiKeyId: asker.apiKeyId,
    user: asker.user,
    ...tier,
    ...quantities,
    ...(estimated && { estimated }),
    ...(Object.keys(asker.annotations).length > 0 && { annotations: asker.annotations }),
  };
}

/** OpenAI's and Anthropic's names of service tiers in an event's. */
function tierOf(tier: unknown): { serviceTier?: string; batch?: boolean } {
  switch (tier) {
    case "priority":
      return { serviceTier: "PRIORITY" };
    case "fast":
      return { serviceTier: "FAST" };
    case "batch":
      return { batch: true };
    default:
      return {};
  }
}

/** The words of usage: streams, usage types, meters, the fields of a series, and a batch of usage events. */

import type { Instant } from "./time.ts";

export const STREAMS = ["SERVERLESS", "DEDICATED_DEPLOYMENT", "TRAINING"] as const;
export type Stream = (typeof STREAMS)[number];

/** Every quantity an event can carry, as stored: tokens, images, and milliseconds for what the wire calls seconds. */
export const METERS = [
  "promptTokens",
  "cachedPromptTokens",
  "completionTokens",
  "audioInputMs",
  "imageCount",
  "acceleratorMs",
  "tokens",
] as const;
export type Meter = (typeof METERS)[number];

/** The wire field that carries a meter. */
export const METER_WIRE_FIELD: Readonly<Record<Meter, string>> = {
  promptTokens: "promptTokens",
  cachedPromptTokens: "cachedPromptTokens",
  completionTokens: "completionTokens",
  audioInputMs: "audioInputSeconds",
  imageCount: "imageCount",
  acceleratorMs: "acceleratorSeconds",
  tokens: "tokens",
};

/** The usage types with their stream and the meters that an event of the type may carry (contract, section 2). */
export const USAGE_TYPES = {
  TEXT_COMPLETION_INFERENCE_USAGE: {
    stream: "SERVERLESS",
    meters: ["promptTokens", "cachedPromptTokens", "completionTokens", "audioInputMs"],
  },
  AUDIO_INFERENCE_USAGE: {
    stream: "SERVERLESS",
    meters: ["audioInputMs", "promptTokens", "cachedPromptTokens", "completionTokens"],
  },
  EMBEDDING_INFERENCE_USAGE: { stream: "SERVERLESS", meters: ["promptTokens", "cachedPromptTokens"] },
  IMAGE_GENERATION_USAGE: {
    stream: "SERVERLESS",
    meters: ["imageCount", "promptTokens", "cachedPromptTokens", "completionTokens"],
  },
  DEDICATED_DEPLOYMENT_USAGE: { stream: "DEDICATED_DEPLOYMENT", meters: ["acceleratorMs"] },
  TRAINING_TOKEN_USAGE: { stream: "TRAINING", meters: ["tokens"] },
  TRAINING_ACCELERATOR_USAGE: { stream: "TRAINING", meters: ["acceleratorMs"] },
} as const satisfies Record<string, { stream: Stream; meters: readonly Meter[] }>;
export type UsageType = keyof typeof USAGE_TYPES;
export const USAGE_TYPE_NAMES = Object.keys(USAGE_TYPES) as readonly UsageType[];

/** The usage types of a stream. */
export function usageTypesOf(stream: Stream): UsageType[] {
  return USAGE_TYPE_NAMES.filter((name) => USAGE_TYPES[name].stream === stream);
}

/**
 * The fields whose values make a series, in the order of {@link Labels}. Each value is text, "" where an event has none;
 * `batch` is "true" or "". `contextClass` is never sent: it is made from the prompt's tokens when an event is written, so
 * it is "" in sent labels and no part of an event's content ({@link contextClassOf}). Prices and reports depend on these
 * and on nothing else of an event.
 */
export const SERIES_FIELDS = [
  "usageType",
  "model",
  "apiKeyId",
  "user",
  "serviceTier",
  "batch",
  "deployment",
  "acceleratorType",
  "placement",
  "jobId",
  "jobType",
  "trainingSessionId",
  "baseModel",
  "team",
  "project",
  "environment",
  "contextClass",
  "estimated",
] as const;
export type SeriesField = (typeof SERIES_FIELDS)[number];

/** One value for each of {@link SERIES_FIELDS}. */
export type Labels = readonly string[];

/** The place of a field in {@link Labels}. */
export const FIELD_AT = Object.fromEntries(SERIES_FIELDS.map((field, at) => [field, at])) as Readonly<
  Record<SeriesField, number>
>;

/** Lengths of a prompt, in tokens, above which some price list asks another price. Ascending. */
export const CONTEXT_CLASS_EDGES = [32_000, 64_000, 128_000, 200_000, 256_000, 272_000, 512_000] as const;
const CONTEXT_CLASSES = CONTEXT_CLASS_EDGES.map(String);

/**
 * The class of a prompt's length: "" at or below the first edge, else the decimal text of the largest edge that is
 * exceeded. Events of ledgers from before there were classes keep "", however long their prompts are.
 */
export function contextClassOf(promptTokens: number): string {
  let exceeded = 0;
  while (exceeded < CONTEXT_CLASSES.length && promptTokens > CONTEXT_CLASS_EDGES[exceeded]!) exceeded += 1;
  return CONTEXT_CLASSES[exceeded - 1] ?? "";
}

/**
 * Why an event's quantities are not all that was used: what was known of an answer that broke off, or whose usage was not
 * told or cannot be (docs/gateway.md). An event that is exact has none.
 */
export const ESTIMATE_REASONS = [
  "upstream_cut",
  "upstream_timeout",
  "upstream_error",
  "no_last_event",
  "client_gone",
  "shutdown",
  "unsound_usage",
  "no_usage",
] as const;
export type EstimateReason = (typeof ESTIMATE_REASONS)[number];

export const SERVICE_TIERS = ["STANDARD", "PRIORITY", "FAST"] as const;

/** Accelerator types of the public surface (contract, section 5). */
export const ACCELERATOR_TYPES = [
  "NVIDIA_A100_80GB",
  "NVIDIA_H100_80GB",
  "AMD_MI300X_192GB",
  "NVIDIA_A10G_24GB",
  "NVIDIA_A100_40GB",
  "NVIDIA_L4_24GB",
  "NVIDIA_H200_141GB",
  "NVIDIA_B200_180GB",
  "AMD_MI325X_256GB",
  "AMD_MI350X_288GB",
  "NVIDIA_B300_288GB",
] as const;

/** Largest quantity of one event, in the unit of its meter. */
export const QUANTITY_MAX = Number.MAX_SAFE_INTEGER;
export const EVENTS_PER_CALL_MAX = 20_000;
export const BODY_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Usage events in columns, as they go from ingest to a ledger: event `i` has `ids[i]`, `times[i]`, the quantities
 * `quantities[i * METERS.length + m]`, and two sets of labels. `sent` are the labels as the client gave them: they, the
 * time and the quantities are the event's content. `series` are the labels it counts under, after tags and facts of its
 * key and deployment were added.
 */
export interface UsageBatch {
  readonly ids: readonly string[];
  readonly times: Float64Array;
  readonly quantities: Float64Array;
  /** The distinct sets of labels in this batch. */
  readonly labels: readonly Labels[];
  /** For each event the place of its sent labels in `labels`. */
  readonly sent: Uint32Array;
  /** For each event the place of its series' labels in `labels`. */
  readonly series: Uint32Array;
  /** When each event was received, where that was not now: in a copy of another ledger. */
  readonly receivedAt?: Float64Array;
}

/** One usage event as it is kept. */
export interface UsageEvent {
  readonly id: string;
  readonly time: Instant;
  readonly sent: Labels;
  readonly series: Labels;
  /** In the order of {@link METERS}. */
  readonly quantities: readonly number[];
}

/** An event as kept. */
export interface KeptEvent extends UsageEvent {
  /** When it was received, to the whole second; undefined for events from before that was written down. */
  readonly receivedAt: Instant | undefined;
  /** When it was voided, if it was. */
  readonly voidedAt: Instant | undefined;
}

/** Puts events into columns. */
export function batchOf(events: readonly UsageEvent[]): UsageBatch {
  const labels: Labels[] = [];
  const place = placeIn(labels);
  const batch = {
    ids: events.map((event) => event.id),
    times: Float64Array.from(events, (event) => event.time),
    quantities: new Float64Array(events.length * METERS.length),
    labels,
    sent: Uint32Array.from(events, (event) => place(event.sent)),
    series: Uint32Array.from(events, (event) => place(event.series)),
  };
  for (const [at, event] of events.entries()) batch.quantities.set(event.quantities, at * METERS.length);
  return batch;
}

/** A function that tells a set of labels its place in the list, and adds it where it is not there yet. */
export function placeIn(list: Labels[]): (labels: Labels) => number {
  const places = new Map(list.map((one, at) => [labelsKey(one), at]));
  return (labels) => {
    const key = labelsKey(labels);
    const known = places.get(key);
    if (known !== undefined) return known;
    places.set(key, list.length);
    return list.push(labels) - 1;
  };
}

/** A text that is equal for equal labels and for no others (values hold no control characters). */
export function labelsKey(labels: Labels): string {
  return labels.join("\u0000");
}

/** The wire field of an event that differs first between two contents, or undefined when they are the same. */
export function differingField(
  a: Pick<UsageEvent, "time" | "sent" | "quantities">,
  b: Pick<UsageEvent, "time" | "sent" | "quantities">,
): string | undefined {
  if (a.time !== b.time) return "time";
  for (const [at, field] of SERIES_FIELDS.entries()) {
    if (a.sent[at] !== b.sent[at]) return isTag(field) ? `annotations.${field}` : field;
  }
  for (const [at, meter] of METERS.entries()) {
    if (a.quantities[at] !== b.quantities[at]) return METER_WIRE_FIELD[meter];
  }
  return undefined;
}

function isTag(field: SeriesField): boolean {
  return field === "team" || field === "project" || field === "environment";
}

/** The words of rating: what is priced, by what, and a price book with its entries. */

import type { Instant } from "../domain/time.ts";
import type { Meter, SeriesField } from "../domain/usage.ts";

/** The fields of a series that a price may depend on. */
export const RATE_FIELDS = [
  "usageType",
  "model",
  "serviceTier",
  "batch",
  "acceleratorType",
  "placement",
  "jobType",
  "baseModel",
] as const satisfies readonly SeriesField[];
export type RateField = (typeof RATE_FIELDS)[number];
export type RateAttributes = Readonly<Record<RateField, string>>;

/** What is priced. All are meters as stored, but for the prompt, which is split into cached and uncached tokens. */
export const COMPONENTS = [
  "uncachedPromptTokens",
  "cachedPromptTokens",
  "completionTokens",
  "audioInputMs",
  "imageCount",
  "acceleratorMs",
  "tokens",
] as const;
export type Component = (typeof COMPONENTS)[number];

/** Attodollars for one token, one millisecond or one image. A component without a price is left out. */
export type UnitPrices = Readonly<Partial<Record<Component, bigint>>>;

/** What an entry prices: one kind an entry, named by its field in the book. */
export const KINDS = {
  perMillionTokens: {
    meters: ["promptTokens", "completionTokens"],
    components: ["uncachedPromptTokens", "cachedPromptTokens", "completionTokens"],
    per: 1_000_000n,
    batched: true,
    placed: false,
  },
  perAudioMinute: {
    meters: ["audioInputMs"],
    components: ["audioInputMs"],
    per: 60_000n,
    batched: false,
    placed: false,
  },
  perImage: { meters: ["imageCount"], components: ["imageCount"], per: 1n, batched: false, placed: false },
  perAcceleratorHour: {
    meters: ["acceleratorMs"],
    components: ["acceleratorMs"],
    per: 3_600_000n,
    batched: false,
    placed: true,
  },
  perMillionTrainingTokens: {
    meters: ["tokens"],
    components: ["tokens"],
    per: 1_000_000n,
    batched: false,
    placed: false,
  },
} as const satisfies Record<string, KindRule>;
export type Kind = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as readonly Kind[];

interface KindRule {
  /** The meters of usage that the kind prices; a usage type without any of them is never priced by it. */
  readonly meters: readonly Meter[];
  readonly components: readonly Component[];
  /** Units (tokens, milliseconds, images) that the stated price is for. */
  readonly per: bigint;
  /** True when the book's batch multiplier bears on it. */
  readonly batched: boolean;
  /** True when the book's multiplier for restricted placements bears on it. */
  readonly placed: boolean;
}

export const ARCHITECTURES = ["dense", "moe"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** How large a model is, in whole parameters. */
export interface ModelSize {
  readonly parameters: bigint;
  readonly architecture: Architecture;
}

/** `start <= parameters < end`; without an end all larger ones. */
export interface SizeRange {
  readonly start: bigint;
  readonly end: bigint | undefined;
}

/** What an entry asks of usage. A field lists the values it takes; a field that is left out is not asked for. */
export type Match = Readonly<
  Partial<Record<RateField, readonly string[]>> & { parameters?: SizeRange; architecture?: readonly string[] }
>;
export type MatchField = keyof Match;

/** One line of a price list. */
export interface PriceEntry {
  /** The line of the book's text that the entry begins on. */
  readonly line: number;
  readonly kind: Kind;
  readonly match: Match;
  readonly effectiveFrom: Instant;
  /** Exclusive; undefined while no end is known. */
  readonly effectiveTo: Instant | undefined;
  /** Where the price was published. */
  readonly source: string;
  readonly prices: UnitPrices;
  /** The prices under the book's batch or placement multiplier; undefined when the book states none. */
  readonly multiplied: UnitPrices | undefined;
}

export interface PriceBook {
  readonly name: string;
  readonly currency: "USD";
  readonly entries: readonly PriceEntry[];
  /** Parameter counts by model id. */
  readonly models: ReadonlyMap<string, ModelSize>;
  /** Every instant at which some entry starts or ends, ascending and distinct. */
  readonly edges: readonly Instant[];
}

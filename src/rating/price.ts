/** The words of rating: what is priced, by what, and a price book with its entries. */

import type { Decimal } from "../domain/money.ts";
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
  "contextClass",
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

/**
 * What a line asks of usage. A field lists the values it takes; a field that is left out is not asked for. A model or
 * base model is a whole name, or the beginning of names before a `*`.
 */
export type Match = Readonly<
  Partial<Record<RateField, readonly string[]>> & { parameters?: SizeRange; architecture?: readonly string[] }
>;
export type MatchField = keyof Match;

export const MULTIPLIERS = ["batch", "cachedInput", "restrictedPlacement"] as const;
export type Multiplier = (typeof MULTIPLIERS)[number];
export type Multipliers = Readonly<Partial<Record<Multiplier, Decimal>>>;

/** Prices as a book states them: dollars for as many units as `per` of the kind. */
export type StatedPrices = Readonly<Partial<Record<Component, Decimal>>>;

/** From when and until when a line of a book holds, and for what. */
export interface BookLine {
  /** The line of the book's text that it begins on. */
  readonly line: number;
  readonly match: Match;
  readonly effectiveFrom: Instant;
  /** Exclusive; undefined while no end is known. */
  readonly effectiveTo: Instant | undefined;
  /** Where it was published or agreed. */
  readonly source: string;
}

/** One line of a price list. Unit prices are made of it when they are asked for, so that each is rounded once. */
export interface PriceEntry extends BookLine {
  readonly kind: Kind;
  readonly stated: StatedPrices;
}

/** What an account pays less than the list says. */
export interface Discount extends BookLine {
  /** Above 0, at most 100. */
  readonly percent: Decimal;
  /** 1 - percent / 100. */
  readonly factor: Decimal;
}

/** A list is for everybody; a contract is for one account and stands on a list. */
export type BookKind = "list" | "contract";

export interface PriceBook {
  readonly name: string;
  readonly kind: BookKind;
  readonly currency: "USD";
  readonly multipliers: Multipliers;
  readonly entries: readonly PriceEntry[];
  /** Of a contract; a list has none. */
  readonly discounts: readonly Discount[];
  /** Parameter counts by model id. */
  readonly models: ReadonlyMap<string, ModelSize>;
  /** Every instant at which some entry or discount starts or ends, ascending and distinct. */
  readonly edges: readonly Instant[];
}

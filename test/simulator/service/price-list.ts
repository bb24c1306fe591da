/**
 * Price books made by chance, and what they come to by the words of docs/prices.md: every line is looked at, one after
 * the other, and prices are fractions until the one rounding. Shares no code with src/rating.
 */

import type { Random } from "../random.ts";

const SLOT = 900_000;
const DAY = 86_400_000;
/** Decimals of a stated price. */
const SCALE = 8;
const ONE = 10n ** BigInt(SCALE);
const ATTO_PER_USD = 10n ** 18n;

type MatchField = "model" | "baseModel" | "acceleratorType" | "placement" | "jobType" | "serviceTier" | "batch";
type Match = Readonly<Partial<Record<MatchField, string | boolean>>>;
/** In the order in which they decide between two lines. */
const DECIDING: readonly MatchField[] = [
  "model", "baseModel", "acceleratorType", "placement", "jobType", "serviceTier", "batch",
]; // biome-ignore format: a list of names

interface Line {
  readonly match: Match;
  readonly from: number;
  readonly to: number | undefined;
}

interface Entry extends Line {
  readonly kind: keyof typeof PER;
  /** In 1e-8 dollars. "price" where the kind has one price. */
  readonly prices: Readonly<Partial<Record<"input" | "cachedInput" | "output" | "price", bigint>>>;
}

interface Discount extends Line {
  /** Whole percents taken off. */
  readonly percent: number;
}

type Multiplier = "batch" | "cachedInput" | "restrictedPlacement";

export interface Book {
  readonly multipliers: Readonly<Partial<Record<Multiplier, bigint>>>;
  readonly entries: readonly Entry[];
  readonly discounts: readonly Discount[];
}

export interface Tariff {
  readonly list: Book;
  readonly contract: Book | undefined;
}

/** Units that a stated price is for. */
const PER = {
  perMillionTokens: 1_000_000n,
  perAudioMinute: 60_000n,
  perImage: 1n,
  perAcceleratorHour: 3_600_000n,
  perMillionTrainingTokens: 1_000_000n,
};

const KIND_OF: Readonly<Record<string, { kind: keyof typeof PER; price: keyof Entry["prices"] }>> = {
  uncachedPromptTokens: { kind: "perMillionTokens", price: "input" },
  cachedPromptTokens: { kind: "perMillionTokens", price: "cachedInput" },
  completionTokens: { kind: "perMillionTokens", price: "output" },
  audioInputMs: { kind: "perAudioMinute", price: "price" },
  imageCount: { kind: "perImage", price: "price" },
  acceleratorMs: { kind: "perAcceleratorHour", price: "price" },
  tokens: { kind: "perMillionTrainingTokens", price: "price" },
};

const SERVERLESS_TYPE = /^(TEXT_COMPLETION|AUDIO|EMBEDDING|IMAGE)_/;
const UNRESTRICTED = ["", "GLOBAL", "REGION_UNSPECIFIED"];

type Labels = Readonly<Record<string, string>>;

/** What one unit costs by the list and what is paid for it, in attodollars; undefined where there is no price. */
export function pricesAt(
  { list, contract }: Tariff,
  labels: Labels,
  component: string,
  at: number,
): { readonly list: bigint | undefined; readonly net: bigint | undefined } {
  const listed = priceIn(list, list.multipliers, labels, component, at);
  if (!contract) return { list: listed && rounded(listed), net: listed && rounded(listed) };
  const agreed = priceIn(contract, { ...list.multipliers, ...contract.multipliers }, labels, component, at);
  const discount = best(contract.discounts, labels, at);
  const off = (price: Fraction): Fraction =>
    discount ? [price[0] * BigInt(100 - discount.percent), price[1] * 100n] : price;
  const net = agreed ?? (listed && off(listed));
  const first = listed ?? agreed;
  return { list: first && rounded(first), net: net && rounded(net) };
}

/** Attodollars as a numerator and a divisor. */
type Fraction = readonly [bigint, bigint];

function priceIn(
  { entries }: Book,
  multipliers: Book["multipliers"],
  labels: Labels,
  component: string,
  at: number,
): Fraction | undefined {
  const { kind, price } = KIND_OF[component]!;
  const tiered = SERVERLESS_TYPE.test(labels.usageType!) && (labels.serviceTier || "STANDARD") !== "STANDARD";
  const alike = entries.filter((entry) => entry.kind === kind && (!tiered || entry.match.serviceTier !== undefined));
  const entry = best(alike, labels, at);
  if (!entry) return undefined;
  const factors: (bigint | undefined)[] = [];
  let stated = entry.prices[price];
  if (stated === undefined && price === "cachedInput") {
    stated = entry.prices.input;
    factors.push(multipliers.cachedInput);
  }
  if (kind === "perMillionTokens" && labels.batch === "true" && entry.match.batch === undefined) {
    factors.push(multipliers.batch);
  }
  if (kind === "perAcceleratorHour" && !UNRESTRICTED.includes(labels.placement ?? "") && !entry.match.placement) {
    factors.push(multipliers.restrictedPlacement);
  }
  if (stated === undefined || factors.includes(undefined)) return undefined;
  let [numerator, divisor] = [stated * ATTO_PER_USD, PER[kind] * ONE];
  for (const factor of factors) [numerator, divisor] = [numerator * factor!, divisor * ONE];
  return [numerator, divisor];
}

function rounded([numerator, divisor]: Fraction): bigint {
  const floor = numerator / divisor;
  const twice = 2n * (numerator - floor * divisor);
  if (twice === divisor) return floor + (floor % 2n);
  return twice > divisor ? floor + 1n : floor;
}

/** Of the lines in force that fit, the one that says more in the first field where they differ. */
function best<L extends Line>(lines: readonly L[], labels: Labels, at: number): L | undefined {
  let winner: L | undefined;
  for (const line of lines) {
    if (line.from > at || (line.to !== undefined && line.to <= at)) continue;
    if (DECIDING.some((field) => weight(line.match[field], field, labels) < 0)) continue;
    if (!winner || beats(line, winner, labels)) winner = line;
  }
  return winner;
}

function beats(line: Line, other: Line, labels: Labels): boolean {
  for (const field of DECIDING) {
    const [own, its] = [line, other].map(({ match }) => weight(match[field], field, labels)) as [number, number];
    if (own !== its) return own > its;
  }
  return false;
}

const WHOLE_NAME = 10_000;

/** How much a match says of a field: 0 for nothing, -1 when it does not fit. */
function weight(asked: string | boolean | undefined, field: MatchField, labels: Labels): number {
  if (asked === undefined) return 0;
  const value = labels[field] ?? "";
  if (field === "batch") return SERVERLESS_TYPE.test(labels.usageType!) && asked === (value === "true") ? 1 : -1;
  if (field === "serviceTier") {
    return SERVERLESS_TYPE.test(labels.usageType!) && asked === (value || "STANDARD") ? 1 : -1;
  }
  const name = String(asked);
  const named = field === "model" || field === "baseModel";
  if (named && name.endsWith("*")) return value.startsWith(name.slice(0, -1)) ? name.length - 1 : -1;
  return name === value ? (named ? WHOLE_NAME : 1) : -1;
}

/** The book as it is written; JSON is YAML, too. */
export function textOf({ multipliers, entries, discounts }: Book): string {
  const dated = ({ match, from, to }: Line): object => ({
    ...(Object.keys(match).length > 0 ? { match } : {}),
    effectiveFrom: new Date(from).toISOString(),
    ...(to === undefined ? {} : { effectiveTo: new Date(to).toISOString() }),
    source: "made up",
  });
  const factors = Object.entries(multipliers).map(([name, factor]) => [name, decimal(factor)]);
  const prices = entries.map(({ kind, prices: { price, ...tokens }, ...line }) => ({
    ...dated(line),
    [kind]:
      price === undefined
        ? Object.fromEntries(Object.entries(tokens).map(([name, one]) => [name, decimal(one)]))
        : decimal(price),
  }));
  return JSON.stringify({
    currency: "USD",
    multipliers: { ...Object.fromEntries(factors), source: "made up" },
    ...(prices.length > 0 ? { prices } : {}),
    ...(discounts.length > 0
      ? { discounts: discounts.map(({ percent, ...line }) => ({ ...dated(line), percent: String(percent) })) }
      : {}),
  });
}

function decimal(value: bigint): string {
  return `${value / ONE}.${String(value % ONE).padStart(SCALE, "0")}`;
}

export const MODELS = ["model-a", "model-b", "model-c", ""];
export const ACCELERATORS = ["NVIDIA_H100_80GB", "NVIDIA_A100_80GB", "NVIDIA_L4_24GB"];
export const PLACEMENTS = ["", "GLOBAL", "US", "EUROPE"];
export const JOB_TYPES = ["SFT", "DPO"];

/** A book around an instant. No two of its lines can dispute: like matches have periods that do not meet. */
export function drawBook(random: Random, near: number, kind: "list" | "contract"): Book {
  const amount = (): bigint => BigInt(random.int(1, 900)) * 10n ** BigInt(random.int(4, 7));
  const share = kind === "list" ? 0.75 : 0.3;
  const tokens = (): Entry["prices"] => ({
    input: amount(),
    ...(random.chance(0.6) ? { cachedInput: amount() } : {}),
    ...(random.chance(0.9) ? { output: amount() } : {}),
  });
  const price = (): Entry["prices"] => ({ price: random.chance(0.05) ? 0n : amount() });
  const text: Match[] = ["model-a", "model-b", "model-c", "model-*", "*"].flatMap((model) => [
    { model },
    { model, serviceTier: "FAST" },
    { model, batch: true },
  ]);
  const matches: [Match[], Entry["kind"], () => Entry["prices"]][] = [
    [text, "perMillionTokens", tokens],
    [[{ model: "model-a" }, { model: "model-*" }], "perAudioMinute", price],
    [[{ model: "model-b" }], "perImage", price],
    [
      ACCELERATORS.slice(0, 2).flatMap((acceleratorType) => [
        { acceleratorType },
        { acceleratorType, placement: "US" },
      ]),
      "perAcceleratorHour",
      price,
    ],
    [[{ baseModel: "model-a" }, { baseModel: "model-*", jobType: "SFT" }], "perMillionTrainingTokens", price],
  ];
  const entries = matches.flatMap(([some, one, prices]) =>
    random
      .some(some, share)
      .flatMap((match) =>
        drawPeriods(random, near).map((period) => ({ match, kind: one, prices: prices(), ...period })),
      ),
  );
  const discounts =
    kind === "list"
      ? []
      : random
          .some<Match>([{}, { model: "model-a" }, { acceleratorType: "NVIDIA_H100_80GB" }], 0.6)
          .flatMap((match) => drawPeriods(random, near).map((one) => ({ match, percent: random.int(1, 100), ...one })));
  const names = ["batch", "cachedInput", "restrictedPlacement"] as const;
  const multipliers = Object.fromEntries(
    random.some(names, kind === "list" ? 0.9 : 0.3).map((name) => [name, BigInt(random.int(1, 300)) * (ONE / 100n)]),
  );
  const empty = entries.length + discounts.length === 0;
  return { multipliers, entries: empty ? [{ ...ALWAYS, prices: { price: ONE } }] : entries, discounts };
}

const ALWAYS = { match: { model: "model-b" }, kind: "perImage", from: 0, to: undefined } as const;

/** One to three periods, each after the one before, most of them touching it. */
function drawPeriods(random: Random, near: number): { from: number; to: number | undefined }[] {
  const edges = random.times(1, 3, () => Math.floor((near + random.int(-12 * DAY, 8 * DAY)) / SLOT) * SLOT);
  const starts = [...new Set([random.chance(0.7) ? Date.UTC(2000, 0, 1) : edges[0]!, ...edges])].sort((a, b) => a - b);
  return starts.map((from, at) => {
    const next = starts[at + 1];
    if (next === undefined) return { from, to: random.chance(0.8) ? undefined : from + 5 * DAY };
    return { from, to: random.chance(0.8) ? next : Math.max(from + SLOT, next - DAY) };
  });
}

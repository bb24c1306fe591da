/**
 * A second rater, by the words of docs/prices.md: fractions until the one rounding, every line looked at, no index and
 * no memory. It shares no code with src/rating.
 */

export interface Fraction {
  readonly n: bigint;
  readonly d: bigint;
}

export const fraction = (n: bigint, d = 1n): Fraction => ({ n, d });
const times = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.n, d: a.d * b.d });

/** Half to even, by what is left of the floor. Not for negatives. */
function toWhole({ n, d }: Fraction): bigint {
  const floor = n / d;
  const left = 2n * (n - floor * d);
  if (left < d) return floor;
  return left > d || floor % 2n === 1n ? floor + 1n : floor;
}

/** What a line asks for, in the words of a book. */
export interface NaiveMatch {
  readonly model?: readonly string[];
  readonly baseModel?: readonly string[];
  readonly parametersBillions?: { readonly above?: number; readonly atMost?: number };
  readonly acceleratorType?: readonly string[];
  readonly placement?: readonly string[];
  readonly serviceTier?: readonly string[];
  readonly contextTokens?: { readonly above?: number; readonly atMost?: number };
  readonly batch?: boolean;
  readonly usageType?: readonly string[];
}

export interface NaiveLine {
  readonly match: NaiveMatch;
  /** Months of 2026, from 1; the end is exclusive. */
  readonly from: number;
  readonly to: number;
}

export interface NaiveEntry extends NaiveLine {
  readonly kind: "perMillionTokens" | "perAcceleratorHour";
  readonly prices: { readonly input?: Fraction; readonly cachedInput?: Fraction; readonly output?: Fraction };
  readonly hour: Fraction;
}

export interface NaiveDiscount extends NaiveLine {
  readonly percent: Fraction;
}

export interface NaiveMultipliers {
  readonly batch?: Fraction | undefined;
  readonly cachedInput?: Fraction | undefined;
  readonly restrictedPlacement?: Fraction | undefined;
}

export interface NaiveBook {
  readonly multipliers: NaiveMultipliers;
  /** Billions of parameters. */
  readonly models: Readonly<Record<string, number>>;
  readonly entries: readonly NaiveEntry[];
}

export interface NaiveContract extends NaiveBook {
  readonly discounts: readonly NaiveDiscount[];
}

/** One piece of usage; `promptTokens` are those of the call, which the length class comes from. */
export interface NaiveUsage {
  readonly usageType: string;
  readonly model: string;
  readonly baseModel: string;
  readonly serviceTier: string;
  readonly batch: boolean;
  readonly promptTokens: number;
  readonly acceleratorType: string;
  readonly placement: string;
  readonly month: number;
}

const isCall = (usage: NaiveUsage): boolean => usage.usageType !== "DEDICATED_DEPLOYMENT_USAGE";

/** What a name weighs: none fits is -1, any name 0, a prefix its length, the whole name most. */
function nameWeight(patterns: readonly string[] | undefined, name: string): number {
  if (patterns === undefined) return 0;
  return Math.max(
    ...patterns.map((pattern) => {
      if (!pattern.endsWith("*")) return pattern === name ? 1_000_000 : -1;
      return name.startsWith(pattern.slice(0, pattern.length - 1)) ? pattern.length - 1 : -1;
    }),
  );
}

function within(limits: { above?: number; atMost?: number }, value: number): boolean {
  return value > (limits.above ?? -1) && value <= (limits.atMost ?? Infinity);
}

/** The weights of a line for the usage in the order of the fields; undefined when it is not for it. */
function weights(line: NaiveLine, usage: NaiveUsage, size: number | undefined): number[] | undefined {
  const { match } = line;
  if (usage.month < line.from || usage.month >= line.to) return undefined;
  const model = nameWeight(match.model, usage.model);
  const base = nameWeight(match.baseModel, usage.baseModel);
  if (model < 0 || base < 0) return undefined;
  if (match.parametersBillions && (size === undefined || !within(match.parametersBillions, size))) return undefined;
  if (match.acceleratorType && !match.acceleratorType.includes(usage.acceleratorType)) return undefined;
  if (match.placement && !match.placement.includes(usage.placement)) return undefined;
  if (match.usageType && !match.usageType.includes(usage.usageType)) return undefined;
  const callOnly = match.serviceTier || match.contextTokens || match.batch !== undefined;
  if (callOnly && !isCall(usage)) return undefined;
  if (match.serviceTier && !match.serviceTier.includes(usage.serviceTier || "STANDARD")) return undefined;
  if (match.contextTokens && !within(match.contextTokens, usage.promptTokens)) return undefined;
  if (match.batch !== undefined && match.batch !== usage.batch) return undefined;
  const { parametersBillions, acceleratorType, placement, serviceTier, contextTokens, batch, usageType } = match;
  const rest = [parametersBillions, acceleratorType, placement, serviceTier, contextTokens, batch, usageType];
  return [model, base, ...rest.map((one) => (one === undefined ? 0 : 1))];
}

/** The line that wins; throws where two tie. */
function winner<L extends NaiveLine>(lines: readonly L[], usage: NaiveUsage, size: number | undefined): L | undefined {
  let best: { line: L; weight: number[] } | undefined;
  let tied = false;
  for (const line of lines) {
    const weight = weights(line, usage, size);
    if (!weight) continue;
    const at = best ? weight.findIndex((one, place) => one !== best!.weight[place]) : 0;
    if (at < 0) tied = true;
    else if (!best || weight[at]! > best.weight[at]!) {
      best = { line, weight };
      tied = false;
    }
  }
  if (tied) throw new Error("two lines tie");
  return best?.line;
}

type Prices = Readonly<Record<string, Fraction>>;

/** Dollars for one unit of each component, by one book. */
function pricesBy(
  book: NaiveBook,
  multipliers: NaiveMultipliers,
  usage: NaiveUsage,
  size: number | undefined,
): Record<string, Fraction> {
  const kind = isCall(usage) ? "perMillionTokens" : "perAcceleratorHour";
  const tiered = isCall(usage) && (usage.serviceTier || "STANDARD") !== "STANDARD";
  const entries = book.entries.filter((one) => one.kind === kind && (!tiered || one.match.serviceTier));
  const entry = winner(entries, usage, size);
  const made: Record<string, Fraction> = {};
  if (!entry) return made;
  const put = (
    component: string,
    price: Fraction | undefined,
    per: bigint,
    factors: (Fraction | undefined)[],
  ): void => {
    if (!price || factors.some((one) => one === undefined)) return;
    made[component] = (factors as Fraction[]).reduce(times, times(price, fraction(1n, per)));
  };
  if (!isCall(usage)) {
    const restricted = !["", "GLOBAL", "REGION_UNSPECIFIED"].includes(usage.placement) && !entry.match.placement;
    put("acceleratorMs", entry.hour, 3_600_000n, restricted ? [multipliers.restrictedPlacement] : []);
    return made;
  }
  const batch = usage.batch && entry.match.batch === undefined ? [multipliers.batch] : [];
  const { input, cachedInput, output } = entry.prices;
  put("uncachedPromptTokens", input, 1_000_000n, batch);
  put("completionTokens", output, 1_000_000n, batch);
  if (cachedInput) put("cachedPromptTokens", cachedInput, 1_000_000n, batch);
  else put("cachedPromptTokens", input, 1_000_000n, [multipliers.cachedInput, ...batch]);
  return made;
}

const ATTO = 10n ** 18n;
const rounded = (prices: Prices): Record<string, bigint> =>
  Object.fromEntries(
    Object.entries(prices).map(([component, price]) => [component, toWhole(times(price, fraction(ATTO)))]),
  );

/** Attodollars for one unit of each component that has a price, by the list and as it is paid. */
export function naiveRates(
  list: NaiveBook,
  contract: NaiveContract | undefined,
  usage: NaiveUsage,
): { list: Record<string, bigint>; net: Record<string, bigint> } {
  const sized = isCall(usage) ? usage.model : usage.baseModel;
  const listed = pricesBy(list, list.multipliers, usage, list.models[sized]);
  if (!contract) return { list: rounded(listed), net: rounded(listed) };
  const size = contract.models[sized] ?? list.models[sized];
  const { batch, cachedInput, restrictedPlacement } = contract.multipliers;
  const multipliers = {
    batch: batch ?? list.multipliers.batch,
    cachedInput: cachedInput ?? list.multipliers.cachedInput,
    restrictedPlacement: restrictedPlacement ?? list.multipliers.restrictedPlacement,
  };
  const agreed = pricesBy(contract, multipliers, usage, size);
  const discount = winner(contract.discounts, usage, size);
  const left = discount
    ? fraction(100n * discount.percent.d - discount.percent.n, 100n * discount.percent.d)
    : fraction(1n);
  const lowered = Object.fromEntries(Object.entries(listed).map(([one, price]) => [one, times(price, left)]));
  return { list: rounded({ ...agreed, ...listed }), net: rounded({ ...lowered, ...agreed }) };
}

/** Prices of a published list by length of prompt, and the lines of a book that say the same. Pure. */

import { type Decimal, decimalText } from "../../domain/money.ts";
import type { Instant } from "../../domain/time.ts";
import { CONTEXT_CLASS_EDGES } from "../../domain/usage.ts";
import { KINDS } from "../price.ts";

export type ImportKind = "perMillionTokens" | "perAudioMinute" | "perImage";
/** The parts of a price; what is not priced by the token has one. */
export type Part = "input" | "cachedInput" | "output" | "price";
export const PARTS = ["input", "cachedInput", "output", "price"] as const satisfies readonly Part[];
export type Variant = "standard" | "priority" | "batch";
const VARIANTS = ["standard", "priority", "batch"] as const satisfies readonly Variant[];

/** A price by length of prompt. */
export interface Steps {
  base: Decimal | undefined;
  /** Prices of prompts of more tokens than the key says; undefined where there is none from there on. */
  readonly above: Map<number, Decimal | undefined>;
}

/** All that a list says about one model at one time. */
export class PriceTable {
  readonly #steps = new Map<string, Steps>();

  /** Notes a price, or that there is none. `above` is 0 for prompts of any length. */
  put(kind: ImportKind, variant: Variant, part: Part, above: number, price: Decimal | undefined): void {
    const name = `${kind} ${variant} ${part}`;
    let steps = this.#steps.get(name);
    if (!steps) {
      steps = { base: undefined, above: new Map() };
      this.#steps.set(name, steps);
    }
    if (above === 0) steps.base = price;
    else steps.above.set(above, price);
  }

  steps(kind: ImportKind, variant: Variant, part: Part): Steps | undefined {
    return this.#steps.get(`${kind} ${variant} ${part}`);
  }

  prices(): Decimal[] {
    const all = [...this.#steps.values()].flatMap(({ base, above }) => [base, ...above.values()]);
    return all.filter((price) => price !== undefined);
  }
}

/** One entry to be, its model and dates aside. */
export interface PriceLine {
  readonly kind: ImportKind;
  readonly variant: Variant;
  /** For prompts of more tokens than this; 0 for all from the shortest. */
  readonly above: number;
  /** For prompts of at most so many tokens; undefined for all up to the longest. */
  readonly atMost: number | undefined;
  /** Decimal texts. */
  readonly parts: Readonly<Partial<Record<Part, string>>>;
}

/** Lines that hold from an instant until another. */
export interface Period {
  readonly from: Instant;
  /** Exclusive. */
  readonly to: Instant | undefined;
  readonly lines: readonly PriceLine[];
}

/** The classes of prompt lengths: `above < tokens <= atMost`. */
const CLASSES = [0, ...CONTEXT_CLASS_EDGES].map((above, at) => ({
  above,
  atMost: CONTEXT_CLASS_EDGES[at] ?? Number.POSITIVE_INFINITY,
}));

/** Tells of a limit of the list that a book does not have, or has one token further. */
export type TellLimit = (limit: number, taken: number | undefined) => void;

/** The table's lines. Where a limit of the list falls inside a class, that class is left without the price. */
export function linesOf(table: PriceTable, tell: TellLimit): PriceLine[] {
  const kinds: readonly ImportKind[] = ["perMillionTokens", "perAudioMinute", "perImage"];
  return kinds.flatMap((kind) => {
    const lines = VARIANTS.flatMap((variant) => linesOfVariant(table, kind, variant, tell));
    const limit = lines.find((line) => line.variant === "standard" && isLimited(line));
    return limit ? lines.flatMap((line) => limited(line, limit.above || limit.atMost!)) : lines;
  });
}

function isLimited({ above, atMost }: PriceLine): boolean {
  return above > 0 || atMost !== undefined;
}

/**
 * A batch price for prompts of any length as two with a limit: in a book the length weighs more than the batch, so
 * beside plain prices with a limit it would never win.
 */
function limited(line: PriceLine, limit: number): PriceLine[] {
  if (line.variant !== "batch" || isLimited(line)) return [line];
  return [
    { ...line, atMost: limit },
    { ...line, above: limit },
  ];
}

function linesOfVariant(table: PriceTable, kind: ImportKind, variant: Variant, tell: TellLimit): PriceLine[] {
  const byClass = CLASSES.map(({ above, atMost }) => {
    const parts: Partial<Record<Part, string>> = {};
    for (const part of PARTS) {
      const price = priceIn({ above, atMost }, table, { kind, variant, part }, tell);
      if (price) parts[part] = decimalText(price);
    }
    return { above, atMost, parts };
  });
  const lines: PriceLine[] = [];
  for (const { above, atMost, parts } of byClass) {
    if (Object.keys(parts).length === 0) continue;
    const before = lines.at(-1);
    const upTo = atMost === Number.POSITIVE_INFINITY ? undefined : atMost;
    const goesOn = before?.atMost === above && PARTS.every((part) => before.parts[part] === parts[part]);
    if (goesOn) lines[lines.length - 1] = { ...before, atMost: upTo };
    else lines.push({ kind, variant, above, atMost: upTo, parts });
  }
  return lines;
}

interface Asked {
  readonly kind: ImportKind;
  readonly variant: Variant;
  readonly part: Part;
}

/** The one price of a class; undefined where the list states none, or two. */
function priceIn(
  range: { readonly above: number; readonly atMost: number },
  table: PriceTable,
  { kind, variant, part }: Asked,
  tell: TellLimit,
): Decimal | undefined {
  const own = stepIn(range, table.steps(kind, variant, part), tell);
  if (own === "two" || !own?.price) return undefined;
  if (variant === "standard") return own.price;
  // Where the plain price is another above a limit, the price that was stated for shorter prompts says nothing.
  const plain = stepIn(range, table.steps(kind, "standard", part), () => {});
  return plain === "two" || (plain && plain.above > own.above) ? undefined : own.price;
}

interface Step {
  readonly above: number;
  readonly price: Decimal | undefined;
}

function stepIn(
  range: { readonly above: number; readonly atMost: number },
  steps: Steps | undefined,
  tell: TellLimit,
): Step | "two" | undefined {
  if (!steps) return undefined;
  let found: Step = { above: 0, price: steps.base };
  for (const [limit, price] of [...steps.above].sort(([a], [b]) => a - b)) {
    const taken = limitOf(limit);
    if (taken !== limit) tell(limit, taken);
    const above = taken ?? limit;
    if (above <= range.above) found = { above, price };
    else if (above < range.atMost) return "two";
  }
  return found;
}

/** The limit of a book that stands for one of the list: the same, or where the list counts "or more", one further. */
function limitOf(limit: number): number | undefined {
  return CONTEXT_CLASS_EDGES.find((edge) => edge === limit || edge === limit + 1);
}

/** Units that a price of the kind is for. */
export function unitsPer(kind: ImportKind): bigint {
  return KINDS[kind].per;
}

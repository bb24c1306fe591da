/** Which usage an entry of a price book is for, which of two entries wins, and when two of them would dispute it. */

import { type Meter, USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import {
  KINDS,
  type Kind,
  type Match,
  type MatchField,
  type ModelSize,
  type PriceEntry,
  type RateAttributes,
  type RateField,
  type SizeRange,
} from "./price.ts";

/** The fields by weight: an entry that states an earlier one beats all that do not, whatever else they state. */
export const MATCH_ORDER = [
  "model",
  "baseModel",
  "parameters",
  "architecture",
  "acceleratorType",
  "placement",
  "jobType",
  "serviceTier",
  "batch",
  "usageType",
] as const satisfies readonly MatchField[];

/** A number that is larger for the entry that wins; equal only for entries that state the same fields. */
export function specificity(match: Match): number {
  let rank = 0;
  for (const field of MATCH_ORDER) rank = rank * 2 + (match[field] === undefined ? 0 : 1);
  return rank;
}

const UNRESTRICTED: ReadonlySet<string> = new Set(["", "GLOBAL", "REGION_UNSPECIFIED"]);

/** True for a placement that keeps usage to a region. */
export function isRestricted(placement: string): boolean {
  return !UNRESTRICTED.has(placement);
}

/** The model whose size counts: the one that was called, or for accelerators and training the one underneath. */
export function sizedModel(usageType: UsageType, attributes: RateAttributes): string {
  return USAGE_TYPES[usageType].stream === "SERVERLESS" ? attributes.model : attributes.baseModel;
}

/** True when the kind prices some meter of the usage type. */
export function kindPrices(kind: Kind, usageType: UsageType): boolean {
  const meters: readonly Meter[] = USAGE_TYPES[usageType].meters;
  return KINDS[kind].meters.some((meter) => meters.includes(meter));
}

/** True when the entry is for this usage, its dates aside. */
export function matches(
  entry: Pick<PriceEntry, "kind" | "match">,
  usageType: UsageType,
  attributes: RateAttributes,
  size: ModelSize | undefined,
): boolean {
  if (!kindPrices(entry.kind, usageType)) return false;
  const { match } = entry;
  // A tier is a word of serverless usage. None sent is STANDARD; any other needs an entry that names it.
  if (USAGE_TYPES[usageType].stream === "SERVERLESS") {
    const tier = attributes.serviceTier || "STANDARD";
    if (!(match.serviceTier ?? ["STANDARD"]).includes(tier)) return false;
  }
  for (const field of ASKED_AS_TEXT) {
    if (match[field] !== undefined && !match[field].includes(attributes[field])) return false;
  }
  if (match.architecture && !(size && match.architecture.includes(size.architecture))) return false;
  return !match.parameters || (size !== undefined && inRange(size.parameters, match.parameters));
}

const ASKED_AS_TEXT = [
  "usageType",
  "model",
  "batch",
  "acceleratorType",
  "placement",
  "jobType",
  "baseModel",
] as const satisfies readonly RateField[];

function inRange(parameters: bigint, range: SizeRange): boolean {
  return parameters >= range.start && (range.end === undefined || parameters < range.end);
}

/** True when some usage at some instant would fit both entries and neither is the more specific. */
export function dispute(a: PriceEntry, b: PriceEntry): boolean {
  if (a.kind !== b.kind || specificity(a.match) !== specificity(b.match)) return false;
  if (a.effectiveTo !== undefined && a.effectiveTo <= b.effectiveFrom) return false;
  if (b.effectiveTo !== undefined && b.effectiveTo <= a.effectiveFrom) return false;
  return MATCH_ORDER.every((field) => {
    if (field === "parameters") return rangesMeet(a.match.parameters, b.match.parameters);
    const values = b.match[field];
    return values === undefined || a.match[field]!.some((value) => values.includes(value));
  });
}

function rangesMeet(a: SizeRange | undefined, b: SizeRange | undefined): boolean {
  if (!a || !b) return true;
  return (a.end === undefined || b.start < a.end) && (b.end === undefined || a.start < b.end);
}

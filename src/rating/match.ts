/** Which usage a line of a price book is for, which of two lines wins, and when two of them would dispute it. Pure. */

import { type Meter, USAGE_TYPE_NAMES, USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import {
  type BookLine,
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

/** The fields by weight: where two lines differ first in this order, the one that says more there wins. */
export const MATCH_ORDER = [
  "model",
  "baseModel",
  "parameters",
  "architecture",
  "acceleratorType",
  "placement",
  "jobType",
  "serviceTier",
  "contextClass",
  "batch",
  "usageType",
] as const satisfies readonly MatchField[];

/** Fields whose values may be patterns: a whole name, the beginning of names before a `*`, or `*` for any. */
export const PATTERNED = ["model", "baseModel"] as const satisfies readonly RateField[];
const STATED_OR_NOT = MATCH_ORDER.slice(PATTERNED.length) as Exclude<
  (typeof MATCH_ORDER)[number],
  (typeof PATTERNED)[number]
>[];
/** Fields that only serverless usage has; a line that states one is for serverless usage. */
const SERVERLESS_FIELDS = ["serviceTier", "contextClass", "batch"] as const satisfies readonly RateField[];

export const ANY = "*";
const ANY_NAME: readonly string[] = [ANY];
/** Above the length of any prefix; a power of two, so that a rank stays a whole number. */
const WHOLE_NAME = 1024;

/** The beginning that a pattern asks for; undefined for a whole name. */
export function prefixOf(pattern: string): string | undefined {
  return pattern.endsWith(ANY) ? pattern.slice(0, -1) : undefined;
}

/** How much of a name the best fitting pattern states: 0 for any name, -1 where none fits. */
function patternWeight(patterns: readonly string[] | undefined, name: string): number {
  if (!patterns) return 0;
  let weight = -1;
  for (const pattern of patterns) {
    const prefix = prefixOf(pattern);
    if (prefix === undefined) {
      if (pattern === name) return WHOLE_NAME;
    } else if (prefix.length > weight && name.startsWith(prefix)) weight = prefix.length;
  }
  return weight;
}

/** One bit for each field that is either stated or not. */
function statedFields(match: Match): number {
  let stated = 0;
  for (const field of STATED_OR_NOT) stated = stated * 2 + (match[field] === undefined ? 0 : 1);
  return stated;
}

/** A number that is larger for the line that wins this usage, among lines that fit it. */
export function specificity(match: Match, attributes: RateAttributes): number {
  let rank = 0;
  for (const field of PATTERNED) rank = rank * 2 * WHOLE_NAME + patternWeight(match[field], attributes[field]);
  return rank * 2 ** STATED_OR_NOT.length + statedFields(match);
}

/** The first field in which one line says more about this usage than the other; undefined where none does. */
export function decidingField(a: Match, b: Match, attributes: RateAttributes): MatchField | undefined {
  const weight = (match: Match, field: MatchField): number =>
    isPatterned(field) ? patternWeight(match[field], attributes[field]) : match[field] === undefined ? 0 : 1;
  return MATCH_ORDER.find((field) => weight(a, field) !== weight(b, field));
}

function isPatterned(field: MatchField): field is (typeof PATTERNED)[number] {
  return (PATTERNED as readonly MatchField[]).includes(field);
}

const UNRESTRICTED: ReadonlySet<string> = new Set(["", "GLOBAL", "REGION_UNSPECIFIED"]);

/** True for a placement that keeps usage to a region. */
export function isRestricted(placement: string): boolean {
  return !UNRESTRICTED.has(placement);
}

/** The model whose size counts: the one that was called, or for accelerators and training the one underneath. */
export function sizedModel(usageType: UsageType, attributes: RateAttributes): string {
  return isServerless(usageType) ? attributes.model : attributes.baseModel;
}

/** True when the kind prices some meter of the usage type. */
export function kindPrices(kind: Kind, usageType: UsageType): boolean {
  const meters: readonly Meter[] = USAGE_TYPES[usageType].meters;
  return KINDS[kind].meters.some((meter) => meters.includes(meter));
}

export function isServerless(usageType: UsageType): boolean {
  return USAGE_TYPES[usageType].stream === "SERVERLESS";
}

/** Usage as a match sees it. */
export interface UsageFacts {
  readonly usageType: UsageType;
  readonly attributes: RateAttributes;
  /** Of the model that counts; undefined when no book knows it. */
  readonly size: ModelSize | undefined;
}

type Asked = Pick<PriceEntry, "kind" | "match">;

/** True when the entry is for this usage, its dates aside. */
export function entryMatches(entry: Asked, usage: UsageFacts): boolean {
  return kindPrices(entry.kind, usage.usageType) && tierIsNamed(entry, usage) && matches(entry.match, usage);
}

/** The fields in which an entry of the right kind does not fit the usage; none when it is for it. */
export function mismatches(entry: Asked, usage: UsageFacts): MatchField[] {
  return MATCH_ORDER.filter(
    (field) => !fits(field, entry.match, usage) || (field === "serviceTier" && !tierIsNamed(entry, usage)),
  );
}

/** True when the usage has all that the match asks for. */
export function matches(match: Match, usage: UsageFacts): boolean {
  for (const field of MATCH_ORDER) {
    if (match[field] !== undefined && !fits(field, match, usage)) return false;
  }
  return true;
}

/** No tier sent is STANDARD; any other needs an entry that names it. */
function tierIsNamed({ match }: Asked, { usageType, attributes }: UsageFacts): boolean {
  return match.serviceTier !== undefined || !isServerless(usageType) || tierOf(attributes) === "STANDARD";
}

function fits(field: MatchField, match: Match, { usageType, attributes, size }: UsageFacts): boolean {
  if (match[field] === undefined) return true;
  switch (field) {
    case "model":
    case "baseModel":
      return patternWeight(match[field], attributes[field]) >= 0;
    case "parameters":
      return size !== undefined && inRange(size.parameters, match[field]!);
    case "architecture":
      return size !== undefined && match[field]!.includes(size.architecture);
    case "serviceTier":
      return isServerless(usageType) && match[field]!.includes(tierOf(attributes));
    case "contextClass":
    case "batch":
      return isServerless(usageType) && match[field]!.includes(attributes[field]);
    default:
      return match[field]!.includes(attributes[field]);
  }
}

function tierOf(attributes: RateAttributes): string {
  return attributes.serviceTier || "STANDARD";
}

function inRange(parameters: bigint, range: SizeRange): boolean {
  return parameters >= range.start && (range.end === undefined || parameters < range.end);
}

/** A line of a book, and for an entry the kind of price it states: entries of two kinds never meet. */
export type KindLine = BookLine & { readonly kind?: Kind };

/** True when some usage at some instant would fit both lines and neither is the more specific. */
export function dispute(a: KindLine, b: KindLine): boolean {
  // The cheap questions come first: of a long book each entry may be held against every other.
  if (!rangesMeet(a.match.parameters, b.match.parameters)) return false;
  if (a.effectiveTo !== undefined && a.effectiveTo <= b.effectiveFrom) return false;
  if (b.effectiveTo !== undefined && b.effectiveTo <= a.effectiveFrom) return false;
  if (a.kind !== b.kind || statedFields(a.match) !== statedFields(b.match)) return false;
  // Names without end begin with any prefix, so two lines weigh a name alike exactly where they share a pattern.
  if (!PATTERNED.every((field) => meet(a.match[field] ?? ANY_NAME, b.match[field] ?? ANY_NAME))) return false;
  if (!MET_AS_TEXT.every((field) => meet(a.match[field], b.match[field]))) return false;
  return USAGE_TYPE_NAMES.some((usageType) => takes(a, usageType) && takes(b, usageType));
}

const MET_AS_TEXT = [
  "architecture",
  "acceleratorType",
  "placement",
  "jobType",
  "serviceTier",
  "contextClass",
  "batch",
] as const satisfies readonly MatchField[];

function meet(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === undefined || b === undefined || a.some((value) => b.includes(value));
}

function rangesMeet(a: SizeRange | undefined, b: SizeRange | undefined): boolean {
  if (!a || !b) return true;
  return (a.end === undefined || b.start < a.end) && (b.end === undefined || a.start < b.end);
}

function takes({ kind, match }: KindLine, usageType: UsageType): boolean {
  if (kind && !kindPrices(kind, usageType)) return false;
  if (match.usageType && !match.usageType.includes(usageType)) return false;
  return isServerless(usageType) || SERVERLESS_FIELDS.every((field) => match[field] === undefined);
}

/** What two lines that dispute have in common without a look at any value: the kind and the fields that they state. */
export function disputeGroup({ kind, match }: KindLine): string {
  return `${kind} ${statedFields(match)}`;
}

/** The values of a field of which two lines that dispute share one; a single one where the line asks for none. */
export function sharedValues({ match }: KindLine, field: (typeof SHARED_FIELDS)[number]): readonly string[] {
  return match[field] ?? ANY_NAME;
}

export const SHARED_FIELDS = [...PATTERNED, ...MET_AS_TEXT] as const;

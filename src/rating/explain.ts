/** Why a unit of usage costs what it costs, or why it has no price. Pure. */

import { decimalText } from "../domain/money.ts";
import { formatInstant, type Instant } from "../domain/time.ts";
import { type Meter, USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import { bookField, describeMatch } from "./describe.ts";
import { inForce } from "./desk.ts";
import { decidingField, kindPrices, mismatches, sizedModel, specificity, type UsageFacts } from "./match.ts";
import {
  type BookKind,
  COMPONENTS,
  type Component,
  KIND_NAMES,
  KINDS,
  type Kind,
  type MatchField,
  type Multiplier,
  type PriceBook,
  type PriceEntry,
  type RateAttributes,
} from "./price.ts";
import { factsOf, multipliersOf, type PriceMade, pricesMade, type Tariff, usageTypeOf } from "./tariff.ts";
import { missingMultipliers } from "./unit-price.ts";

/** Losers, and near misses, that are told for one component. */
export const OTHERS_MAX = 10;

/** A line of a price book, in words. */
interface LineReason {
  readonly book: BookKind;
  readonly line: number;
  readonly match: string;
  readonly effectiveFrom: Instant;
  readonly effectiveTo: Instant | undefined;
  readonly source: string;
}

interface EntryReason extends LineReason {
  readonly kind: Kind;
}

/** A unit price and how it comes about. */
export interface ReasonedPrice {
  /** Attodollars for one token, millisecond or image. */
  readonly atto: bigint;
  readonly entry: EntryReason;
  /** Dollars for `per` units as the entry states them, before multipliers and discount. */
  readonly stated: string;
  readonly per: bigint;
  readonly multipliers: readonly { readonly name: Multiplier; readonly factor: string }[];
  readonly discount: (LineReason & { readonly percent: string }) | undefined;
}

/** An entry that is no winner: it fits and another says more, or it does not fit. */
export interface OtherEntry extends EntryReason {
  /** For an entry that fits, the field in which the winner says more. */
  readonly lostIn: string | undefined;
  /** For an entry that is not for the usage, or states no such price, what would have to be otherwise. */
  readonly needs: readonly string[];
}

export interface PriceReason {
  readonly component: Component;
  /** By the list; undefined where nothing prices the component. What only the contract prices is listed at its net. */
  readonly list: ReasonedPrice | undefined;
  /** What the account pays. */
  readonly net: ReasonedPrice | undefined;
  /** Entries that fit and lost; without any price, those that come nearest. At most {@link OTHERS_MAX}. */
  readonly others: readonly OtherEntry[];
}

/** A reason for each component that the usage type can have; none for a usage type that there is not. */
export function explainPrices(tariff: Tariff, attributes: RateAttributes, at: Instant): PriceReason[] {
  const usageType = usageTypeOf(attributes);
  if (!usageType) return [];
  const made = pricesMade(tariff, attributes, at);
  return componentsOf(usageType).map((component) => {
    const prices = made.get(component);
    const others = othersOf(tariff, { component, usageType, attributes, at, won: prices });
    return { component, list: prices && reasonOf(prices.list), net: prices && reasonOf(prices.net), others };
  });
}

/** The components of the meters that events of the type carry. */
function componentsOf(usageType: UsageType): Component[] {
  const meters: readonly Meter[] = USAGE_TYPES[usageType].meters;
  return COMPONENTS.filter((one) => meters.includes(one === "uncachedPromptTokens" ? "promptTokens" : one));
}

/** A price that was made, in words. */
export function reasonOf({ book, entry, unit, discount, atto }: PriceMade): ReasonedPrice {
  return {
    atto,
    entry: entryReason(book, entry),
    stated: decimalText(unit.price),
    per: unit.per,
    multipliers: unit.multipliers.map(({ name, factor }) => ({ name, factor: decimalText(factor) })),
    discount: discount && { ...lineReason("contract", discount), percent: decimalText(discount.percent) },
  };
}

function lineReason(book: BookKind, line: Omit<LineReason, "book" | "match"> & Pick<PriceEntry, "match">): LineReason {
  const { effectiveFrom, effectiveTo, source } = line;
  return { book, line: line.line, match: describeMatch(line.match), effectiveFrom, effectiveTo, source };
}

function entryReason(book: BookKind, entry: PriceEntry): EntryReason {
  return { ...lineReason(book, entry), kind: entry.kind };
}

interface Ask {
  readonly component: Component;
  readonly usageType: UsageType;
  readonly attributes: RateAttributes;
  readonly at: Instant;
  readonly won: { readonly list: PriceMade; readonly net: PriceMade } | undefined;
}

function othersOf(tariff: Tariff, ask: Ask): OtherEntry[] {
  const { list, contract } = tariff;
  const kind = KIND_NAMES.find((one) => (KINDS[one].components as readonly Component[]).includes(ask.component))!;
  if (!kindPrices(kind, ask.usageType)) return [];
  const found = [
    ...(contract ? seen(contract, factsOf(ask.usageType, ask.attributes, [contract, list]), kind, ask) : []),
    ...seen(list, factsOf(ask.usageType, ask.attributes, [list]), kind, ask),
  ];
  const missing = (entry: PriceEntry, book: BookKind): string[] => {
    const multipliers = book === "list" ? list.multipliers : multipliersOf(tariff);
    return missingMultipliers(entry, ask.component, multipliers, ask.attributes);
  };
  return ask.won ? losers(found, ask) : nearest(found, ask, missing);
}

/** An entry as the usage meets it: the obstacles are none where it fits and is in force. */
interface Seen {
  readonly book: BookKind;
  readonly entry: PriceEntry;
  readonly fields: readonly MatchField[];
  readonly dated: boolean;
  readonly usage: UsageFacts;
}

function seen(book: PriceBook, usage: UsageFacts, kind: Kind, { at }: Ask): Seen[] {
  return book.entries
    .filter((entry) => entry.kind === kind)
    .map((entry) => ({
      book: book.kind,
      entry,
      fields: mismatches(entry, usage),
      dated: inForce(entry, at),
      usage,
    }));
}

/** Entries that fit and are not the ones that price the component, those that say most first. */
function losers(found: readonly Seen[], { won, attributes }: Ask): OtherEntry[] {
  const winners = [won!.list, won!.net];
  return found
    .filter(({ entry, fields, dated }) => dated && fields.length === 0 && winners.every((one) => one.entry !== entry))
    .sort((a, b) => specificity(b.entry.match, attributes) - specificity(a.entry.match, attributes))
    .slice(0, OTHERS_MAX)
    .map(({ book, entry }) => {
      const winner = winners.find((one) => one.book === book);
      const field = winner && decidingField(winner.entry.match, entry.match, attributes);
      return { ...entryReason(book, entry), lostIn: field && bookField(field), needs: [] };
    });
}

/** What usage is called by: an entry that names another is for something else, and no near miss. */
const NAMES: readonly MatchField[] = ["model", "baseModel", "acceleratorType", "jobType", "usageType"];

/** Entries that the fewest obstacles keep from pricing the component. */
function nearest(
  found: readonly Seen[],
  { component, attributes, at }: Ask,
  missing: (entry: PriceEntry, book: BookKind) => string[],
): OtherEntry[] {
  return found
    .filter(({ fields }) => !fields.some((field) => NAMES.includes(field)))
    .map(({ book, entry, fields, dated, usage }) => {
      const needs = [
        ...(dated ? [] : [dateNeed(entry, at)]),
        ...fieldNeeds(fields, entry, usage),
        ...(statesNone(entry, component) ? [`a price for ${component}, which it does not state`] : []),
        ...missing(entry, book).map((name) => `the multiplier ${name}, which no book states`),
      ];
      // Nothing else keeps an entry from a price: what the contract makes of it is lost to rounding.
      if (needs.length === 0) needs.push(LOST_NEED);
      return { book, entry, needs };
    })
    .sort(
      (a, b) =>
        a.needs.length - b.needs.length ||
        specificity(b.entry.match, attributes) - specificity(a.entry.match, attributes) ||
        a.entry.line - b.entry.line,
    )
    .slice(0, OTHERS_MAX)
    .map(({ book, entry, needs }) => ({ ...entryReason(book, entry), lostIn: undefined, needs }));
}

const LOST_NEED = "a price of at least one attodollar (1e-18 USD) a unit, multipliers and discount included";

function statesNone({ stated }: PriceEntry, component: Component): boolean {
  return !stated[component] && !(component === "cachedPromptTokens" && stated.uncachedPromptTokens);
}

function dateNeed({ effectiveFrom, effectiveTo }: PriceEntry, at: Instant): string {
  return at < effectiveFrom
    ? `a time from ${formatInstant(effectiveFrom)} on`
    : `a time before ${formatInstant(effectiveTo!)}`;
}

/** Fields of a size that no book states are one need: the size. */
function fieldNeeds(fields: readonly MatchField[], entry: PriceEntry, usage: UsageFacts): string[] {
  const unsized = usage.size ? [] : fields.filter((field) => SIZE_FIELDS.includes(field));
  const others = fields.filter((field) => !unsized.includes(field)).map((field) => fieldNeed(field, entry, usage));
  return unsized.length === 0 ? others : [sizeNeed(unsized, entry, usage), ...others];
}

const SIZE_FIELDS: readonly MatchField[] = ["parameters", "architecture"];

function sizeNeed(fields: readonly MatchField[], { match }: PriceEntry, usage: UsageFacts): string {
  const asked = fields.map((field) => describeMatch({ [field]: match[field] })).join(", ");
  return `${asked}; no book states the size of ${sizedModel(usage.usageType, usage.attributes) || "a model without name"}`;
}

function fieldNeed(field: MatchField, { match }: PriceEntry, { attributes }: UsageFacts): string {
  const stated = describeMatch(match[field] === undefined ? {} : { [field]: match[field] });
  if (field === "serviceTier") {
    const tier = attributes.serviceTier || "STANDARD";
    return match.serviceTier ? `${stated}, not ${tier}` : `serviceTier STANDARD, not ${tier}`;
  }
  return SIZE_FIELDS.includes(field) ? `${stated}, another size` : stated;
}

/**
 * Price books: YAML in, entries with unit prices out. Every price becomes attodollars a unit here, once, half-even,
 * with its multipliers inside that one rounding (house, law 4). docs/prices.md tells how a book is written.
 */

import { attoPerUnit, type Decimal } from "../domain/money.ts";
import { ACCELERATOR_TYPES, SERVICE_TIERS, USAGE_TYPE_NAMES, USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import { type BookReader, type Place, readBook } from "./book-reader.ts";
import { dispute, kindPrices, MATCH_ORDER, specificity } from "./match.ts";
import {
  ARCHITECTURES,
  type Architecture,
  type Component,
  KIND_NAMES,
  KINDS,
  type Kind,
  type Match,
  type ModelSize,
  type PriceBook,
  type PriceEntry,
  type SizeRange,
  type UnitPrices,
} from "./price.ts";

/** Entries of one book: all are compared with their like, and each report may meet each of their dates. */
const ENTRIES_MAX = 10_000;
const PARAMETERS_PER_BILLION = 1_000_000_000n;
const MULTIPLIERS = ["batch", "cachedInput", "restrictedPlacement"] as const;
type Multipliers = Readonly<Partial<Record<(typeof MULTIPLIERS)[number], Decimal>>>;
const TOKEN_PRICES = {
  input: "uncachedPromptTokens",
  cachedInput: "cachedPromptTokens",
  output: "completionTokens",
} as const;
type TokenPrice = keyof typeof TOKEN_PRICES;

/**
 * Reads a price book. `name` is what faults call it.
 * @throws Fault `bad_price_book` with every mistake in the text, each with its line, in the order of the lines.
 */
export function loadPriceBook(name: string, yamlText: string): PriceBook {
  const reader = readBook(name, yamlText);
  const top = reader.fields(reader.root, ["currency", "multipliers", "models", "prices"]) ?? {};
  need(reader, reader.root, top, ["currency", "prices"]);
  if (top.currency) reader.text(top.currency, ["USD"]);
  const multipliers = top.multipliers ? readMultipliers(reader, top.multipliers) : {};
  const models = top.models ? readModels(reader, top.models) : new Map<string, ModelSize>();
  const places = top.prices ? reader.items(top.prices) : [];
  if (top.prices && places.length > ENTRIES_MAX) {
    reader.refuse(top.prices, `there are ${places.length} entries; at most ${ENTRIES_MAX} are allowed; split the book`);
    reader.finish();
  }
  const entries = places.flatMap((place) => readEntry(reader, place, multipliers) ?? []);
  refuseDisputes(reader, entries);
  reader.finish();
  const edges = new Set(entries.flatMap((entry) => [entry.effectiveFrom, entry.effectiveTo ?? entry.effectiveFrom]));
  return { name, currency: "USD", entries, models, edges: [...edges].sort((a, b) => a - b) };
}

/** Refuses a mapping without the fields it must have. */
function need<F extends string>(reader: BookReader, place: Place, fields: Partial<Record<F, Place>>, names: F[]): void {
  for (const name of names) if (!fields[name]) reader.refuse(place, `${name} is missing; it is required`);
}

function readMultipliers(reader: BookReader, place: Place): Multipliers {
  const fields = reader.fields(place, [...MULTIPLIERS, "source"]);
  if (!fields) return {};
  need(reader, place, fields, ["source"]);
  if (fields.source) reader.text(fields.source);
  const multipliers: { -readonly [M in keyof Multipliers]: Multipliers[M] } = {};
  for (const name of MULTIPLIERS) {
    const value = fields[name] && reader.decimal(fields[name]);
    if (value) multipliers[name] = value;
  }
  return multipliers;
}

function readModels(reader: BookReader, place: Place): Map<string, ModelSize> {
  const models = new Map<string, ModelSize>();
  for (const [model, size] of reader.named(place)) {
    const fields = reader.fields(size, ["parametersBillions", "architecture"]);
    if (!fields) continue;
    need(reader, size, fields, ["parametersBillions", "architecture"]);
    const parameters = fields.parametersBillions && readParameters(reader, fields.parametersBillions);
    const architecture = fields.architecture && reader.text(fields.architecture, ARCHITECTURES);
    if (parameters !== undefined && architecture) {
      models.set(model, { parameters, architecture: architecture as Architecture });
    }
  }
  return models;
}

/** Billions, as a decimal, to a whole number of parameters. */
function readParameters(reader: BookReader, place: Place): bigint | undefined {
  const decimal = reader.decimal(place);
  if (!decimal) return undefined;
  const scale = 10n ** BigInt(decimal.scale);
  const parameters = decimal.numerator * PARAMETERS_PER_BILLION;
  if (parameters % scale === 0n) return parameters / scale;
  return reader.refuse(place, "it is finer than one parameter; it counts billions, with at most nine decimals");
}

function readEntry(reader: BookReader, place: Place, multipliers: Multipliers): PriceEntry | undefined {
  const fields = reader.fields(place, ["match", ...KIND_NAMES, "effectiveFrom", "effectiveTo", "source"]);
  if (!fields) return undefined;
  need(reader, place, fields, ["match", "effectiveFrom", "source"]);
  const kinds = KIND_NAMES.filter((name) => fields[name]);
  const [kind] = kinds;
  if (kinds.length > 1) reader.refuse(place, `it states ${kinds.join(" and ")}; an entry has one price, so write two`);
  if (!kind) return reader.refuse(place, `a price is missing; state one of ${KIND_NAMES.join(", ")}`);
  const match = fields.match && readMatch(reader, fields.match, kind);
  const stated = readPrices(reader, fields[kind]!, kind);
  const source = fields.source && reader.text(fields.source);
  const effectiveFrom = fields.effectiveFrom && reader.edge(fields.effectiveFrom);
  const effectiveTo = fields.effectiveTo && reader.edge(fields.effectiveTo);
  if (fields.effectiveTo && effectiveTo !== undefined && effectiveFrom !== undefined && effectiveTo <= effectiveFrom) {
    return reader.refuse(fields.effectiveTo, "it is not after effectiveFrom; the end is exclusive and must be later");
  }
  if (!match || !stated || source === undefined || effectiveFrom === undefined) return undefined;
  // The rest of such an entry is sound, but what it would price is not.
  if (fields.effectiveTo && effectiveTo === undefined) return undefined;
  const { batched, placed } = KINDS[kind];
  const factor = batched ? multipliers.batch : placed ? multipliers.restrictedPlacement : undefined;
  const make = (factors: readonly Decimal[]): UnitPrices =>
    makePrices(reader, fields[kind]!, { stated, per: KINDS[kind].per, cachedInput: multipliers.cachedInput, factors });
  return {
    line: place.line,
    kind,
    match,
    effectiveFrom,
    effectiveTo,
    source,
    prices: make([]),
    multiplied: factor && make([factor]),
  };
}

function readMatch(reader: BookReader, place: Place, kind: Kind): Match | undefined {
  const fields = reader.fields(place, [
    "usageType",
    "model",
    "baseModel",
    "parametersBillions",
    "architecture",
    "acceleratorType",
    "placement",
    "jobType",
    "serviceTier",
    "batch",
  ]);
  if (!fields) return undefined;
  if (Object.keys(fields).length === 0) {
    return reader.refuse(place, "it names nothing; state at least one field, such as model or usageType");
  }
  const texts = {
    model: fields.model && reader.texts(fields.model),
    baseModel: fields.baseModel && reader.texts(fields.baseModel),
    placement: fields.placement && reader.texts(fields.placement),
    jobType: fields.jobType && reader.texts(fields.jobType),
    usageType: fields.usageType && reader.texts(fields.usageType, USAGE_TYPE_NAMES),
    serviceTier: fields.serviceTier && reader.texts(fields.serviceTier, SERVICE_TIERS),
    acceleratorType: fields.acceleratorType && reader.texts(fields.acceleratorType, ACCELERATOR_TYPES),
    architecture: fields.architecture && reader.texts(fields.architecture, ARCHITECTURES),
  };
  const batch = fields.batch && reader.flag(fields.batch);
  const parameters = fields.parametersBillions && readSizeRange(reader, fields.parametersBillions);
  const read = { ...texts, batch: batch === undefined ? undefined : [batch ? "true" : ""], parameters };
  const serverless = USAGE_TYPE_NAMES.some((one) => USAGE_TYPES[one].stream === "SERVERLESS" && kindPrices(kind, one));
  for (const field of ["serviceTier", "batch"] as const) {
    if (fields[field] && !serverless) reader.refuse(fields[field], `it means nothing for ${kind}; leave it out`);
  }
  for (const usageType of texts.usageType ?? []) {
    if (!kindPrices(kind, usageType as UsageType)) {
      reader.refuse(
        fields.usageType!,
        `${kind} never prices ${usageType}; state the price that this usage is metered by`,
      );
    }
  }
  // Without a field that was stated but not read the match would be wider than it was meant.
  const match = Object.fromEntries(MATCH_ORDER.filter((field) => read[field]).map((field) => [field, read[field]]));
  return Object.keys(match).length === Object.keys(fields).length ? match : undefined;
}

function readSizeRange(reader: BookReader, place: Place): SizeRange | undefined {
  const fields = reader.fields(place, ["atLeast", "above", "below", "atMost"]);
  if (!fields) return undefined;
  const from = [fields.atLeast, fields.above].filter((one) => one !== undefined);
  const to = [fields.below, fields.atMost].filter((one) => one !== undefined);
  if (from.length > 1) reader.refuse(place, "it states atLeast and above; state one of them");
  if (to.length > 1) reader.refuse(place, "it states below and atMost; state one of them");
  if (from.length + to.length === 0)
    return reader.refuse(place, "it states no limit; state atLeast, above, below or atMost");
  const start = from[0] ? readParameters(reader, from[0]) : 0n;
  const end = to[0] && readParameters(reader, to[0]);
  if (start === undefined || (to[0] && end === undefined)) return undefined;
  // Parameters are counted whole, so "above 4" begins at the next one, and "at most 16" ends behind it.
  const range = {
    start: fields.above ? start + 1n : start,
    end: end !== undefined && fields.atMost ? end + 1n : end,
  };
  if (range.end !== undefined && range.end <= range.start)
    return reader.refuse(place, "its end is not above its start");
  return range;
}

type Stated = Readonly<Partial<Record<Component, Decimal>>>;

function readPrices(reader: BookReader, place: Place, kind: Kind): Stated | undefined {
  if (kind !== "perMillionTokens") {
    const price = reader.decimal(place);
    return price && { [KINDS[kind].components[0]]: price };
  }
  const names = Object.keys(TOKEN_PRICES) as TokenPrice[];
  const fields = reader.fields(place, names);
  if (!fields) return undefined;
  if (Object.keys(fields).length === 0) return reader.refuse(place, `it states no price; state ${names.join(", ")}`);
  const stated: Partial<Record<Component, Decimal>> = {};
  for (const name of names) {
    const price = fields[name] && reader.decimal(fields[name]);
    if (price) stated[TOKEN_PRICES[name]] = price;
  }
  return stated;
}

interface Making {
  readonly stated: Stated;
  readonly per: bigint;
  /** What the price of cached input is to the price of input, where the entry does not state it. */
  readonly cachedInput: Decimal | undefined;
  readonly factors: readonly Decimal[];
}

/** Unit prices in attodollars, each rounded once. A price above 0 that would round to 0 is refused (house, law 7). */
function makePrices(reader: BookReader, place: Place, { stated, per, cachedInput, factors }: Making): UnitPrices {
  const made: Partial<Record<Component, bigint>> = {};
  const put = (component: Component, price: Decimal, all: readonly Decimal[]): void => {
    const atto = attoPerUnit(price, per, all);
    const zero = [price, ...all].some((one) => one.numerator === 0n);
    if (atto === 0n && !zero)
      reader.refuse(place, "a price is below one attodollar (1e-18 USD) a unit and would be lost");
    made[component] = atto;
  };
  for (const [component, price] of Object.entries(stated)) put(component as Component, price, factors);
  const input = stated.uncachedPromptTokens;
  if (input && !stated.cachedPromptTokens && cachedInput) put("cachedPromptTokens", input, [cachedInput, ...factors]);
  return made;
}

/** Refuses each entry that would dispute usage with an earlier one. */
function refuseDisputes(reader: BookReader, entries: readonly PriceEntry[]): void {
  // By start, so that only entries that have not ended need be looked at again; and by what they name.
  const open = new Map<string, PriceEntry[]>();
  for (const entry of entries.toSorted((a, b) => a.effectiveFrom - b.effectiveFrom || a.line - b.line)) {
    let other: PriceEntry | undefined;
    for (const place of disputePlaces(entry)) {
      const alike = (open.get(place) ?? []).filter((one) => (one.effectiveTo ?? Infinity) > entry.effectiveFrom);
      other ??= alike.find((one) => dispute(one, entry));
      alike.push(entry);
      open.set(place, alike);
    }
    if (!other) continue;
    const [first, second] = other.line < entry.line ? [other, entry] : [entry, other];
    reader.refuse(
      { node: null, line: second.line, path: "prices" },
      `this entry and the one on line ${first.line} could both price the same usage at the same time; ` +
        "end the earlier one with effectiveTo, or let one state a field more",
    );
  }
}

/** Places that two entries share when they can dispute: of their kind, their fields and a value of the weightiest. */
function disputePlaces({ kind, match }: PriceEntry): string[] {
  const like = `${kind} ${specificity(match)}`;
  const field = MATCH_ORDER.find((one) => one !== "parameters" && match[one] !== undefined);
  const values = field === undefined || field === "parameters" ? [""] : match[field]!;
  return [...new Set(values)].map((value) => `${like} ${value}`);
}

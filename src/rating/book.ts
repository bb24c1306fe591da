/**
 * Price books: YAML in, entries and discounts out, as they are stated. What an entry's price becomes for one use is
 * made when it is asked for; a price that would be lost to rounding is refused here. docs/prices.md tells how a book is
 * written.
 */

import { type Decimal, decimalText } from "../domain/money.ts";
import { type BookReader, type Place, readBook } from "./book-reader.ts";
import { refuseDisputes } from "./disputes.ts";
import { readMatch, readParameters } from "./match-reader.ts";
import {
  ARCHITECTURES,
  type Architecture,
  type BookKind,
  type BookLine,
  type Component,
  type Discount,
  KIND_NAMES,
  KINDS,
  type Kind,
  type ModelSize,
  MULTIPLIERS,
  type Multiplier,
  type Multipliers,
  type PriceBook,
  type PriceEntry,
  type StatedPrices,
} from "./price.ts";
import { attoOf, isBeyond, isLost, UNIT_USD_MAX, unitPriceOf } from "./unit-price.ts";

/** Entries, and discounts, of one book: all are compared with their like, and each report may meet each of their dates. */
export const ENTRIES_MAX = 10_000;
export const CURRENCIES = ["USD"] as const;
export const TOKEN_PRICES = {
  input: "uncachedPromptTokens",
  cachedInput: "cachedPromptTokens",
  output: "completionTokens",
} as const;
type TokenPrice = keyof typeof TOKEN_PRICES;

/**
 * Reads a price book. `name` is what faults call it.
 * @throws Fault `bad_price_book` with every mistake in the text, each with its line, in the order of the lines.
 */
export function loadPriceBook(name: string, yamlText: string, kind: BookKind = "list"): PriceBook {
  const reader = readBook(name, yamlText);
  const top = reader.fields(reader.root, ["currency", "multipliers", "models", "prices", "discounts"]) ?? {};
  need(reader, reader.root, top, kind === "list" ? ["currency", "prices"] : ["currency"]);
  if (kind === "contract" && !top.prices && !top.discounts) {
    reader.refuse(reader.root, "prices and discounts are missing; a contract states at least one of them");
  }
  if (kind === "list" && top.discounts) {
    reader.refuse(top.discounts, "a list has no discounts, since it is for everybody; state them in a contract");
  }
  if (top.currency) reader.text(top.currency, CURRENCIES);
  const multipliers = top.multipliers ? readMultipliers(reader, top.multipliers) : {};
  const models = top.models ? readModels(reader, top.models) : new Map<string, ModelSize>();
  const entries = readLines(reader, top.prices, (place) => readEntry(reader, place, multipliers));
  const discounts = readLines(reader, top.discounts, (place) => readDiscount(reader, place));
  refuseDisputes(reader, "prices", entries);
  refuseDisputes(reader, "discounts", discounts);
  reader.finish();
  const lines: readonly BookLine[] = [...entries, ...discounts];
  const edges = new Set(lines.flatMap((line) => [line.effectiveFrom, line.effectiveTo ?? line.effectiveFrom]));
  const sorted = [...edges].sort((a, b) => a - b);
  return { name, kind, currency: "USD", multipliers, entries, discounts, models, edges: sorted };
}

/** The items of a list of the book. Too many end the reading. */
function readLines<L>(reader: BookReader, list: Place | undefined, read: (place: Place) => L | undefined): L[] {
  if (!list) return [];
  const places = reader.items(list);
  if (places.length > ENTRIES_MAX) {
    reader.refuse(
      list,
      `there are ${places.length} entries; at most ${ENTRIES_MAX} are allowed; let one entry name several models`,
    );
    reader.finish();
  }
  return places.flatMap((place) => read(place) ?? []);
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
  const multipliers: Partial<Record<Multiplier, Decimal>> = {};
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

function readEntry(reader: BookReader, place: Place, multipliers: Multipliers): PriceEntry | undefined {
  const fields = reader.fields(place, ["match", ...KIND_NAMES, ...DATED]);
  if (!fields) return undefined;
  need(reader, place, fields, ["match", "effectiveFrom", "source"]);
  const kinds = KIND_NAMES.filter((name) => fields[name]);
  const [kind] = kinds;
  if (kinds.length > 1) reader.refuse(place, `it states ${kinds.join(" and ")}; an entry has one price, so write two`);
  if (!kind) return reader.refuse(place, `a price is missing; state one of ${KIND_NAMES.join(", ")}`);
  const match = fields.match && readMatch(reader, fields.match, kind);
  const stated = readPrices(reader, fields[kind]!, kind);
  const dated = readDates(reader, fields);
  if (!match || !stated || !dated) return undefined;
  const entry = { line: place.line, kind, match, stated, ...dated };
  refuseOutOfRange(reader, fields[kind]!, entry, multipliers);
  return entry;
}

function readDiscount(reader: BookReader, place: Place): Discount | undefined {
  const fields = reader.fields(place, ["match", "percent", ...DATED]);
  if (!fields) return undefined;
  need(reader, place, fields, ["percent", "effectiveFrom", "source"]);
  const match = fields.match ? readMatch(reader, fields.match) : {};
  const percent = fields.percent && readPercent(reader, fields.percent);
  const dated = readDates(reader, fields);
  if (!match || !percent || !dated) return undefined;
  const hundred = 100n * 10n ** BigInt(percent.scale);
  const factor = { numerator: hundred - percent.numerator, scale: percent.scale + 2 };
  return { line: place.line, match, percent, factor, ...dated };
}

function readPercent(reader: BookReader, place: Place): Decimal | undefined {
  const percent = reader.decimal(place);
  if (!percent) return undefined;
  const good = percent.numerator > 0n && percent.numerator <= 100n * 10n ** BigInt(percent.scale);
  if (good) return percent;
  return reader.refuse(
    place,
    `"${decimalText(percent)}" is not above "0" and at most "100"; it is the percentage taken off`,
  );
}

const DATED = ["effectiveFrom", "effectiveTo", "source"] as const;
type Dated = Pick<BookLine, (typeof DATED)[number]>;

function readDates(reader: BookReader, fields: Partial<Record<keyof Dated, Place>>): Dated | undefined {
  const source = fields.source && reader.text(fields.source);
  const effectiveFrom = fields.effectiveFrom && reader.edge(fields.effectiveFrom);
  const effectiveTo = fields.effectiveTo && reader.edge(fields.effectiveTo);
  if (fields.effectiveTo && effectiveTo !== undefined && effectiveFrom !== undefined && effectiveTo <= effectiveFrom) {
    return reader.refuse(fields.effectiveTo, "it is not after effectiveFrom; the end is exclusive and must be later");
  }
  if (source === undefined || effectiveFrom === undefined) return undefined;
  // The rest of such a line is sound, but when it ends is not known.
  if (fields.effectiveTo && effectiveTo === undefined) return undefined;
  return { source, effectiveFrom, effectiveTo };
}

function readPrices(reader: BookReader, place: Place, kind: Kind): StatedPrices | undefined {
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

/** Uses under which every multiplier bears and none does. */
const USES = [
  { batch: "", placement: "" },
  { batch: "true", placement: "US" },
];

/** Refuses a price above 0 that would round to 0 (house, law 7), and one above {@link UNIT_USD_MAX}. */
function refuseOutOfRange(reader: BookReader, place: Place, entry: PriceEntry, multipliers: Multipliers): void {
  const units = KINDS[entry.kind].components.flatMap((component) =>
    USES.flatMap((use) => unitPriceOf(entry, component, multipliers, use) ?? []),
  );
  if (units.some((unit) => isLost(unit))) {
    reader.refuse(place, "a price is below one attodollar (1e-18 USD) a unit and would be lost");
  }
  const above = units.find((unit) => isBeyond(attoOf(unit)));
  if (!above) return;
  const factors = above.multipliers.map(({ name, factor }) => ` times ${decimalText(factor)} (${name})`).join("");
  const most = `$${UNIT_USD_MAX} a ${UNIT_NAMES[entry.kind]}`;
  reader.refuse(place, `"${decimalText(above.price)}"${factors} is above ${most}; state it for the unit that is named`);
}

const UNIT_NAMES: Readonly<Record<Kind, string>> = {
  perMillionTokens: "token",
  perAudioMinute: "millisecond",
  perImage: "image",
  perAcceleratorHour: "millisecond",
  perMillionTrainingTokens: "token",
};

/** Reads what an entry or a discount is for. */

import {
  ACCELERATOR_TYPES,
  CONTEXT_CLASS_EDGES,
  SERVICE_TIERS,
  USAGE_TYPE_NAMES,
  type UsageType,
} from "../domain/usage.ts";
import type { BookReader, Place } from "./book-reader.ts";
import { ANY, isServerless, kindPrices, MATCH_ORDER, prefixOf } from "./match.ts";
import { ARCHITECTURES, type Kind, type Match, type SizeRange } from "./price.ts";

const PARAMETERS_PER_BILLION = 1_000_000_000n;
/** What the id of every router holds. */
export const ROUTER_PART = "/routers/";
/** The fields of a match as a book states them. */
export const MATCH_FIELDS = [
  "usageType",
  "model",
  "router",
  "baseModel",
  "parametersBillions",
  "architecture",
  "acceleratorType",
  "placement",
  "jobType",
  "serviceTier",
  "contextTokens",
  "batch",
] as const;
type MatchPlaces = Partial<Record<(typeof MATCH_FIELDS)[number], Place>>;

/** Reads the match of an entry with one kind of price; without a kind, of a discount. */
export function readMatch(reader: BookReader, place: Place, kind?: Kind): Match | undefined {
  const fields = reader.fields(place, MATCH_FIELDS);
  if (!fields) return undefined;
  if (Object.keys(fields).length === 0) {
    // Fields that are unknown were told already.
    if (reader.named(place).length > 0) return undefined;
    return reader.refuse(place, 'it names nothing; state at least one field, such as model (model: "*" is any)');
  }
  if (fields.model && fields.router) {
    return reader.refuse(fields.router, "it states model and router; a router is called as a model, so state one");
  }
  const batch = fields.batch && reader.flag(fields.batch);
  const read = {
    model: fields.router ? readRouters(reader, fields.router) : fields.model && readPatterns(reader, fields.model),
    baseModel: fields.baseModel && readPatterns(reader, fields.baseModel),
    placement: fields.placement && readNames(reader, fields.placement),
    jobType: fields.jobType && readNames(reader, fields.jobType),
    usageType: fields.usageType && reader.texts(fields.usageType, USAGE_TYPE_NAMES),
    serviceTier: fields.serviceTier && reader.texts(fields.serviceTier, SERVICE_TIERS),
    acceleratorType: fields.acceleratorType && reader.texts(fields.acceleratorType, ACCELERATOR_TYPES),
    architecture: fields.architecture && reader.texts(fields.architecture, ARCHITECTURES),
    parameters: fields.parametersBillions && readSizeRange(reader, fields.parametersBillions),
    contextClass: fields.contextTokens && readContextClasses(reader, fields.contextTokens),
    batch: batch === undefined ? undefined : [batch ? "true" : ""],
  };
  refuseIdle(reader, fields, (read.usageType ?? USAGE_TYPE_NAMES) as readonly UsageType[], kind);
  // Without a field that was stated but not read the match would be wider than it was meant.
  const match = Object.fromEntries(MATCH_ORDER.filter((field) => read[field]).map((field) => [field, read[field]]));
  return Object.keys(match).length === Object.keys(fields).length ? match : undefined;
}

/** Whole names, and beginnings of names before a `*`. */
function readPatterns(reader: BookReader, place: Place): readonly string[] | undefined {
  const patterns = reader.texts(place);
  const bad = patterns?.find((pattern) => (prefixOf(pattern) ?? pattern).includes(ANY));
  if (bad === undefined) return patterns;
  return reader.refuse(place, `${JSON.stringify(bad)} has a * before its end; only the last character may be one`);
}

function readRouters(reader: BookReader, place: Place): readonly string[] | undefined {
  const patterns = readPatterns(reader, place);
  const bad = patterns?.find((pattern) => !pattern.includes(ROUTER_PART));
  if (bad === undefined) return patterns;
  return reader.refuse(
    place,
    `${JSON.stringify(bad)} is no router; write its whole id, such as accounts/fireworks/routers/kimi-k3-fast`,
  );
}

/** Whole names only: a `*` here would be taken for a pattern by whoever reads the book. */
function readNames(reader: BookReader, place: Place): readonly string[] | undefined {
  const names = reader.texts(place);
  const bad = names?.find((name) => name.includes(ANY));
  if (bad === undefined) return names;
  return reader.refuse(place, `${JSON.stringify(bad)} has a *; only model, router and baseModel take one`);
}

/** Lengths of a prompt to the classes that the ledger keeps: "" up to the first edge, then each edge exceeded. */
function readContextClasses(reader: BookReader, place: Place): readonly string[] | undefined {
  const fields = reader.fields(place, ["above", "atMost"]);
  if (!fields) return undefined;
  if (!fields.above && !fields.atMost) return reader.refuse(place, "it states no limit; state above, atMost or both");
  const above = fields.above && reader.count(fields.above, CONTEXT_CLASS_EDGES);
  const atMost = fields.atMost && reader.count(fields.atMost, CONTEXT_CLASS_EDGES);
  if ((fields.above && above === undefined) || (fields.atMost && atMost === undefined)) return undefined;
  const classes = [0, ...CONTEXT_CLASS_EDGES].filter((edge) => edge >= (above ?? 0) && edge < (atMost ?? Infinity));
  if (classes.length === 0) return reader.refuse(place, "atMost is not more than above");
  return classes.map((edge) => (edge === 0 ? "" : String(edge)));
}

/** Refuses fields that no usage which the line is for has, and usage types that its kind of price never prices. */
function refuseIdle(reader: BookReader, fields: MatchPlaces, usageTypes: readonly UsageType[], kind?: Kind): void {
  const priced = kind ? usageTypes.filter((one) => kindPrices(kind, one)) : usageTypes;
  const what = kind ?? usageTypes.join(", ");
  for (const field of ["serviceTier", "contextTokens", "batch"] as const) {
    if (fields[field] && !priced.some(isServerless)) {
      reader.refuse(fields[field], `it means nothing for ${what}; leave it out`);
    }
  }
  for (const usageType of usageTypes) {
    if (fields.usageType && !priced.includes(usageType)) {
      reader.refuse(
        fields.usageType,
        `${kind} never prices ${usageType}; state the price that this usage is metered by`,
      );
    }
  }
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

/** Billions, as a decimal, to a whole number of parameters. */
export function readParameters(reader: BookReader, place: Place): bigint | undefined {
  const decimal = reader.decimal(place);
  if (!decimal) return undefined;
  const scale = 10n ** BigInt(decimal.scale);
  const parameters = decimal.numerator * PARAMETERS_PER_BILLION;
  if (parameters % scale === 0n) return parameters / scale;
  return reader.refuse(place, "it is finer than one parameter; it counts billions, with at most nine decimals");
}

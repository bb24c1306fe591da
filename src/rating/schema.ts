/**
 * The JSON Schema of a price book, for editors: made of the constants that the loader reads by. It refuses nothing that
 * the loader takes; what a schema cannot say (disputes, dates in order, a context out of order) only the loader refuses.
 */

import { ACCELERATOR_TYPES, CONTEXT_CLASS_EDGES, SERVICE_TIERS, USAGE_TYPE_NAMES } from "../domain/usage.ts";
import { CURRENCIES, ENTRIES_MAX, TOKEN_PRICES } from "./book.ts";
import { TEXT_CHARACTERS_MAX } from "./book-reader.ts";
import { type MATCH_FIELDS, ROUTER_PART } from "./match-reader.ts";
import { ARCHITECTURES, KIND_NAMES, type Kind, MULTIPLIERS, type Multiplier } from "./price.ts";

type Schema = Readonly<Record<string, unknown>>;

const ref = (name: string): Schema => ({ $ref: `#/$defs/${name}` });

/** A mapping with these fields and no others. */
function mapping(properties: Readonly<Record<string, Schema>>, more: Schema = {}): Schema {
  return { type: "object", properties, additionalProperties: false, ...more };
}

/** One value, or a list of at least one. */
function oneOrMore(item: Schema, description: string): Schema {
  return { description, anyOf: [item, { type: "array", items: item, minItems: 1 }] };
}

/** Not both of two fields. */
function notBoth(a: string, b: string): Schema {
  return { not: { required: [a, b] } };
}

const KIND_UNIT: Readonly<Record<Kind, string>> = {
  perMillionTokens: "USD for a million tokens of a call.",
  perAudioMinute: "USD for a minute of audio, billed by the millisecond.",
  perImage: "USD for an image.",
  perAcceleratorHour: "USD for an hour of one accelerator, billed by the millisecond.",
  perMillionTrainingTokens: "USD for a million tokens of training.",
};

const MULTIPLIER_USE: Readonly<Record<Multiplier, string>> = {
  batch: "Of token prices for batch usage, where an entry states no batch.",
  cachedInput: "Of the input price, where an entry states no price for cached input.",
  restrictedPlacement: "Of accelerators at a placement other than none, GLOBAL and REGION_UNSPECIFIED.",
};

const DEFINITIONS: Readonly<Record<string, Schema>> = {
  text: { type: "string", maxLength: TEXT_CHARACTERS_MAX, pattern: "^\\P{Cc}*[^\\p{Cc}\\s]\\P{Cc}*$" },
  decimal: {
    description: 'A plain decimal in quotes, not negative, such as "0.95".',
    type: "string",
    pattern: "^-?(\\d{1,30}(\\.\\d{1,30})?|\\.\\d{1,30})$",
    not: { pattern: "^-.*[1-9]" },
  },
  edge: {
    description: "A UTC time on a 15-minute edge, such as 2026-09-01T00:00:00Z.",
    type: "string",
    pattern: "^\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:(00|15|30|45):00(\\.0{1,9})?[Zz]$",
  },
  pattern: {
    description: "A whole name, the beginning of names before a *, or * for any.",
    allOf: [ref("text"), { pattern: "^[^*]*\\*?$" }],
  },
  router: { allOf: [ref("pattern"), { pattern: ROUTER_PART }] },
  name: { allOf: [ref("text"), { pattern: "^[^*]*$" }] },
};

const LIMIT = { enum: CONTEXT_CLASS_EDGES };

const MATCH: Readonly<Record<(typeof MATCH_FIELDS)[number], Schema>> = {
  usageType: oneOrMore({ enum: USAGE_TYPE_NAMES }, "What kind of use."),
  model: oneOrMore(ref("pattern"), "The model that is called, or the beginning of its name and a *."),
  router: oneOrMore(ref("router"), "A router, called as a model; state model or router."),
  baseModel: oneOrMore(ref("pattern"), "The model underneath, of deployments and training."),
  parametersBillions: mapping(
    { atLeast: ref("decimal"), above: ref("decimal"), below: ref("decimal"), atMost: ref("decimal") },
    {
      description: "The size of the model.",
      minProperties: 1,
      allOf: [notBoth("atLeast", "above"), notBoth("below", "atMost")],
    },
  ),
  architecture: oneOrMore({ enum: ARCHITECTURES }, "Of the model."),
  acceleratorType: oneOrMore({ enum: ACCELERATOR_TYPES }, "The type of accelerator."),
  placement: oneOrMore(ref("name"), "Where it runs; sets the multiplier restrictedPlacement aside."),
  jobType: oneOrMore(ref("name"), "The training method."),
  serviceTier: oneOrMore({ enum: SERVICE_TIERS }, "An entry without is for STANDARD, a discount without for any tier."),
  contextTokens: mapping(
    { above: LIMIT, atMost: LIMIT },
    { description: "The length of the prompt, in tokens.", minProperties: 1 },
  ),
  batch: { description: "Sets the multiplier batch aside.", type: "boolean" },
};

const DATED: Readonly<Record<string, Schema>> = {
  effectiveFrom: { ...ref("edge"), description: "From when it is in force." },
  effectiveTo: { ...ref("edge"), description: "Until when, exclusive; left out while no end is known." },
  source: { ...ref("text"), description: "Where it was published or agreed." },
};

function kindSchema(kind: Kind): Schema {
  if (kind !== "perMillionTokens") return { ...ref("decimal"), description: KIND_UNIT[kind] };
  const prices = Object.fromEntries(Object.keys(TOKEN_PRICES).map((name) => [name, ref("decimal")]));
  return mapping(prices, { description: KIND_UNIT[kind], minProperties: 1 });
}

/** Draft 2020-12. One schema for lists and contracts: `discounts` is a contract's word. */
export function priceBookSchema(): Schema {
  const entry = mapping(
    { match: ref("match"), ...Object.fromEntries(KIND_NAMES.map((kind) => [kind, kindSchema(kind)])), ...DATED },
    { required: ["match", "effectiveFrom", "source"], oneOf: KIND_NAMES.map((kind) => ({ required: [kind] })) },
  );
  const percent = { ...ref("decimal"), description: 'The percentage taken off, above "0" and at most "100".' };
  const discount = mapping(
    { match: ref("match"), percent, ...DATED },
    { required: ["percent", "effectiveFrom", "source"] },
  );
  const multipliers = MULTIPLIERS.map((name) => [name, { ...ref("decimal"), description: MULTIPLIER_USE[name] }]);
  const size = mapping(
    { parametersBillions: ref("decimal"), architecture: { enum: ARCHITECTURES } },
    { required: ["parametersBillions", "architecture"] },
  );
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Daybook price book",
    description: "A price list, or one account's contract. docs/prices.md tells how to write one.",
    ...mapping(
      {
        currency: { enum: CURRENCIES },
        multipliers: mapping({ ...Object.fromEntries(multipliers), source: ref("text") }, { required: ["source"] }),
        models: { description: "The sizes of models.", type: "object", additionalProperties: ref("size") },
        prices: { type: "array", items: ref("entry"), maxItems: ENTRIES_MAX },
        discounts: { description: "Of a contract.", type: "array", items: ref("discount"), maxItems: ENTRIES_MAX },
      },
      { required: ["currency"], anyOf: [{ required: ["prices"] }, { required: ["discounts"] }] },
    ),
    $defs: {
      ...DEFINITIONS,
      match: mapping(MATCH, { minProperties: 1, ...notBoth("model", "router") }),
      entry,
      discount,
      size,
    },
  };
}

/** What an explanation looks like. */

import { USAGE_TYPE_NAMES } from "../../domain/usage.ts";
import { COMPONENT_UNIT } from "../../render/usage-explanation.ts";
import { moneySchema } from "../schemas.ts";
import { rowSchemas } from "./usage-reports.ts";

const text = { type: "string" } as const;
const instant = { type: "string", format: "date-time" } as const;
const int64 = { type: "string", description: "An int64 as text" } as const;
const dollars = { type: "string", description: "Dollars as an exact decimal" } as const;

const lineProperties = {
  book: { type: "string", enum: ["list", "contract"] },
  version: { type: "string", description: "The version of the book" },
  hash: { type: "string", description: "SHA-256 of the book's text, in hex" },
  priceBook: text,
  line: { type: "integer", description: "The line of the book's text" },
  match: { type: "string", description: "What the line is for, in words" },
  effectiveFrom: instant,
  effectiveTo: { type: ["string", "null"], format: "date-time", description: "Exclusive; null while no end is known" },
  source: text,
} as const;

const entry = {
  type: "object",
  description: "The entry that makes the price",
  properties: {
    ...lineProperties,
    kind: { type: "string", description: "Such as perMillionTokens" },
    price: { type: "string", description: "Dollars for perUnits units, as the entry states them" },
    perUnits: int64,
    multipliers: {
      type: "array",
      description: "What the stated price is multiplied by before the one rounding",
      items: {
        type: "object",
        properties: { name: text, factor: text },
        required: ["name", "factor"],
        additionalProperties: false,
      },
    },
    discount: {
      type: "object",
      description: "What the contract takes off the list's price",
      properties: { percent: text, ...lineProperties },
      required: ["percent", ...Object.keys(lineProperties)],
      additionalProperties: false,
    },
  },
  required: [...Object.keys(lineProperties), "kind", "price", "perUnits", "multipliers"],
  additionalProperties: false,
} as const;

const partProperties = {
  component: { type: "string", enum: Object.keys(COMPONENT_UNIT) },
  unit: { type: "string", enum: [...new Set(Object.values(COMPONENT_UNIT))] },
  quantity: int64,
  attributes: {
    type: "object",
    description: "What the usage is that the price is for: model, serviceTier, batch and so on, as far as it has them",
    additionalProperties: true,
  },
} as const;
/** Only where the bucket has several prices. */
const span = {
  from: { ...instant, description: "Where the price begins to hold, if another holds in the rest of the bucket" },
  to: { ...instant, description: "Its end, exclusive" },
} as const;

const pricedProperties = {
  ...partProperties,
  unitPrice: { ...dollars, description: "Dollars for one unit, exactly" },
  unitAmount: { ...moneySchema, description: "The same, rounded half-even to the nano" },
  cost: { ...moneySchema, description: "quantity x unitPrice, rounded half-even to the nano" },
  costExact: { ...dollars, description: "quantity x unitPrice, exactly" },
  entry,
} as const;

const priced = {
  type: "object",
  properties: {
    ...pricedProperties,
    ...span,
    listUnitPrice: { ...dollars, description: "By the list, where the contract makes another price; so below" },
    listUnitAmount: moneySchema,
    listCost: moneySchema,
    listCostExact: dollars,
    listEntry: entry,
  },
  required: Object.keys(pricedProperties),
  additionalProperties: false,
} as const;

const unpricedProperties = {
  ...partProperties,
  reason: text,
  nearestEntries: {
    type: "array",
    description: "Entries that the least keeps from pricing it",
    items: {
      type: "object",
      properties: { ...lineProperties, kind: text, needs: { type: "array", items: text } },
      required: [...Object.keys(lineProperties), "kind", "needs"],
      additionalProperties: false,
    },
  },
} as const;

const unpriced = {
  type: "object",
  properties: { ...unpricedProperties, ...span },
  required: Object.keys(unpricedProperties),
  additionalProperties: false,
} as const;

const eventsProperties = {
  count: { ...int64, description: "Events that count" },
  voided: { ...int64, description: "Events of the row that were voided; they are in no other number here" },
  firstEventTime: { type: ["string", "null"], format: "date-time" },
  lastEventTime: { type: ["string", "null"], format: "date-time" },
  late: int64,
  lateDefinition: text,
  unknownArrival: { ...int64, description: "Events from before arrivals were written down; late or not is unknown" },
  estimated: { ...int64, description: "Events whose quantities are not all that was used" },
} as const;

const events = {
  type: "object",
  description: "Left out on the pages after the first",
  properties: {
    ...eventsProperties,
    estimatedReasons: {
      type: "object",
      description: "Only where there are estimates: how many events by the reason in their field estimated",
      additionalProperties: int64,
    },
    keptFrom: {
      ...instant,
      description:
        "Only where raw events of the row were dropped: all of them before it; the numbers here are of the rest",
    },
  },
  required: Object.keys(eventsProperties),
  additionalProperties: false,
} as const;

const usageEvent = {
  type: "object",
  description: "As GET of one event shows it, with its arrival",
  properties: {
    id: text,
    time: instant,
    usageType: { type: "string", enum: USAGE_TYPE_NAMES },
    receivedAt: { ...instant, description: "To the second" },
    late: { type: "boolean" },
    voidTime: instant,
  },
  required: ["id", "time", "usageType"],
  additionalProperties: true,
} as const;

const cost = { currencyCode: "USD", units: "0", nanos: 492256016 } as const;
const model = "accounts/fireworks/models/deepseek-v4-flash";
const example = {
  row: {
    startTime: "2026-06-20T00:00:00Z",
    endTime: "2026-06-21T00:00:00Z",
    modelName: model,
    promptTokens: "17580572",
    cachedPromptTokens: "17580572",
    uncachedPromptTokens: "0",
    completionTokens: "0",
    audioInputSeconds: 0,
    imageCount: "0",
    apiKeyId: "",
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    costNanoUsd: 492256016,
    cost,
    unpricedQuantities: [],
    group: { model_name: model },
  },
  stream: "SERVERLESS",
  components: [
    {
      component: "cachedPromptTokens",
      unit: "token",
      quantity: "17580572",
      attributes: { model },
      unitPrice: "0.000000028",
      unitAmount: { currencyCode: "USD", units: "0", nanos: 28 },
      cost,
      costExact: "0.492256016",
      entry: {
        book: "list",
        version: "3",
        hash: "ab12cd34ef560718293a4b5c6d7e8f90ab12cd34ef560718293a4b5c6d7e8f90",
        priceBook: "priceBooks/3",
        line: 41,
        match: `model ${model}`,
        effectiveFrom: "2026-06-17T00:00:00Z",
        effectiveTo: null,
        source: "Price list, 17 June 2026",
        kind: "perMillionTokens",
        price: "0.028",
        perUnits: "1000000",
        multipliers: [],
      },
    },
  ],
  unpricedComponents: [],
  costExact: "0.492256016",
  events: {
    count: "2",
    voided: "0",
    firstEventTime: "2026-06-20T00:00:00Z",
    lastEventTime: "2026-06-20T23:59:59.999Z",
    late: "1",
    lateDefinition: "received after the row's bucket had ended",
    unknownArrival: "0",
    estimated: "1",
    estimatedReasons: { client_gone: "1" },
  },
  deploymentSeconds: "0",
} as const;

export const explainResponse = {
  description: "The row and what it is made of",
  type: "object",
  properties: {
    row: { description: "Exactly as in the report", anyOf: Object.values(rowSchemas) },
    stream: { type: "string", enum: ["SERVERLESS", "DEDICATED_DEPLOYMENT", "TRAINING"] },
    components: { type: "array", description: "Their costExact add up to the row's, exactly", items: priced },
    unpricedComponents: { type: "array", description: "What no price covers; it is in no cost", items: unpriced },
    costExact: { ...dollars, description: "The row's cost, exactly" },
    listCostExact: { ...dollars, description: "By list prices, where it differs" },
    events,
    deploymentSeconds: {
      type: "string",
      description: "Accelerator time of running deployments, counted from their timeline up to now: it has no events",
    },
    usageEvents: {
      type: "array",
      description: "Only with events=true; in the order of their quarter of an hour, then arrival",
      items: usageEvent,
    },
    nextPageToken: { type: "string", description: "Left out on the last page" },
  },
  required: ["row", "stream", "components", "unpricedComponents", "costExact", "deploymentSeconds"],
  additionalProperties: false,
  examples: [example],
} as const;

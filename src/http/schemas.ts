/** Pieces that several routes' schemas share. */

export const errorSchema = {
  description: "A refusal. All problems of a request are told at once.",
  type: "object",
  properties: {
    code: { type: "integer", description: "A google.rpc code" },
    message: { type: "string" },
    details: { type: "array", items: { type: "object", additionalProperties: true } },
  },
  required: ["code", "message", "details"],
  examples: [{ code: 5, message: 'account: "acme" was not found', details: [] }],
} as const;

export const moneySchema = {
  type: "object",
  properties: {
    currencyCode: { type: "string", const: "USD" },
    units: { type: "string", description: "Whole dollars, an int64 as text" },
    nanos: { type: "integer", description: "Billionths of a dollar; never of the opposite sign of units" },
  },
  required: ["currencyCode", "units", "nanos"],
  additionalProperties: false,
  examples: [{ currencyCode: "USD", units: "-1", nanos: -750000000 }],
} as const;

export const unpricedSchema = {
  type: "array",
  description: "What no price covers; it is in no cost",
  items: {
    type: "object",
    properties: {
      quantity: { type: "string" },
      amount: { type: "string", description: "A count, or seconds with decimals" },
    },
    required: ["quantity", "amount"],
  },
} as const;

export const asOfSchema = {
  type: "string",
  format: "date-time",
  description: "By the price books that were known then, an instant that is over; by the newest when left out",
} as const;

export const accountParams = {
  type: "object",
  properties: { account_id: { type: "string", description: "The bare id of the account" } },
  required: ["account_id"],
} as const;

export const noQuery = { type: "object", properties: {}, additionalProperties: false } as const;

/**
 * For routes whose schema only tells clients the form: the core judges what was sent, and tells all that is wrong at once.
 */
export const judgedByCore = () => () => true;

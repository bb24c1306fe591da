/** How price books look in requests and replies. */

import { timeSchema } from "../resource-fields.ts";

/** A whole book. */
export const DOCUMENT = `currency: USD
prices:
  - match: { model: accounts/fireworks/models/kimi-k2p6 }
    perMillionTokens: { input: "0.95", cachedInput: "0.16", output: "4.00" }
    effectiveFrom: 2026-05-01T00:00:00Z
    source: Price list, May 2026
`;

export const bookExample = {
  name: "priceBooks/3",
  version: "3",
  account: "accounts/acme",
  knownFrom: "2026-10-20T12:00:00Z",
  hash: "5f2b51ca2fdc5baa31ec02e002f69aec9f4b9f16e4b0ee2cbf2d7bb1d04e1c2a",
  createdBy: "key_4nMFyHCSZP4CRKqa",
  entryCount: 1,
} as const;

const bookProperties = {
  name: { type: "string" },
  version: { type: "string", description: "1, 2, 3 and so on over the installation" },
  account: { type: "string", description: "The account whose contract it is; empty for the installation's list" },
  knownFrom: { ...timeSchema, description: "Since when the installation knows these prices" },
  hash: { type: "string", description: "SHA-256 of the document's UTF-8, in hex" },
  createdBy: { type: "string", description: "The id of a key, a file's name, or shipped" },
  entryCount: { type: "integer", description: "Prices and discounts that it states" },
} as const;

/** A version without its text. */
export const bookSchema = {
  type: "object",
  properties: bookProperties,
  required: Object.keys(bookExample),
  additionalProperties: false,
  examples: [bookExample],
} as const;

export const documentSchema = { type: "string", description: "The YAML, at most 5 MiB; see docs/prices.md" } as const;
export const accountSchema = {
  type: "string",
  description: "acme or accounts/acme; left out: the installation's list",
} as const;

/** A version with its text. */
export const documentReply = {
  ...bookSchema,
  description: "The version with its text, as it was sent",
  properties: { ...bookProperties, document: documentSchema },
  required: [...bookSchema.required, "document"],
  examples: [{ ...bookExample, document: DOCUMENT }],
} as const;

const gapExample = {
  kind: "perMillionTokens",
  match: "model accounts/fireworks/models/kimi-k2p6",
  lines: [4, 12],
  startTime: "2026-06-01T00:00:00Z",
  endTime: "2026-07-01T00:00:00Z",
} as const;

/** What a book without mistakes holds. */
export const checkReply = {
  description: "The book has no mistakes. Gaps are allowed: usage in one may have no price.",
  type: "object",
  properties: {
    entryCount: { type: "integer", description: "Prices and discounts that it states" },
    gaps: {
      type: "array",
      description: "Times without a price after times with one",
      items: {
        type: "object",
        properties: {
          kind: { type: "string", description: "The price, by its field in the book" },
          match: { type: "string", description: "What has no price then" },
          lines: { type: "array", items: { type: "integer" }, description: "Of the entries before and after" },
          startTime: timeSchema,
          endTime: { type: ["string", "null"], description: "null where no price follows" },
        },
        required: Object.keys(gapExample),
        additionalProperties: false,
      },
    },
  },
  required: ["entryCount", "gaps"],
  additionalProperties: false,
  examples: [{ entryCount: 12, gaps: [gapExample] }],
} as const;

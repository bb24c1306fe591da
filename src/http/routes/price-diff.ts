/** What another price book would change, before it is put. The operator's. */

import type { FastifyInstance } from "fastify";
import { DIFF_ACCOUNTS_MAX } from "../../domain/price-diff-query.ts";
import { bookDiffJson } from "../../render/price-books.ts";
import type { Service } from "../../service.ts";
import { type Query, refuseParameters } from "../query-string.ts";
import { timeSchema } from "../resource-fields.ts";
import { errorSchema, judgedByCore, moneySchema, noQuery, unpricedSchema } from "../schemas.ts";
import { accountSchema, DOCUMENT, documentSchema } from "./price-book-schemas.ts";

/** Two texts of the largest size as JSON, with room for what is escaped in them. */
const BODY_BYTES_MAX = 24 * 1024 * 1024;

const pickSchema = {
  type: "object",
  properties: { version: { type: ["string", "integer"] }, document: documentSchema },
  additionalProperties: false,
} as const;

const usd = { type: "string", description: "The same in dollars, exactly" } as const;
const amounts = {
  before: moneySchema,
  after: moneySchema,
  difference: { ...moneySchema, description: "after - before" },
  beforeUsd: usd,
  afterUsd: usd,
  differenceUsd: usd,
  unpricedBefore: unpricedSchema,
  unpricedAfter: unpricedSchema,
} as const;

const rowSchema = {
  type: "object",
  properties: {
    account: { type: "string" },
    startTime: timeSchema,
    endTime: timeSchema,
    usageType: { type: "string" },
    stream: { type: "string" },
    model: { type: "string", description: "Empty for accelerators and training" },
    acceleratorType: { type: "string", description: "Empty where there is a model" },
    baseModel: { type: "string", description: "Empty where there is a model" },
    ...amounts,
  },
  additionalProperties: false,
} as const;

const amountsExample = {
  before: { currencyCode: "USD", units: "9", nanos: 120437150 },
  after: { currencyCode: "USD", units: "9", nanos: 220437150 },
  difference: { currencyCode: "USD", units: "0", nanos: 100000000 },
  beforeUsd: "9.12043715",
  afterUsd: "9.22043715",
  differenceUsd: "0.1",
  unpricedBefore: [],
  unpricedAfter: [],
} as const;

const diffReply = {
  description: "The usage of the range by both books. Rows stand only where something differs; totals hold all usage.",
  type: "object",
  properties: {
    account: { type: "string", description: "The account whose contract the books are; empty for list books" },
    from: {
      type: "string",
      description: "The version's name; empty for a document, or where there is no contract yet",
    },
    to: { type: "string", description: "The version's name; empty for a document" },
    startTime: timeSchema,
    endTime: timeSchema,
    rows: { type: "array", items: rowSchema, description: "By account, UTC day, stream, usage type and model" },
    accounts: {
      type: "array",
      description: "Each account with usage in the range",
      items: { type: "object", properties: { account: { type: "string" }, ...amounts }, additionalProperties: false },
    },
    total: { type: "object", properties: amounts, additionalProperties: false },
  },
  required: ["account", "from", "to", "startTime", "endTime", "rows", "accounts", "total"],
  additionalProperties: false,
  examples: [
    {
      account: "",
      from: "priceBooks/3",
      to: "",
      startTime: "2026-10-01T00:00:00Z",
      endTime: "2026-11-01T00:00:00Z",
      rows: [
        {
          account: "accounts/acme",
          startTime: "2026-10-05T00:00:00Z",
          endTime: "2026-10-06T00:00:00Z",
          usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
          stream: "SERVERLESS",
          model: "accounts/fireworks/models/kimi-k2p6",
          acceleratorType: "",
          baseModel: "",
          ...amountsExample,
        },
      ],
      accounts: [{ account: "accounts/acme", ...amountsExample }],
      total: amountsExample,
    },
  ],
} as const;

export function priceDiffRoute(app: FastifyInstance, service: Service): void {
  app.post(
    "/v1/priceBooks::diff",
    {
      config: { access: ["OPERATOR"] },
      bodyLimit: BODY_BYTES_MAX,
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Price books"],
        operationId: "diffPriceBooks",
        summary: "What another price book would change, before it is put",
        description:
          "Rates the usage of a range of at most 31 days by two books: versions that were put, or texts. List books are " +
          "compared over all accounts or those named, each with its contract as it is now; contracts over their account.",
        querystring: noQuery,
        body: {
          type: "object",
          properties: {
            from: { ...pickSchema, description: "Left out: the version that holds now" },
            to: pickSchema,
            account: { ...accountSchema, description: "The account whose contract the texts are" },
            accounts: { type: "array", maxItems: DIFF_ACCOUNTS_MAX, items: { type: "string" } },
            startTime: timeSchema,
            endTime: timeSchema,
          },
          required: ["to", "startTime", "endTime"],
          additionalProperties: false,
          examples: [
            {
              from: { version: "3" },
              to: { document: DOCUMENT },
              startTime: "2026-10-01T00:00:00Z",
              endTime: "2026-11-01T00:00:00Z",
            },
          ],
        },
        response: { 200: diffReply, default: errorSchema },
      },
    },
    async ({ query, body }) => {
      refuseParameters(query as Query);
      return bookDiffJson(await service.diffPriceBooks(body));
    },
  );
}

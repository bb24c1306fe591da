/** The billing summary: a bill's lines of whole UTC days (contract, section 3). */

import type { FastifyInstance } from "fastify";
import { SUMMARY_DAYS_MAX, SUMMARY_GRANULARITIES } from "../../domain/summary-query.ts";
import { STREAMS } from "../../domain/usage.ts";
import { summaryJson } from "../../render/billing-summary.ts";
import type { Service } from "../../service.ts";
import type { Query } from "../query-string.ts";
import { basisHeaders, tellBasis } from "../report-basis.ts";
import { accountParams, asOfSchema, errorSchema, judgedByCore, moneySchema } from "../schemas.ts";

const READERS = ["USER", "ADMIN", "OPERATOR"] as const;
const text = { type: "string" } as const;
const series = { type: "string", enum: STREAMS } as const;

const dateRule = "A date or an RFC 3339 time, of which only the date in UTC counts";

const lineProperties = {
  category: { ...text, description: 'What was used, such as "LLM input tokens (cached)"' },
  series,
  groupingKey: { ...text, description: "model, accelerator_type or base_model" },
  groupingValue: text,
  secondaryGroupingKey: { ...text, description: 'is_batch or job_type; "" for dedicated deployments' },
  secondaryGroupingValue: text,
  quantity: { type: "number", description: "Tokens, images or seconds, with all their digits" },
} as const;

const unpricedLine = {
  type: "object",
  properties: lineProperties,
  required: Object.keys(lineProperties),
  additionalProperties: false,
} as const;

const pricedProperties = {
  ...lineProperties,
  unitAmount: {
    ...moneySchema,
    description: "The price of one token, image or second, rounded half-even to the nano for show",
  },
  totalCost: { ...moneySchema, description: "quantity x the exact price, rounded once; never sum these" },
} as const;

const pricedLine = {
  type: "object",
  properties: {
    ...pricedProperties,
    listUnitAmount: { ...moneySchema, description: "The price of one by the list, where a contract makes another" },
    listCost: { ...moneySchema, description: "quantity x the exact list price, beside listUnitAmount" },
  },
  required: Object.keys(pricedProperties),
  additionalProperties: false,
} as const;

const linesProperties = {
  lineItems: {
    type: "array",
    description:
      "One for each category, grouping and price: a price that changes, or a tier with its own, splits a line",
    items: pricedLine,
  },
  unpricedLineItems: { type: "array", description: "What no price covers; it is in no cost", items: unpricedLine },
  totalCost: { ...moneySchema, description: "Of all line items exactly, rounded once; the same as total" },
  subtotal: { ...moneySchema, description: "By list prices, before what a contract takes off, rounded once" },
  total: { ...moneySchema, description: "What is owed, rounded once" },
} as const;

const bucketProperties = {
  startTime: { type: "string", format: "date-time" },
  endTime: { type: "string", format: "date-time" },
  ...linesProperties,
} as const;

const seriesTotalProperties = { series, totalCost: moneySchema } as const;

const cachedLine = {
  category: "LLM input tokens (cached)",
  series: "SERVERLESS",
  groupingKey: "model",
  groupingValue: "accounts/fireworks/models/deepseek-v4-flash",
  secondaryGroupingKey: "is_batch",
  secondaryGroupingValue: "false",
  quantity: 17580572,
  unitAmount: { currencyCode: "USD", units: "0", nanos: 28 },
  totalCost: { currencyCode: "USD", units: "0", nanos: 492256016 },
} as const;
const nothing = { currencyCode: "USD", units: "0", nanos: 0 } as const;
const exampleLines = {
  lineItems: [cachedLine],
  unpricedLineItems: [],
  totalCost: cachedLine.totalCost,
  subtotal: cachedLine.totalCost,
  total: cachedLine.totalCost,
} as const;

const response = {
  description: "Lines ordered by series, category, grouping values, then price",
  headers: basisHeaders,
  type: "object",
  properties: {
    ...linesProperties,
    seriesTotals: {
      type: "array",
      description: "One for each series, in this order",
      items: {
        type: "object",
        properties: {
          ...seriesTotalProperties,
          listCost: { ...moneySchema, description: "By list prices, where it differs" },
        },
        required: Object.keys(seriesTotalProperties),
        additionalProperties: false,
      },
    },
    usageBuckets: {
      type: "array",
      description: "Every UTC day of the range, with or without usage; only with granularity DAILY",
      items: {
        type: "object",
        properties: bucketProperties,
        required: Object.keys(bucketProperties),
        additionalProperties: false,
      },
    },
  },
  required: [...Object.keys(linesProperties), "seriesTotals"],
  additionalProperties: false,
  examples: [
    {
      ...exampleLines,
      seriesTotals: [
        { series: "SERVERLESS", totalCost: cachedLine.totalCost },
        { series: "DEDICATED_DEPLOYMENT", totalCost: nothing },
        { series: "TRAINING", totalCost: nothing },
      ],
      usageBuckets: [{ startTime: "2026-06-20T00:00:00Z", endTime: "2026-06-21T00:00:00Z", ...exampleLines }],
    },
  ],
} as const;

export function billingSummaryRoutes(app: FastifyInstance, service: Service): void {
  app.get(
    "/v1/accounts/:account_id/billing/summary",
    {
      config: { access: READERS },
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Reports"],
        operationId: "getBillingSummary",
        summary: "What was used at which price, and what it cost",
        description:
          "A quantity at one price a line, over whole UTC days. Deployments that run are counted up to now. Totals are " +
          "made of exact amounts and rounded once, so they may differ from a sum of the rounded lines.",
        params: accountParams,
        querystring: {
          type: "object",
          properties: {
            startTime: { ...text, description: `${dateRule}; inclusive`, examples: ["2026-06-20"] },
            endTime: {
              ...text,
              description: `${dateRule}; exclusive, at most ${SUMMARY_DAYS_MAX} days after startTime`,
              examples: ["2026-06-21"],
            },
            granularity: { type: "string", enum: SUMMARY_GRANULARITIES, description: "DAILY adds usageBuckets" },
            asOf: asOfSchema,
          },
          required: ["startTime", "endTime"],
        },
        response: { 200: response, default: errorSchema },
      },
    },
    async (request, reply) => {
      const { account_id: account } = request.params as { account_id: string };
      const { report: summary, basis } = await service.billingSummary(account, request.query as Query);
      return tellBasis(reply, basis).type("application/json; charset=utf-8").send(summaryJson(summary));
    },
  );
}

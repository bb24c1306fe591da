/** usageCosts: what serverless usage cost, by at most two dimensions, in pages (contract, section 4). */

import type { FastifyInstance } from "fastify";
import {
  COST_DIMENSIONS,
  COST_FILTERS,
  COST_GROUP_BY_MAX,
  COST_PAGE_SIZE_MAX,
  COST_SCOPES,
} from "../../domain/usage-costs-query.ts";
import { RANGE_DAYS_MAX } from "../../domain/usage-query.ts";
import { usageCostsJson } from "../../render/usage-costs.ts";
import type { Service } from "../../service.ts";
import { type Query, refuseParameters } from "../query-string.ts";
import { basisHeaders, tellBasis } from "../report-basis.ts";
import { accountParams, asOfSchema, errorSchema, judgedByCore, moneySchema, unpricedSchema } from "../schemas.ts";

const READERS = ["USER", "ADMIN", "OPERATOR"] as const;
const text = { type: "string" } as const;
const instant = { type: "string", format: "date-time" } as const;

const FILTER_RULES: Readonly<Record<(typeof COST_FILTERS)[number], string>> = {
  apiKeyId: "The id of a key",
  model: "A model's name",
  sessionId: "Usage events carry no session, so a value here matches nothing",
  user: "The user that the usage was labelled with",
};

const body = {
  type: "object",
  properties: {
    startTime: { ...instant, description: "Inclusive" },
    endTime: { ...instant, description: `Exclusive, at most ${RANGE_DAYS_MAX} days after startTime` },
    scope: {
      type: "string",
      enum: COST_SCOPES,
      description:
        "ACCOUNT is all usage of the account and takes the role ADMIN or OPERATOR; SELF is the usage of the keys, " +
        "revoked ones included, of the caller's own user. Unspecified is SELF for the role USER, ACCOUNT for the others",
    },
    groupBy: {
      type: "array",
      maxItems: COST_GROUP_BY_MAX,
      uniqueItems: true,
      items: { type: "string", enum: COST_DIMENSIONS },
      description: "HOUR and DAY are of UTC and exclude each other. Without any, only the subtotal is told",
    },
    filter: {
      type: "object",
      properties: Object.fromEntries(COST_FILTERS.map((name) => [name, { ...text, description: FILTER_RULES[name] }])),
      additionalProperties: false,
      description: "All must hold; an empty value is no filter",
    },
    asOf: asOfSchema,
    pageSize: {
      type: "integer",
      minimum: 0,
      default: COST_PAGE_SIZE_MAX,
      description: `More than ${COST_PAGE_SIZE_MAX} counts as ${COST_PAGE_SIZE_MAX}, 0 as the default`,
    },
    pageToken: { ...text, description: "The nextPageToken of the page before, sent with the same question" },
  },
  required: ["startTime", "endTime"],
  additionalProperties: false,
  examples: [
    {
      startTime: "2026-06-20T00:00:00Z",
      endTime: "2026-06-27T00:00:00Z",
      scope: "ACCOUNT",
      groupBy: ["DAY", "USER"],
      filter: { model: "accounts/fireworks/models/deepseek-v4-flash" },
      pageSize: 1,
    },
  ],
} as const;

const rowSchema = {
  type: "object",
  properties: {
    dimensions: {
      type: "object",
      description: 'The dimensions that were asked for; "" where usage has no value',
      properties: {
        startTime: { ...instant, description: "The start of the UTC hour or day" },
        model: text,
        modelTier: { ...text, description: "STANDARD, PRIORITY or FAST" },
        user: text,
        apiKeyId: text,
        unknownModel: { type: "boolean", const: true, description: "The usage names no model" },
        unattributedDimensions: {
          type: "array",
          items: { type: "string", enum: ["USER", "API_KEY"] },
          description: "The other dimensions without a value",
        },
      },
      additionalProperties: false,
    },
    subtotal: { ...moneySchema, description: "By list prices, before what a contract takes off" },
    total: { ...moneySchema, description: "What is owed" },
    unpricedQuantities: unpricedSchema,
  },
  required: ["dimensions", "subtotal", "total", "unpricedQuantities"],
  additionalProperties: false,
} as const;

const response = {
  description: "One page of rows, ordered by startTime, then model, modelTier, user and apiKeyId",
  headers: basisHeaders,
  type: "object",
  properties: {
    rows: { type: "array", items: rowSchema },
    subtotal: { ...moneySchema, description: "Of the whole query by list prices, on every page" },
    total: { ...moneySchema, description: "What is owed for the whole query, on every page" },
    unpricedQuantities: { ...unpricedSchema, description: "Of the whole query: what no price covers, in no cost" },
    nextPageToken: { ...text, description: "Left out on the last page. It stays good while new usage arrives" },
    evaluationTime: { ...instant, description: "When this page was made" },
    attributionCompleteness: {
      type: "string",
      enum: ["COMPLETE", "INCOMPLETE", "UNKNOWN"],
      description: "Whether all usage has a value in every dimension asked for; UNKNOWN when none is asked for",
    },
  },
  required: ["rows", "subtotal", "total", "unpricedQuantities", "evaluationTime", "attributionCompleteness"],
  additionalProperties: false,
  examples: [
    {
      rows: [
        {
          dimensions: { startTime: "2026-06-20T00:00:00Z", user: "", unattributedDimensions: ["USER"] },
          subtotal: { currencyCode: "USD", units: "0", nanos: 492256016 },
          total: { currencyCode: "USD", units: "0", nanos: 492256016 },
          unpricedQuantities: [],
        },
      ],
      subtotal: { currencyCode: "USD", units: "0", nanos: 492256016 },
      total: { currencyCode: "USD", units: "0", nanos: 492256016 },
      unpricedQuantities: [],
      evaluationTime: "2026-06-27T09:30:00Z",
      attributionCompleteness: "INCOMPLETE",
    },
  ],
} as const;

export function usageCostsRoutes(app: FastifyInstance, service: Service): void {
  app.post(
    "/v1/accounts/:account_id/usageCosts::query",
    {
      config: { access: READERS },
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Reports"],
        operationId: "queryUsageCosts",
        summary: "What serverless usage cost",
        description: "Rated serverless usage by hour or day, model, user and key.",
        params: accountParams,
        body,
        response: { 200: response, default: errorSchema },
      },
    },
    async (request, reply) => {
      const { account_id: account } = request.params as { account_id: string };
      refuseParameters(request.query as Query);
      const { report: costs, basis } = await service.usageCosts(account, request.caller, request.body);
      tellBasis(reply, basis);
      return usageCostsJson(costs);
    },
  );
}

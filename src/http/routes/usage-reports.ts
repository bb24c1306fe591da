/** billingUsage by GET and POST, and the values its filters can take (contract, section 2). */

import type { FastifyInstance, FastifyReply } from "fastify";
import { DIMENSIONS } from "../../domain/dimension.ts";
import { overloaded } from "../../domain/fault.ts";
import { bodyOf, type QueryForm, type RawQuery } from "../../domain/query-checker.ts";
import {
  FILTER_VALUES_MAX,
  GRANULARITIES,
  GROUP_BY_MAX,
  RANGE_DAYS_MAX,
  USAGE_TYPE_PARAMETERS,
} from "../../domain/usage-query.ts";
import { usageJson } from "../../render/billing-usage.ts";
import type { Service } from "../../service.ts";
import { AnswerBuffers } from "../answer-buffers.ts";
import { gatherFilters, type Query, refuseParameters } from "../query-string.ts";
import { basisHeaders, tellBasis } from "../report-basis.ts";
import { accountParams, asOfSchema, errorSchema, judgedByCore, moneySchema, unpricedSchema } from "../schemas.ts";
import { Turns } from "../turns.ts";

const READERS = ["USER", "ADMIN", "OPERATOR"] as const;
const int64 = { type: "string", description: "An int64 as text" } as const;
const text = { type: "string" } as const;

const rangeProperties = {
  startTime: { type: "string", format: "date-time", description: "Inclusive", examples: ["2026-05-28T00:00:00Z"] },
  endTime: {
    type: "string",
    format: "date-time",
    description: `Exclusive, at most ${RANGE_DAYS_MAX} days after startTime`,
    examples: ["2026-05-29T00:00:00Z"],
  },
  usageType: { type: "string", enum: USAGE_TYPE_PARAMETERS, default: "USAGE_TYPE_UNSPECIFIED" },
} as const;

export const questionProperties = {
  ...rangeProperties,
  timezone: { type: "string", default: "UTC", description: "IANA name: the edge of the daily bucket" },
  granularity: { type: "string", enum: GRANULARITIES, default: "DAILY" },
  groupBy: { type: "array", maxItems: GROUP_BY_MAX, uniqueItems: true, items: { type: "string", enum: DIMENSIONS } },
  asOf: asOfSchema,
} as const;

const condition = {
  type: "object",
  properties: { values: { type: "array", maxItems: FILTER_VALUES_MAX, items: text } },
  required: ["values"],
  additionalProperties: false,
} as const;
export const filterProperties = Object.fromEntries(DIMENSIONS.map((dimension) => [dimension, condition]));
export const filterParameters = Object.fromEntries(
  DIMENSIONS.map((dimension) => [
    `filter[${dimension}][values]`,
    { type: "array", items: text, description: `Keep usage with one of these values of ${dimension}` },
  ]),
);

const common = {
  startTime: { ...text, description: "The true start of the local day or hour, with the zone's offset" },
  endTime: { ...text, description: "Its true end" },
  usageType: text,
  costNanoUsd: { type: "number", description: "What is owed, in billionths of a dollar, rounded half-even" },
  cost: { ...moneySchema, description: "What is owed" },
  unpricedQuantities: unpricedSchema,
  group: { type: "object", additionalProperties: text, description: "The grouping's dimensions and values" },
} as const;

/** Only on rows of accounts that a contract bears on. */
const listCost = { ...moneySchema, description: "By list prices; told where the account has a contract" } as const;

function rowSchema(properties: Record<string, unknown>): Record<string, unknown> {
  const all = { ...common, ...properties };
  const required = Object.keys(all);
  return { type: "object", properties: { ...all, listCost }, required, additionalProperties: false };
}

/** A row of each stream. */
export const rowSchemas = {
  serverlessCosts: rowSchema({
    modelName: { ...text, description: "Filled when grouped by model_name" },
    promptTokens: int64,
    cachedPromptTokens: int64,
    uncachedPromptTokens: int64,
    completionTokens: int64,
    audioInputSeconds: { type: "number" },
    imageCount: int64,
    apiKeyId: { ...text, description: "Filled when grouped by api_key_id" },
  }),
  dedicatedCosts: rowSchema({
    deploymentId: text,
    acceleratorType: text,
    acceleratorSeconds: int64,
    baseModel: text,
    placement: text,
  }),
  trainingCosts: rowSchema({
    jobId: text,
    jobType: text,
    tokens: int64,
    acceleratorType: text,
    acceleratorSeconds: int64,
    baseModel: text,
    trainingSessionId: text,
    annotations: { type: "object", additionalProperties: text },
  }),
} as const;

const usageResponse = {
  description: "One row for each bucket, usage type and group that has usage, ordered by startTime, then group",
  headers: basisHeaders,
  type: "object",
  properties: {
    serverlessCosts: { type: "array", items: rowSchemas.serverlessCosts },
    dedicatedCosts: { type: "array", items: rowSchemas.dedicatedCosts },
    trainingCosts: { type: "array", items: rowSchemas.trainingCosts },
  },
  required: ["serverlessCosts", "dedicatedCosts", "trainingCosts"],
  additionalProperties: false,
  examples: [
    {
      serverlessCosts: [
        {
          startTime: "2026-05-28T00:00:00Z",
          endTime: "2026-05-29T00:00:00Z",
          modelName: "accounts/fireworks/models/kimi-k2p6",
          promptTokens: "1842301",
          cachedPromptTokens: "0",
          uncachedPromptTokens: "1842301",
          completionTokens: "412980",
          audioInputSeconds: 0,
          imageCount: "0",
          usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
          apiKeyId: "",
          costNanoUsd: 3402105950,
          cost: { currencyCode: "USD", units: "3", nanos: 402105950 },
          unpricedQuantities: [],
          group: { model_name: "accounts/fireworks/models/kimi-k2p6" },
        },
      ],
      dedicatedCosts: [],
      trainingCosts: [],
    },
  ],
} as const;

const optionsResponse = {
  description: "The distinct values of each dimension in the range, each in the form of a filter",
  type: "object",
  properties: {
    filterOptions: { type: "object", properties: filterProperties, additionalProperties: false },
  },
  required: ["filterOptions"],
  examples: [{ filterOptions: { "annotations.team": { values: ["", "search"] } } }],
} as const;

const description = `Daily buckets in any time zone, grouped and filtered, with dollars on every row. Dimensions: ${DIMENSIONS.join(", ")}.`;
/** Room for a thousand filter values of any length. */
export const QUERY_BODY_BYTES_MAX = 1024 * 1024;

/** One is read by another thread while one is written. */
const REPORTS_AT_ONCE = 2;
/** A client that takes longer for its answer does not keep the others waiting. */
const TAKEN_MS_MAX = 250;
/** Bytes of answers that wait in memory for their clients, above which no more are made. */
const UNTAKEN_BYTES_MAX = 128 * 1024 * 1024;

export function usageReportRoutes(app: FastifyInstance, service: Service): void {
  const turns = new Turns(REPORTS_AT_ONCE);
  const buffers = new AnswerBuffers(REPORTS_AT_ONCE);
  let untaken = 0;
  /** Resolves when the client has taken the answer or gone, or takes long. */
  const taken = ({ raw }: FastifyReply, bytes: number): Promise<void> =>
    new Promise((resolve) => {
      if (raw.destroyed) return resolve();
      untaken += bytes;
      const timer = setTimeout(resolve, TAKEN_MS_MAX);
      raw.once("close", () => {
        untaken -= bytes;
        clearTimeout(timer);
        resolve();
      });
    });
  const answer = async (account: string, query: RawQuery, form: QueryForm, reply: FastifyReply) => {
    await turns.run(async () => {
      if (untaken > UNTAKEN_BYTES_MAX) throw overloaded();
      const { report, basis } = await service.billingUsage(account, query, form);
      const json = usageJson(report, buffers.take());
      // Then the system has all of it. An answer that broke off never finishes, and its memory is not used again.
      reply.raw.once("finish", () => buffers.give(json));
      tellBasis(reply, basis).type("application/json; charset=utf-8").send(json);
      await taken(reply, json.length);
    });
    return reply;
  };

  app.get(
    "/v1/accounts/:account_id/billingUsage",
    {
      config: { access: READERS },
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Reports"],
        operationId: "getBillingUsage",
        summary: "Usage and cost by day and group",
        description,
        params: accountParams,
        querystring: {
          type: "object",
          properties: { ...questionProperties, ...filterParameters },
          required: ["startTime", "endTime"],
        },
        response: { 200: usageResponse, default: errorSchema },
      },
    },
    async (request, reply) => {
      const { account_id: account } = request.params as { account_id: string };
      return answer(account, gatherFilters(request.query as Query), "query", reply);
    },
  );
  app.post(
    "/v1/accounts/:account_id/billingUsage::query",
    {
      config: { access: READERS },
      bodyLimit: QUERY_BODY_BYTES_MAX,
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Reports"],
        operationId: "queryBillingUsage",
        summary: "The same question as a JSON body",
        description,
        params: accountParams,
        body: {
          type: "object",
          properties: {
            ...questionProperties,
            filter: { type: "object", properties: filterProperties, additionalProperties: false },
          },
          required: ["startTime", "endTime"],
          examples: [
            {
              startTime: "2026-05-28T00:00:00Z",
              endTime: "2026-05-29T00:00:00Z",
              timezone: "America/Los_Angeles",
              groupBy: ["model_name", "annotations.team"],
              filter: { "annotations.environment": { values: ["prod"] } },
            },
          ],
        },
        response: { 200: usageResponse, default: errorSchema },
      },
    },
    async (request, reply) => {
      const { account_id: account } = request.params as { account_id: string };
      refuseParameters(request.query as Query);
      return answer(account, bodyOf(request.body), "body", reply);
    },
  );
  app.get(
    "/v1/accounts/:account_id/accountUsageFilterOptions",
    {
      config: { access: READERS },
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Reports"],
        operationId: "getAccountUsageFilterOptions",
        summary: "The values that filters can take",
        params: accountParams,
        querystring: { type: "object", properties: rangeProperties, required: ["startTime", "endTime"] },
        response: { 200: optionsResponse, default: errorSchema },
      },
    },
    async (request) => {
      const { account_id: account } = request.params as { account_id: string };
      const options = await service.filterOptions(account, request.query as Query);
      const entries = Object.entries(options).map(([dimension, values]) => [dimension, { values }]);
      return { filterOptions: Object.fromEntries(entries) };
    },
  );
}

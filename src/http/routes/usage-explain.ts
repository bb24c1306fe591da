/** Why one row of billingUsage is the number that it is, and the events that made it. */

import type { FastifyInstance, FastifyReply } from "fastify";
import { DIMENSIONS } from "../../domain/dimension.ts";
import { bodyOf, type QueryForm, type RawQuery } from "../../domain/query-checker.ts";
import { EXPLAIN_PAGE_SIZE, EXPLAIN_PAGE_SIZE_MAX, ROW_FIELDS } from "../../domain/usage-explain-query.ts";
import { usageExplanationJson } from "../../render/usage-explanation.ts";
import type { Service } from "../../service.ts";
import { gatherFilters, gatherObjects, type Query, refuseParameters } from "../query-string.ts";
import { basisHeaders, tellBasis } from "../report-basis.ts";
import { accountParams, errorSchema, judgedByCore } from "../schemas.ts";
import { explainResponse } from "./usage-explain-response.ts";
import { filterParameters, filterProperties, QUERY_BODY_BYTES_MAX, questionProperties } from "./usage-reports.ts";

const READERS = ["USER", "ADMIN", "OPERATOR"] as const;
const text = { type: "string" } as const;

const ROW_RULES: Readonly<Record<(typeof ROW_FIELDS)[number], string>> = {
  startTime: "The start of the row's bucket",
  usageType: "The row's usage type",
  placement: "Of dedicated deployments",
  baseModel: "Of dedicated deployments and training",
  trainingSessionId: "Of training",
};
const rowProperties = Object.fromEntries(ROW_FIELDS.map((name) => [name, { ...text, description: ROW_RULES[name] }]));
const groupProperties = Object.fromEntries(DIMENSIONS.map((name) => [name, text]));
const rowParameters = Object.fromEntries(
  ROW_FIELDS.map((name) => [`row[${name}]`, { ...text, description: ROW_RULES[name] }]),
);
const groupParameters = Object.fromEntries(
  DIMENSIONS.map((name) => [`group[${name}]`, { ...text, description: `The row's ${name}, of the grouping` }]),
);

const pageSize = `Events on a page: ${EXPLAIN_PAGE_SIZE} by default, more than ${EXPLAIN_PAGE_SIZE_MAX} counts as ${EXPLAIN_PAGE_SIZE_MAX}`;
const pageToken = { ...text, description: "The nextPageToken of the page before, of the same row" } as const;

const description = `The question is that of billingUsage; \`row\` and \`group\` name one of its rows. What is left out is not asked for, and
exactly one row must be left. Its cost is split into quantities at one price each, with the entry of the price book that
makes the price: they add up to the row's cost exactly. Its events are counted; \`events=true\` gives the events
themselves, voided ones too, in pages. Events are read when they are asked for, so usage that arrives in between may be
counted among them and not yet in the row.`;

export function usageExplainRoutes(app: FastifyInstance, service: Service): void {
  const answer = async (account: string, query: RawQuery, form: QueryForm, reply: FastifyReply) => {
    const { report, basis } = await service.explainUsage(account, query, form);
    return tellBasis(reply, basis).type("application/json; charset=utf-8").send(usageExplanationJson(report));
  };
  const response = { 200: { headers: basisHeaders, ...explainResponse }, default: errorSchema };
  const url = "/v1/accounts/:account_id/billingUsage::explain";

  app.get(
    url,
    {
      config: { access: READERS },
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Reports"],
        operationId: "explainBillingUsage",
        summary: "Why one row is the number that it is",
        description,
        params: accountParams,
        querystring: {
          type: "object",
          properties: {
            ...questionProperties,
            ...filterParameters,
            ...rowParameters,
            ...groupParameters,
            events: { ...text, enum: ["true", "false"], default: "false", description: "Also the events themselves" },
            pageSize: { ...text, description: pageSize, examples: ["50"] },
            pageToken,
          },
          required: ["startTime", "endTime"],
        },
        response,
      },
    },
    async (request, reply) => {
      const { account_id: account } = request.params as { account_id: string };
      return answer(account, gatherObjects(gatherFilters(request.query as Query)), "query", reply);
    },
  );
  app.post(
    url,
    {
      config: { access: READERS },
      bodyLimit: QUERY_BODY_BYTES_MAX,
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Reports"],
        operationId: "explainBillingUsageByBody",
        summary: "The same question as a JSON body",
        description,
        params: accountParams,
        body: {
          type: "object",
          properties: {
            ...questionProperties,
            filter: { type: "object", properties: filterProperties, additionalProperties: false },
            row: { type: "object", properties: rowProperties, additionalProperties: false },
            group: { type: "object", properties: groupProperties, additionalProperties: false },
            events: { type: "boolean", default: false, description: "Also the events themselves" },
            pageSize: { type: "integer", minimum: 0, description: pageSize },
            pageToken,
          },
          required: ["startTime", "endTime"],
          examples: [
            {
              startTime: "2026-06-20T00:00:00Z",
              endTime: "2026-06-21T00:00:00Z",
              groupBy: ["model_name"],
              row: { startTime: "2026-06-20T00:00:00Z" },
              group: { model_name: "accounts/fireworks/models/deepseek-v4-flash" },
            },
          ],
        },
        response,
      },
    },
    async (request, reply) => {
      const { account_id: account } = request.params as { account_id: string };
      refuseParameters(request.query as Query);
      return answer(account, bodyOf(request.body), "body", reply);
    },
  );
}

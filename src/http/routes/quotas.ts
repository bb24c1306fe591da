/** Quotas: what of something an account may use, and uses (contract, section 5). */

import type { FastifyInstance } from "fastify";
import { UNLIMITED } from "../../accounts/quotas.ts";
import { QUOTA_IDS, type QuotaPatch, ROLES } from "../../accounts/records.ts";
import { maySetMaxValue } from "../../accounts/roles.ts";
import { Fault, type Problem, problem, refuseIfAny } from "../../domain/fault.ts";
import { quotaJson } from "../../render/quotas.ts";
import type { Service } from "../../service.ts";
import { type PageQuery, pageAskOf, pageJson, pageQuery, pageReply } from "../paging.ts";
import { int64Of, sentInt64, timeSchema } from "../resource-fields.ts";
import { accountParams, errorSchema, noQuery } from "../schemas.ts";

const READERS = ["OPERATOR", "ADMIN", "USER"] as const;
const WRITERS = ["OPERATOR", "ADMIN"] as const;

const quotaExample = {
  name: "accounts/acme/quotas/monthly-spend-usd",
  value: "500",
  maxValue: "5000",
  usage: 417.250331904,
  updateTime: "2026-05-01T09:30:00Z",
} as const;

const quotaSchema = {
  type: "object",
  properties: {
    name: { type: "string" },
    value: { type: "string", description: `The limit, an int64 as text; ${UNLIMITED} is no limit` },
    maxValue: { type: "string", description: "The highest value that the account's administrators may set" },
    usage: {
      type: "number",
      description:
        "monthly-spend-usd: the dollars that the running month of the account's zone has cost up to now, over all streams, " +
        "to the nano; in UTC, the amount of its PENDING invoice. " +
        "serverless-inference-rpm: calls through the gateway in the last minute, of the account's busiest key.",
    },
    updateTime: { ...timeSchema, description: "The account's creation while nothing was set" },
  },
  required: Object.keys(quotaExample),
  additionalProperties: false,
  examples: [quotaExample],
} as const;

const quotaReply = { ...quotaSchema, description: "The quota" } as const;

const quotaParams = {
  type: "object",
  properties: { ...accountParams.properties, quota_id: { type: "string", description: QUOTA_IDS.join(" or ") } },
  required: ["account_id", "quota_id"],
} as const;

interface OneQuota {
  Params: { account_id: string; quota_id: string };
}

interface PatchQuota extends OneQuota {
  Body: { value?: string | number; maxValue?: string | number };
}

export function quotaRoutes(app: FastifyInstance, service: Service): void {
  readRoutes(app, service);
  patchRoute(app, service);
}

function readRoutes(app: FastifyInstance, service: Service): void {
  app.get<{ Params: { account_id: string }; Querystring: PageQuery }>(
    "/v1/accounts/:account_id/quotas",
    {
      config: { access: READERS },
      schema: {
        tags: ["Quotas"],
        operationId: "listQuotas",
        summary: "The quotas of an account, and what is used of them",
        params: accountParams,
        querystring: pageQuery,
        response: {
          200: pageReply("quotas", { what: "quotas", schema: quotaSchema, example: quotaExample }),
          default: errorSchema,
        },
      },
    },
    async ({ params, query }) =>
      pageJson("quotas", await service.listQuotas(params.account_id, pageAskOf(query)), quotaJson),
  );
  app.get<OneQuota>(
    "/v1/accounts/:account_id/quotas/:quota_id",
    {
      config: { access: READERS },
      schema: {
        tags: ["Quotas"],
        operationId: "getQuota",
        summary: "One quota",
        params: quotaParams,
        querystring: noQuery,
        response: { 200: quotaReply, default: errorSchema },
      },
    },
    async ({ params }) => quotaJson(await service.getQuota(params.account_id, params.quota_id)),
  );
}

function patchRoute(app: FastifyInstance, service: Service): void {
  app.patch<PatchQuota>(
    "/v1/accounts/:account_id/quotas/:quota_id",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Quotas"],
        operationId: "updateQuota",
        summary: "Set a quota's value, or as an operator its maxValue",
        description:
          "Send value, maxValue or both. An ADMIN sets the value up to the maxValue; only an OPERATOR changes the " +
          "maxValue. monthly-spend-usd is in whole dollars (public tiers: 50, 500, 5000, 50000, unlimited), and 0 " +
          "allows no spend at all; the months are of the account's zone. serverless-inference-rpm holds each key for " +
          "itself. The gateway refuses calls by both; usage that is written by other ways is never refused.",
        params: quotaParams,
        querystring: noQuery,
        body: {
          type: "object",
          properties: {
            value: { ...sentInt64, description: `0 to ${UNLIMITED}, at most the maxValue` },
            maxValue: { ...sentInt64, description: `0 to ${UNLIMITED}, at least the value` },
          },
          additionalProperties: false,
          examples: [{ value: "500", maxValue: "5000" }],
        },
        response: { 200: quotaReply, default: errorSchema },
      },
    },
    async ({ caller, params: { account_id: account, quota_id: id }, body }) => {
      const problems: Problem[] = [];
      const value = int64Of(body.value, "value", problems);
      const maxValue = int64Of(body.maxValue, "maxValue", problems);
      if (body.value === undefined && body.maxValue === undefined) {
        problems.push(problem("required", "value", { mend: "send value, maxValue or both" }));
      }
      refuseIfAny(problems);
      const patch: QuotaPatch = { value, maxValue };
      if (maxValue === undefined || maySetMaxValue(caller.role)) {
        return quotaJson(await service.patchQuota(account, id, patch));
      }
      // Whoever sends a quota back as it was read changes no maxValue.
      const { quota } = await service.getQuota(account, id);
      if (maxValue !== quota.maxValue) {
        throw new Fault(problem("role_too_low", "role", { value: caller.role, allowed: ROLES.filter(maySetMaxValue) }));
      }
      return quotaJson(await service.patchQuota(account, id, { value }));
    },
  );
}

/** Budgets of keys and tags: what a part of an account may spend a month (docs/gateway.md). */

import type { FastifyInstance } from "fastify";
import { BUDGETS_MAX, budgetProblems, THRESHOLD_USD_MAX } from "../../accounts/checks.ts";
import type { Budget, BudgetScope } from "../../accounts/records.ts";
import type { Accounts } from "../../accounts/store.ts";
import { checkAnnotations, TAG_NAMES } from "../../domain/annotations.ts";
import { type Problem, problem, refuseIfAny } from "../../domain/fault.ts";
import { formatInstant } from "../../domain/time.ts";
import { type PageQuery, pageAskOf, pageJson, pageQuery, pageReply } from "../paging.ts";
import { annotationsSchema, emptyReply, int64Of, newId, sentInt64, timeSchema } from "../resource-fields.ts";
import { accountParams, errorSchema, noQuery } from "../schemas.ts";
import type { RecordsContext } from "./accounts.ts";

const READERS = ["OPERATOR", "ADMIN", "USER"] as const;
const WRITERS = ["OPERATOR", "ADMIN"] as const;

const budgetExample = {
  name: "accounts/acme/budgets/search",
  annotation: { team: "search" },
  monthlyUsd: "500",
  createTime: "2026-05-01T09:30:00Z",
  updateTime: "2026-05-01T09:30:00Z",
} as const;

const monthlyUsd = { description: `Whole dollars a month of the account's zone, 0 to ${THRESHOLD_USD_MAX}` } as const;
const apiKeyId = { type: "string", description: "The key whose calls it holds" } as const;
const annotation = { ...annotationsSchema, description: "The one tag whose calls it holds" } as const;

const budgetSchema = {
  type: "object",
  properties: {
    name: { type: "string" },
    apiKeyId,
    annotation,
    monthlyUsd: { ...monthlyUsd, type: "string" },
    createTime: timeSchema,
    updateTime: timeSchema,
  },
  required: ["name", "monthlyUsd", "createTime", "updateTime"],
  additionalProperties: false,
  examples: [budgetExample],
} as const;

const budgetReply = { ...budgetSchema, description: "The budget" } as const;

const budgetParams = {
  type: "object",
  properties: { ...accountParams.properties, budget_id: { type: "string", description: "The bare id of the budget" } },
  required: ["account_id", "budget_id"],
} as const;

function budgetJson({ account, id, scope, monthlyUsd: dollars, createTime, updateTime }: Budget): object {
  return {
    name: `accounts/${account}/budgets/${id}`,
    ...(scope.kind === "apiKey" && { apiKeyId: scope.apiKeyId }),
    ...(scope.kind === "tag" && { annotation: { [scope.tag]: scope.value } }),
    monthlyUsd: `${dollars}`,
    createTime: formatInstant(createTime),
    updateTime: formatInstant(updateTime),
  };
}

interface InAccount {
  Params: { account_id: string };
}

interface CreateBudget extends InAccount {
  Querystring: { budgetId?: string };
  Body: {
    name?: string;
    apiKeyId?: string;
    annotation?: Readonly<Record<string, unknown>>;
    monthlyUsd: string | number;
  };
}

interface OneBudget {
  Params: { account_id: string; budget_id: string };
}

/** The scope that was sent; what is none is added to `problems`. */
function scopeOf({ apiKeyId: key, annotation: tags }: CreateBudget["Body"], problems: Problem[]): BudgetScope {
  const { kept, problems: wrong } = checkAnnotations(tags ?? {}, "annotation");
  problems.push(...wrong);
  const names = TAG_NAMES.filter((name) => kept[name] !== undefined);
  const [name] = names;
  const sent = (key === undefined ? 0 : 1) + names.length;
  if (sent !== 1 && wrong.length === 0) {
    problems.push(problem("required", "apiKeyId", { mend: "send it, or one annotation, and not both" }));
  }
  if (name === undefined) return { kind: "apiKey", apiKeyId: key ?? "" };
  return { kind: "tag", tag: name, value: kept[name]! };
}

export function budgetRoutes(app: FastifyInstance, { accounts }: RecordsContext): void {
  readRoute(app, accounts);
  createRoute(app, accounts);
  changeRoutes(app, accounts);
}

function readRoute(app: FastifyInstance, accounts: Accounts): void {
  app.get<InAccount & { Querystring: PageQuery }>(
    "/v1/accounts/:account_id/budgets",
    {
      config: { access: READERS },
      schema: {
        tags: ["Quotas"],
        operationId: "listBudgets",
        summary: "The budgets of an account's keys and tags",
        params: accountParams,
        querystring: pageQuery,
        response: {
          200: pageReply("budgets", { what: "budgets", schema: budgetSchema, example: budgetExample }),
          default: errorSchema,
        },
      },
    },
    async ({ params, query }) =>
      pageJson("budgets", await accounts.listBudgets(params.account_id, pageAskOf(query)), budgetJson),
  );
}

function createRoute(app: FastifyInstance, accounts: Accounts): void {
  app.post<CreateBudget>(
    "/v1/accounts/:account_id/budgets",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Quotas"],
        operationId: "createBudget",
        summary: "Hold a key, or what has a tag, to a spend a month",
        description:
          `Beside monthly-spend-usd, which holds the account: each call is held to every budget that it falls under. ` +
          `The gateway refuses calls by it; usage that is written by other ways counts and is never refused. At most ${BUDGETS_MAX}.`,
        params: accountParams,
        querystring: {
          type: "object",
          properties: { budgetId: { type: "string", description: "The bare id; or send the body's name" } },
          additionalProperties: false,
        },
        body: {
          type: "object",
          properties: {
            name: { type: "string", description: "search or accounts/acme/budgets/search" },
            apiKeyId,
            annotation,
            monthlyUsd: { ...sentInt64, ...monthlyUsd },
          },
          required: ["monthlyUsd"],
          additionalProperties: false,
          examples: [{ name: "search", annotation: { team: "search" }, monthlyUsd: "500" }],
        },
        response: { 200: budgetReply, default: errorSchema },
      },
    },
    async ({ params: { account_id: account }, query, body }) => {
      const prefix = `accounts/${account}/budgets/`;
      const id = newId({ parameter: "budgetId", sent: query.budgetId, name: body.name, prefix });
      const problems: Problem[] = [];
      const scope = scopeOf(body, problems);
      const dollars = int64Of(body.monthlyUsd, "monthlyUsd", problems);
      refuseIfAny([...budgetProblems({ id, monthlyUsd: dollars }), ...problems]);
      return budgetJson(await accounts.createBudget(account, { id, scope, monthlyUsd: dollars! }));
    },
  );
}

function changeRoutes(app: FastifyInstance, accounts: Accounts): void {
  app.patch<OneBudget & { Body: { monthlyUsd: string | number } }>(
    "/v1/accounts/:account_id/budgets/:budget_id",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Quotas"],
        operationId: "updateBudget",
        summary: "Change a budget's dollars, from the next call on",
        params: budgetParams,
        querystring: noQuery,
        body: {
          type: "object",
          properties: { monthlyUsd: { ...sentInt64, ...monthlyUsd } },
          required: ["monthlyUsd"],
          additionalProperties: false,
          examples: [{ monthlyUsd: "800" }],
        },
        response: { 200: budgetReply, default: errorSchema },
      },
    },
    async ({ params, body }) => {
      const problems: Problem[] = [];
      const dollars = int64Of(body.monthlyUsd, "monthlyUsd", problems);
      refuseIfAny([...problems, ...budgetProblems({ monthlyUsd: dollars })]);
      return budgetJson(await accounts.patchBudget(params.account_id, params.budget_id, dollars!));
    },
  );
  app.delete<OneBudget>(
    "/v1/accounts/:account_id/budgets/:budget_id",
    {
      config: { access: WRITERS },
      schema: {
        tags: ["Quotas"],
        operationId: "deleteBudget",
        summary: "Take a budget away",
        params: budgetParams,
        querystring: noQuery,
        response: { 200: emptyReply, default: errorSchema },
      },
    },
    async ({ params }) => {
      await accounts.deleteBudget(params.account_id, params.budget_id);
      return {};
    },
  );
}

/** Accounts, and whom a key stands for (contract, section 5). */

import type { FastifyInstance } from "fastify";
import { type Account, ROLES, SUSPEND_STATES } from "../../accounts/records.ts";
import type { Accounts } from "../../accounts/store.ts";
import { formatInstant, type Instant } from "../../domain/time.ts";
import type { Service } from "../../service.ts";
import { type PageQuery, pageAskOf, pageJson, pageQuery, pageReply } from "../paging.ts";
import { emptyReply, newId, optionalText, timeSchema } from "../resource-fields.ts";
import { accountParams, errorSchema, noQuery } from "../schemas.ts";

/** What the routes of records work with. */
export interface RecordsContext {
  readonly accounts: Accounts;
  readonly now: () => Instant;
}

const accountExample = {
  name: "accounts/acme",
  displayName: "Acme",
  createTime: "2026-05-01T09:30:00Z",
  accountType: "ENTERPRISE",
  email: "billing@acme.example",
  state: "READY",
  status: { code: "OK", message: "" },
  suspendState: "UNSUSPENDED",
  timezone: "UTC",
  updateTime: "2026-05-01T09:30:00Z",
} as const;

const zoneSchema = { type: "string", examples: ["UTC"] } as const;

const accountSchema = {
  type: "object",
  properties: {
    name: { type: "string" },
    displayName: { type: "string" },
    createTime: timeSchema,
    accountType: { type: "string", enum: ["ENTERPRISE"] },
    email: { type: "string" },
    state: { type: "string", enum: ["READY"] },
    status: {
      type: "object",
      properties: { code: { type: "string" }, message: { type: "string" } },
      required: ["code", "message"],
      additionalProperties: false,
    },
    suspendState: {
      type: "string",
      enum: SUSPEND_STATES,
      description: "MONTHLY_SPEND_LIMIT_EXCEEDED while the month's spend is at monthly-spend-usd or above",
    },
    timezone: { ...zoneSchema, description: "The IANA zone whose months limits and budgets count" },
    updateTime: timeSchema,
  },
  required: Object.keys(accountExample),
  additionalProperties: false,
  examples: [accountExample],
} as const;

const accountReply = { ...accountSchema, description: "The account" } as const;

function accountJson(account: Account): object {
  return {
    name: `accounts/${account.id}`,
    displayName: account.displayName,
    createTime: formatInstant(account.createTime),
    accountType: "ENTERPRISE",
    email: account.email,
    state: "READY",
    status: { code: "OK", message: "" },
    suspendState: account.suspendState,
    timezone: account.timezone,
    updateTime: formatInstant(account.updateTime),
  };
}

interface CreateAccount {
  Querystring: { accountId?: string };
  Body: { name?: string } & PatchAccount["Body"];
}

interface PatchAccount {
  Params: { account_id: string };
  Body: { displayName?: string; email?: string; timezone?: string };
}

const patchProperties = {
  displayName: optionalText,
  email: optionalText,
  timezone: { ...zoneSchema, description: "An IANA zone; UTC by default" },
} as const;

export function accountRoutes(app: FastifyInstance, service: Service): void {
  readRoutes(app, service);
  writeRoutes(app, service);
}

function readRoutes(app: FastifyInstance, service: Service): void {
  app.get<{ Querystring: PageQuery }>(
    "/v1/accounts",
    {
      config: { access: ROLES },
      schema: {
        tags: ["Accounts"],
        operationId: "listAccounts",
        summary: "The accounts that the key can see",
        querystring: pageQuery,
        response: {
          200: pageReply("accounts", { what: "accounts", schema: accountSchema, example: accountExample }),
          default: errorSchema,
        },
      },
    },
    async ({ caller, query }) => {
      const only = caller.role === "OPERATOR" ? undefined : caller.account;
      return pageJson("accounts", await service.listAccounts(only, pageAskOf(query)), accountJson);
    },
  );
  app.get<{ Params: { account_id: string } }>(
    "/v1/accounts/:account_id",
    {
      config: { access: ROLES },
      schema: {
        tags: ["Accounts"],
        operationId: "getAccount",
        summary: "One account",
        params: accountParams,
        querystring: noQuery,
        response: { 200: accountReply, default: errorSchema },
      },
    },
    async ({ params }) => accountJson(await service.getAccount(params.account_id)),
  );
  app.get(
    "/verifyApiKey",
    {
      config: { access: ROLES },
      schema: {
        tags: ["Accounts"],
        operationId: "verifyApiKey",
        summary: "Whether the key is valid, and of which account",
        querystring: noQuery,
        response: {
          200: {
            ...emptyReply,
            description: "The key is valid",
            headers: { "x-fireworks-account-id": { type: "string", description: "The key's account" } },
          },
          default: errorSchema,
        },
      },
    },
    async ({ caller }, reply) => {
      reply.header("x-fireworks-account-id", caller.account);
      return {};
    },
  );
}

function writeRoutes(app: FastifyInstance, service: Service): void {
  app.post<CreateAccount>(
    "/v1/accounts",
    {
      config: { access: ["OPERATOR"] },
      schema: {
        tags: ["Accounts"],
        operationId: "createAccount",
        summary: "Make an account, with a user admin",
        querystring: {
          type: "object",
          properties: { accountId: { type: "string", description: "The bare id; or send the body's name" } },
          additionalProperties: false,
        },
        body: {
          type: "object",
          properties: {
            name: { type: "string", description: "acme or accounts/acme" },
            ...patchProperties,
          },
          additionalProperties: false,
          examples: [{ name: "acme", displayName: "Acme", email: "billing@acme.example" }],
        },
        response: { 200: accountReply, default: errorSchema },
      },
    },
    async ({ query, body: { name, ...body } }) => {
      const id = newId({ parameter: "accountId", sent: query.accountId, name, prefix: "accounts/" });
      return accountJson(await service.accounts.createAccount({ id, ...body }));
    },
  );
  app.patch<PatchAccount>(
    "/v1/accounts/:account_id",
    {
      config: { access: ["OPERATOR", "ADMIN"] },
      schema: {
        tags: ["Accounts"],
        operationId: "updateAccount",
        summary: "Change an account's name, email or time zone",
        description:
          "Limits and budgets count the months of the new zone from now on. Invoices stay UTC months, whatever the zone.",
        params: accountParams,
        querystring: noQuery,
        body: {
          type: "object",
          properties: patchProperties,
          minProperties: 1,
          additionalProperties: false,
          examples: [{ timezone: "America/Los_Angeles" }],
        },
        response: { 200: accountReply, default: errorSchema },
      },
    },
    async ({ params, body }) => accountJson(await service.patchAccount(params.account_id, body)),
  );
}

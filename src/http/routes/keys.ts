/** API keys (contract, section 5). */

import type { FastifyInstance } from "fastify";
import { FIRST_ADMIN } from "../../accounts/accounts.ts";
import { keyProblems } from "../../accounts/checks.ts";
import { type ApiKey, type Caller, type NewApiKey, ROLES, type Role } from "../../accounts/records.ts";
import { defaultKeyRole, grantersOf, mayManageKey, mayManageKeysOf } from "../../accounts/roles.ts";
import { Fault, type Problem, problem, refuseIfAny } from "../../domain/fault.ts";
import { formatInstant } from "../../domain/time.ts";
import { type PageQuery, pageAskOf, pageJson, pageQuery, pageReply } from "../paging.ts";
import { annotationsSchema, emptyReply, instantOf, optionalText, timeSchema } from "../resource-fields.ts";
import { errorSchema, noQuery } from "../schemas.ts";
import type { RecordsContext } from "./accounts.ts";
import { userParams } from "./users.ts";

/** Stands for all users. */
const ANY_USER = "-";

const keyExample = {
  keyId: "key_4nMFyHCSZP4CRKqa",
  displayName: "prod-eng",
  createTime: "2026-05-01T09:30:00Z",
  secure: true,
  email: "ada@acme.example",
  prefix: "fw_3ZdB2",
  annotations: { team: "search" },
  role: "USER",
} as const;

const keySchema = {
  type: "object",
  properties: {
    keyId: { type: "string" },
    displayName: { type: "string" },
    key: { type: "string", description: "The key itself; only in the reply that makes it" },
    createTime: timeSchema,
    secure: { type: "boolean", description: "Always true: only a SHA-256 of the key is kept" },
    email: { type: "string", description: "The user's" },
    prefix: { type: "string", description: "The first characters of the key" },
    expireTime: timeSchema,
    annotations: annotationsSchema,
    lastUsed: { ...timeSchema, description: "To the minute; left out when never used" },
    role: { type: "string", enum: ROLES },
  },
  required: Object.keys(keyExample),
  additionalProperties: false,
  examples: [keyExample],
} as const;

function keyJson(key: ApiKey, keyText?: string): object {
  return {
    keyId: key.keyId,
    displayName: key.displayName,
    ...(keyText !== undefined && { key: keyText }),
    createTime: formatInstant(key.createTime),
    secure: true,
    email: key.email,
    prefix: key.prefix,
    ...(key.expireTime !== undefined && { expireTime: formatInstant(key.expireTime) }),
    annotations: key.annotations,
    ...(key.lastUsed !== undefined && { lastUsed: formatInstant(key.lastUsed) }),
    role: key.role,
  };
}

interface CreateKey {
  Params: { account_id: string; user_id: string };
  Body: {
    apiKey?: { displayName?: string; expireTime?: string; annotations?: Record<string, unknown>; role?: Role };
  };
}

interface DeleteKey {
  Params: { account_id: string; user_id: string };
  Body: { keyId: string };
}

function tooLow(caller: Caller, allowed: readonly Role[]): Fault {
  return new Fault(problem("role_too_low", "role", { value: caller.role, allowed }));
}

/** @throws Fault `role_too_low` when the caller has nothing to do with this user's keys. */
function checkUser(caller: Caller, account: string, user: string): void {
  if (!mayManageKeysOf(caller, account, user)) throw tooLow(caller, ["OPERATOR", "ADMIN"]);
}

export function keyRoutes(app: FastifyInstance, context: RecordsContext): void {
  listRoute(app, context);
  createRoute(app, context);
  deleteRoute(app, context);
}

function listRoute(app: FastifyInstance, { accounts }: RecordsContext): void {
  app.get<{ Params: { account_id: string; user_id: string }; Querystring: PageQuery }>(
    "/v1/accounts/:account_id/users/:user_id/apiKeys",
    {
      config: { access: ["OPERATOR", "ADMIN", "USER"] },
      schema: {
        tags: ["API keys"],
        operationId: "listApiKeys",
        summary: "The keys of a user, or with - of all users",
        description: "Revoked keys are not listed, expired ones are. A key of role USER sees its own user's keys only.",
        params: userParams,
        querystring: pageQuery,
        response: {
          200: pageReply("apiKeys", { what: "keys", schema: keySchema, example: keyExample }),
          default: errorSchema,
        },
      },
    },
    async ({ caller, params: { account_id: account, user_id }, query }) => {
      let user: string | undefined = user_id;
      if (user_id === ANY_USER) user = caller.role === "USER" ? caller.user : undefined;
      else {
        checkUser(caller, account, user_id);
        await accounts.getUser(account, user_id);
      }
      return pageJson("apiKeys", await accounts.listKeys(account, user, pageAskOf(query)), (key) => keyJson(key));
    },
  );
}

function createRoute(app: FastifyInstance, { accounts, now }: RecordsContext): void {
  app.post<CreateKey>(
    "/v1/accounts/:account_id/users/:user_id/apiKeys",
    {
      config: { access: ["OPERATOR", "ADMIN", "USER"] },
      schema: {
        tags: ["API keys"],
        operationId: "createApiKey",
        summary: "Make a key; the reply shows it this once",
        description: `The user - is the caller's own, or ${FIRST_ADMIN} in another account. No role gives more than it has.`,
        params: userParams,
        querystring: noQuery,
        body: {
          type: "object",
          properties: {
            apiKey: {
              type: "object",
              properties: {
                displayName: { ...optionalText, default: "default" },
                expireTime: { ...timeSchema, description: "After now; the key never expires when left out" },
                annotations: annotationsSchema,
                role: { type: "string", enum: ROLES, description: "The user's role when left out" },
              },
              additionalProperties: false,
            },
          },
          additionalProperties: false,
          examples: [{ apiKey: { displayName: "prod-eng", annotations: { team: "search" } } }],
        },
        response: {
          200: {
            ...keySchema,
            description: "The key",
            examples: [{ ...keyExample, key: "fw_3ZdB2cQ9m0JkR7vXtY5uWnE8aLhPsG4o" }],
          },
          default: errorSchema,
        },
      },
    },
    async ({ caller, params: { account_id: account, user_id }, body: { apiKey = {} } }) => {
      const own = caller.account === account ? caller.user : FIRST_ADMIN;
      const user = user_id === ANY_USER ? own : user_id;
      checkUser(caller, account, user);
      const role = apiKey.role ?? defaultKeyRole(caller.role, (await accounts.getUser(account, user)).role);
      if (!mayManageKey(caller, { account, user, role })) throw tooLow(caller, grantersOf(role));
      const problems: Problem[] = [];
      const expireTime = instantOf(apiKey.expireTime, "apiKey.expireTime", problems);
      const { displayName, annotations } = apiKey;
      const ask: NewApiKey = { displayName, role, expireTime, annotations };
      refuseIfAny([...problems, ...keyProblems(ask, now())]);
      const made = await accounts.createKey(account, user, ask);
      return keyJson(made.apiKey, made.key);
    },
  );
}

function deleteRoute(app: FastifyInstance, { accounts }: RecordsContext): void {
  app.post<DeleteKey>(
    "/v1/accounts/:account_id/users/:user_id/apiKeys::delete",
    {
      config: { access: ["OPERATOR", "ADMIN", "USER"] },
      schema: {
        tags: ["API keys"],
        operationId: "deleteApiKey",
        summary: "Revoke a key, from now on and for ever",
        params: userParams,
        querystring: noQuery,
        body: {
          type: "object",
          properties: { keyId: { type: "string" } },
          required: ["keyId"],
          additionalProperties: false,
          examples: [{ keyId: "key_4nMFyHCSZP4CRKqa" }],
        },
        response: { 200: emptyReply, default: errorSchema },
      },
    },
    async ({ caller, params: { account_id: account, user_id }, body: { keyId } }) => {
      if (user_id !== ANY_USER) checkUser(caller, account, user_id);
      const key = await accounts.findKey(account, keyId);
      const named = key && (user_id === ANY_USER || key.user === user_id);
      if (!named || !mayManageKeysOf(caller, account, key.user)) {
        throw new Fault(problem("not_found", "keyId", { value: keyId }));
      }
      if (!mayManageKey(caller, key)) throw tooLow(caller, grantersOf(key.role));
      await accounts.revokeKey(account, keyId);
      return {};
    },
  );
}

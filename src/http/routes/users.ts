/** The users of an account (contract, section 5). */

import type { FastifyInstance } from "fastify";
import { ROLES, type Role, type User } from "../../accounts/records.ts";
import { grantableRoles, grantersOf } from "../../accounts/roles.ts";
import { Fault, problem } from "../../domain/fault.ts";
import { formatInstant } from "../../domain/time.ts";
import { type PageQuery, pageAskOf, pageJson, pageQuery, pageReply } from "../paging.ts";
import { newId, optionalText, timeSchema } from "../resource-fields.ts";
import { accountParams, errorSchema, noQuery } from "../schemas.ts";
import type { RecordsContext } from "./accounts.ts";

const userExample = {
  name: "accounts/acme/users/ada",
  displayName: "Ada",
  email: "ada@acme.example",
  role: "USER",
  createTime: "2026-05-01T09:30:00Z",
} as const;

const userSchema = {
  type: "object",
  properties: {
    name: { type: "string" },
    displayName: { type: "string" },
    email: { type: "string" },
    role: { type: "string", enum: ROLES },
    createTime: timeSchema,
  },
  required: Object.keys(userExample),
  additionalProperties: false,
  examples: [userExample],
} as const;

/** The path parameters of one user. */
export const userParams = {
  type: "object",
  properties: { ...accountParams.properties, user_id: { type: "string", description: "The bare id of the user" } },
  required: ["account_id", "user_id"],
} as const;

function userJson(user: User): object {
  return {
    name: `accounts/${user.account}/users/${user.id}`,
    displayName: user.displayName,
    email: user.email,
    role: user.role,
    createTime: formatInstant(user.createTime),
  };
}

interface CreateUser {
  Params: { account_id: string };
  Querystring: { userId?: string };
  Body: { name?: string; displayName?: string; email?: string; role?: Role };
}

export function userRoutes(app: FastifyInstance, { accounts }: RecordsContext): void {
  app.get<{ Params: { account_id: string }; Querystring: PageQuery }>(
    "/v1/accounts/:account_id/users",
    {
      config: { access: ["OPERATOR", "ADMIN", "USER"] },
      schema: {
        tags: ["Accounts"],
        operationId: "listUsers",
        summary: "The users of an account",
        params: accountParams,
        querystring: pageQuery,
        response: {
          200: pageReply("users", { what: "users", schema: userSchema, example: userExample }),
          default: errorSchema,
        },
      },
    },
    async ({ params, query }) =>
      pageJson("users", await accounts.listUsers(params.account_id, pageAskOf(query)), userJson),
  );
  app.post<CreateUser>(
    "/v1/accounts/:account_id/users",
    {
      config: { access: ["OPERATOR", "ADMIN"] },
      schema: {
        tags: ["Accounts"],
        operationId: "createUser",
        summary: "Make a user",
        params: accountParams,
        querystring: {
          type: "object",
          properties: { userId: { type: "string", description: "The bare id; or send the body's name" } },
          additionalProperties: false,
        },
        body: {
          type: "object",
          properties: {
            name: { type: "string", description: "ada or accounts/acme/users/ada" },
            displayName: optionalText,
            email: optionalText,
            role: { type: "string", enum: ROLES, default: "USER", description: "What the user's keys may do" },
          },
          additionalProperties: false,
          examples: [{ name: "ada", displayName: "Ada", email: "ada@acme.example", role: "USER" }],
        },
        response: { 200: { ...userSchema, description: "The user" }, default: errorSchema },
      },
    },
    async ({ caller, params, query, body }) => {
      const { name, displayName, email, role = "USER" } = body;
      if (!grantableRoles(caller.role).includes(role)) {
        throw new Fault(problem("role_too_low", "role", { value: caller.role, allowed: grantersOf(role) }));
      }
      const prefix = `accounts/${params.account_id}/users/`;
      const id = newId({ parameter: "userId", sent: query.userId, name, prefix });
      return userJson(await accounts.createUser(params.account_id, { id, displayName, email, role }));
    },
  );
  app.get<{ Params: { account_id: string; user_id: string } }>(
    "/v1/accounts/:account_id/users/:user_id",
    {
      config: { access: ["OPERATOR", "ADMIN", "USER"] },
      schema: {
        tags: ["Accounts"],
        operationId: "getUser",
        summary: "One user",
        params: userParams,
        querystring: noQuery,
        response: { 200: { ...userSchema, description: "The user" }, default: errorSchema },
      },
    },
    async ({ params }) => userJson(await accounts.getUser(params.account_id, params.user_id)),
  );
}

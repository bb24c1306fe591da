/** Price books: every version that was ever put, and what another one would change. The operator's. */

import type { FastifyInstance, FastifyRequest } from "fastify";
import { LIST_SCOPE } from "../../accounts/price-books.ts";
import type { Accounts } from "../../accounts/store.ts";
import { Fault, problem } from "../../domain/fault.ts";
import { parseAccount, parseVersion } from "../../domain/price-diff-query.ts";
import { bookCheckJson, priceBookJson } from "../../render/price-books.ts";
import type { Service } from "../../service.ts";
import { takeJson } from "../json-body.ts";
import { type PageQuery, pageAskOf, pageJson, pageQuery, pageReply } from "../paging.ts";
import { type Query, refuseParameters } from "../query-string.ts";
import { errorSchema, noQuery } from "../schemas.ts";
import {
  accountSchema,
  bookExample,
  bookSchema,
  checkReply,
  DOCUMENT,
  documentReply,
  documentSchema,
} from "./price-book-schemas.ts";
import { priceDiffRoute } from "./price-diff.ts";

const OPERATOR = ["OPERATOR"] as const;
/** A text of the largest size as JSON, with room for what is escaped in it. */
const BODY_BYTES_MAX = 12 * 1024 * 1024;
const YAML_TYPES = ["application/yaml", "application/x-yaml", "text/yaml"];

interface SentBook {
  Querystring: { account?: string };
  Body: string | { readonly priceBook: { readonly account?: string; readonly document: string } } | undefined;
}

/** A scope of its own: books come as YAML too. */
export function priceBookRoutes(app: FastifyInstance, service: Service): void {
  takeJson(app);
  app.addContentTypeParser(YAML_TYPES, { parseAs: "buffer" }, (_, body, done) => {
    try {
      done(null, new TextDecoder("utf-8", { fatal: true }).decode(body as Buffer));
    } catch {
      done(new Fault(problem("bad_utf8", "body")));
    }
  });
  writeRoutes(app, service);
  readRoutes(app, service.accounts);
  priceDiffRoute(app, service);
}

/** A book as JSON, or its YAML itself. */
const sentBook = {
  querystring: {
    type: "object",
    properties: { account: { ...accountSchema, description: `Beside a YAML body: ${accountSchema.description}` } },
    additionalProperties: false,
  },
  body: {
    content: {
      "application/json": {
        schema: {
          type: "object",
          properties: {
            priceBook: {
              type: "object",
              properties: { account: accountSchema, document: documentSchema },
              required: ["document"],
              additionalProperties: false,
            },
          },
          required: ["priceBook"],
          additionalProperties: false,
          examples: [{ priceBook: { account: "acme", document: DOCUMENT } }],
        },
      },
      "application/yaml": { schema: documentSchema },
    },
  },
} as const;

/** The scope and the text of a request. @throws Fault `bad_id`. */
function bookOf({ query, body }: Pick<FastifyRequest<SentBook>, "query" | "body">) {
  if (typeof body === "string") return { account: scopeOf(query.account, "account"), document: body };
  refuseParameters(query as Query);
  // The schema judges a body by its type, and a call without any body has none.
  if (body === undefined) throw new Fault(problem("required", "priceBook", { mend: "send it" }));
  const { account, document } = body.priceBook;
  return { account: scopeOf(account, "priceBook.account"), document };
}

function writeRoutes(app: FastifyInstance, service: Service): void {
  app.post<SentBook>(
    "/v1/priceBooks",
    {
      config: { access: OPERATOR },
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        tags: ["Price books"],
        operationId: "putPriceBook",
        summary: "Put a new version of the list, or of an account's contract",
        description:
          "The version holds for every report from now on. No version is ever changed or deleted, and no invoice that " +
          "was issued changes by a later one. The same text as the newest version changes nothing. A book with mistakes " +
          "is refused whole, each mistake with its line. Send the YAML itself as application/yaml, with ?account= for a " +
          "contract, or JSON.",
        ...sentBook,
        response: { 200: { ...bookSchema, description: "The version that holds now" }, default: errorSchema },
      },
    },
    async (request) =>
      priceBookJson(await service.putPriceBook({ ...bookOf(request), createdBy: request.caller.keyId })),
  );
  app.post<SentBook>(
    "/v1/priceBooks::check",
    {
      config: { access: OPERATOR },
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        tags: ["Price books"],
        operationId: "checkPriceBook",
        summary: "Read a price book and put it nowhere",
        description: "Refuses what a put refuses, and tells what of a book without mistakes is worth a look.",
        ...sentBook,
        response: { 200: checkReply, default: errorSchema },
      },
    },
    async (request) => bookCheckJson(await service.checkPriceBook(bookOf(request))),
  );
}

/** The scope that an account's name stands for. @throws Fault `bad_id`. */
function scopeOf(name: string | undefined, field: string): string {
  if (name === undefined || name === "") return LIST_SCOPE;
  const account = parseAccount(name);
  if (account === undefined) throw new Fault(problem("bad_id", field, { value: name }));
  return account;
}

function readRoutes(app: FastifyInstance, accounts: Accounts): void {
  app.get<{ Querystring: PageQuery & { account?: string } }>(
    "/v1/priceBooks",
    {
      config: { access: OPERATOR },
      schema: {
        tags: ["Price books"],
        operationId: "listPriceBooks",
        summary: "Every version that was put, newest first",
        querystring: {
          ...pageQuery,
          properties: {
            account: { ...accountSchema, description: "Only the contracts of this account" },
            ...pageQuery.properties,
          },
        },
        response: {
          200: pageReply("priceBooks", {
            what: "versions, without their texts",
            schema: bookSchema,
            example: bookExample,
          }),
          default: errorSchema,
        },
      },
    },
    async ({ query }) => {
      const account = scopeOf(query.account, "account");
      if (account !== LIST_SCOPE) await accounts.getAccount(account);
      const only = account === LIST_SCOPE ? undefined : account;
      return pageJson("priceBooks", await accounts.listPriceBooks(only, pageAskOf(query)), priceBookJson);
    },
  );
  app.get<{ Params: { version: string } }>(
    "/v1/priceBooks/:version",
    {
      config: { access: OPERATOR },
      schema: {
        tags: ["Price books"],
        operationId: "getPriceBook",
        summary: "One version with its text",
        params: {
          type: "object",
          properties: { version: { type: "string", description: "Its number" } },
          required: ["version"],
        },
        querystring: noQuery,
        response: { 200: documentReply, default: errorSchema },
      },
    },
    async ({ params }) => {
      const version = parseVersion(params.version);
      if (version === undefined) throw new Fault(problem("not_found", "priceBook", { value: params.version }));
      return priceBookJson(await accounts.getPriceBook(version));
    },
  );
}

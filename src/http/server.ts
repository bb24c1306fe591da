/** The HTTP face: one Fastify server, one schema a route, every refusal in the contract's form. */

import { randomUUID } from "node:crypto";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { Fault, problem } from "../domain/fault.ts";
import { BODY_BYTES_MAX } from "../domain/usage.ts";
import type { Service } from "../service.ts";
import { answerUnreadable, HEADER_BYTES_MAX, sendError } from "./errors.ts";
import { takeJson } from "./json-body.ts";
import { type Metrics, makeMetrics } from "./metrics.ts";
import { describeApi } from "./openapi.ts";
import { parseQuery } from "./query-string.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { billingRoutes } from "./routes/billing.ts";
import { billingSummaryRoutes } from "./routes/billing-summary.ts";
import { budgetRoutes } from "./routes/budgets.ts";
import { deploymentRoutes } from "./routes/deployments.ts";
import { keyRoutes } from "./routes/keys.ts";
import { metricsExportRoutes } from "./routes/metrics-export.ts";
import { operationRoutes } from "./routes/operations.ts";
import { priceBookRoutes } from "./routes/price-books.ts";
import { priceExplanationRoutes } from "./routes/price-explanation.ts";
import { quotaRoutes } from "./routes/quotas.ts";
import { usageCostsRoutes } from "./routes/usage-costs.ts";
import { keptEventRoutes, usageEventRoutes } from "./routes/usage-events.ts";
import { usageExplainRoutes } from "./routes/usage-explain.ts";
import { usageReportRoutes } from "./routes/usage-reports.ts";
import { usageTailRoute } from "./routes/usage-tail.ts";
import { userRoutes } from "./routes/users.ts";
import "./types.ts";

export interface ServerOptions {
  readonly service: Service;
  /** Where the JSON log lines go; none when left out. */
  readonly log?: { write(line: string): void };
  /** Milliseconds a client may take to send its headers and body; 60,000 when left out. Headers have a third of it. */
  readonly arrivalMsMax?: number;
  /** Adds what else answers at this address, such as the gateway, to a scope of its own. */
  readonly addRoutes?: (scope: FastifyInstance, metrics: Metrics) => void | Promise<void>;
}

const ARRIVAL_MS_MAX = 60_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Milliseconds that calls under way have to end after the server was told to close. */
const CLOSE_MS_MAX = 10_000;
/** Milliseconds that a client has to read the answer to a body that is longer than any may be. */
const OVERLONG_MS_MAX = 1_000;
/** An event id of 256 characters, each percent-encoded. */
const PATH_PART_CHARACTERS_MAX = 4_096;
/** A body of a record; routes that take longer ones say so themselves. */
const JSON_BODY_BYTES_MAX = 64 * 1024;

/** Builds the server; the caller listens and closes. */
export async function buildServer(options: ServerOptions): Promise<FastifyInstance> {
  const { service, arrivalMsMax = ARRIVAL_MS_MAX } = options;
  const app = Fastify({
    logger: options.log ? { level: "info", stream: options.log, serializers: { req: loggedRequest } } : false,
    genReqId: requestId,
    requestIdHeader: false,
    bodyLimit: JSON_BODY_BYTES_MAX,
    requestTimeout: arrivalMsMax,
    // A client that neither sends nor reads for so long is gone.
    connectionTimeout: 2 * arrivalMsMax,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: "idle",
    // Node's own refusal of a request without Host has no body; ours has.
    http: {
      maxHeaderSize: HEADER_BYTES_MAX,
      requireHostHeader: false,
      headersTimeout: Math.floor(arrivalMsMax / 3),
      connectionsCheckingInterval: Math.floor(arrivalMsMax / 12),
    },
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
    clientErrorHandler: answerUnreadable,
    routerOptions: { querystringParser: parseQuery, maxParamLength: PATH_PART_CHARACTERS_MAX },
    ajv: {
      customOptions: {
        allErrors: true,
        allowUnionTypes: true,
        verbose: true,
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
      },
    },
  });
  const metrics = makeMetrics();
  // Answers are made by our own renderers; a serializer that drops or converts fields has no place here.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request, reply) =>
    sendError(new Fault(problem("route_not_found", "path", { value: request.url.split("?")[0] })), request, reply),
  );
  leaveUnread(app);
  endOverlong(app);
  endSoon(app);
  guard(app, service);
  count(app, metrics);
  await describeApi(app);
  await app.register(async (scope) => {
    takeJson(scope);
    const context = { accounts: service.accounts, now: service.now };
    operationRoutes(scope, service, metrics);
    accountRoutes(scope, service);
    userRoutes(scope, context);
    keyRoutes(scope, context);
    deploymentRoutes(scope, context);
    quotaRoutes(scope, service);
    budgetRoutes(scope, context);
    billingRoutes(scope, service);
    usageTailRoute(scope, service);
    keptEventRoutes(scope, service, metrics);
    usageReportRoutes(scope, service);
    usageExplainRoutes(scope, service);
    metricsExportRoutes(scope, service);
    billingSummaryRoutes(scope, service);
    usageCostsRoutes(scope, service);
    priceExplanationRoutes(scope, service);
  });
  await app.register(async (scope) => priceBookRoutes(scope, service));
  await app.register(async (scope) => usageEventRoutes(scope, service, metrics));
  await app.register(async (scope) => options.addRoutes?.(scope, metrics));
  await app.ready();
  return app;
}

/** A path that is not there is told so whatever the body: each scope of routes says which bodies it reads. */
function leaveUnread(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _body, done) => done(null));
}

/**
 * An answer may leave before the body has come, as every refusal of a key does. What is left of the body is read and
 * thrown away, so that the client gets to the answer, but no more than a body may have. Then nothing more is taken, and
 * the connection ends a moment later: at once, it could end under a client that sends and has not read yet.
 */
function endOverlong(app: FastifyInstance): void {
  app.addHook("onSend", async ({ raw }, reply) => {
    if (raw.complete || raw.destroyed) return;
    // The framework ends the connection of a body that is too large: then the client's next write kills the answer.
    reply.removeHeader("connection");
    let left = BODY_BYTES_MAX;
    raw.on("data", (part: Buffer) => {
      left -= part.length;
      if (left >= 0 || raw.isPaused()) return;
      raw.pause();
      setTimeout(() => raw.destroy(), OVERLONG_MS_MAX).unref();
    });
  });
}

/** What a log line tells of a request. The query is left out: a key may have been put there by mistake. */
function loggedRequest(request: FastifyRequest): Record<string, unknown> {
  return { method: request.method, path: request.url.split("?")[0], remoteAddress: request.ip };
}

const REQUEST_ID = /^[\w.:-]{1,128}$/;

function requestId(request: { headers: Record<string, unknown> }): string {
  const sent = request.headers["x-request-id"];
  return typeof sent === "string" && REQUEST_ID.test(sent) ? sent : randomUUID();
}

/**
 * Once the server closes, every answer ends its connection, and a client that is silent in the middle of a call is cut
 * off: Node no longer enforces its own time limits then, and a kept connection would hold up the end for minutes.
 */
function endSoon(app: FastifyInstance): void {
  let closing = false;
  app.addHook("preClose", async () => {
    closing = true;
    setTimeout(() => app.server.closeAllConnections(), CLOSE_MS_MAX).unref();
  });
  app.addHook("onSend", async (_, reply) => {
    if (closing) reply.header("connection", "close");
  });
}

/** Who calls, and may they: before any body is read. */
function guard(app: FastifyInstance, service: Service): void {
  app.decorateRequest("caller");
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    if (request.headers.host === undefined && request.raw.httpVersion === "1.1") {
      throw new Fault(problem("bad_request", "Host", { reason: "it is missing, and HTTP/1.1 asks for it" }));
    }
    const access = request.routeOptions.config.access;
    if (request.is404 || access === "public") return;
    const caller = await service.accounts.authenticate(bearer(request));
    if (!caller) throw new Fault(problem("unauthenticated", "Authorization"));
    request.caller = caller;
    const account = (request.params as { account_id?: string }).account_id;
    if (account !== undefined && caller.role !== "OPERATOR" && caller.account !== account) throw unseen(account);
    if (access && !access.includes(caller.role)) {
      throw new Fault(problem("role_too_low", "role", { value: caller.role, allowed: access }));
    }
    // Only an operator gets here with an account that may not exist.
    if (account !== undefined && caller.account !== account && !(await service.accounts.hasAccount(account))) {
      throw unseen(account);
    }
  });
}

/** The same answer whether the account exists or not, for a key that may not see it. */
function unseen(account: string): Fault {
  return new Fault(problem("not_found", "account", { value: account }));
}

function bearer(request: FastifyRequest): string {
  const [scheme = "", key = ""] = (request.headers.authorization ?? "").split(/ +/);
  return scheme.toLowerCase() === "bearer" ? key.trim() : "";
}

function count(app: FastifyInstance, metrics: Metrics): void {
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    metrics.requests.observe(
      { method: request.method, route, status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
  });
}

/** Every refusal as the wire says it: `{code, message, details}` with the matching status (contract, section 1). */

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { Fault, PROBLEMS_MAX, type Problem, problem, RPC, sentence } from "../domain/fault.ts";
import { BODY_BYTES_MAX } from "../domain/usage.ts";
import { sentName } from "./query-string.ts";

/** What Ajv says of one mistake, in verbose mode. */
interface SchemaMistake {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
  readonly data?: unknown;
  readonly parentSchema?: { readonly properties?: Readonly<Record<string, unknown>> };
}

/** Bytes of a request's line and headers: room for a thousand filter values in a query string. */
export const HEADER_BYTES_MAX = 64 * 1024;
/** The error body of a fault: the first problem is the message, each is a field violation. */
function errorBody(fault: Fault): { code: number; message: string; details: unknown[] } {
  const fieldViolations = fault.problems
    .slice(0, PROBLEMS_MAX)
    .map((one) => ({ field: one.field, description: sentence(one) }));
  const details =
    fault.rpc === "INVALID_ARGUMENT" ? [{ "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations }] : [];
  return { code: RPC[fault.rpc].code, message: fault.message, details };
}

/** Sends what was thrown; anything that is not a refusal of ours is logged whole and told in one neutral line. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const fault = faultOf(error as FastifyError, request);
  if (fault.http >= 500) request.log.error({ err: error }, fault.message);
  else request.log.info({ refused: fault.problems.map((one) => one.code) }, "refused");
  if (fault.retryAfterSeconds !== undefined) reply.header("retry-after", String(fault.retryAfterSeconds));
  if (fault.http === 401) reply.header("www-authenticate", "Bearer");
  return reply
    .code(fault.http)
    .type("application/json; charset=utf-8")
    .send(JSON.stringify(errorBody(fault)));
}

function faultOf(error: FastifyError, request: FastifyRequest): Fault {
  if (error instanceof Fault) return asSpelled(error, request);
  if (error.validation) return asSpelled(schemaFault(error, request), request);
  if (request.raw.destroyed && !request.raw.complete) {
    return new Fault(problem("bad_request", "body", { reason: "the client hung up before its end" }));
  }
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new Fault(problem("body_too_large", "body", { max: request.routeOptions.bodyLimit ?? BODY_BYTES_MAX }));
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new Fault(
        problem("bad_content_type", "Content-Type", {
          value: request.headers["content-type"] ?? "",
          allowed: ["application/json"],
        }),
      );
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new Fault(problem("bad_json", "body", { reason: "it is not as long as Content-Length says" }));
    case "FST_ERR_BAD_URL":
      return new Fault(problem("bad_path", "path", { value: request.url, reason: "it is not well encoded" }));
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new Fault(problem("bad_path", "path", { value: request.url, reason: "a part of it is too long" }));
    default:
      return new Fault(problem("internal", "server", { requestId: request.id }));
  }
}

/** Unknown parameters under the names that the client gave them. */
function asSpelled(fault: Fault, request: FastifyRequest): Fault {
  if (!fault.problems.some((one) => one.code === "unknown_parameter")) return fault;
  return new Fault(
    fault.problems.map((one) =>
      one.code === "unknown_parameter" ? { ...one, field: sentName(request.query, one.field) } : one,
    ),
  );
}

/** What the schemas say of a request. The framework stops after the body, so the query is looked at here too. */
function schemaFault(error: FastifyError, request: FastifyRequest): Fault {
  const inQuery = error.validationContext === "querystring";
  const problems = (error.validation as unknown as readonly SchemaMistake[])
    .slice(0, PROBLEMS_MAX)
    .flatMap((mistake) => schemaProblem(mistake, inQuery));
  if (error.validationContext === "body") {
    const validate = request.getValidationFunction("querystring") as ValidateQuery | undefined;
    if (validate && !validate(request.query)) {
      problems.push(...(validate.errors ?? []).flatMap((mistake) => schemaProblem(mistake, true)));
    }
  }
  return new Fault(problems);
}

interface ValidateQuery {
  (query: unknown): boolean;
  readonly errors?: readonly SchemaMistake[] | null;
}

/** The answer to what is no request that HTTP could read: the connection ends with it. */
export function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return;
  const fault = new Fault(unreadable(error.code));
  const body = JSON.stringify(errorBody(fault));
  const head = `HTTP/1.1 ${fault.http} ${STATUS_CODES[fault.http]}\r\ncontent-type: application/json; charset=utf-8\r\nconnection: close\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function unreadable(code: string | undefined): Problem {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return problem("headers_too_large", "headers", { max: HEADER_BYTES_MAX });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return problem("request_timeout", "request");
    default:
      return problem("bad_request", "request", { reason: "it is not HTTP" });
  }
}

/** One mistake that the schema found, in our words: the field, what was sent, what is allowed. */
function schemaProblem(mistake: SchemaMistake, inQuery: boolean): Problem[] {
  const path = mistake.instancePath.split("/").slice(1);
  const field = (name?: unknown): string => [...path, ...(name === undefined ? [] : [name])].join(".") || "body";
  const { params, data: value } = mistake;
  switch (mistake.keyword) {
    case "additionalProperties": {
      const allowed = Object.keys(mistake.parentSchema?.properties ?? {});
      const code = inQuery ? "unknown_parameter" : "unknown_field";
      return [problem(code, field(params.additionalProperty), { allowed: allowed.length > 0 ? allowed : ["none"] })];
    }
    case "required":
      return [problem("required", field(params.missingProperty), { mend: "send it" })];
    case "enum":
      return [problem("not_allowed", field(), { value, allowed: (params.allowedValues as unknown[]).join(", ") })];
    case "type":
      if (inQuery && Array.isArray(value)) return [problem("repeated_parameter", field(), { count: value.length })];
      return [problem("wrong_type", field(), { value, allowed: `of type ${[params.type].flat().join(" or ")}` })];
    default:
      return [problem("wrong_type", field(), { value, allowed: plainRule(mistake) })];
  }
}

/** What a bound or pattern of the schema asks for. */
function plainRule({ keyword, params, message }: SchemaMistake): string {
  switch (keyword) {
    case "minItems":
      return `a list of at least ${params.limit}`;
    case "maxItems":
      return `a list of at most ${params.limit}`;
    case "minLength":
      return `at least ${params.limit} characters`;
    case "maxLength":
      return `at most ${params.limit} characters`;
    case "minProperties":
      return `an object with at least ${params.limit} field${params.limit === 1 ? "" : "s"}`;
    case "minimum":
      return `${params.limit} or more`;
    case "maximum":
      return `${params.limit} or less`;
    case "pattern":
      return `a text that matches ${params.pattern}`;
    default:
      return (message ?? "as the schema says").replace(/^must (be )?/, "");
  }
}

/** Every refusal as the wire says it: `{code, message, details}` with the matching status (contract, section 1). */

import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { Fault, type Problem, problem, RPC, sentence } from "../domain/fault.ts";
import { BODY_BYTES_MAX } from "../domain/usage.ts";

/** What Ajv says of one mistake, in verbose mode. */
interface SchemaMistake {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
  readonly data?: unknown;
  readonly parentSchema?: { readonly properties?: Readonly<Record<string, unknown>> };
}

/** The error body of a fault: the first problem is the message, each is a field violation. */
function errorBody(fault: Fault): { code: number; message: string; details: unknown[] } {
  const fieldViolations = fault.problems.map((one) => ({ field: one.field, description: sentence(one) }));
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
  if (error instanceof Fault) return error;
  if (error.validation) {
    const list = error.validation as unknown as readonly SchemaMistake[];
    const inQuery = error.validationContext === "querystring";
    const problems = list.flatMap((mistake) => schemaProblem(mistake, inQuery));
    return new Fault(problems.length > 0 ? problems : problem("bad_json", "body", { reason: error.message }));
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
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new Fault(problem("bad_json", "body", { reason: "it is empty" }));
    case "FST_ERR_CTP_INVALID_JSON_BODY":
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new Fault(problem("bad_json", "body", { reason: error.message }));
    default:
      if (error instanceof SyntaxError && error.statusCode === 400) {
        return new Fault(problem("bad_json", "body", { reason: error.message.slice(0, 120) }));
      }
      return new Fault(problem("internal", "server", { requestId: request.id }));
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
function plainRule(mistake: SchemaMistake): string {
  return (mistake.message ?? "as the schema says").replace(/^must (be )?/, "");
}

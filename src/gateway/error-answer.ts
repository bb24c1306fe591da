/** Refusals in the words that clients of OpenAI and Anthropic read. */

import { Fault, type FaultCode, problem } from "../domain/fault.ts";
import { pairs } from "./headers.ts";
import { RateLimited } from "./holding.ts";

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The `type` of an error by its status: OpenAI's, Anthropic's. */
const TYPES: Readonly<Record<number, readonly [openai: string, anthropic: string]>> = {
  400: ["invalid_request_error", "invalid_request_error"],
  401: ["authentication_error", "authentication_error"],
  403: ["permission_error", "permission_error"],
  404: ["invalid_request_error", "not_found_error"],
  413: ["invalid_request_error", "request_too_large"],
  415: ["invalid_request_error", "invalid_request_error"],
  429: ["rate_limit_error", "rate_limit_error"],
};
const SERVER_TYPES = ["api_error", "api_error"] as const;

/** Codes that clients know. */
const CODES: Partial<Record<FaultCode, string>> = {
  unauthenticated: "invalid_api_key",
  model_not_served: "model_not_found",
  rate_limited: "rate_limit_exceeded",
  budget_spent: "PRECONDITION_FAILED",
  budget_unpriced: "PRECONDITION_FAILED",
};

/** The answer for what was thrown; what is no refusal of ours is told in one neutral line. */
export function errorAnswer(error: unknown, style: "openai" | "anthropic", requestId: string): ErrorAnswer {
  const fault = error instanceof Fault ? error : new Fault(problem("internal", "server", { requestId }));
  const [first] = fault.problems;
  const [openai, anthropic] = TYPES[fault.http] ?? SERVER_TYPES;
  const isBudget = fault.http === 412;
  const inner = {
    message: fault.message,
    type: isBudget ? "error" : style === "openai" ? openai : anthropic,
    param: fault.http === 400 || fault.http === 404 ? first.field : null,
    code: CODES[first.code] ?? first.code,
  };
  return {
    status: fault.http,
    headers: {
      "content-type": "application/json; charset=utf-8",
      ...(fault.retryAfterSeconds !== undefined && { "retry-after": String(fault.retryAfterSeconds) }),
      ...(fault instanceof RateLimited && Object.fromEntries(pairs(fault.headers))),
      ...(fault.http === 401 && { "www-authenticate": "Bearer" }),
    },
    body: JSON.stringify(style === "openai" ? { error: inner } : { type: "error", error: inner }),
  };
}

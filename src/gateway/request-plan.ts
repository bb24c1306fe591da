/** From a request to what is sent to which upstream: reads as much of the body as has to be seen. */

import type { Readable } from "node:stream";
import { Fault, problem } from "../domain/fault.ts";
import { type KeptBody, readBody, refuseLength } from "./body-reader.ts";
import type { UpstreamConfig } from "./config.ts";
import { boundaryOf, readFormRequest } from "./form-request.ts";
import { headerOf, pairs, type RawHeaders } from "./headers.ts";
import { type JsonRequest, readJsonRequest } from "./json-request.ts";
import type { Route } from "./routes-table.ts";
import type { Routing, Target } from "./routing.ts";
import type { RequestSize } from "./worst-case.ts";

export interface Plan {
  /** Where it goes; a call that names no model goes to the first upstream. */
  readonly upstream: UpstreamConfig;
  /** Undefined when the call names no model. */
  readonly target: Target | undefined;
  readonly body: Buffer | Readable | null;
  /** The length of a body that is streamed; undefined when its client did not tell. */
  readonly contentLength: number | undefined;
  readonly serviceTier: string | undefined;
  /** The stream's usage was asked for by the gateway, and is hidden from the client. */
  readonly hidesUsage: boolean;
  readonly size: RequestSize;
  /** Names that the body gives the call. */
  readonly requestIds: readonly string[];
}

export interface Request {
  readonly route: Route | undefined;
  readonly headers: RawHeaders;
  readonly stream: Readable;
}

/** @throws Fault for a body that cannot be read, or a model that goes nowhere. */
export async function planRequest(
  request: Request,
  routing: Routing,
  first: UpstreamConfig,
  kept: KeptBody,
): Promise<Plan> {
  const { route, headers, stream } = request;
  const contentType = headerOf(headers, "content-type") ?? "";
  const isJson = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType);
  const boundary = boundaryOf(contentType);
  const size = { bytes: lengthOf(headers), outputTokensMax: undefined, answers: 1, refersElsewhere: false };
  const plain = { upstream: first, target: undefined, serviceTier: undefined, hidesUsage: false, size, requestIds: [] };
  if (route) refuseHeaders(headers);
  if (isJson && hasBody(headers)) {
    refuseLength(headerOf(headers, "content-length"));
    const bytes = await readBody(stream, kept);
    const json = route ? readJsonRequest(bytes) : tryJson(bytes);
    if (json) return planJson(json, route, routing);
    return { ...plain, body: bytes, contentLength: undefined };
  }
  if (route && boundary !== undefined) {
    const form = await readFormRequest(stream, boundary, kept);
    const target = targetOf(form.model, routing);
    const { body, addedBytes } = form.edited(target.model);
    const sent = lengthOf(headers);
    const contentLength = sent === undefined ? undefined : sent + addedBytes;
    return { ...plain, upstream: target.upstream, target, body, contentLength };
  }
  if (route) {
    const allowed = ["application/json", "multipart/form-data"];
    throw new Fault(problem("bad_content_type", "Content-Type", { value: contentType, allowed }));
  }
  return { ...plain, body: hasBody(headers) ? stream : null, contentLength: lengthOf(headers) };
}

function planJson(json: JsonRequest, route: Route | undefined, routing: Routing): Plan {
  const { asked } = json;
  const target = targetOf(asked.model, routing);
  const isAsked = target.upstream.streamUsage === "ask";
  const hidesUsage = route?.asksForUsage === true && asked.isStream && isAsked && !asked.wantsUsage;
  return {
    upstream: target.upstream,
    target,
    body: json.edited({ model: target.model, asksForUsage: hidesUsage }),
    contentLength: undefined,
    serviceTier: asked.serviceTier,
    hidesUsage,
    size: asked.size,
    requestIds: asked.requestIds,
  };
}

/** On a path that is not metered, a body that names no model is nobody's mistake. */
function tryJson(bytes: Buffer): JsonRequest | undefined {
  try {
    return readJsonRequest(bytes);
  } catch {
    return undefined;
  }
}

function targetOf(model: string, routing: Routing): Target {
  const target = routing.find(model);
  if (!target) throw new Fault(problem("model_not_served", "model", { value: model }));
  return target;
}

function hasBody(headers: RawHeaders): boolean {
  return headerOf(headers, "transfer-encoding") !== undefined || (lengthOf(headers) ?? 0) > 0;
}

function lengthOf(headers: RawHeaders): number | undefined {
  const length = headerOf(headers, "content-length");
  return length === undefined ? undefined : Number(length);
}

/** An upstream that takes the other of two types would read another model. */
function refuseHeaders(headers: RawHeaders): void {
  if ([...pairs(headers)].filter(([name]) => name.toLowerCase() === "content-type").length > 1) {
    throw new Fault(problem("bad_request", "Content-Type", { reason: "it is there more than once; send it once" }));
  }
  const encoding = headerOf(headers, "content-encoding") ?? "identity";
  if (encoding.toLowerCase() === "identity") return;
  throw new Fault(problem("not_allowed", "Content-Encoding", { value: encoding, allowed: "identity" }));
}

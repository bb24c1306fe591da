/** Writing usage, voiding it, and reading one event back (contract, section 7). */

import type { FastifyInstance } from "fastify";
import { Fault, problem } from "../../domain/fault.ts";
import { bodyOf } from "../../domain/query-checker.ts";
import { isPlainText, TEXT_CHARACTERS_MAX } from "../../domain/text.ts";
import {
  BODY_BYTES_MAX,
  ESTIMATE_REASONS,
  EVENTS_PER_CALL_MAX,
  SERVICE_TIERS,
  USAGE_TYPE_NAMES,
} from "../../domain/usage.ts";
import { eventJson } from "../../render/usage-event.ts";
import type { Service } from "../../service.ts";
import type { Metrics } from "../metrics.ts";
import { type Query, refuseParameters } from "../query-string.ts";
import { accountParams, errorSchema, judgedByCore, noQuery } from "../schemas.ts";

const WRITERS = ["METER", "ADMIN", "OPERATOR"] as const;
const READERS = ["USER", "ADMIN", "OPERATOR"] as const;
const URL = "/v1/accounts/:account_id/usageEvents";

const quantity = { type: ["integer", "string"], description: "0 to 2^53-1; a number or its digits as text" } as const;
const seconds = { type: ["number", "string"], description: "Seconds with up to three decimals" } as const;
const text = { type: "string" } as const;

const eventProperties = {
  id: { type: "string", minLength: 1, maxLength: 256, description: "With the account, the identity of the event" },
  time: { type: "string", format: "date-time" },
  usageType: { type: "string", enum: USAGE_TYPE_NAMES },
  model: text,
  apiKeyId: text,
  user: text,
  serviceTier: { type: "string", enum: SERVICE_TIERS },
  batch: { type: "boolean" },
  promptTokens: quantity,
  cachedPromptTokens: { ...quantity, description: "Part of promptTokens" },
  completionTokens: quantity,
  audioInputSeconds: seconds,
  imageCount: quantity,
  deployment: { type: "string", description: "The bare id or the full resource name" },
  acceleratorType: text,
  acceleratorSeconds: seconds,
  placement: text,
  jobId: text,
  jobType: text,
  trainingSessionId: text,
  tokens: quantity,
  baseModel: text,
  estimated: {
    type: "string",
    enum: ESTIMATE_REASONS,
    description: "Why the quantities are not all that was used; left out where they are exact",
  },
  annotations: { type: "object", additionalProperties: { type: "string" } },
} as const;

const eventExample = {
  id: "0198f2a1-7c00-7000-8000-000000000001",
  time: "2026-05-28T09:30:00.250Z",
  usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
  model: "accounts/fireworks/models/kimi-k2p6",
  apiKeyId: "key_4nMFyHCSZP4CRKqa",
  promptTokens: 1200,
  cachedPromptTokens: 1000,
  completionTokens: 80,
  annotations: { team: "search" },
};

const eventSchema = {
  type: "object",
  properties: eventProperties,
  required: ["id", "time", "usageType"],
  additionalProperties: false,
  examples: [eventExample],
} as const;

const keptEventSchema = {
  description: "The event as it was written, with the time it was voided at, if it was",
  type: "object",
  properties: { ...eventProperties, voidTime: { type: "string", format: "date-time" } },
  required: ["id", "time", "usageType"],
  examples: [{ ...eventExample, voidTime: "2026-06-01T00:00:00Z" }],
} as const;

const batchSchema = {
  type: "object",
  properties: { events: { type: "array", maxItems: EVENTS_PER_CALL_MAX, items: eventSchema } },
  required: ["events"],
  additionalProperties: false,
  examples: [{ events: [eventExample] }],
} as const;

const cloudEventSchema = {
  type: "object",
  properties: {
    specversion: { type: "string", const: "1.0" },
    id: text,
    source: text,
    type: text,
    time: { type: "string", format: "date-time" },
    data: { type: "object", properties: eventProperties },
  },
  required: ["specversion", "id", "source", "type"],
} as const;

const refusedEvent = {
  type: "object",
  properties: { index: { type: "integer" }, id: text, field: text, message: text },
  required: ["index", "id", "field"],
} as const;

const writeResponse = {
  description: "What became of each event. Created events are counted and on disk.",
  type: "object",
  properties: {
    created: { type: "integer" },
    duplicates: {
      type: "integer",
      description: "Same id and content, or the id of an event that was dropped for its age: nothing changed",
    },
    conflicts: { type: "array", items: refusedEvent, description: "Same id, other content: nothing changed" },
    rejected: { type: "array", items: refusedEvent },
    droppedAnnotations: { type: "integer" },
  },
  required: ["created", "duplicates", "conflicts", "rejected", "droppedAnnotations"],
  examples: [
    {
      created: 1,
      duplicates: 1,
      conflicts: [{ index: 2, id: "a", field: "promptTokens" }],
      rejected: [
        {
          index: 3,
          id: "b",
          field: "time",
          message: 'time: "yesterday" is not an RFC 3339 time; send one such as 2026-05-28T00:00:00Z',
        },
      ],
      droppedAnnotations: 0,
    },
  ],
} as const;

/** The scope reads bodies as bytes: they are decoded in the core, off this thread. */
export function usageEventRoutes(app: FastifyInstance, service: Service, metrics: Metrics): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body));
  app.post(
    `${URL}::batchCreate`,
    {
      config: { access: WRITERS },
      bodyLimit: BODY_BYTES_MAX,
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Usage events"],
        operationId: "batchCreateUsageEvents",
        summary: "Write usage events",
        description:
          "A known (account, id) with the same content changes nothing, so a call may be repeated. Content-Encoding: gzip is accepted.",
        params: accountParams,
        querystring: noQuery,
        body: {
          content: {
            "application/json": { schema: batchSchema },
            "application/x-ndjson": { schema: { type: "string", description: "One event a line" } },
            "application/cloudevents+json": { schema: cloudEventSchema },
            "application/cloudevents-batch+json": { schema: { type: "array", items: cloudEventSchema } },
          },
        },
        response: { 200: writeResponse, default: errorSchema },
      },
    },
    async (request) => {
      const { account_id: account } = request.params as { account_id: string };
      refuseParameters(request.query as Query);
      const outcome = await service.writeUsage(account, {
        bytes: (request.body as Buffer | undefined) ?? new Uint8Array(),
        contentType: request.headers["content-type"] ?? "",
        contentEncoding: request.headers["content-encoding"] ?? "",
      });
      metrics.events.inc({ outcome: "created" }, outcome.created);
      metrics.events.inc({ outcome: "duplicate" }, outcome.duplicates);
      metrics.events.inc({ outcome: "conflict" }, outcome.conflicts.length);
      metrics.events.inc({ outcome: "rejected" }, outcome.rejected.length);
      metrics.droppedAnnotations.inc(outcome.droppedAnnotations);
      return outcome;
    },
  );
}

const voidBody = {
  type: "object",
  properties: {
    ids: {
      type: "array",
      minItems: 1,
      maxItems: EVENTS_PER_CALL_MAX,
      items: { type: "string", minLength: 1, maxLength: 256 },
    },
  },
  required: ["ids"],
  additionalProperties: false,
  examples: [{ ids: ["0198f2a1-7c00-7000-8000-000000000001"] }],
} as const;

const idsNamed = {
  type: "array",
  items: { type: "object", properties: { index: { type: "integer" }, id: text }, required: ["index", "id"] },
} as const;

const voidResponse = {
  description: "Voided events are in no report; they stay readable, and their ids stay taken.",
  type: "object",
  properties: {
    voided: { type: "integer" },
    alreadyVoided: { type: "integer" },
    notFound: idsNamed,
    dropped: {
      ...idsNamed,
      description:
        "Left out when there are none. Their raw events were dropped, so what they counted is not known any more: they still count",
    },
  },
  required: ["voided", "alreadyVoided", "notFound"],
  examples: [{ voided: 1, alreadyVoided: 0, notFound: [{ index: 1, id: "unheard-of" }] }],
} as const;

/** The ids of a body. @throws Fault with what is wrong of it as a whole, or of the first wrong id. */
function checkIds(body: unknown): string[] {
  const { ids, ...others } = bodyOf(body);
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw new Fault(problem("unknown_field", unknown, { allowed: "ids" }));
  if (ids === undefined) throw new Fault(problem("required", "ids", { mend: "send a list of event ids" }));
  if (!Array.isArray(ids) || ids.length === 0) {
    throw new Fault(problem("wrong_type", "ids", { value: ids, allowed: "a list of event ids, at least one" }));
  }
  if (ids.length > EVENTS_PER_CALL_MAX) {
    throw new Fault(problem("too_many", "ids", { count: ids.length, max: EVENTS_PER_CALL_MAX }));
  }
  const wrong = ids.findIndex((id) => !isPlainText(id));
  if (wrong >= 0) {
    const facts = { value: ids[wrong], min: 1, max: TEXT_CHARACTERS_MAX };
    throw new Fault(problem("bad_string", `ids.${wrong}`, facts));
  }
  return ids;
}

/** Voiding and reading, with bodies in plain JSON. */
export function keptEventRoutes(app: FastifyInstance, service: Service, metrics: Metrics): void {
  app.post(
    `${URL}::void`,
    {
      config: { access: WRITERS },
      bodyLimit: BODY_BYTES_MAX,
      // Judged below, up to the first wrong id: a schema would make an error for each of a million.
      validatorCompiler: judgedByCore,
      schema: {
        tags: ["Usage events"],
        operationId: "voidUsageEvents",
        summary: "Reverse usage events",
        params: accountParams,
        querystring: noQuery,
        body: voidBody,
        response: { 200: voidResponse, default: errorSchema },
      },
    },
    async (request) => {
      const { account_id: account } = request.params as { account_id: string };
      refuseParameters(request.query as Query);
      const ids = checkIds(request.body);
      const outcomes = await service.voidUsage(account, ids);
      const count = (outcome: string): number => outcomes.filter((one) => one === outcome).length;
      metrics.events.inc({ outcome: "voided" }, count("voided"));
      const named = (outcome: string) =>
        ids.map((id, index) => ({ index, id })).filter(({ index }) => outcomes[index] === outcome);
      const dropped = named("dropped");
      return {
        voided: count("voided"),
        alreadyVoided: count("already_voided"),
        notFound: named("not_found"),
        ...(dropped.length > 0 && { dropped }),
      };
    },
  );
  app.get(
    `${URL}/:event_id`,
    {
      config: { access: READERS },
      schema: {
        tags: ["Usage events"],
        operationId: "getUsageEvent",
        summary: "Read one usage event as it was written",
        params: {
          type: "object",
          properties: { ...accountParams.properties, event_id: { type: "string" } },
          required: ["account_id", "event_id"],
        },
        querystring: noQuery,
        response: { 200: keptEventSchema, default: errorSchema },
      },
    },
    async (request, reply) => {
      const { account_id: account, event_id: id } = request.params as { account_id: string; event_id: string };
      const event = await service.findUsage(account, id);
      if (!event) throw new Fault(problem("not_found", "usageEvent", { value: id }));
      return reply.type("application/json; charset=utf-8").send(eventJson(event));
    },
  );
}

/**
 * A plain, valid call of every operation of openapi.json, from which the fuzzer starts. Its parts come from the document's
 * own examples, so a new operation is fuzzed as soon as it is written; what examples cannot say stands in the tables here.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openApiOf } from "../contract/openapi-check.ts";
import type { Random } from "../simulator/random.ts";

export const openapi = openApiOf(JSON.parse(readFileSync(join(import.meta.dirname, "../../openapi.json"), "utf8")));

/** A call whose parts can still be told apart. */
export interface Call {
  readonly operation: string;
  readonly method: string;
  /** With `{name}` for each parameter. */
  readonly template: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly body: unknown;
  readonly contentType: string | undefined;
}

/** What the server that is fuzzed holds from the start, beside one event, one deployment and one budget. */
export const WORLD = {
  account: "acme",
  other: "rival",
  user: "ada",
  deployment: "chat",
  event: "event-0",
  budget: "prod",
} as const;

/** A value for each parameter of a path; further values take part when parameters are mixed. */
export const PATH_VALUES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  account_id: [WORLD.account, WORLD.other, "nowhere"],
  user_id: [WORLD.user, "admin", "-", "nobody"],
  deployment_id: [WORLD.deployment, "deployment-1", "deployment-2", "deployment-3", "nothing"],
  quota_id: ["serverless-inference-rpm", "monthly-spend-usd", "nothing"],
  version: ["1", "2", "0", "9999"],
  event_id: [WORLD.event, "event-1", "event-2", "nothing"],
  budget_id: [WORLD.budget, "budget-1", "budget-2", "nothing"],
};

/** Fields of a body that must be new each time, where a small number keeps some of them known. */
const NAMED_ANEW: Readonly<Record<string, (number: number) => object>> = {
  createAccount: (number) => ({ name: `account-${number}` }),
  createUser: (number) => ({ name: `user-${number}` }),
  createBudget: (number) => ({ name: `budget-${number}` }),
  createDeployment: (number) => ({ name: `deployment-${number}` }),
  batchCreateUsageEvents: (number) => ({ events: eventsOf(number) }),
  voidUsageEvents: (number) => ({ ids: [`event-${number}`, `event-${number + 1}`] }),
};
const NUMBERS = 400;

/** Query parameters that one of must be sent, though none is required. */
const NAMED_IN_QUERY: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  "GET /v1/accounts/{account_id}/billingUsage:explain": [
    ["row[startTime]", "2026-05-28T00:00:00Z"],
    ["row[usageType]", "TEXT_COMPLETION_INFERENCE_USAGE"],
  ],
  "GET /v1/accounts/{account_id}/prices:explain": [["model", "m"]],
  "GET /v1/accounts/{account_id}/usageEvents:tail": [["forSeconds", "0"]],
};

/** Answers that end when the client hangs up are left out of damaged calls; test/gateway/tail.test.ts has them. */
export const ENDLESS: ReadonlySet<string> = new Set(["GET /v1/accounts/{account_id}/usageEvents:tail"]);

/** Operations whose plain call is refused as it should be: the example names what is not there. */
export const PLAIN_STATUS: Readonly<Record<string, number>> = {
  deleteApiKey: 404,
  explainBillingUsageByBody: 404,
  diffPriceBooks: 404,
};

const TYPES = ["TEXT_COMPLETION_INFERENCE_USAGE", "TRAINING_TOKEN_USAGE", "DEDICATED_DEPLOYMENT_USAGE"] as const;

function eventsOf(number: number): object[] {
  return Array.from({ length: 1 + (number % 7) }, (_, at) => {
    const usageType = TYPES[(number + at) % 5] ?? TYPES[0];
    const common = { id: `event-${number + at}`, time: `2026-05-28T09:${10 + (number % 50)}:00.250Z`, usageType };
    if (usageType === TYPES[1]) return { ...common, jobId: "job-1", tokens: number };
    if (usageType === TYPES[2]) return { ...common, deployment: WORLD.deployment, acceleratorSeconds: number / 8 };
    return { ...common, model: "m", promptTokens: number, cachedPromptTokens: 0, annotations: { team: "search" } };
  });
}

/** The plain call of an operation; `number` makes what must be new. @throws Error when the tables lack something. */
export function plainCall(operation: string, number = NUMBERS): Call {
  const found = openapi.operations.get(operation);
  if (!found) throw new Error(`${operation} is no operation of openapi.json`);
  const [method = "", template = ""] = operation.split(" ");
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const parameters = names.map((name): [string, string] => {
    const values = PATH_VALUES[name];
    if (!values) throw new Error(`${operation}: give {${name}} a value in PATH_VALUES of test/fuzz/operations.ts`);
    return [name, values[0]];
  });
  const query = (found.parameters ?? [])
    .filter((one) => one.in === "query" && one.required)
    .map(({ name, example, schema }): [string, string] => [name, String(example ?? (schema.examples as string[])[0])]);
  query.push(...(NAMED_IN_QUERY[operation] ?? []).map(([name, value]): [string, string] => [name, value]));
  const example = openapi.exampleBody(operation);
  const body = example && { ...example, ...NAMED_ANEW[found.operationId]?.(number) };
  const contentType = found.requestBody && Object.keys(found.requestBody.content)[0];
  return { operation, method, template, parameters: Object.fromEntries(parameters), query, body, contentType };
}

/** A call that is valid, or nearly: other known names, optional parameters, other forms of a body of events. */
export function mixedCall(operation: string, random: Random): Call {
  const call = plainCall(operation, random.int(1, NUMBERS));
  const parameters = Object.fromEntries(
    Object.keys(call.parameters).map((name) => {
      return [name, random.chance(0.8) ? PATH_VALUES[name]![0] : random.pick(PATH_VALUES[name]!)];
    }),
  );
  const optional = (openapi.operations.get(operation)!.parameters ?? []).filter((one) => one.in === "query");
  const query = [...call.query];
  for (const { name, schema } of random.some(optional, 0.2)) query.push([name, someValue(name, schema, random)]);
  const mixed = { ...call, parameters, query };
  return operation.endsWith(":batchCreate") ? inSomeForm(mixed, random) : mixed;
}

function someValue(name: string, schema: Readonly<Record<string, unknown>>, random: Random): string {
  const choices = [schema.enum, (schema.items as { enum?: unknown } | undefined)?.enum, schema.examples].flat();
  const known = choices.filter((choice) => typeof choice === "string");
  if (known.length > 0) return random.pick(known);
  if (name === "timezone") return random.pick(["America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]);
  return random.pick(["model_name", "annotations.team", "m", "search", "1", "true"]);
}

/** Usage events as JSON, lines or CloudEvents. */
function inSomeForm(call: Call, random: Random): Call {
  const { events } = call.body as { events: object[] };
  const cloud = (data: object, at: number): object => {
    return { specversion: "1.0", id: `${at}`, source: "gateway", type: "usage", time: "2026-05-28T09:30:00Z", data };
  };
  switch (random.int(0, 3)) {
    case 0:
      return {
        ...call,
        contentType: "application/x-ndjson",
        body: events.map((one) => JSON.stringify(one)).join("\n"),
      };
    case 1:
      return { ...call, contentType: "application/cloudevents+json", body: cloud(events[0]!, 0) };
    case 2:
      return { ...call, contentType: "application/cloudevents-batch+json", body: events.map(cloud) };
    default:
      return call;
  }
}

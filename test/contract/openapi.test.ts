/** openapi.json: what is registered is in it, its examples are of its schemas, and it says what the contract says. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Daybook, startDaybook } from "./serving.ts";

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
});
after(() => daybook.close());

type Json = Record<string, unknown>;

/** Every `{schema, example(s)}` and every schema with examples of its own, with the place it stands at. */
function* examplesOf(node: unknown, place: string): Generator<[place: string, schema: Json, example: unknown]> {
  if (typeof node !== "object" || node === null) return;
  const { schema, example, examples } = node as { schema?: Json; example?: unknown; examples?: unknown };
  if (schema && example !== undefined) yield [place, schema, example];
  if (schema && examples) {
    for (const { value } of Object.values(examples as Record<string, { value: unknown }>)) yield [place, schema, value];
  }
  if (!schema && Array.isArray(examples)) for (const one of examples) yield [place, node as Json, one];
  for (const [name, child] of Object.entries(node)) {
    if (name !== "example" && name !== "examples") yield* examplesOf(child, `${place}/${name}`);
  }
}

/** `GET /v1/accounts/{account_id}` for each leaf of the router's tree; HEAD comes with every GET. */
function registered(tree: string): string[] {
  const names: string[] = [];
  const stack: string[] = [];
  for (const line of tree.split("\n")) {
    const found = /^((?:│ {3}| {4})*)[├└]── (\S+)(?: \((.+)\))?$/.exec(line);
    if (!found) continue;
    const [, indent = "", part = "", methods = ""] = found;
    stack.length = indent.length / 4;
    stack.push(part.replace(/\(\[\^:\]\+\)::/, "::"));
    const path = stack
      .join("")
      .replace(/(?<=\/):(\w+)/g, "{$1}")
      .replace("::", ":");
    for (const method of methods.split(", ")) if (method !== "HEAD" && method !== "") names.push(`${method} ${path}`);
  }
  return names;
}

test("every route that is registered is in the document, and no others; the document itself is not", () => {
  const routes = registered(daybook.routes).filter((name) => name !== "GET /openapi.json");
  assert.equal(registered(daybook.routes).length, routes.length + 1);
  assert.deepEqual(routes.sort(), [...daybook.openapi.operations.keys()].sort());
});

test("the served document is the committed one", async () => {
  const committed = await readFile(join(import.meta.dirname, "..", "..", "openapi.json"), "utf8");
  assert.deepEqual(daybook.openapi.document, JSON.parse(committed));
  assert.equal(daybook.openapi.document.openapi, "3.1.0");
});

test("every example is of its schema", () => {
  let count = 0;
  for (const [place, schema, example] of examplesOf(daybook.openapi.document.paths, "paths")) {
    assert.equal(daybook.openapi.mistakes(schema, example), "", `${place}: ${JSON.stringify(example)}`);
    count += 1;
  }
  assert.ok(count > 100, `${count} examples`);
  const wrong = { code: "5", message: "", details: [] };
  const error = daybook.openapi.operations.get("GET /v1/accounts")!.responses.default!.content!["application/json"]!;
  assert.equal(daybook.openapi.mistakes(error.schema, wrong), "data/code must be integer");
});

test("every operation with a body and every answer in JSON or CSV has an example; each has its parameters, id and refusals", () => {
  const ids = new Set<string>();
  for (const [name, operation] of daybook.openapi.operations) {
    ids.add(operation.operationId);
    assert.equal(daybook.openapi.exampleBody(name) !== undefined, operation.requestBody !== undefined, name);
    for (const [status, { content }] of Object.entries(operation.responses)) {
      const answer = content?.["application/json"] ?? content?.["text/csv"] ?? content?.["application/x-ndjson"];
      if (name !== "GET /metrics")
        assert.ok(answer?.example ?? answer?.examples ?? answer?.schema.examples, `${name} ${status} has no example`);
    }
    assert.deepEqual(Object.keys(operation.responses), ["200", "default"], name);
    const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
    const told = (operation.parameters ?? []).filter((one) => one.in === "path" && one.required);
    assert.deepEqual(
      told.map((one) => one.name),
      inPath,
      name,
    );
  }
  assert.equal(ids.size, daybook.openapi.operations.size);
});

test("billingUsage tells its parameters as the contract lists them", () => {
  const { parameters = [] } = daybook.openapi.operations.get("GET /v1/accounts/{account_id}/billingUsage")!;
  const named = parameters.filter((one) => one.in === "query").map((one) => `${one.name}${one.required ? " *" : ""}`);
  // biome-ignore format: a list
  assert.deepEqual(named, ["startTime *", "endTime *", "usageType", "timezone", "granularity", "groupBy", "asOf",
    "filter[model_name][values]", "filter[api_key_id][values]", "filter[api_key_name][values]",
    "filter[deployment_name][values]", "filter[accelerator_type][values]", "filter[job_id][values]",
    "filter[job_type][values]", "filter[usage_type][values]", "filter[base_model][values]",
    "filter[annotations.team][values]", "filter[annotations.project][values]", "filter[annotations.environment][values]"]);
});

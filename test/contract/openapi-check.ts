/** Answers against openapi.json, and refusals against the contract's section 1. */

import assert from "node:assert/strict";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";

type Json = Readonly<Record<string, unknown>>;
interface Content {
  readonly schema: Json;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { name: string; in: string; schema: Json; required?: boolean; example?: unknown }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Content>> }>>;
  readonly security?: readonly unknown[];
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface OpenApi {
  readonly document: Document;
  /** Each operation as `GET /v1/accounts/{account_id}`. */
  readonly operations: ReadonlyMap<string, Operation>;
  /** The schema as a check; what is wrong as text, "" when nothing is. */
  mistakes(schema: Json, value: unknown): string;
  checkAnswer(method: string, path: string, status: number, json: unknown): void;
  /** The JSON body that the document gives as an example of the operation, undefined when it takes none. */
  exampleBody(name: string): object | undefined;
}

export function openApiOf(json: unknown): OpenApi {
  const document = json as Document;
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictTypes: false });
  // Words of OpenAPI that are no rules.
  for (const keyword of ["example", "xml", "discriminator"]) ajv.addKeyword(keyword);
  formats.default(ajv);
  const compiled = new Map<Json, ValidateFunction>();
  const operations = new Map<string, Operation>();
  const patterns: { method: string; pattern: RegExp; operation: Operation }[] = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      operations.set(`${method.toUpperCase()} ${path}`, operation);
      const source = path.replace(/[.*+?^$()[\]|\\]/g, "\\$&").replace(/\{\w+\}/g, "[^/?]+");
      patterns.push({ method: method.toUpperCase(), pattern: new RegExp(`^${source}$`), operation });
    }
  }
  // The longer pattern is the narrower one: `{id}:scale` before `{id}`.
  patterns.sort((a, b) => b.pattern.source.length - a.pattern.source.length);

  const mistakes: OpenApi["mistakes"] = (schema, value) => {
    const check = compiled.get(schema) ?? ajv.compile(schema);
    compiled.set(schema, check);
    return check(value) ? "" : ajv.errorsText(check.errors);
  };
  const checkAnswer: OpenApi["checkAnswer"] = (method, path, status, value) => {
    const bare = path.split("?")[0]!;
    const found = patterns.find((one) => one.method === method && one.pattern.test(bare));
    if (!found || value === undefined) return;
    const { responses, operationId } = found.operation;
    const content = (responses[String(status)] ?? responses.default)?.content?.["application/json"];
    assert.ok(content, `${operationId} answered ${status}, which openapi.json does not know`);
    assert.equal(
      mistakes(content.schema, value),
      "",
      `${operationId} ${status}: ${JSON.stringify(value).slice(0, 500)}`,
    );
  };
  const exampleBody: OpenApi["exampleBody"] = (name) => {
    const content = operations.get(name)?.requestBody?.content["application/json"];
    return (content?.example ?? (content?.schema.examples as object[] | undefined)?.[0]) as object | undefined;
  };
  return { document, operations, mistakes, checkAnswer, exampleBody };
}

/** rpc code -> the HTTP statuses it may travel with (contract, section 1; 408, 413, 415 and 431 are Daybook's). */
const STATUSES: Readonly<Record<number, readonly number[]>> = {
  3: [400, 408, 413, 415, 431],
  5: [404],
  6: [409],
  7: [403],
  8: [429],
  9: [400],
  12: [501],
  13: [500],
  14: [503],
  16: [401],
};

/** Every refusal is `{code, message, details}`, the code fits the status, and the first violation is the message. */
export function checkError(what: string, status: number, json: unknown): void {
  const error = (json ?? {}) as { code: number; message: string; details: { fieldViolations: unknown[] }[] };
  assert.deepEqual(Object.keys(error), ["code", "message", "details"], `${what} answered ${status} in another form`);
  assert.ok(STATUSES[error.code]?.includes(status), `${what}: code ${error.code} with HTTP ${status}`);
  if (error.code !== 3) {
    assert.deepEqual(error.details, [], what);
    return;
  }
  assert.equal(error.details.length, 1, what);
  const [first] = error.details[0]!.fieldViolations as { field: string; description: string }[];
  assert.equal(first?.description, error.message, what);
}

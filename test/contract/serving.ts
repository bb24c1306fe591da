/** A whole Daybook behind a real port, with a clock that the test sets. Every answer is checked against openapi.json. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildServer } from "../../src/http/server.ts";
import { Service } from "../../src/service.ts";
import { checkError, type OpenApi, openApiOf } from "./openapi-check.ts";

export const OPERATOR_KEY = "fw_contract-operator-0123456789";
export const HOME = "home";

export interface CallOptions {
  readonly key?: string;
  /** An object travels as JSON; text and bytes as they are. */
  readonly body?: object | string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the wire's JSON, whose shape is what the tests are about.
  readonly json: any;
  readonly headers: Headers;
}

export interface Daybook {
  readonly url: string;
  readonly openapi: OpenApi;
  /** The router's own tree of what is registered. */
  readonly routes: string;
  /** The log so far. */
  readonly log: readonly string[];
  setClock(time: string): void;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Makes an account by the API. */
  account(id: string): Promise<string>;
  /** Makes a key by the API; of the user admin unless one is named. */
  key(account: string, apiKey: object, user?: string): Promise<{ keyId: string; key: string }>;
  close(): Promise<void>;
}

/** Starts a server over an empty folder; its first account is {@link HOME}, its first key {@link OPERATOR_KEY}. */
export async function startDaybook(time: string): Promise<Daybook> {
  let instant = Date.parse(time);
  const log: string[] = [];
  const dataFolder = await mkdtemp(join(tmpdir(), "daybook-contract-"));
  const service = await Service.open({ dataFolder, now: () => instant });
  await service.accounts.bootstrap({ accountId: HOME, key: OPERATOR_KEY });
  const server = await buildServer({ service, log: { write: (line) => void log.push(line) } });
  const url = await server.listen({ port: 0, host: "127.0.0.1" });
  const openapi = openApiOf(await (await fetch(`${url}/openapi.json`)).json());

  const call: Daybook["call"] = async (method, path, { key, body, headers = {} } = {}) => {
    const asJson = typeof body === "object" && !(body instanceof Uint8Array);
    const sent = {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(asJson && { "content-type": "application/json" }),
      ...headers,
    };
    const bytes = asJson ? JSON.stringify(body) : (body as string | Uint8Array<ArrayBuffer> | undefined);
    const reply = await fetch(`${url}${path}`, { method, headers: sent, ...(bytes !== undefined && { body: bytes }) });
    const text = await reply.text();
    const isJson = reply.headers.get("content-type")?.startsWith("application/json") ?? false;
    const json: unknown = isJson && text !== "" ? JSON.parse(text) : undefined;
    if (reply.status >= 400) checkError(`${method} ${path}`, reply.status, json);
    openapi.checkAnswer(method, path, reply.status, json);
    return { status: reply.status, text, json, headers: reply.headers };
  };
  const make = async (path: string, body: object) => {
    const made = await call("POST", path, { key: OPERATOR_KEY, body });
    assert.equal(made.status, 200, made.text);
    return made.json;
  };
  return {
    url,
    openapi,
    routes: server.printRoutes({ commonPrefix: false }),
    log,
    call,
    setClock: (text) => {
      instant = Date.parse(text);
    },
    account: async (id) => {
      await make("/v1/accounts", { name: id });
      return id;
    },
    key: (account, apiKey, user = "admin") => make(`/v1/accounts/${account}/users/${user}/apiKeys`, { apiKey }),
    close: async () => {
      await server.close();
      await service.close();
      await rm(dataFolder, { recursive: true });
    },
  };
}

/** A query string; a list stands for a repeated parameter. */
export function queryString(parameters: Question): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
  return new URLSearchParams(pairs).toString();
}

type Words = Readonly<Record<string, string>>;
const TAGS = ["team", "project", "environment"];

/**
 * Usage events from a table: the first line names the fields, an empty cell leaves its field out; team, project and
 * environment are annotations. Names in `words` are replaced by their values.
 */
export function eventsOf(table: string, words: Words = {}): Record<string, unknown>[] {
  const [head = [], ...rows] = table
    .trim()
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()));
  return rows.map((cells) => {
    const event: Record<string, unknown> = {};
    const annotations: Record<string, string> = {};
    for (const [at, field] of head.entries()) {
      const cell = words[cells[at]!] ?? cells[at]!;
      if (cell === "") continue;
      if (TAGS.includes(field)) annotations[field] = cell;
      else event[field] = field === "batch" ? cell === "true" : cell;
    }
    return Object.keys(annotations).length > 0 ? { ...event, annotations } : event;
  });
}

export type Question = Readonly<Record<string, string | readonly string[]>>;

/** billingUsage by GET: the whole answer. */
export async function usageOf(daybook: Daybook, account: string, question: Question): Promise<Answer> {
  const path = `/v1/accounts/${account}/billingUsage?${queryString(question)}`;
  const answer = await daybook.call("GET", path, { key: OPERATOR_KEY });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

/** Writes the events of {@link eventsOf}, which must all be new. */
export async function writeUsage(daybook: Daybook, account: string, table: string, words: Words = {}): Promise<void> {
  const events = eventsOf(table, words);
  const path = `/v1/accounts/${account}/usageEvents:batchCreate`;
  const answer = await daybook.call("POST", path, { key: OPERATOR_KEY, body: { events } });
  const all = { created: events.length, duplicates: 0, conflicts: [], rejected: [], droppedAnnotations: 0 };
  assert.deepEqual(answer.json, all);
}

/** A call that must succeed. */
export async function post(daybook: Daybook, path: string, body: object): Promise<Answer> {
  const answer = await daybook.call("POST", path, { key: OPERATOR_KEY, body });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

/** Rows as lines of the named columns; a dot reaches into an object, unless the object has the whole name as a key. */
export function linesOf(rows: readonly object[], columns: string): string[] {
  const names = columns.split("|").map((name) => name.trim());
  return rows.map((row) => names.map((name) => cellOf(row, name)).join(" | "));
}

function cellOf(value: unknown, name: string): string {
  const record = value as Record<string, unknown>;
  const dot = name.indexOf(".");
  const cell = dot < 0 || Object.hasOwn(record, name) ? record[name] : undefined;
  if (cell === undefined && dot > 0) return cellOf(record[name.slice(0, dot)], name.slice(dot + 1));
  return typeof cell === "string" ? cell : (JSON.stringify(cell) ?? "absent");
}

/** Compares with a file of test/golden; UPDATE_GOLDEN=1 writes a file that is missing. */
export async function golden(name: string, json: unknown, words: Words = {}) {
  const path = join(import.meta.dirname, "..", "golden", name);
  let text = `${JSON.stringify(json, null, 2)}\n`;
  for (const [fixed, random] of Object.entries(words)) text = text.replaceAll(random, fixed);
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known === undefined && process.env.UPDATE_GOLDEN === "1") return writeFile(path, text);
  assert.equal(text, known, `${name} is not what it was, or missing; UPDATE_GOLDEN=1 writes a missing one`);
}

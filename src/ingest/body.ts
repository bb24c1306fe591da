/** The bytes of a call -> the list of parsed JSON values in it, or the Fault that refuses the whole call. */

import { gunzipSync } from "node:zlib";
import { Fault, type Problem, problem } from "../domain/fault.ts";
import { refuseBloated } from "../domain/json-text.ts";
import { BODY_BYTES_MAX, EVENTS_PER_CALL_MAX } from "../domain/usage.ts";
import { shortName, shownValue } from "./shown.ts";

/** How events are written in a body, by the content type. */
const FORMS = {
  "application/json": "list",
  "application/x-ndjson": "lines",
  "application/cloudevents+json": "cloudevent",
  "application/cloudevents-batch+json": "cloudevents",
} as const;
export type BodyForm = (typeof FORMS)[keyof typeof FORMS];

/** JSON is UTF-8 by its own rule; a charset that says otherwise announces other bytes than we would read. */
const UTF8_CHARSETS = ["utf-8", "utf8", "us-ascii"];

/** @throws Fault bad_content_type */
export function formOf(contentType: string): BodyForm {
  const [name = "", ...parameters] = contentType.split(";").map((part) => part.trim().toLowerCase());
  const charset = parameters.find((one) => one.startsWith("charset="))?.slice("charset=".length);
  const known = Object.hasOwn(FORMS, name) && (!charset || UTF8_CHARSETS.includes(charset.replaceAll('"', "")));
  if (!known) {
    throw new Fault(
      problem("bad_content_type", "Content-Type", { value: shortName(contentType), allowed: Object.keys(FORMS) }),
    );
  }
  return FORMS[name as keyof typeof FORMS];
}

/** True when the body travels as it is. */
export function isIdentity(contentEncoding: string): boolean {
  return /^(?:identity)?$/i.test(contentEncoding.trim());
}

const INFLATE_CHUNK_BYTES = 256 * 1024;

/**
 * Takes the content encoding off. Inflating stops at BODY_BYTES_MAX, so that a small body cannot become a large one.
 * @throws Fault bad_content_encoding, body_too_large, bad_gzip
 */
export function plainBytes(body: Uint8Array, contentEncoding: string): Uint8Array {
  const identity = isIdentity(contentEncoding);
  if (!identity && contentEncoding.trim().toLowerCase() !== "gzip") {
    throw new Fault(problem("bad_content_encoding", "Content-Encoding", { value: shortName(contentEncoding) }));
  }
  if (body.byteLength > BODY_BYTES_MAX) throw tooLarge();
  if (identity) return body;
  try {
    // The types know no `info`; with it the answer carries the engine, which knows how far it read.
    const options = { maxOutputLength: BODY_BYTES_MAX, chunkSize: INFLATE_CHUNK_BYTES, info: true };
    const answer = gunzipSync(body, options) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (answer.engine.bytesWritten === body.byteLength) return answer.buffer;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge();
  }
  throw new Fault(problem("bad_gzip", "body"));
}

function tooLarge(): Fault {
  return new Fault(problem("body_too_large", "body", { max: BODY_BYTES_MAX }));
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The text of UTF-8 bytes, without a byte order mark. @throws Fault bad_utf8 */
export function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new Fault(problem("bad_utf8", "body"));
  }
}

/**
 * The values that stand for one event each.
 * @throws Fault bad_json, bad_ndjson, required, unknown_field, wrong_type, too_many
 */
export function recordsOf(form: BodyForm, text: string): readonly unknown[] {
  refuseBloated(text);
  if (form === "lines") return parseLines(text);
  const json = parseBody(text);
  switch (form) {
    case "list":
      return listOf(json);
    case "cloudevents":
      if (!Array.isArray(json)) throw wrongBody(json, "an array of CloudEvents");
      return atMost(json, "body");
    case "cloudevent":
      if (!isObject(json)) throw wrongBody(json, "one CloudEvent, an object");
      return [json];
    default:
      return form satisfies never;
  }
}

const EVENTS_SHAPE = '{"events":[...]}';
const UNKNOWN_NAMES_MAX = 20;

function listOf(json: unknown): readonly unknown[] {
  if (!isObject(json)) throw wrongBody(json, EVENTS_SHAPE);
  const { events } = json;
  if (Array.isArray(events) && Object.keys(json).length === 1) return atMost(events, "events");
  const problems: Problem[] = Object.keys(json)
    .filter((name) => name !== "events")
    .slice(0, UNKNOWN_NAMES_MAX)
    .map((name) => problem("unknown_field", shortName(name), { allowed: "events" }));
  if (events === undefined) problems.push(problem("required", "events", { mend: `send ${EVENTS_SHAPE}` }));
  else if (!Array.isArray(events)) {
    problems.push(problem("wrong_type", "events", { value: shownValue(events), allowed: "an array of events" }));
  }
  throw new Fault(problems);
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function wrongBody(json: unknown, allowed: string): Fault {
  return new Fault(problem("wrong_type", "body", { value: shownValue(json), allowed }));
}

function atMost(records: readonly unknown[], field: string): readonly unknown[] {
  if (records.length > EVENTS_PER_CALL_MAX) throw tooMany(records.length, field);
  return records;
}

function tooMany(count: number, field: string): Fault {
  return new Fault(problem("too_many", field, { count, max: EVENTS_PER_CALL_MAX }));
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault(problem("bad_json", "body", { reason: reasonOf(error) }));
  }
}

/** A line is one JSON value; blank lines are none. Their numbers count from 1, blank ones too. */
function parseLines(text: string): readonly unknown[] {
  const records: unknown[] = [];
  let count = 0;
  // Lines are taken one by one: all of them at once could be 16 million blank ones.
  for (let start = 0, line = 1; start < text.length; line += 1) {
    const feed = text.indexOf("\n", start);
    const end = feed < 0 ? text.length : feed;
    if (!isBlank(text, start, end)) {
      count += 1;
      if (count <= EVENTS_PER_CALL_MAX) records.push(parseLine(text.slice(start, end), line));
    }
    start = end + 1;
  }
  if (count > EVENTS_PER_CALL_MAX) throw tooMany(count, "body");
  return records;
}

/** True when there is nothing but JSON's white space. */
function isBlank(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== 32 && code !== 13 && code !== 9) return false;
  }
  return true;
}

/** One at a time, not joined into one array: joined, two broken lines can make a whole value, for no gain in time. */
function parseLine(text: string, line: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 counts lines within what it was given, which is always line 1 here.
    const reason = reasonOf(error).replace(/ \(line \d+ column \d+\)$/, "");
    throw new Fault(problem("bad_ndjson", "body", { line, reason }));
  }
}

const REASON_CHARACTERS_MAX = 120;

/**
 * Why JSON.parse refused, in its own words: with the position, or with the 20 characters around the place. A body so
 * short that it would be quoted whole is not quoted.
 */
function reasonOf(error: unknown): string {
  if (!(error instanceof SyntaxError)) return "it is nested too deeply or too large to read";
  const reason = error.message
    .replace(/^(Unexpected token '.{1,2}'), ".*" is not valid JSON$/s, "$1")
    .replace(/^(Unexpected token '.{1,2}'), (.*) is not valid JSON$/s, "$1 near $2")
    .toWellFormed();
  return reason.length <= REASON_CHARACTERS_MAX ? reason : `${reason.slice(0, REASON_CHARACTERS_MAX)}…`;
}

/** Fields of records as they come in requests: ids, tags, times. */

import { Fault, type Problem, problem } from "../domain/fault.ts";
import { type Instant, parseInstant } from "../domain/time.ts";

interface SentId {
  /** The query parameter's name and value. */
  readonly parameter: string;
  readonly sent: string | undefined;
  /** The body's `name`: bare, or full when it begins with `prefix`. */
  readonly name: string | undefined;
  readonly prefix: string;
}

/** The id of a new record; "" when none was sent. @throws Fault when the parameter and the body's name differ. */
export function newId({ parameter, sent, name, prefix }: SentId): string {
  const bare = name?.startsWith(prefix) ? name.slice(prefix.length) : name;
  if (sent !== undefined && bare !== undefined && sent !== bare) {
    throw new Fault(problem("not_allowed", "name", { value: name, allowed: `the id of the query's ${parameter}` }));
  }
  return sent ?? bare ?? "";
}

/** The instant of a field; a text that is none is added to `problems`. */
export function instantOf(text: string | undefined, field: string, problems: Problem[]): Instant | undefined {
  if (text === undefined) return undefined;
  const instant = parseInstant(text);
  if (instant === undefined) problems.push(problem("bad_time", field, { value: text }));
  return instant;
}

const INT64_TEXT = /^-?\d{1,19}$/;

/** The whole number of a field, sent as text or as a JSON integer; what is none is added to `problems`. */
export function int64Of(sent: string | number | undefined, field: string, problems: Problem[]): bigint | undefined {
  if (sent === undefined) return undefined;
  if (typeof sent === "string" ? INT64_TEXT.test(sent) : Number.isSafeInteger(sent)) return BigInt(sent);
  const allowed = "a whole number of at most 19 digits, as text where it is past 9007199254740991";
  problems.push(problem("wrong_type", field, { value: sent, allowed }));
  return undefined;
}

/** An int64 in a request. */
export const sentInt64 = { type: ["string", "integer"] } as const;

const tag = { type: "string", description: "1 to 128 characters of letters, digits, space and -_./:@" } as const;

/** Tags in a request: other names are dropped without an error. */
export const annotationsSchema = {
  type: "object",
  properties: { team: tag, project: tag, environment: tag },
  additionalProperties: true,
} as const;

/** A text that may be left out or empty. */
export const optionalText = { type: "string", description: "At most 256 characters" } as const;

export const timeSchema = {
  type: "string",
  description: "RFC 3339, any offset",
  examples: ["2026-05-28T00:00:00Z"],
} as const;

/** The reply to what leaves nothing to say. */
export const emptyReply = {
  description: "Done",
  type: "object",
  properties: {},
  additionalProperties: false,
  examples: [{}],
} as const;

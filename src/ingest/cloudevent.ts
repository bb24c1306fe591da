/**
 * CloudEvents 1.0, structured mode in JSON -> usage events. `data` holds the fields of a usage event; its `id` and `time`
 * may be left out. Then the id is `<source>/<id>`, since source and id together are a CloudEvent's identity, with `%` and
 * `/` of its id as %25 and %2F so that no two identities become one; and the time is that of the CloudEvent.
 *
 * Any `type` is taken: what an event means is said by data.usageType. `subject`, `dataschema` and extension attributes
 * change nothing, as the CloudEvents rule for what a consumer does not know.
 */

import { type Problem, problem } from "../domain/fault.ts";
import { addEvent, type Envelope, type EventColumns } from "./event.ts";
import { shownValue } from "./shown.ts";

/** Stands before the name of an event's field in problems. */
export const DATA_PREFIX = "data.";

const TEXT = "a text that is not empty";

/** Adds the usage event that a CloudEvent carries, or returns the first problem and adds nothing. */
export function addCloudEvent(columns: EventColumns, record: unknown): Problem | undefined {
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    return problem("wrong_type", "event", { value: shownValue(record), allowed: "a CloudEvent, an object" });
  }
  const event = record as Readonly<Record<string, unknown>>;
  if ((event.specversion ?? undefined) === undefined) {
    return problem("required", "specversion", { mend: 'send "1.0"' });
  }
  if (event.specversion !== "1.0") {
    return problem("not_allowed", "specversion", { value: shownValue(event.specversion), allowed: '"1.0"' });
  }
  for (const name of ["id", "source", "type"] as const) {
    const value = event[name] ?? undefined;
    if (value === undefined) return problem("required", name, { mend: `send ${TEXT}` });
    if (typeof value !== "string" || value === "")
      return problem("wrong_type", name, { value: shownValue(value), allowed: TEXT });
  }
  return contentProblem(event) ?? addEvent(columns, event.data, envelopeOf(event));
}

function contentProblem(event: Readonly<Record<string, unknown>>): Problem | undefined {
  const type = event.datacontenttype ?? "application/json";
  if (typeof type !== "string" || !/^application\/json *(?:;|$)/i.test(type)) {
    return problem("not_allowed", "datacontenttype", { value: shownValue(type), allowed: "application/json" });
  }
  if ((event.data_base64 ?? undefined) !== undefined) {
    return problem("wrong_type", "data_base64", {
      value: shownValue(event.data_base64),
      allowed: "left out, with data an object instead",
    });
  }
  if ((event.data ?? undefined) === undefined) {
    return problem("required", "data", { mend: "send an object with the fields of a usage event" });
  }
  return undefined;
}

function envelopeOf(event: Readonly<Record<string, unknown>>): Envelope {
  const id = (event.id as string).replaceAll("%", "%25").replaceAll("/", "%2F");
  return { id: `${event.source as string}/${id}`, time: event.time };
}

/** The id that a CloudEvent's usage event has or would have, "" when it names none. */
export function idOfCloudEvent(record: unknown): string {
  if (typeof record !== "object" || record === null) return "";
  const { id, source, data } = record as Readonly<Record<string, unknown>>;
  const own = typeof data === "object" && data !== null ? (data as { id?: unknown }).id : undefined;
  if (typeof own === "string") return own;
  if (typeof id !== "string") return "";
  return typeof source === "string" ? envelopeOf({ id, source }).id : id;
}

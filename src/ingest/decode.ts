/** The bytes of a call to write usage -> usage events in columns, and every reason why not (contract, section 7). */

import { type Problem, sentence } from "../domain/fault.ts";
import { TEXT_CHARACTERS_MAX } from "../domain/text.ts";
import type { Instant } from "../domain/time.ts";
import type { UsageBatch } from "../domain/usage.ts";
import { formOf, plainBytes, recordsOf, textOf } from "./body.ts";
import { addCloudEvent, DATA_PREFIX, idOfCloudEvent } from "./cloudevent.ts";
import { addEvent, batchOfColumns, emptyColumns } from "./event.ts";

/** What is known of a body from outside it. */
export interface DecodeOptions {
  /** The Content-Type header, "" when there was none. */
  readonly contentType: string;
  /** The Content-Encoding header, "" when there was none. */
  readonly contentEncoding: string;
  /** The caller's account: a deployment's full name must be of it. */
  readonly account: string;
  /** The server's clock: an event's time may be at most 24 h ahead of it. */
  readonly now: Instant;
}

/** An event that was refused, with its first problem. */
export interface Rejected {
  /** Its place in the caller's list, from 0; blank lines are not counted. */
  readonly index: number;
  /** Its id as far as it is a text, at most 256 characters of it; else "". */
  readonly id: string;
  readonly field: string;
  readonly message: string;
}

export interface Decoded {
  /** The accepted events. `series` is `sent`, the same array. */
  readonly batch: UsageBatch;
  /** For each accepted event its place in the caller's list. */
  readonly index: Uint32Array;
  /** Events in the caller's list, accepted or not. */
  readonly total: number;
  readonly rejected: readonly Rejected[];
  /** Annotations of accepted events that were dropped for their name or value. */
  readonly droppedAnnotations: number;
}

/**
 * Reads a whole body. Pure: the same bytes and options give the same answer.
 * @throws Fault when the call as a whole is refused: bad_content_type, bad_content_encoding, body_too_large, bad_gzip,
 * bad_utf8, bad_json, bad_ndjson, too_many, required, unknown_field, wrong_type. Nothing else is thrown.
 */
export function decode(body: Uint8Array, options: DecodeOptions): Decoded {
  const form = formOf(options.contentType);
  const records = recordsOf(form, textOf(plainBytes(body, options.contentEncoding)));
  const cloud = form === "cloudevent" || form === "cloudevents";

  const columns = emptyColumns(records.length, options.account, options.now, cloud ? DATA_PREFIX : "");
  const index = new Uint32Array(records.length);
  const rejected: Rejected[] = [];
  for (let at = 0; at < records.length; at += 1) {
    const record = records[at];
    const accepted = columns.ids.length;
    const found = cloud ? addCloudEvent(columns, record) : addEvent(columns, record);
    if (found === undefined) index[accepted] = at;
    else rejected.push(rejection(at, cloud ? idOfCloudEvent(record) : idOf(record), found));
  }
  return {
    batch: batchOfColumns(columns),
    index: index.subarray(0, columns.ids.length),
    total: records.length,
    rejected,
    droppedAnnotations: columns.droppedAnnotations,
  };
}

function idOf(record: unknown): string {
  const id = typeof record === "object" && record !== null ? (record as { id?: unknown }).id : undefined;
  return typeof id === "string" ? id : "";
}

function rejection(index: number, id: string, found: Problem): Rejected {
  return { index, id: id.slice(0, TEXT_CHARACTERS_MAX), field: found.field, message: sentence(found) };
}

/**
 * The CSV of `billing export-metrics` -> batches of usage events (contract, section 8). A row's identity is made from what
 * it says of usage and from how many equal rows came before it, so the same file, or another with the same rows, never
 * counts twice. What the export derives (model_bucket, parameter_count) and what its older form lacks (the two cached
 * columns) is no part of the identity.
 */

import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { CsvError, type Info, type Parser, parse } from "csv-parse";
import { Fault, problem } from "../domain/fault.ts";
import { formatInstant, parseInstant } from "../domain/time.ts";
import { USAGE_TYPES, type UsageType } from "../domain/usage.ts";
import {
  BATCH_BYTES_MAX,
  BATCH_LINES_MAX,
  type ImportBatch,
  type ImportReject,
  LINE_BYTES_MAX,
  TEXT_SHOWN_MAX,
} from "./import-batch.ts";
import { SeenRows } from "./seen-rows.ts";

const CONTENT_COLUMNS = [
  "email",
  "start_time",
  "end_time",
  "usage_type",
  "accelerator_type",
  "accelerator_seconds",
  "base_model_name",
  "prompt_tokens",
  "completion_tokens",
] as const;
const DERIVED_COLUMNS = ["model_bucket", "parameter_count"] as const;
const CACHED_COLUMNS = ["cached_prompt_tokens", "uncached_prompt_tokens"] as const;
const COLUMNS = [...CONTENT_COLUMNS, ...DERIVED_COLUMNS, ...CACHED_COLUMNS] as const;
type Column = (typeof COLUMNS)[number];
/** Where each column stands in this file. */
type Places = ReadonlyMap<string, number>;

/** True when the text could be a header of the form, a wrong one perhaps: it names two of its columns. */
export function looksLikeMetricsCsv(firstLine: string): boolean {
  const names = firstLine.split(",").map((name) => name.trim().replaceAll('"', ""));
  return COLUMNS.filter((column) => names.includes(column)).length >= 2;
}

interface RawRow {
  readonly record: readonly string[];
  readonly raw: string;
  readonly info: Info;
}

/**
 * The batches of the file, in its order.
 * @throws Fault `file_unusable` for a wrong header, a quote that is never closed, and a file that is so far out of the
 * order of time that equal rows cannot be counted.
 */
export async function* csvBatches(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<ImportBatch, void> {
  const parser: Parser = parse({
    raw: true,
    info: true,
    bom: true,
    relax_column_count: true,
    max_record_size: LINE_BYTES_MAX,
  });
  const source = Readable.from(chunks, { objectMode: false });
  source.once("error", (error) => parser.destroy(error));
  source.pipe(parser);
  const seen = new SeenRows();
  let places: Places | undefined;
  let batch = new OpenBatch();
  try {
    for await (const row of parser as AsyncIterable<RawRow>) {
      if (!places) {
        places = readHeader(row.record, name);
        continue;
      }
      batch.add(row, places, seen, name);
      if (batch.full) {
        yield batch.close();
        batch = new OpenBatch();
      }
    }
  } catch (error) {
    throw csvFault(error, name);
  } finally {
    source.destroy();
    parser.destroy();
  }
  yield batch.close();
}

function csvFault(error: unknown, name: string): unknown {
  if (!(error instanceof CsvError)) return error;
  const { message, lines } = error;
  const line = lines === undefined ? "" : `line ${lines}: `;
  return new Fault(
    problem("file_unusable", "FILE", { value: name, reason: `${line}${message}; mend it and import again` }),
  );
}

function readHeader(names: readonly string[], name: string): Places {
  const places = new Map(names.map((column, at) => [column.trim(), at]));
  const cached = CACHED_COLUMNS.some((column) => places.has(column));
  const wanted: readonly string[] = cached ? COLUMNS : COLUMNS.slice(0, -CACHED_COLUMNS.length);
  const missing = wanted.filter((column) => !places.has(column));
  const unknown = [...places.keys()].filter((column) => !wanted.includes(column));
  const wrong = [
    ...(missing.length > 0 ? [`lacks ${missing.join(", ")}`] : []),
    ...(unknown.length > 0
      ? [`has the unknown ${unknown.map((one) => JSON.stringify(one.slice(0, 40))).join(", ")}`]
      : []),
    ...(places.size < names.length ? ["names a column twice"] : []),
  ];
  if (wrong.length === 0) return places;
  const reason = `its header ${wrong.join(" and ")}; it must have the columns of billing export-metrics`;
  throw new Fault(problem("file_unusable", "FILE", { value: name, reason }));
}

class OpenBatch {
  readonly #events: string[] = [];
  readonly #rows: { readonly line: number; readonly text: string }[] = [];
  readonly #rejects: ImportReject[] = [];
  #size = 0;
  #lines = 0;
  #lastLine = 1;
  #bytes = 0;

  get full(): boolean {
    return this.#lines >= BATCH_LINES_MAX || this.#size >= BATCH_BYTES_MAX;
  }

  add({ record, raw, info }: RawRow, places: Places, seen: SeenRows, name: string): void {
    const text = raw.replace(/\r?\n$/, "");
    this.#lines += 1;
    this.#size += text.length;
    this.#lastLine = info.lines;
    this.#bytes = info.bytes;
    if (record.length === 1 && record[0] === "") return;
    const made = eventOf(record, places, seen);
    if (made.kind === "reject") {
      this.#rejects.push({ line: info.lines, reason: made.reason, text: text.slice(0, TEXT_SHOWN_MAX).toWellFormed() });
    } else if (made.kind === "out_of_order") {
      const reason = `line ${info.lines}: it is too far out of the order of time to tell equal rows apart; sort it by start_time`;
      throw new Fault(problem("file_unusable", "FILE", { value: name, reason }));
    } else {
      this.#rows.push({ line: info.lines, text });
      this.#events.push(made.json);
    }
  }

  close(): ImportBatch {
    return {
      body: new Uint8Array(Buffer.from(this.#events.join("\n"))),
      rejects: this.#rejects,
      lineOf: (index) => this.#rows[index]!,
      lastLine: this.#lastLine,
      bytes: this.#bytes,
      withoutUnreadable: undefined,
    };
  }
}

type Made =
  | { readonly kind: "event"; readonly json: string }
  | { readonly kind: "reject"; readonly reason: string }
  | { readonly kind: "out_of_order" };

/** A row as an event; what it says is judged like every event's, when it is written. */
function eventOf(record: readonly string[], places: Places, seen: SeenRows): Made {
  if (record.length !== places.size) {
    return { kind: "reject", reason: `it has ${record.length} columns; the header has ${places.size}` };
  }
  const cell = (column: Column): string => plain(record[places.get(column) ?? -1] ?? "");
  const time = instantOf(cell("start_time"));
  if (time === undefined) {
    const sent = JSON.stringify(cell("start_time").slice(0, 40));
    return { kind: "reject", reason: `start_time: ${sent} was sent; it must be such as 2025-10-20 17:16:48 UTC` };
  }
  const [prompt, cached, uncached] = [
    cell("prompt_tokens"),
    cell("cached_prompt_tokens"),
    cell("uncached_prompt_tokens"),
  ];
  if (cached !== "" && uncached !== "" && Number(cached) + Number(uncached) !== Number(prompt)) {
    const reason = `uncached_prompt_tokens: ${uncached} and cached ${cached} are not together the prompt's ${prompt}`;
    return { kind: "reject", reason: reason.slice(0, 200) };
  }
  const hash = createHash("sha256")
    .update(JSON.stringify(CONTENT_COLUMNS.map(cell)))
    .digest();
  const count = seen.count(time, hash.readBigUInt64LE(0));
  if (count === undefined) return { kind: "out_of_order" };
  const usageType = cell("usage_type");
  const stream = Object.hasOwn(USAGE_TYPES, usageType) ? USAGE_TYPES[usageType as UsageType].stream : undefined;
  const event = {
    // The time comes first, since ids in the order of time are found many times faster.
    id: `csv-${formatInstant(time)}-${hash.toString("hex", 0, 16)}-${count}`,
    time: formatInstant(time),
    usageType,
    user: cell("email"),
    [stream === "SERVERLESS" ? "model" : "baseModel"]: cell("base_model_name"),
    acceleratorType: cell("accelerator_type"),
    acceleratorSeconds: cell("accelerator_seconds"),
    [usageType === "TRAINING_TOKEN_USAGE" ? "tokens" : "promptTokens"]: prompt,
    cachedPromptTokens: cached,
    completionTokens: cell("completion_tokens"),
  };
  // An empty cell leaves its field out.
  const filled = Object.entries(event).filter(([, value]) => value !== "");
  return { kind: "event", json: JSON.stringify(Object.fromEntries(filled)) };
}

/** Takes off the apostrophe that the export puts before what a spreadsheet would run as a formula. */
function plain(cell: string): string {
  return /^'[=+\-@\t\r＝＋－＠]/.test(cell) ? cell.slice(1) : cell;
}

const UTC_TIME = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?) UTC$/;

function instantOf(text: string): number | undefined {
  const match = UTC_TIME.exec(text);
  return parseInstant(match ? `${match[1]}T${match[2]}Z` : text);
}

/** A file of usage -> the ledger, batch by batch, so that a file of any size takes the same memory. */

import { Fault, problem } from "../domain/fault.ts";
import type { ImportBatch, ImportReject } from "./import-batch.ts";
import { csvBatches, looksLikeMetricsCsv } from "./import-csv.ts";
import { lineBatches } from "./import-lines.ts";

export type { ImportReject } from "./import-batch.ts";

export interface ImportSource {
  /** What faults call it. */
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** How far an import has come. */
export interface ImportTotals {
  readonly created: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly rejected: number;
  readonly droppedAnnotations: number;
  /** All lines up to this one are done. */
  readonly lines: number;
  readonly bytes: number;
}

export interface ImportHooks {
  /** Each line that was not taken: refused, or in conflict with the event that is kept under its id. */
  readonly onReject: (reject: ImportReject) => void | Promise<void>;
  /** After each batch, when it is counted and on disk. */
  readonly onProgress: (totals: ImportTotals) => void;
  /** Ends the import after the batch that is being written. */
  readonly signal?: AbortSignal;
}

/** What the ledger said of a body of NDJSON. */
interface Written {
  readonly created: number;
  readonly duplicates: number;
  readonly conflicts: readonly { readonly index: number; readonly id: string; readonly field: string }[];
  readonly rejected: readonly { readonly index: number; readonly message: string }[];
  readonly droppedAnnotations: number;
}
type Write = (body: Uint8Array) => Promise<Written>;

const NOTHING: ImportTotals = {
  created: 0,
  duplicates: 0,
  conflicts: 0,
  rejected: 0,
  droppedAnnotations: 0,
  lines: 0,
  bytes: 0,
};

/**
 * Imports the whole file, in its order: one batch is written while the next is read. When it throws or is ended by the
 * signal, the batches that were reported are counted, and an import of the same file completes it.
 * @throws Fault `file_unusable` when the file is neither form; whatever `write` throws.
 */
export async function importFile(source: ImportSource, write: Write, hooks: ImportHooks): Promise<ImportTotals> {
  // To end the import its source may be closed, which then is no mistake.
  const unlessEnded = (error: unknown): undefined => {
    if (!hooks.signal?.aborted) throw error;
  };
  const batches = await batchesOf(source).catch(unlessEnded);
  if (!batches) return NOTHING;
  let totals = NOTHING;
  let reading = batches.next();
  try {
    for (;;) {
      const batch = await reading.catch(unlessEnded);
      if (!batch || batch.done || hooks.signal?.aborted) return totals;
      reading = batches.next();
      // It is awaited after the write; should that fail, nobody asks.
      reading.catch(() => {});
      totals = await writeBatch(batch.value, write, hooks, totals);
      hooks.onProgress(totals);
    }
  } finally {
    // Not awaited: a source that is silent would keep it waiting.
    batches.return().catch(() => {});
  }
}

/** Bodies that are refused as a whole for one line, and are written without it. */
const LINE_FAULTS = ["bad_ndjson", "bad_utf8"];

async function writeBatch(
  batch: ImportBatch,
  write: Write,
  hooks: ImportHooks,
  totals: ImportTotals,
): Promise<ImportTotals> {
  let written: Written;
  try {
    written = batch.body.length === 0 ? EMPTY : await write(batch.body);
  } catch (error) {
    const again = error instanceof Fault && LINE_FAULTS.includes(error.problems[0].code);
    if (!again || !batch.withoutUnreadable) throw error;
    return writeBatch(batch.withoutUnreadable(), write, hooks, totals);
  }
  const { created, duplicates, conflicts, rejected, droppedAnnotations } = written;
  const rejects: ImportReject[] = [
    ...batch.rejects,
    ...rejected.map(({ index, message }) => ({ ...batch.lineOf(index), reason: message })),
    ...conflicts.map(({ index, id, field }) => ({
      ...batch.lineOf(index),
      reason: `conflict: ${field} is another one in the event that is kept under the id ${JSON.stringify(id)}`,
    })),
  ];
  rejects.sort((a, b) => a.line - b.line);
  for (const reject of rejects) await hooks.onReject(reject);
  return {
    created: totals.created + created,
    duplicates: totals.duplicates + duplicates,
    conflicts: totals.conflicts + conflicts.length,
    rejected: totals.rejected + batch.rejects.length + rejected.length,
    droppedAnnotations: totals.droppedAnnotations + droppedAnnotations,
    lines: batch.lastLine,
    bytes: batch.bytes,
  };
}

const EMPTY: Written = { created: 0, duplicates: 0, conflicts: [], rejected: [], droppedAnnotations: 0 };

/** What is looked at to tell the form. */
const HEAD_BYTES_MAX = 64 * 1024;

/** Tells the form by the first line that is not blank. */
async function batchesOf({ name, chunks }: ImportSource): Promise<AsyncGenerator<ImportBatch, void>> {
  const iterator = chunks[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let head = "";
  for (let size = 0; size < HEAD_BYTES_MAX && !head.trimStart().includes("\n"); ) {
    const next = await iterator.next();
    if (next.done) break;
    held.push(next.value);
    size += next.value.length;
    head = Buffer.concat(held)
      .toString("utf8")
      .replace(/^\uFEFF/, "");
  }
  const all = (async function* () {
    try {
      let first = true;
      for (const chunk of held.splice(0)) {
        // The byte order mark is no part of the first line.
        const marked = first && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf;
        first = false;
        yield marked ? chunk.subarray(3) : chunk;
      }
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
  const line = /\S[^\n]*/.exec(head)?.[0] ?? "";
  if (line === "" || line.startsWith("{")) return lineBatches(all);
  if (looksLikeMetricsCsv(line)) return csvBatches(all, name);
  await iterator.return?.();
  const gzip =
    held.length > 0 && held[0]![0] === 0x1f ? "; inflate it first: gzip -dc FILE | daybook import usage -" : "";
  const reason = `it is neither usage events, one JSON object a line, nor the CSV of billing export-metrics${gzip}`;
  throw new Fault(problem("file_unusable", "FILE", { value: name, reason }));
}

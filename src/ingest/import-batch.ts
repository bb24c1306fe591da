/** What an import hands to the ledger at a time, whatever form the file has. */

/** A line of the file that was not taken. */
export interface ImportReject {
  /** From 1; of a CSV row, the line it ends on. */
  readonly line: number;
  readonly reason: string;
  /** The line as it stands in the file, without its end. */
  readonly text: string;
}

export interface ImportBatch {
  /** NDJSON in memory of its own, which may be given away. */
  readonly body: Uint8Array;
  /** What was refused before the ledger was asked. */
  readonly rejects: readonly ImportReject[];
  /** The line that stands behind an event of the body, by its index there. */
  readonly lineOf: (index: number) => { readonly line: number; readonly text: string };
  /** Where the batch ends in the file: the number of its last line, and bytes from the beginning. */
  readonly lastLine: number;
  readonly bytes: number;
  /** The same without the lines that make the ledger refuse the whole body; undefined where there are none such. */
  readonly withoutUnreadable: (() => ImportBatch) | undefined;
}

export const BATCH_LINES_MAX = 10_000;
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** A longer line is no event; it is never held in memory as a whole. */
export const LINE_BYTES_MAX = 1024 * 1024;
/** What a reject shows of a line that is longer. */
export const TEXT_SHOWN_MAX = 4096;

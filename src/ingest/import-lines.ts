/** A file of usage events, one JSON object a line -> batches, a few MiB of the file in memory at a time. */

import { isUtf8 } from "node:buffer";
import { Fault } from "../domain/fault.ts";
import { recordsOf } from "./body.ts";
import {
  BATCH_BYTES_MAX,
  BATCH_LINES_MAX,
  type ImportBatch,
  type ImportReject,
  LINE_BYTES_MAX,
  TEXT_SHOWN_MAX,
} from "./import-batch.ts";

const FEED = 10;

/** Lines that belong together: a piece of the file that ends with a line's end. */
interface Block {
  readonly bytes: Buffer;
  readonly firstLine: number;
  readonly lines: number;
}

/** The batches of the file, in its order. `chunks` may be cut anywhere. */
export async function* lineBatches(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ImportBatch, void> {
  const cutter = new Cutter();
  for await (const chunk of chunks) yield* cutter.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  yield* cutter.end();
}

/** Cuts what comes into blocks of whole lines. */
class Cutter {
  /** What came since the last block, with its bytes and line ends. */
  #pending: Buffer[] = [];
  #size = 0;
  #feeds = 0;
  /** The next line's number, and where it begins in the file. */
  #line = 1;
  #bytes = 0;
  /** The beginning of a line that is too long, while its end is looked for. */
  #long: string | undefined;

  *push(chunk: Buffer): Generator<ImportBatch> {
    this.#hold(chunk);
    if (this.#size >= BATCH_BYTES_MAX || this.#feeds >= BATCH_LINES_MAX || this.#long !== undefined) yield* this.#cut();
  }

  *end(): Generator<ImportBatch> {
    yield* this.#cut();
    const rest = Buffer.concat(this.#pending);
    const lines = this.#feeds + (rest.at(-1) === FEED ? 0 : 1);
    if (this.#long !== undefined) yield this.#endLong(rest.length);
    else if (rest.length > 0) yield this.#batch({ bytes: rest, firstLine: this.#line, lines });
  }

  #hold(chunk: Buffer): void {
    this.#pending.push(chunk);
    this.#size += chunk.length;
    for (let at = chunk.indexOf(FEED); at >= 0; at = chunk.indexOf(FEED, at + 1)) this.#feeds += 1;
  }

  /** Takes every full block of what is pending. */
  *#cut(): Generator<ImportBatch> {
    let rest = Buffer.concat(this.#pending);
    for (;;) {
      const feed = this.#long === undefined ? -1 : rest.indexOf(FEED);
      if (feed >= 0) {
        yield this.#endLong(feed + 1);
        rest = rest.subarray(feed + 1);
        continue;
      }
      const block = this.#long === undefined ? takeBlock(rest, this.#line) : undefined;
      if (!block) break;
      yield this.#batch(block);
      rest = rest.subarray(block.bytes.length);
    }
    if (
      this.#long === undefined &&
      rest.length > LINE_BYTES_MAX &&
      !rest.subarray(0, LINE_BYTES_MAX + 1).includes(FEED)
    ) {
      this.#long = rest.toString("utf8", 0, TEXT_SHOWN_MAX).toWellFormed();
      this.#keep(rest);
      yield* this.#cut();
      return;
    }
    if (this.#long !== undefined) {
      this.#bytes += rest.length;
      rest = Buffer.alloc(0);
    }
    this.#keep(rest);
  }

  #keep(rest: Buffer): void {
    this.#pending = [];
    this.#size = 0;
    this.#feeds = 0;
    if (rest.length > 0) this.#hold(rest);
  }

  #batch(block: Block): ImportBatch {
    this.#line += block.lines;
    this.#bytes += block.bytes.length;
    return batchOf(block, this.#bytes);
  }

  #endLong(length: number): ImportBatch {
    const reject = { line: this.#line, reason: `the line is longer than ${LINE_BYTES_MAX} bytes`, text: this.#long! };
    this.#long = undefined;
    this.#line += 1;
    this.#bytes += length;
    return { ...NOTHING, rejects: [reject], lastLine: reject.line, bytes: this.#bytes };
  }
}

/** A full block from the beginning: undefined while more lines would fit into it. */
function takeBlock(bytes: Buffer, firstLine: number): Block | undefined {
  let end = 0;
  let lines = 0;
  while (lines < BATCH_LINES_MAX) {
    const feed = bytes.indexOf(FEED, end);
    const length = (feed < 0 ? bytes.length : feed) - end;
    const tooLong = length > LINE_BYTES_MAX;
    if (feed < 0 && !tooLong) return undefined;
    if (tooLong || (lines > 0 && feed >= BATCH_BYTES_MAX)) break;
    end = feed + 1;
    lines += 1;
  }
  return lines === 0 ? undefined : { bytes: bytes.subarray(0, end), firstLine, lines };
}

const NOTHING = {
  body: new Uint8Array(),
  rejects: [],
  lineOf: () => {
    throw new Error("an empty batch has no lines");
  },
  withoutUnreadable: undefined,
};

function batchOf(block: Block, bytes: number): ImportBatch {
  const lastLine = block.firstLine + block.lines - 1;
  let filled: readonly Line[] | undefined;
  return {
    // A copy: it may be given away, and the lines may be asked for afterwards.
    body: new Uint8Array(block.bytes),
    rejects: [],
    lineOf: (index) => {
      filled ??= filledLines(block);
      return shown(filled[index]!);
    },
    lastLine,
    bytes,
    withoutUnreadable: () => readable(filledLines(block), lastLine, bytes),
  };
}

interface Line {
  readonly line: number;
  readonly bytes: Buffer;
}

/** The lines that hold more than white space, as the decoder counts them. */
function filledLines({ bytes, firstLine, lines }: Block): Line[] {
  const found: Line[] = [];
  let start = 0;
  for (let at = 0; at < lines; at += 1) {
    const feed = bytes.indexOf(FEED, start);
    const own = bytes.subarray(start, feed < 0 ? bytes.length : feed);
    if (own.some((byte) => byte !== 32 && byte !== 13 && byte !== 9)) found.push({ line: firstLine + at, bytes: own });
    start = feed + 1;
  }
  return found;
}

function shown({ line, bytes }: Line): { line: number; text: string } {
  return { line, text: bytes.toString("utf8").replace(/\r$/, "") };
}

/** Parses line by line, and keeps those that are JSON. */
function readable(lines: readonly Line[], lastLine: number, bytes: number): ImportBatch {
  const rejects: ImportReject[] = [];
  const good = lines.filter((one) => {
    const reason = unreadable(one.bytes);
    if (reason !== undefined) rejects.push({ ...shown(one), reason });
    return reason === undefined;
  });
  const body = new Uint8Array(Buffer.concat(good.flatMap((one) => [one.bytes, NEW_LINE])));
  return { body, rejects, lineOf: (index) => shown(good[index]!), lastLine, bytes, withoutUnreadable: undefined };
}

const NEW_LINE = Buffer.from("\n");

/** Why the line is no JSON. */
function unreadable(bytes: Buffer): string | undefined {
  if (!isUtf8(bytes)) return "it is not valid UTF-8";
  try {
    recordsOf("lines", bytes.toString("utf8"));
    return undefined;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return `it is not valid JSON: ${error.problems[0].facts.reason}`;
  }
}

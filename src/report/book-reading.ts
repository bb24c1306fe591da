/** Reads large price books in a thread, so that no other call waits: a text of 5 MiB can take more than ten seconds. */

import { extname } from "node:path";
import { Piscina } from "piscina";
import { Fault, problem } from "../domain/fault.ts";
import { type ReadBook, readBookText } from "./book-text.ts";
import type { BookAnswer, BookTask } from "./book-thread.ts";

/** Up to so many characters a book is read in some tens of milliseconds, and a thread takes as long to start. */
const READ_HERE_CHARACTERS_MAX = 48 * 1024;
const BOOKS_PENDING_MAX = 16;
const RETRY_AFTER_SECONDS = 5;
/** Books are seldom put, so the thread and its memory go soon. */
const IDLE_MS = 5_000;

export class BookReading {
  readonly #pool: Piscina<BookTask, BookAnswer> = new Piscina({
    filename: new URL(`./book-thread${extname(import.meta.filename)}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
    maxQueue: BOOKS_PENDING_MAX,
    recordTiming: false,
  });

  /** @throws Fault as readBookText does; `overloaded` when too many books wait. */
  readonly read: ReadBook = async (text, kind) => {
    if (text.document.length <= READ_HERE_CHARACTERS_MAX) return readBookText(text, kind);
    if (this.#pool.queueSize >= BOOKS_PENDING_MAX) {
      throw new Fault(problem("overloaded", "server", { seconds: RETRY_AFTER_SECONDS }), RETRY_AFTER_SECONDS);
    }
    const answer = await this.#pool.run({ text, kind });
    if (answer.kind === "refused") throw new Fault(answer.problems);
    return answer.book;
  };

  /** Ends the thread, also in the middle of a book. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

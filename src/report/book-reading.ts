/** Reads large price books in a thread, so that no other call waits: a text of 5 MiB can take more than ten seconds. */

import { extname } from "node:path";
import { Fault, orFault, overloaded, unavailable } from "../domain/fault.ts";
import { Threads } from "../threads/threads.ts";
import { type ReadBook, readBookText } from "./book-text.ts";
import type { BookAnswer, BookTask } from "./book-thread.ts";

/** Up to so many characters a book is read in some tens of milliseconds, and a thread takes as long to start. */
const READ_HERE_CHARACTERS_MAX = 48 * 1024;
const BOOKS_PENDING_MAX = 16;
const RETRY_AFTER_SECONDS = 5;
/** Books are seldom put, so the thread and its memory go soon. */
const IDLE_MS = 5_000;

export class BookReading {
  #thread: Threads | undefined;
  #pending = 0;
  #isClosed = false;
  #idle: NodeJS.Timeout | undefined;

  /** @throws Fault as readBookText does; `overloaded` when too many books wait; `unavailable` where a thread cannot start. */
  readonly read: ReadBook = async (text, kind) => {
    if (text.document.length <= READ_HERE_CHARACTERS_MAX) return readBookText(text, kind);
    if (this.#isClosed) throw unavailable("it is shutting down");
    if (this.#pending >= BOOKS_PENDING_MAX) throw overloaded(RETRY_AFTER_SECONDS);
    clearTimeout(this.#idle);
    this.#pending += 1;
    try {
      this.#thread ??= started();
      return orFault(await this.#thread.run<BookAnswer>({ text, kind } satisfies BookTask));
    } finally {
      this.#pending -= 1;
      if (this.#pending === 0) this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
    }
  };

  async #end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.end();
  }

  /** Ends the thread, also in the middle of a book. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idle);
    await this.#end();
  }
}

function started(): Threads {
  const file = new URL(`./book-thread${extname(import.meta.filename)}`, import.meta.url);
  try {
    return new Threads({ name: "price book", file, count: 1 });
  } catch (error) {
    throw error instanceof Fault ? unavailable(error.message) : error;
  }
}

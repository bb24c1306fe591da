/** A price book's text, read whole. */

import { Fault, problem } from "../domain/fault.ts";
import { loadPriceBook } from "../rating/book.ts";
import type { BookKind, PriceBook } from "../rating/price.ts";

/** A book's text, and what its mistakes call it. */
export interface BookText {
  readonly name: string;
  readonly document: string;
}

/** Reads a book as {@link readBookText} does, perhaps elsewhere. */
export type ReadBook = (text: BookText, kind: BookKind) => Promise<PriceBook>;

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for.
const NO_TEXT = /\u0000|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Reads a book. @throws Fault `bad_price_book` with every mistake. */
export function readBookText({ name, document }: BookText, kind: BookKind): PriceBook {
  // What no file of text holds would not come back from the store as it was sent.
  const bad = NO_TEXT.exec(document);
  if (bad) {
    const line = document.slice(0, bad.index).split("\n").length;
    const reason = "there is a character that is no text here; save the book as UTF-8";
    throw new Fault(problem("bad_price_book", "", { value: name, line, reason }));
  }
  return loadPriceBook(name, document, kind);
}

/** What runs in the thread of {@link BookReading}: the reading of one book, with a refusal as a value. */

import { Fault, type Problem } from "../domain/fault.ts";
import type { BookKind, PriceBook } from "../rating/price.ts";
import { type BookText, readBookText } from "./book-text.ts";

export interface BookTask {
  readonly text: BookText;
  readonly kind: BookKind;
}

/** A thrown Fault would lose its class on the way. */
export type BookAnswer =
  | { readonly kind: "read"; readonly book: PriceBook }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] };

export default function answer({ text, kind }: BookTask): BookAnswer {
  try {
    return { kind: "read", book: readBookText(text, kind) };
  } catch (error) {
    if (error instanceof Fault) return { kind: "refused", problems: error.problems };
    throw error;
  }
}

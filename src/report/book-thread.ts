/** What runs in the thread of {@link BookReading}: the reading of one book. */

import { orRefusal, type Refusal } from "../domain/fault.ts";
import type { BookKind, PriceBook } from "../rating/price.ts";
import { type BookText, readBookText } from "./book-text.ts";

export interface BookTask {
  readonly text: BookText;
  readonly kind: BookKind;
}

export type BookAnswer = PriceBook | Refusal;

export default function answer({ text, kind }: BookTask): BookAnswer {
  return orRefusal(() => readBookText(text, kind));
}

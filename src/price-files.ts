/** Price books as files. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { unreadable } from "./domain/unreadable.ts";
import { type BookText, readBookText } from "./report/book-text.ts";
import { type BookCheck, checkOfBook } from "./report/price-books.ts";

/** The price book that comes with Daybook. */
export const SHIPPED_PRICES: string = fileURLToPath(new URL("../prices/default.yaml", import.meta.url));

/** What a price book's text holds, without a server. @throws Fault `bad_price_book` with every mistake. */
export function checkPriceBook(text: BookText, kind: "list" | "contract"): BookCheck {
  return checkOfBook(readBookText(text, kind));
}

/** A price book's file. @throws Fault `file_unusable`. */
export function readBookFile(path: string): BookText {
  try {
    return { name: path, document: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)) };
  } catch (error) {
    throw unreadable("prices", path, error);
  }
}

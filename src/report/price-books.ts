/** Price books on their way into the store: read whole, every mistake told, and only then kept. */

import {
  hashOfDocument,
  LIST_SCOPE,
  type NewPriceBook,
  type PriceBookRecord,
  type PriceBookVersion,
  SHIPPED,
} from "../accounts/price-books.ts";
import type { Accounts } from "../accounts/store.ts";
import { Fault } from "../domain/fault.ts";
import { gapsOf, type PriceGap } from "../rating/gaps.ts";
import type { BookKind, PriceBook } from "../rating/price.ts";
import type { BookText, ReadBook } from "./book-text.ts";

export type { PriceBookDocument, PriceBookRecord } from "../accounts/price-books.ts";

/** A book for everybody, or one account's contract. */
export function kindOfScope(account: string): BookKind {
  return account === LIST_SCOPE ? "list" : "contract";
}

/** What a book without mistakes holds. */
export interface BookCheck {
  /** Prices and discounts that it states. */
  readonly entryCount: number;
  /** Times without a price between, or after, times with one. */
  readonly gaps: readonly PriceGap[];
}

export function checkOfBook(book: PriceBook): BookCheck {
  return { entryCount: entryCountOf(book), gaps: gapsOf(book) };
}

function entryCountOf({ entries, discounts }: PriceBook): number {
  return entries.length + discounts.length;
}

interface BookStore {
  readonly accounts: Pick<Accounts, "putPriceBook" | "priceBookVersions">;
  readonly readBook: ReadBook;
}

/**
 * Puts a book without mistakes as the newest version of its scope; the text that is newest already adds nothing.
 * @throws Fault `bad_price_book` with every mistake, `not_found` for an account that there is not; nothing was put then.
 */
export async function putBookText(
  { accounts, readBook }: BookStore,
  text: BookText,
  { account, createdBy }: Pick<NewPriceBook, "account" | "createdBy">,
): Promise<PriceBookRecord> {
  const entryCount = entryCountOf(await readBook(text, kindOfScope(account)));
  return accounts.putPriceBook({ account, document: text.document, entryCount, createdBy });
}

/** The list book that a start found or put. */
export interface BookAtStart {
  readonly inForce: PriceBookVersion;
  /** Whether this start put it. */
  readonly isNew: boolean;
  /** What is wrong with the book that was given, where the one before stays in force. */
  readonly refused: Fault | undefined;
  /** Whether the book that comes with Daybook has changed since it was last put, and none was given. */
  readonly shippedIsNewer: boolean;
}

/**
 * Sees to it that there is a list book. A first start puts the one that is given, or else the shipped one. Later a
 * given one that differs is put; the shipped one never by itself, since past usage would cost something else then.
 * @param given reads the book that the operator names, if any.
 * @throws Fault on a first start, when the book that is given cannot be read or has a mistake.
 */
export async function bookAtStart(
  store: BookStore,
  shipped: BookText,
  given: (() => BookText) | undefined,
): Promise<BookAtStart> {
  const versions = await store.accounts.priceBookVersions(LIST_SCOPE);
  const newest = versions.at(-1);
  const put = (text: BookText, createdBy: string) => putBookText(store, text, { account: LIST_SCOPE, createdBy });
  if (!newest) {
    const text = given?.();
    const inForce = text ? await put(text, text.name) : await put(shipped, SHIPPED);
    return { inForce, isNew: true, refused: undefined, shippedIsNewer: false };
  }
  const kept = { inForce: newest, isNew: false, refused: undefined };
  if (!given) return { ...kept, shippedIsNewer: followsShipped(versions, shipped) };
  try {
    const text = given();
    if (hashOfDocument(text.document) === newest.hash) return { ...kept, shippedIsNewer: false };
    return { inForce: await put(text, text.name), isNew: true, refused: undefined, shippedIsNewer: false };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { ...kept, refused: error, shippedIsNewer: false };
  }
}

/** Whether some shipped book was put, but never this one. Who only ever put books of their own is not told of ours. */
function followsShipped(versions: readonly PriceBookVersion[], { document }: BookText): boolean {
  if (!versions.some(({ createdBy }) => createdBy === SHIPPED)) return false;
  const hash = hashOfDocument(document);
  return versions.every((version) => version.hash !== hash);
}

/**
 * Versions of price books: what the prices were known to be, and since when. A version is never edited or deleted; a
 * correction is a new one. The text is kept as it was sent; what it says is rating's business.
 */

import { createHash } from "node:crypto";
import { Fault, problem } from "../domain/fault.ts";
import type { Instant } from "../domain/time.ts";
import { type Page, type PageAsk, readPage } from "./paging.ts";
import type { Store } from "./tables.ts";
import { INSTALLATION, writing } from "./writing.ts";

/** The scope of the installation's list book. Any other is the id of the account whose contract the book is. */
export const LIST_SCOPE = "";

/** Who put a book that came with Daybook itself. */
export const SHIPPED = "shipped";

/** What tells one version of a book from another. */
export interface PriceBookVersion {
  /** 1, 2, 3 and so on: one sequence for the installation. */
  readonly version: number;
  /** Later than that of the version before it in the same scope. */
  readonly knownFrom: Instant;
  /** SHA-256 of the document's UTF-8, in hex. */
  readonly hash: string;
  /** Who put it: the id of a key, a file's name, or {@link SHIPPED}. */
  readonly createdBy: string;
}

/** A version without its text. */
export interface PriceBookRecord extends PriceBookVersion {
  /** {@link LIST_SCOPE}, or the account whose contract it is. */
  readonly account: string;
  /** Prices and discounts that it states. */
  readonly entryCount: number;
}

/** A version with the text that was sent. */
export interface PriceBookDocument extends PriceBookRecord {
  readonly document: string;
}

/** The document is a book without mistakes; whoever puts it has read it. */
export interface NewPriceBook {
  readonly account: string;
  readonly document: string;
  readonly entryCount: number;
  readonly createdBy: string;
}

const RECORD_COLUMNS = ["version", "account", "knownFrom", "hash", "createdBy", "entryCount"] as const;

/** What a document is compared by. */
export function hashOfDocument(document: string): string {
  return createHash("sha256").update(document, "utf8").digest("hex");
}

/**
 * Adds a version to its scope, known from now on. The text of the scope's newest version adds nothing: that version is
 * the answer, so a put may be repeated. The caller checked that the account exists.
 */
export async function putPriceBook(store: Store, ask: NewPriceBook): Promise<PriceBookRecord> {
  const { account, document, entryCount, createdBy } = ask;
  const hash = hashOfDocument(document);
  // One transaction decides version and time, so that of two writers at once one is the later.
  return writing(store, [INSTALLATION], async ({ database }) => {
    const newest = await database
      .selectFrom("priceBooks")
      .select(RECORD_COLUMNS)
      .where("account", "=", account)
      .orderBy("version", "desc")
      .limit(1)
      .executeTakeFirst();
    if (newest?.hash === hash) return newest;
    const { last } = await database
      .selectFrom("priceBooks")
      .select((books) => books.fn.max<number | null>("version").as("last"))
      .executeTakeFirstOrThrow();
    // A clock that was set back must not make a correction known before what it corrects.
    const knownFrom = Math.max(store.now(), (newest?.knownFrom ?? Number.NEGATIVE_INFINITY) + 1);
    const record: PriceBookRecord = { version: (last ?? 0) + 1, account, knownFrom, hash, createdBy, entryCount };
    await database
      .insertInto("priceBooks")
      .values({ ...record, document })
      .execute();
    return record;
  });
}

/** One page of the versions, newest first. @param only the scope to list; all when left out. */
export async function listPriceBooks(
  store: Store,
  ask: PageAsk,
  only: string | undefined,
): Promise<Page<PriceBookRecord>> {
  const rows = store.database
    .selectFrom("priceBooks")
    .$if(only !== undefined, (books) => books.where("account", "=", only!));
  return readPage(ask, {
    read: (after, limit) =>
      rows
        .select(RECORD_COLUMNS)
        .$if(after !== "", (books) => books.where("version", "<", versionOf(after, ask)))
        .orderBy("version", "desc")
        .limit(limit)
        .execute(),
    count: async () => (await rows.select((all) => all.fn.countAll<number>().as("n")).executeTakeFirstOrThrow()).n,
    keyOf: ({ version }) => String(version),
  });
}

/** The version that a page begins below. */
function versionOf(after: string, { pageToken }: PageAsk): number {
  if (/^[1-9]\d{0,14}$/.test(after)) return Number(after);
  throw new Fault(problem("bad_page_token", "pageToken", { value: pageToken }));
}

/** @throws Error when the document is not what was put: the disk has changed it. */
export async function findPriceBook(store: Store, version: number): Promise<PriceBookDocument | undefined> {
  const found = await store.database
    .selectFrom("priceBooks")
    .selectAll()
    .where("version", "=", version)
    .executeTakeFirst();
  if (found && hashOfDocument(found.document) !== found.hash) {
    throw new Error(`price book version ${version} is not what was put; restore a backup`);
  }
  return found;
}

/** Every version of a scope, oldest first. */
export async function priceBookVersions(store: Store, scope: string): Promise<readonly PriceBookVersion[]> {
  return store.database
    .selectFrom("priceBooks")
    .select(["version", "knownFrom", "hash", "createdBy"])
    .where("account", "=", scope)
    .orderBy("version")
    .execute();
}

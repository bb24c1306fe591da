/**
 * Sealed parts: entries that will not change any more, in pages by the highest bits of their hash. A page is one row; a
 * lookup reads one page of one part, and the part's filter spares almost all of them.
 */

import type { DatabaseSync } from "node:sqlite";
import { bytesOf, ENTRY_WORDS, NOWHERE, type Place, placesIn, wordsOf } from "./identity-entries.ts";
import { filterOf, filterSum, filterWords, mayHold } from "./identity-filter.ts";
import { arrayStatements } from "./statements.ts";

/** Entries of a page, on average: four rows of them fill a page of the file. */
const ENTRIES_PER_PAGE = 56;
/** A page's key is its part's number times this, and its own. */
const PAGES_PER_PART_MAX = 2 ** 24;

/** A part as its row has it. */
interface PartRow {
  readonly part: number;
  /** Entries count their event's number from here. */
  readonly base: number;
  readonly identities: number;
  /** The pages are 2 to the power of this. */
  readonly pageBits: number;
}

export interface Part extends PartRow {
  readonly filter: Uint32Array;
}

/** Writes entries down as a part of the file, inside the caller's transaction. */
export function writePart(database: DatabaseSync, entries: Uint32Array, base: number): Part {
  const part = database.prepare("SELECT coalesce(max(part), 0) + 1 AS part FROM identity_parts").get()!.part as number;
  const identities = entries.length / ENTRY_WORDS;
  const pageBits = Math.max(0, Math.ceil(Math.log2(identities / ENTRIES_PER_PAGE)));
  const insertPage = database.prepare("INSERT INTO identity_pages (page, entries) VALUES (?, ?)");
  const { order, starts, longest } = intoPages(entries, pageBits);
  // The file copies what it is given: all pages pass through one piece of memory, not each through its own.
  const picked = new Uint32Array(longest * ENTRY_WORDS);
  for (let page = 0; page + 1 < starts.length; page += 1) {
    const [from, to] = [starts[page]!, starts[page + 1]!];
    if (from < to) insertPage.run(pageKey(part, page), bytesOf(pick(entries, order.subarray(from, to), picked)));
  }
  const filter = filterOf(entries);
  database
    .prepare(
      `INSERT INTO identity_parts (part, base, identities, page_bits, filter, filter_sum) VALUES (?, ?, ?, ?, ?, ?)`,
    )
    .run(part, base, identities, pageBits, bytesOf(filter), filterSum(filter));
  return { part, base, identities, pageBits, filter };
}

/** The places of the entries page by page, where each page starts, and how many entries the longest has. */
function intoPages(
  entries: Uint32Array,
  pageBits: number,
): { readonly order: Uint32Array; readonly starts: Uint32Array; readonly longest: number } {
  const starts = new Uint32Array(2 ** pageBits + 1);
  for (let at = 0; at < entries.length; at += ENTRY_WORDS) starts[pageOf(entries[at + 1]!, pageBits) + 1]! += 1;
  const longest = starts.reduce((most, count) => Math.max(most, count), 0);
  for (let page = 1; page < starts.length; page += 1) starts[page]! += starts[page - 1]!;
  const next = starts.slice();
  const order = new Uint32Array(entries.length / ENTRY_WORDS);
  for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
    const page = pageOf(entries[at + 1]!, pageBits);
    order[next[page]!] = at;
    next[page]! += 1;
  }
  return { order, starts, longest };
}

/** The entries that begin at these places, copied to `picked`; a view of it. */
function pick(entries: Uint32Array, order: Uint32Array, picked: Uint32Array): Uint32Array {
  const words = order.length * ENTRY_WORDS;
  for (let to = 0; to < words; to += ENTRY_WORDS) {
    const at = order[to / ENTRY_WORDS]!;
    for (let word = 0; word < ENTRY_WORDS; word += 1) picked[to + word] = entries[at + word]!;
  }
  return picked.subarray(0, words);
}

/** The page of a hash with this high word. */
function pageOf(high: number, pageBits: number): number {
  return pageBits === 0 ? 0 : high >>> (32 - pageBits);
}

function pageKey(part: number, page: number): number {
  return part * PAGES_PER_PART_MAX + page;
}

/** The parts of the file and, of each, its filter; one whose filter is damaged gets it made anew from its pages. */
export function readParts(database: DatabaseSync): { readonly parts: Part[]; readonly damaged: Part[] } {
  const filters = database.prepare("SELECT filter, filter_sum AS sum FROM identity_parts WHERE part = ?");
  const damaged: Part[] = [];
  const parts = partRows(database).map((row): Part => {
    const kept = filters.get(row.part) as { filter: Uint8Array; sum: number };
    const filter = wordsOf(kept.filter);
    if (filter.length === filterWords(row.identities) && filterSum(filter) === kept.sum) return { ...row, filter };
    const part = { ...row, filter: filterOf(partEntries(database, row)) };
    damaged.push(part);
    return part;
  });
  return { parts, damaged };
}

/** Writes the filter of a part anew. */
export function mendFilter(database: DatabaseSync, { part, filter }: Part): void {
  const update = database.prepare("UPDATE identity_parts SET filter = ?, filter_sum = ? WHERE part = ?");
  update.run(bytesOf(filter), filterSum(filter), part);
}

export function partRows(database: DatabaseSync): PartRow[] {
  const rows = database.prepare(
    "SELECT part, base, identities, page_bits AS pageBits FROM identity_parts ORDER BY part",
  );
  return rows.all() as unknown as PartRow[];
}

/** All entries of a part, page by page. */
export function partEntries(database: DatabaseSync, { part }: PartRow): Uint32Array {
  const pages = database.prepare("SELECT entries FROM identity_pages WHERE page >= ? AND page < ?");
  const rows = pages.all(pageKey(part, 0), pageKey(part + 1, 0)) as unknown as readonly { entries: Uint8Array }[];
  const entries = new Uint32Array(rows.reduce((sum, row) => sum + Math.floor(row.entries.length / 4), 0));
  let next = 0;
  for (const row of rows) {
    const words = wordsOf(row.entries);
    entries.set(words, next);
    next += words.length;
  }
  return entries;
}

/** Looks hashes up in parts, which may be given anew with each. */
export function partSearch(database: DatabaseSync) {
  const page = arrayStatements(database)("SELECT entries FROM identity_pages WHERE page = ?");
  const within = (part: PartRow, low: number, high: number): readonly Place[] => {
    const row = page.get(pageKey(part.part, pageOf(high, part.pageBits))) as unknown as [Uint8Array] | undefined;
    return row ? placesIn(wordsOf(row[0]), part.base, low, high) : NOWHERE;
  };
  const search = (parts: readonly Part[], low: number, high: number): readonly Place[] => {
    let places = NOWHERE;
    for (let at = 0; at < parts.length; at += 1) {
      const part = parts[at]!;
      if (!mayHold(part.filter, low, high)) continue;
      const found = within(part, low, high);
      if (found.length > 0) places = [...places, ...found];
    }
    return places;
  };
  return { within, search };
}

/**
 * The identities of a ledger.db: which (account, id) were ever accepted. New ones are kept in memory and, with the
 * transaction that accepts them, as one row of `identity_log`; when they are many, they are sealed into a part of sorted
 * pages behind a filter. So a new id costs the same wherever it would fall in an order of ids, and however many are known.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { inTransaction } from "../../sqlite/file.ts";
import { bytesOf, ENTRY_WORDS, type Place, placesIn, wordsOf } from "./identity-entries.ts";
import { type HashKey, identityHashes } from "./identity-hash.ts";
import { mendFilter, type Part, partRows, partSearch, readParts, writePart } from "./identity-parts.ts";
import { RecentIdentities } from "./recent-identities.ts";

/**
 * Identities in memory before they are sealed: 24 MB, and a twentieth of a second to seal. The events of one more
 * transaction fit in below 2^20, so that the memory never doubles. Half as many would save 10 MB and make every lookup in
 * a large ledger ask twice the filters.
 */
export const RECENT_MAX = 2 ** 20 - 2 ** 16;

export interface IdentityOptions {
  /** How many are sealed into a part. */
  readonly recentMax?: number;
  readonly hashes?: typeof identityHashes;
}

export class Identities {
  readonly #database: DatabaseSync;
  readonly #key: HashKey;
  readonly #recentMax: number;
  readonly #hashes: typeof identityHashes;
  readonly #search: ReturnType<typeof partSearch>;
  readonly #damaged: Part[];
  readonly #insertLog: StatementSync;
  readonly #parts: Part[];
  readonly #recent: RecentIdentities;
  /** How many of the recent ones are committed. */
  #committed: number;

  constructor(database: DatabaseSync, { recentMax = RECENT_MAX, hashes = identityHashes }: IdentityOptions = {}) {
    this.#database = database;
    this.#recentMax = recentMax;
    this.#hashes = hashes;
    this.#key = hashKey(database);
    this.#search = partSearch(database);
    this.#insertLog = database.prepare("INSERT INTO identity_log (seq, base, entries) VALUES (?, ?, ?)");
    ({ parts: this.#parts, damaged: this.#damaged } = readParts(database));
    this.#recent = readLog(database, recentMax);
    this.#committed = this.#recent.count;
  }

  /** How many identities are known. */
  get count(): number {
    return this.#parts.reduce((sum, { identities }) => sum + identities, this.#recent.count);
  }

  get parts(): readonly Part[] {
    return this.#parts;
  }

  /** Parts whose filter was damaged in the file. */
  get damaged(): readonly Part[] {
    return this.#damaged;
  }

  /** For each id the two words of its hash. */
  hashes(account: number, ids: readonly string[]): Uint32Array {
    return this.#hashes(this.#key, account, ids);
  }

  /** Where events stand that may be of this hash's identity; each must still be asked for its account and id. */
  find(low: number, high: number): readonly Place[] {
    const recent = this.#recent.find(low, high);
    const sealed = this.#search.search(this.#parts, low, high);
    if (sealed.length === 0) return recent;
    return recent.length === 0 ? sealed : [...recent, ...sealed];
  }

  /** Takes in an identity that is not known yet; it counts once its transaction commits. */
  add(low: number, high: number, place: Place): void {
    this.#recent.add(low, high, place);
  }

  /**
   * Before a transaction: when those in memory are many, seals them, in a transaction of its own. `seq`: the last number
   * given out.
   */
  prepare(seq: number): void {
    this.#mendFilters();
    if (this.#recent.count === 0) this.#recent.clear(seq);
    if (this.#recent.count < this.#recentMax) return;
    const part = inTransaction(this.#database, () => {
      const sealed = writePart(this.#database, this.#recent.entries(), this.#recent.base);
      this.#database.exec("DELETE FROM identity_log");
      return sealed;
    });
    this.#parts.push(part);
    this.#recent.clear(seq);
    this.#committed = 0;
  }

  /** Writes filters that were damaged anew. */
  #mendFilters(): void {
    if (this.#damaged.length === 0) return;
    inTransaction(this.#database, () => {
      for (const part of this.#damaged) mendFilter(this.#database, part);
    });
    this.#damaged.length = 0;
  }

  /** In the transaction that takes them in: writes new identities down. */
  write(): void {
    if (this.#recent.count === this.#committed) return;
    const { base } = this.#recent;
    const entries = this.#recent.entries(this.#committed);
    this.#insertLog.run(base + entries[3]!, base, bytesOf(entries));
  }

  /** After the transaction's commit. */
  commit(): void {
    this.#committed = this.#recent.count;
  }

  /** After the transaction's rollback: knows again what it knew before. */
  rollback(): void {
    this.#recent.cut(this.#committed);
  }
}

/** The key that the ledger drew when it was made. */
export function hashKey(database: DatabaseSync): HashKey {
  const { low, high } = database.prepare("SELECT low, high FROM identity_key").get() as { low: number; high: number };
  return [low, high];
}

/** The entries of the log, one transaction after the other. */
export function* logEntries(
  database: DatabaseSync,
): Generator<{ readonly base: number; readonly entries: Uint32Array }> {
  for (const row of database.prepare("SELECT base, entries FROM identity_log ORDER BY seq").iterate()) {
    const { base, entries } = row as unknown as { base: number; entries: Uint8Array };
    yield { base, entries: wordsOf(entries) };
  }
}

/** The identities of the log, in memory, with room for so many. */
function readLog(database: DatabaseSync, room: number): RecentIdentities {
  let recent: RecentIdentities | undefined;
  for (const { base, entries } of logEntries(database)) {
    recent ??= new RecentIdentities(base, room);
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
      recent.add(entries[at]!, entries[at + 1]!, { slot: entries[at + 2]!, seq: base + entries[at + 3]! });
    }
  }
  return recent ?? new RecentIdentities(0, room);
}

/**
 * A function that looks one identity up in the file alone, as the caller's transaction sees it: a page of each part and
 * the whole log. For a question now and then.
 */
export function identitySearch(
  database: DatabaseSync,
  { hashes = identityHashes }: IdentityOptions,
): (account: number, id: string) => readonly Place[] {
  const { within } = partSearch(database);
  return (account, id) => {
    const [low, high] = hashes(hashKey(database), account, [id]) as unknown as readonly [number, number];
    const places = partRows(database).flatMap((part) => within(part, low, high));
    for (const { base, entries } of logEntries(database)) places.push(...placesIn(entries, base, low, high));
    return places;
  };
}

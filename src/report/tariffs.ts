/**
 * What an account pays by, as it was known at some time: the versions of the list book and of the account's contract,
 * read from the store and kept ready. Reports and invoices get their prices here and nowhere else.
 */

import { LIST_SCOPE, type PriceBookVersion } from "../accounts/price-books.ts";
import type { Accounts } from "../accounts/store.ts";
import { Fault, problem } from "../domain/fault.ts";
import { formatInstant, type Instant } from "../domain/time.ts";
import type { PriceBook } from "../rating/price.ts";
import type { Tariff } from "../rating/rate.ts";
import { type ReadBook, readBookText } from "./book-text.ts";
import { kindOfScope } from "./price-books.ts";

/** Which version of a book it is. */
export type BookRef = Pick<PriceBookVersion, "version" | "hash">;

/** A tariff, and the versions it is made of. */
export interface KnownTariff extends Tariff {
  readonly book: BookRef;
  /** Undefined where the account has no contract. */
  readonly contractBook: BookRef | undefined;
}

interface TariffsOptions {
  readonly accounts: Pick<Accounts, "priceBookVersions" | "getPriceBook">;
  /** Milliseconds since the epoch. */
  readonly now: () => Instant;
  /** Default: here and now. */
  readonly readBook?: ReadBook;
  /** Characters of the texts whose books are kept ready together; default {@link KEPT_CHARACTERS_MAX}. */
  readonly keptCharactersMax?: number;
}

/** Some list books of the largest size, or tens of thousands of contracts. */
const KEPT_CHARACTERS_MAX = 32 * 1024 * 1024;

interface Kept {
  readonly book: PriceBook;
  readonly characters: number;
}

export class Tariffs {
  readonly #accounts: TariffsOptions["accounts"];
  readonly #now: () => Instant;
  readonly #readBook: ReadBook;
  readonly #keptCharactersMax: number;
  /** Books by version, the one that was asked for last at the end. A version never changes, so none is ever stale. */
  readonly #kept = new Map<number, Kept>();
  readonly #reading = new Map<number, Promise<Kept>>();
  #keptCharacters = 0;

  constructor({ accounts, now, readBook, keptCharactersMax }: TariffsOptions) {
    this.#accounts = accounts;
    this.#now = now;
    this.#readBook = readBook ?? (async (text, kind) => readBookText(text, kind));
    this.#keptCharactersMax = keptCharactersMax ?? KEPT_CHARACTERS_MAX;
  }

  /**
   * The account's prices by the newest versions; with `asOf` by those that were known at that instant, which is over, so
   * that no later put changes the answer.
   * @throws Fault `as_of_too_early` before the first list book was known, `as_of_ahead` for an instant that is not over,
   * `stored_book_refused`.
   */
  async at(account: string, asOf?: Instant): Promise<KnownTariff> {
    const { lists, contracts } = await this.#versions(account);
    if (asOf === undefined) return this.#tariff(lists.at(-1)!, contracts.at(-1));
    const value = formatInstant(asOf);
    const earliest = lists[0]!.knownFrom;
    if (asOf < earliest)
      throw new Fault(problem("as_of_too_early", "asOf", { value, earliest: formatInstant(earliest) }));
    const now = this.#now();
    if (asOf >= now) throw new Fault(problem("as_of_ahead", "asOf", { value, now: formatInstant(now) }));
    const known = ({ knownFrom }: PriceBookVersion): boolean => knownFrom <= asOf;
    return this.#tariff(lists.findLast(known)!, contracts.findLast(known));
  }

  /**
   * The prices of the invoice of a month that is over, for ever: the list book and the contract that were known before
   * `monthEnd`, its exclusive end. A month that ended before any list book was known, as usage that was imported later
   * may have, is billed by the earliest list book, and without a contract. No later put changes either.
   */
  async issued(account: string, monthEnd: Instant): Promise<KnownTariff> {
    const { lists, contracts } = await this.#versions(account);
    // Strictly before: a version that is put once the month is over is known from its end at the earliest.
    const known = ({ knownFrom }: PriceBookVersion): boolean => knownFrom < monthEnd;
    return this.#tariff(lists.findLast(known) ?? lists[0]!, contracts.findLast(known));
  }

  /**
   * The book of one version, as a list or as a contract, whichever it is.
   * @throws Fault `not_found`, `stored_book_refused`.
   */
  async book(version: number): Promise<PriceBook> {
    const kept = this.#kept.get(version);
    if (!kept) return (await this.#read(version)).book;
    this.#kept.delete(version);
    this.#kept.set(version, kept);
    return kept.book;
  }

  async #versions(account: string): Promise<Record<"lists" | "contracts", readonly PriceBookVersion[]>> {
    const [lists, contracts] = await Promise.all([
      this.#accounts.priceBookVersions(LIST_SCOPE),
      this.#accounts.priceBookVersions(account),
    ]);
    if (lists.length === 0) throw new Error("there is no list book; the service puts one when it starts");
    return { lists, contracts };
  }

  async #tariff(list: PriceBookVersion, contract: PriceBookVersion | undefined): Promise<KnownTariff> {
    const [listBook, contractBook] = await Promise.all([
      this.book(list.version),
      contract && this.book(contract.version),
    ]);
    return { list: listBook, contract: contractBook, book: refOf(list), contractBook: contract && refOf(contract) };
  }

  /** Reads a version; calls for the same one at once share the reading. */
  #read(version: number): Promise<Kept> {
    const known = this.#reading.get(version);
    if (known) return known;
    const reading = this.#load(version).finally(() => this.#reading.delete(version));
    this.#reading.set(version, reading);
    return reading;
  }

  async #load(version: number): Promise<Kept> {
    const { account, document } = await this.#accounts.getPriceBook(version);
    const text = { name: `priceBooks/${version}`, document };
    const book = await this.#readBook(text, kindOfScope(account)).catch((error) => {
      throw ofStored(version, error);
    });
    const kept = { book, characters: document.length };
    this.#kept.set(version, kept);
    this.#keptCharacters += kept.characters;
    for (const [oldest, { characters }] of this.#kept) {
      if (this.#keptCharacters <= this.#keptCharactersMax || oldest === version) break;
      this.#kept.delete(oldest);
      this.#keptCharacters -= characters;
    }
    return kept;
  }
}

/** A version was read before it was kept, so a mistake in it is none of whoever asks for a report. */
function ofStored(version: number, error: unknown): unknown {
  if (!(error instanceof Fault)) return error;
  const [{ code, facts }] = error.problems;
  if (code !== "bad_price_book") return error;
  const { line, reason } = facts;
  return new Fault(problem("stored_book_refused", "priceBook", { value: version, line, reason }));
}

function refOf({ version, hash }: PriceBookVersion): BookRef {
  return { version, hash };
}

/** The core's one face: the rooms put together. The faces (http, cli) call this and nothing behind it. */

import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { enrich, mentioned } from "./accounts/enrich.ts";
import { Accounts } from "./accounts/store.ts";
import { Fault, problem } from "./domain/fault.ts";
import type { Instant } from "./domain/time.ts";
import type { KeptEvent } from "./domain/usage.ts";
import { parseUsageQuery, type RawQuery, USAGE_RANGE_PARAMETERS } from "./domain/usage-query.ts";
import { type HeldFolder, holdFolder } from "./folder.ts";
import type { Rejected } from "./ingest/decode.ts";
import { Decoder } from "./ingest/decoder.ts";
import type { Ledger, VoidOutcome } from "./ledger/ledger.ts";
import { SqliteLedger } from "./ledger/sqlite/ledger.ts";
import { loadPriceBook } from "./rating/book.ts";
import type { PriceBook } from "./rating/price.ts";
import { billingUsage, type ReportSources, type UsageReport } from "./report/billing-usage.ts";
import { type FilterOptions, filterOptions } from "./report/filter-options.ts";

/** What a write of usage did, event by event (contract, section 7). */
export interface IngestOutcome {
  readonly created: number;
  readonly duplicates: number;
  readonly conflicts: readonly { readonly index: number; readonly id: string; readonly field: string }[];
  readonly rejected: readonly Rejected[];
  readonly droppedAnnotations: number;
}

/** A body of usage events as it came. */
export interface UsageBody {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly contentEncoding: string;
}

export interface ServiceOptions {
  readonly dataFolder: string;
  /** The folder of the default price book. */
  readonly pricesFolder?: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => Instant;
}

const READER_THREADS = 2;
const DEFAULT_PRICES = fileURLToPath(new URL("../prices", import.meta.url));

export class Service {
  readonly accounts: Accounts;
  readonly now: () => Instant;
  readonly #folder: HeldFolder;
  readonly #ledger: Ledger;
  readonly #decoder: Decoder;
  readonly #book: PriceBook;

  private constructor(parts: {
    folder: HeldFolder;
    ledger: Ledger;
    accounts: Accounts;
    book: PriceBook;
    now: () => Instant;
  }) {
    this.#folder = parts.folder;
    this.#ledger = parts.ledger;
    this.accounts = parts.accounts;
    this.#book = parts.book;
    this.now = parts.now;
    this.#decoder = new Decoder();
  }

  /**
   * Opens a data folder and holds it until {@link close}.
   * @throws Fault when the folder is held by another process, was written by a newer daybook or cannot be used, and when
   * the price book has a mistake.
   */
  static async open(options: ServiceOptions): Promise<Service> {
    const now = options.now ?? Date.now;
    const book = readPriceBook(options.pricesFolder ?? DEFAULT_PRICES);
    const folder = holdFolder(options.dataFolder);
    const opened: { close(): Promise<void> }[] = [];
    try {
      const accounts = await Accounts.open({ path: join(folder.path, "accounts.db"), now, randomBytes });
      opened.push(accounts);
      const path = join(folder.path, "ledger.db");
      const ledger = await SqliteLedger.open({ path, readerThreads: READER_THREADS });
      return new Service({ folder, ledger, accounts, book, now });
    } catch (error) {
      for (const part of opened) await part.close();
      folder.release();
      throw error;
    }
  }

  /**
   * Writes usage events. When it resolves, what was created is counted and on disk.
   * @throws Fault when the whole body is refused; then nothing was written.
   */
  async writeUsage(account: string, body: UsageBody): Promise<IngestOutcome> {
    const { contentType, contentEncoding } = body;
    const decoded = await this.#decoder.decode(body.bytes, { contentType, contentEncoding, account, now: this.now() });
    const { batch, index, rejected, droppedAnnotations } = decoded;
    const { apiKeyIds, deployments } = mentioned(batch);
    const [keyFacts, deploymentFacts] = await Promise.all([
      this.accounts.keyFacts(account, apiKeyIds),
      this.accounts.deploymentFacts(account, deployments),
    ]);
    const ids = batch.ids;
    const outcome = await this.#ledger.append(account, enrich(batch, keyFacts, deploymentFacts));
    const conflicts = outcome.conflicts.map(({ at, field }) => ({ index: index[at]!, id: ids[at]!, field }));
    const { created, duplicates } = outcome;
    return { created, duplicates, conflicts, rejected, droppedAnnotations };
  }

  /** Takes events out of every report; they stay readable. */
  async voidUsage(account: string, ids: readonly string[]): Promise<VoidOutcome[]> {
    return this.#ledger.void(account, ids, this.now());
  }

  async findUsage(account: string, id: string): Promise<KeptEvent | undefined> {
    return this.#ledger.find(account, id);
  }

  /** @throws Fault with a problem for each mistake in the query. */
  async billingUsage(account: string, raw: RawQuery): Promise<UsageReport> {
    return billingUsage(this.#sources(), account, parseUsageQuery(raw), this.now());
  }

  /** @throws Fault with a problem for each mistake in the query. */
  async filterOptions(account: string, raw: RawQuery): Promise<FilterOptions> {
    return filterOptions(this.#sources(), account, parseUsageQuery(raw, USAGE_RANGE_PARAMETERS), this.now());
  }

  /** Finishes what was accepted, then closes the files and gives up the folder. */
  async close(): Promise<void> {
    await this.#decoder.close();
    await this.#ledger.close();
    await this.accounts.close();
    this.#folder.release();
  }

  #sources(): ReportSources {
    return { ledger: this.#ledger, accounts: this.accounts, book: this.#book };
  }
}

/** The price book of a folder: its one YAML file. */
function readPriceBook(folder: string): PriceBook {
  const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  const name = names[0];
  if (names.length !== 1 || name === undefined) {
    const reason = `the folder holds ${names.length} .yaml files; it must hold one`;
    throw new Fault(problem("bad_price_book", "prices", { value: folder, line: 0, reason }));
  }
  return loadPriceBook(name, readFileSync(join(folder, name), "utf8"));
}

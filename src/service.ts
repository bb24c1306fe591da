/** The core's one face: the rooms put together. The faces (http, cli) call this and nothing behind it. */

import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { enrich, mentioned } from "./accounts/enrich.ts";
import type { Page, PageAsk } from "./accounts/paging.ts";
import type { Caller, QuotaPatch } from "./accounts/records.ts";
import { Accounts } from "./accounts/store.ts";
import { parseExportQuery } from "./domain/export-query.ts";
import { Fault, problem } from "./domain/fault.ts";
import type { QueryForm, RawQuery } from "./domain/query-checker.ts";
import { parseSummaryQuery } from "./domain/summary-query.ts";
import type { Instant } from "./domain/time.ts";
import type { KeptEvent } from "./domain/usage.ts";
import { parseUsageCostsQuery } from "./domain/usage-costs-query.ts";
import { parseUsageQuery, USAGE_RANGE_PARAMETERS } from "./domain/usage-query.ts";
import { type HeldFolder, holdFolder } from "./folder.ts";
import type { Rejected } from "./ingest/decode.ts";
import { Decoder } from "./ingest/decoder.ts";
import { type ImportHooks, type ImportSource, type ImportTotals, importFile } from "./ingest/import-file.ts";
import type { Ledger, VoidOutcome } from "./ledger/ledger.ts";
import { SqliteLedger } from "./ledger/sqlite/ledger.ts";
import { type Verification, type VerifyOptions, verifyLedger } from "./ledger/sqlite/verify.ts";
import { loadPriceBook } from "./rating/book.ts";
import type { PriceBook } from "./rating/price.ts";
import { type BillingSummary, billingSummary } from "./report/billing-summary.ts";
import { billingUsage, type UsageReport } from "./report/billing-usage.ts";
import { type FilterOptions, filterOptions } from "./report/filter-options.ts";
import { type Invoice, type InvoicesAsk, listInvoices } from "./report/invoices.ts";
import { type MetricsRow, metricsRows } from "./report/metrics-export.ts";
import type { ReportSources } from "./report/priced-sums.ts";
import { type UsedQuota, usedQuota } from "./report/quota-usage.ts";
import { type UsageCosts, usageCosts } from "./report/usage-costs.ts";

export type { ImportReject, ImportTotals } from "./ingest/import-file.ts";
export type { Difference } from "./ledger/sqlite/verify.ts";

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

const LEDGER = "ledger.db";
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
      const accountsPath = join(folder.path, "accounts.db");
      const ledgerPath = join(folder.path, "ledger.db");
      // The ledger is made first: without it, accounts stand over usage that was lost.
      if (existsSync(accountsPath) && !existsSync(ledgerPath)) {
        opened.push(await Accounts.open({ path: accountsPath, now, randomBytes }));
        throw new Fault(problem("folder_incomplete", "dataFolder", { value: folder.path, missing: "ledger.db" }));
      }
      const ledger = await SqliteLedger.open({ path: ledgerPath, readerThreads: READER_THREADS });
      opened.push(ledger);
      const accounts = await Accounts.open({ path: accountsPath, now, randomBytes });
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

  /**
   * Writes a file of usage events, or of the CSV of `billing export-metrics`, batch by batch. What the hooks were told of
   * is counted and on disk, so a file that was cut off is completed by importing it again.
   * @throws Fault `file_unusable` when the file is neither; whatever a write throws.
   */
  async importUsage(account: string, source: ImportSource, hooks: ImportHooks): Promise<ImportTotals> {
    const form = { contentType: "application/x-ndjson", contentEncoding: "" };
    return importFile(source, (bytes) => this.writeUsage(account, { bytes, ...form }), hooks);
  }

  /** Takes events out of every report; they stay readable. */
  async voidUsage(account: string, ids: readonly string[]): Promise<VoidOutcome[]> {
    return this.#ledger.void(account, ids, this.now());
  }

  async findUsage(account: string, id: string): Promise<KeptEvent | undefined> {
    return this.#ledger.find(account, id);
  }

  /** @throws Fault with a problem for each mistake in the query. */
  async billingUsage(account: string, raw: RawQuery, form: QueryForm): Promise<UsageReport> {
    return billingUsage(this.#sources(), account, parseUsageQuery(raw, form), this.now());
  }

  /** @throws Fault with a problem for each mistake in the query. */
  async filterOptions(account: string, raw: RawQuery): Promise<FilterOptions> {
    const query = parseUsageQuery(raw, "query", USAGE_RANGE_PARAMETERS);
    return filterOptions(this.#sources(), account, query, this.now());
  }

  /** The quotas with what is used of each up to now. */
  async listQuotas(account: string, ask: PageAsk): Promise<Page<UsedQuota>> {
    const page = await this.accounts.listQuotas(account, ask);
    const now = this.now();
    return { ...page, items: await Promise.all(page.items.map((quota) => usedQuota(this.#sources(), quota, now))) };
  }

  /** @throws Fault `not_found`. */
  async getQuota(account: string, id: string): Promise<UsedQuota> {
    return usedQuota(this.#sources(), await this.accounts.getQuota(account, id), this.now());
  }

  /** @throws Fault `not_found`, or for a value that is over the maxValue. */
  async patchQuota(account: string, id: string, patch: QuotaPatch): Promise<UsedQuota> {
    return usedQuota(this.#sources(), await this.accounts.patchQuota(account, id, patch), this.now());
  }

  /** One invoice for each UTC month with usage, newest first. */
  async listInvoices(account: string, ask: InvoicesAsk): Promise<Page<Invoice>> {
    return listInvoices(this.#sources(), account, ask, this.now());
  }

  /** @throws Fault with a problem for each mistake in the query. */
  async billingSummary(account: string, raw: RawQuery): Promise<BillingSummary> {
    return billingSummary(this.#sources(), account, parseSummaryQuery(raw), this.now());
  }

  /** @throws Fault with a problem for each mistake in the query; also where its scope is above the caller's role. */
  async usageCosts(account: string, caller: Caller, raw: unknown): Promise<UsageCosts> {
    return usageCosts(this.#sources(), { account, caller }, parseUsageCostsQuery(raw), this.now());
  }

  /**
   * Every metered event of a range of any length, in pages that are read as they are asked for.
   * @throws Fault with a problem for each mistake in the query; later, while pages are read, whatever cuts them off.
   */
  async exportMetrics(account: string, raw: RawQuery): Promise<AsyncIterable<readonly MetricsRow[]>> {
    const sources = { ledger: this.#ledger, accounts: this.accounts, book: this.#book };
    const pages = metricsRows(sources, account, parseExportQuery(raw), this.now());
    // The first page is read here, so that what fails at once is refused rather than cut off.
    const first = await pages.next();
    return (async function* () {
      try {
        if (!first.done) yield first.value;
        yield* pages;
      } finally {
        await pages.return();
      }
    })();
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

/**
 * Holds a data folder that no server holds, and checks its ledger against itself.
 * @throws Fault when the folder is held by another process, was written by a newer daybook or is no data folder.
 */
export async function verifyFolder(dataFolder: string, options: VerifyOptions = {}): Promise<Verification> {
  requireFolder(dataFolder);
  const folder = holdFolder(dataFolder);
  try {
    return await verifyLedger(join(folder.path, LEDGER), options);
  } finally {
    folder.release();
  }
}

/** @throws Fault `folder_unusable` for a folder that no server has been started on yet. */
export function requireFolder(dataFolder: string): void {
  if (existsSync(join(dataFolder, LEDGER))) return;
  const reason = `it holds no ${LEDGER}; name the folder that daybook serve was started with`;
  throw new Fault(problem("folder_unusable", "dataFolder", { value: dataFolder, reason }));
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

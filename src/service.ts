/** The core's one face: the rooms put together. The faces (http, cli) call this and nothing behind it. */

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { enrich, mentioned } from "./accounts/enrich.ts";
import type { Page, PageAsk } from "./accounts/paging.ts";
import type { Account, AccountPatch, BudgetScope, Caller, QuotaPatch } from "./accounts/records.ts";
import { Accounts } from "./accounts/store.ts";
import { type Backup, type BackupOptions, copyFolder } from "./backup.ts";
import { Budgets } from "./budgets/budgets.ts";
import { Notifier, type NotifierOptions } from "./budgets/notifier.ts";
import { parseExportQuery } from "./domain/export-query.ts";
import { Fault, problem } from "./domain/fault.ts";
import { ATTO_PER_USD } from "./domain/money.ts";
import { parsePriceDiffQuery } from "./domain/price-diff-query.ts";
import { parsePriceExplainQuery } from "./domain/price-explain-query.ts";
import type { QueryForm, RawQuery } from "./domain/query-checker.ts";
import { parseSummaryQuery } from "./domain/summary-query.ts";
import { type Instant, monthAround, type TimeRange, TZDB_VERSION } from "./domain/time.ts";
import type { KeptEvent, UsageBatch } from "./domain/usage.ts";
import { parseUsageCostsQuery } from "./domain/usage-costs-query.ts";
import { parseUsageExplainQuery } from "./domain/usage-explain-query.ts";
import { parseUsageQuery, USAGE_RANGE_PARAMETERS } from "./domain/usage-query.ts";
import { type HeldFolder, holdFolder } from "./folder.ts";
import type { Rejected } from "./ingest/decode.ts";
import { Decoder } from "./ingest/decoder.ts";
import { addEvent, batchOfColumns, emptyColumns } from "./ingest/event.ts";
import { type ImportHooks, type ImportSource, type ImportTotals, importFile } from "./ingest/import-file.ts";
import type { Ledger, VoidOutcome } from "./ledger/ledger.ts";
import { SqliteLedger } from "./ledger/sqlite/ledger.ts";
import { type Verification, type VerifyOptions, verifyLedger } from "./ledger/sqlite/verify.ts";
import { type BillingSummary, billingSummary } from "./report/billing-summary.ts";
import { billingUsage, type UsageReport } from "./report/billing-usage.ts";
import { type BookDiff, bookDiff } from "./report/book-diff.ts";
import { BookReading } from "./report/book-reading.ts";
import { type BookText, readBookText } from "./report/book-text.ts";
import { type FilterOptions, filterOptions } from "./report/filter-options.ts";
import { type InvoicePage, type InvoicesAsk, listInvoices } from "./report/invoices.ts";
import { LiveUsage } from "./report/live-usage.ts";
import { type MetricsRow, metricsPages } from "./report/metrics-export.ts";
import {
  type BookAtStart,
  type BookCheck,
  bookAtStart,
  checkOfBook,
  kindOfScope,
  type PriceBookRecord,
  putBookText,
} from "./report/price-books.ts";
import { type PriceExplanation, priceExplanation } from "./report/price-explanation.ts";
import { type QuotaFacts, type UsedQuota, usedQuota } from "./report/quota-usage.ts";
import { type Based, based } from "./report/report-basis.ts";
import { type Quote, quoteOf, spendOf } from "./report/spend.ts";
import { Tariffs } from "./report/tariffs.ts";
import { type UsageCosts, usageCosts } from "./report/usage-costs.ts";
import { type ExplainSources, type UsageExplanation, usageExplanation } from "./report/usage-explanation.ts";
import { Retention, type RetentionRun } from "./retention.ts";

export type { NotifierOptions } from "./budgets/notifier.ts";
export type { ImportReject, ImportTotals } from "./ingest/import-file.ts";
export type { Difference } from "./ledger/sqlite/verify.ts";
export { importPriceList, LIST_BYTES_MAX, type ListKind } from "./rating/import/import.ts";
export type { Finding, ImportReport } from "./rating/import/report.ts";
export type { LiveListener } from "./report/live-usage.ts";
export type { Quote } from "./report/spend.ts";

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

/** The events of an export, read page by page as they are asked for. */
export interface MetricsExport {
  readonly pages: AsyncIterable<readonly MetricsRow[]>;
  /** The state of the ledger when the reading began. */
  readonly position: number;
}

export interface ServiceOptions {
  readonly dataFolder: string;
  /** A list book that becomes the newest version when it differs from it, as a path; else the folder's own stays. */
  readonly pricesFile?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => Instant;
}

/** A price book that is put. */
export interface NewBook {
  /** "" for the installation's list; else the account whose contract it is. */
  readonly account: string;
  readonly document: string;
  /** The id of the key that puts it. */
  readonly createdBy: string;
}

const NO_DEPLOYMENTS: Parameters<typeof enrich>[2] = new Map();
const LEDGER = "ledger.db";
const READER_THREADS = 2;
const ACCOUNTS_PER_PAGE = 200;

/** The price book that comes with Daybook. */
export const SHIPPED_PRICES: string = fileURLToPath(new URL("../prices/default.yaml", import.meta.url));

export class Service {
  readonly accounts: Accounts;
  readonly now: () => Instant;
  /** What inference calls are held to. */
  readonly budgets: Budgets;
  /** Usage as it is written. */
  readonly live: LiveUsage = new LiveUsage();
  readonly #folder: HeldFolder;
  readonly #ledger: Ledger;
  readonly #decoder: Decoder;
  readonly #tariffs: Tariffs;
  readonly #bookReading: BookReading;
  #retention: Retention | undefined;
  #notifier: Notifier | undefined;
  /** The list book that was in force when the folder was opened, and how it came to be. */
  readonly bookAtStart: BookAtStart;

  private constructor(parts: {
    folder: HeldFolder;
    ledger: Ledger;
    accounts: Accounts;
    tariffs: Tariffs;
    bookReading: BookReading;
    bookAtStart: BookAtStart;
    now: () => Instant;
  }) {
    this.#folder = parts.folder;
    this.#ledger = parts.ledger;
    this.accounts = parts.accounts;
    this.#tariffs = parts.tariffs;
    this.#bookReading = parts.bookReading;
    this.bookAtStart = parts.bookAtStart;
    this.now = parts.now;
    this.#decoder = new Decoder();
    this.budgets = new Budgets({
      now: this.now,
      limits: (account) => this.accounts.limits(account),
      spent: (account, month, scopes) => this.spent(account, month, scopes),
    });
  }

  /**
   * Opens a data folder and holds it until {@link close}.
   * @throws Fault when the folder is held by another process, was written by a newer daybook or cannot be used, and when
   * the first price book has a mistake.
   */
  static async open(options: ServiceOptions): Promise<Service> {
    const now = options.now ?? Date.now;
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
      opened.push(accounts);
      const { pricesFile } = options;
      const given = pricesFile === undefined ? undefined : () => readBookFile(pricesFile);
      const bookReading = new BookReading();
      opened.push(bookReading);
      const readBook = bookReading.read;
      const atStart = await bookAtStart({ accounts, readBook }, readBookFile(SHIPPED_PRICES), given);
      const tariffs = new Tariffs({ accounts, now, readBook });
      // Read at once: a book that this Daybook cannot read is told now, and not by every report.
      await tariffs.book(atStart.inForce.version);
      return new Service({ folder, ledger, accounts, tariffs, bookReading, bookAtStart: atStart, now });
    } catch (error) {
      for (const part of opened) await part.close().catch(() => {});
      folder.release();
      throw error instanceof Fault ? error : unreadable(folder.path, error as Error);
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
    const enriched = enrich(batch, keyFacts, deploymentFacts);
    // The ledger's thread takes the columns away.
    const live = this.live.has(account) ? copyOf(enriched) : undefined;
    const outcome = await this.#ledger.append(account, enriched, this.now());
    if (live) {
      const without = new Set(outcome.conflicts.map(({ at }) => at));
      this.live.publish(account, live, without, await this.#tariffs.at(account));
    }
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

  /**
   * What a usage event would cost the account now, without writing it.
   * @param event under its wire fields.
   * @throws Fault with the first problem that the event has.
   */
  async quote(account: string, event: Readonly<Record<string, unknown>>): Promise<Quote> {
    const columns = emptyColumns(1, account, this.now());
    const found = addEvent(columns, event);
    if (found) throw new Fault(found);
    const batch = batchOfColumns(columns);
    const { apiKeyIds } = mentioned(batch);
    const [keyFacts, tariff] = await Promise.all([
      this.accounts.keyFacts(account, apiKeyIds),
      this.#tariffs.at(account),
    ]);
    return quoteOf(tariff, enrich(batch, keyFacts, NO_DEPLOYMENTS));
  }

  /** What each scope has cost in a range by the ledger, in attodollars. */
  async spent(account: string, range: TimeRange, scopes: readonly BudgetScope[]): Promise<readonly bigint[]> {
    const { costs } = await spendOf(await this.#sources(account), { account, range, scopes }, this.now());
    return costs.map(({ atto }) => atto);
  }

  /** Tells accounts of the thresholds that their spend reaches, from now on until {@link close}. */
  notifySpend(options: NotifierOptions): void {
    const { accounts, now } = this;
    this.#notifier ??= new Notifier({ notices: accounts.notices, now, spent: this.spent.bind(this) }, options);
  }

  /** The one account that a caller sees, or, for the operator (undefined), all. */
  async listAccounts(only: string | undefined, ask: PageAsk): Promise<Page<Account>> {
    const page = await this.accounts.listAccounts(only, ask);
    return { ...page, items: await Promise.all(page.items.map((account) => this.#suspended(account))) };
  }

  /** @throws Fault `not_found`. */
  async getAccount(account: string): Promise<Account> {
    return this.#suspended(await this.accounts.getAccount(account));
  }

  /** Changes what is named. */
  async patchAccount(account: string, patch: AccountPatch): Promise<Account> {
    return this.#suspended(await this.accounts.patchAccount(account, patch));
  }

  /** The account as it stands to its monthly limit now: a raised limit or a new month needs nobody's doing. */
  async #suspended(account: Account): Promise<Account> {
    const { monthlySpendUsd, timezone } = await this.accounts.limits(account.id);
    if (monthlySpendUsd === undefined || account.suspendState !== "UNSUSPENDED") return account;
    const [atto = 0n] = await this.spent(account.id, monthAround(this.now(), timezone), [{ kind: "account" }]);
    if (atto < monthlySpendUsd * ATTO_PER_USD) return account;
    return { ...account, suspendState: "MONTHLY_SPEND_LIMIT_EXCEEDED" };
  }

  /** Takes events out of every report; they stay readable. */
  async voidUsage(account: string, ids: readonly string[]): Promise<VoidOutcome[]> {
    return this.#ledger.void(account, ids, this.now());
  }

  /** Drops raw events that are older than so many days, from now on until {@link close}; `told` hears of each run. */
  keepEvents(keepDays: number, told: (run: RetentionRun) => void): void {
    const [accountIds, now] = [() => this.#accountIds(), this.now];
    this.#retention ??= new Retention({ ledger: this.#ledger, accountIds, now, keepDays, told });
    this.#retention.start();
  }

  async *#accountIds(): AsyncGenerator<string> {
    let pageToken: string | undefined;
    do {
      const page = await this.accounts.listAccounts(undefined, { pageSize: ACCOUNTS_PER_PAGE, pageToken });
      for (const { id } of page.items) yield id;
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
  }

  /** @throws Fault `event_dropped`. */
  async findUsage(account: string, id: string): Promise<KeptEvent | undefined> {
    return this.#ledger.find(account, id);
  }

  /** @throws Fault with a problem for each mistake in the query. */
  async billingUsage(account: string, raw: RawQuery, form: QueryForm): Promise<Based<UsageReport>> {
    const query = parseUsageQuery(raw, form);
    return this.#based(account, query.asOf, (sources, now) => billingUsage(sources, account, query, now));
  }

  /**
   * Why one row of billingUsage is the number that it is.
   * @throws Fault with a problem for each mistake in the query; also where it names no row, or several.
   */
  async explainUsage(account: string, raw: RawQuery, form: QueryForm): Promise<Based<UsageExplanation>> {
    const query = parseUsageExplainQuery(raw, form);
    return this.#based(account, query.usage.asOf, (sources, now) => usageExplanation(sources, account, query, now));
  }

  /** @throws Fault with a problem for each mistake in the query. */
  async filterOptions(account: string, raw: RawQuery): Promise<FilterOptions> {
    const query = parseUsageQuery(raw, "query", USAGE_RANGE_PARAMETERS);
    return filterOptions(await this.#sources(account), account, query, this.now());
  }

  /** The quotas with what is used of each up to now. */
  async listQuotas(account: string, ask: PageAsk): Promise<Page<UsedQuota>> {
    const page = await this.accounts.listQuotas(account, ask);
    const [sources, facts, now] = [await this.#sources(account), await this.#quotaFacts(account), this.now()];
    return { ...page, items: await Promise.all(page.items.map((quota) => usedQuota(sources, quota, facts, now))) };
  }

  /** @throws Fault `not_found`. */
  async getQuota(account: string, id: string): Promise<UsedQuota> {
    const quota = await this.accounts.getQuota(account, id);
    return usedQuota(await this.#sources(account), quota, await this.#quotaFacts(account), this.now());
  }

  /** @throws Fault `not_found`, or for a value that is over the maxValue. */
  async patchQuota(account: string, id: string, patch: QuotaPatch): Promise<UsedQuota> {
    const quota = await this.accounts.patchQuota(account, id, patch);
    return usedQuota(await this.#sources(account), quota, await this.#quotaFacts(account), this.now());
  }

  /** One invoice for each UTC month with usage, newest first. */
  async listInvoices(account: string, ask: InvoicesAsk): Promise<Based<InvoicePage>> {
    const [sources, now] = [{ ledger: this.#ledger, accounts: this.accounts, tariffs: this.#tariffs }, this.now()];
    const page = await listInvoices(sources, account, ask, now);
    return based(page, page.tariff, { tzdbVersion: TZDB_VERSION, evaluationTime: now });
  }

  /** @throws Fault with a problem for each mistake in the query. */
  async billingSummary(account: string, raw: RawQuery): Promise<Based<BillingSummary>> {
    const query = parseSummaryQuery(raw);
    return this.#based(account, query.asOf, (sources, now) => billingSummary(sources, account, query, now));
  }

  /** @throws Fault with a problem for each mistake in the query; also where its scope is above the caller's role. */
  async usageCosts(account: string, caller: Caller, raw: unknown): Promise<Based<UsageCosts>> {
    const query = parseUsageCostsQuery(raw);
    return this.#based(account, query.asOf, (sources, now) => usageCosts(sources, { account, caller }, query, now));
  }

  /**
   * Every metered event of a range of any length, in pages that are read as they are asked for.
   * @throws Fault with a problem for each mistake in the query; later, while pages are read, whatever cuts them off.
   */
  async exportMetrics(account: string, raw: RawQuery): Promise<Based<MetricsExport>> {
    const query = parseExportQuery(raw);
    return this.#based(account, undefined, async ({ tariff }, now) => {
      const sources = { ledger: this.#ledger, accounts: this.accounts, book: tariff.list };
      const { position } = await this.#ledger.sum(account, []);
      return { pages: await metricsPages(sources, account, query, now), position };
    });
  }

  /**
   * Puts a price book as the newest version of the list, or of an account's contract. The operator's call.
   * @throws Fault `bad_price_book` with every mistake, `not_found` for an account that there is not; nothing was put then.
   */
  async putPriceBook({ account, document, createdBy }: NewBook): Promise<PriceBookRecord> {
    const store = { accounts: this.accounts, readBook: this.#bookReading.read };
    return putBookText(store, { name: "document", document }, { account, createdBy });
  }

  /** What a price book holds that is put nowhere. @throws Fault `bad_price_book` with every mistake. */
  async checkPriceBook({ account, document }: Omit<NewBook, "createdBy">): Promise<BookCheck> {
    return checkOfBook(await this.#bookReading.read({ name: "document", document }, kindOfScope(account)));
  }

  /** What another price book would change. The operator's call. @throws Fault with a problem for each mistake. */
  async diffPriceBooks(raw: unknown): Promise<BookDiff> {
    const readBook = this.#bookReading.read;
    const sources = { ledger: this.#ledger, accounts: this.accounts, tariffs: this.#tariffs, readBook };
    return bookDiff(sources, parsePriceDiffQuery(raw), this.now());
  }

  /** Why a unit of usage costs the account what it costs. @throws Fault with a problem for each mistake in the query. */
  async explainPrices(account: string, raw: RawQuery): Promise<PriceExplanation> {
    return priceExplanation(this.#tariffs, account, parsePriceExplainQuery(raw), this.now());
  }

  /** Finishes what was accepted, then closes the files and gives up the folder. */
  async close(): Promise<void> {
    await this.#retention?.close();
    await this.#notifier?.close();
    await this.#decoder.close();
    await this.#bookReading.close();
    await this.#ledger.close();
    await this.accounts.close();
    this.#folder.release();
  }

  async #sources(account: string, asOf?: Instant): Promise<ExplainSources> {
    return { ledger: this.#ledger, accounts: this.accounts, tariff: await this.#tariffs.at(account, asOf) };
  }

  async #quotaFacts(account: string): Promise<QuotaFacts> {
    const { timezone } = await this.accounts.limits(account);
    return { timezone, requestsPerMinute: this.budgets.rates.busiest(account) };
  }

  /** Makes a report by the prices that were known at `asOf`, and says what it was made of. */
  async #based<T extends { readonly position: number }>(
    account: string,
    asOf: Instant | undefined,
    make: (sources: ExplainSources, now: Instant) => Promise<T>,
  ): Promise<Based<T>> {
    const [sources, now] = [await this.#sources(account, asOf), this.now()];
    return based(await make(sources, now), sources.tariff, { tzdbVersion: TZDB_VERSION, evaluationTime: now });
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

/**
 * Copies a data folder that a server may be writing to. The copy is a data folder itself.
 * @param to a folder that is empty or not there yet.
 * @throws Fault when there is nothing to copy, or the copy cannot be written; then nothing is left of it.
 */
export async function backupFolder(dataFolder: string, to: string, options: BackupOptions = {}): Promise<Backup> {
  requireFolder(dataFolder);
  return copyFolder(dataFolder, to, options);
}

function copyOf(batch: UsageBatch): UsageBatch {
  const { times, quantities, series } = batch;
  return { ...batch, times: times.slice(), quantities: quantities.slice(), series: series.slice() };
}

/** Files of the right kind that do not hold what they must: a disk that damaged them is the likely reason. */
function unreadable(dataFolder: string, error: Error): Fault {
  const reason = `its files cannot be read (${error.message}); daybook verify says what is wrong, restore a backup`;
  return new Fault(problem("folder_unusable", "dataFolder", { value: dataFolder, reason }));
}

/** @throws Fault `folder_unusable` for a folder that no server has been started on yet. */
export function requireFolder(dataFolder: string): void {
  if (existsSync(join(dataFolder, LEDGER))) return;
  const reason = `it holds no ${LEDGER}; name the folder that daybook serve was started with`;
  throw new Fault(problem("folder_unusable", "dataFolder", { value: dataFolder, reason }));
}

/** What a price book's text holds, without a server. @throws Fault `bad_price_book` with every mistake. */
export function checkPriceBook(text: BookText, kind: "list" | "contract"): BookCheck {
  return checkOfBook(readBookText(text, kind));
}

/** A price book's file. @throws Fault `file_unusable`. */
export function readBookFile(path: string): BookText {
  try {
    return { name: path, document: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path)) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "it is not UTF-8 text" : message;
    throw new Fault(problem("file_unusable", "prices", { value: path, reason }));
  }
}

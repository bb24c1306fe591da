/** The core's one face: the rooms put together. The faces (http, cli) call this and nothing behind it. */

import { accountIds } from "./accounts/account-ids.ts";
import { enrich, mentioned } from "./accounts/enrich.ts";
import type { Page, PageAsk } from "./accounts/paging.ts";
import type { Account, AccountPatch, BudgetScope, Caller, QuotaPatch } from "./accounts/records.ts";
import type { Accounts } from "./accounts/store.ts";
import { Budgets } from "./budgets/budgets.ts";
import { Notifier, type NotifierOptions } from "./budgets/notifier.ts";
import { parseExportQuery } from "./domain/export-query.ts";
import { Fault } from "./domain/fault.ts";
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
import type { Rejected } from "./ingest/decode.ts";
import { Decoder } from "./ingest/decoder.ts";
import { addEvent, batchOfColumns, emptyColumns } from "./ingest/event.ts";
import { type ImportHooks, type ImportSource, type ImportTotals, importFile } from "./ingest/import-file.ts";
import { type Installation, type InstallationOptions, openInstallation } from "./installation.ts";
import type { Ledger, VoidOutcome } from "./ledger/ledger.ts";
import { type BillingSummary, billingSummary } from "./report/billing-summary.ts";
import { billingUsage, type UsageReport } from "./report/billing-usage.ts";
import { type BookDiff, bookDiff } from "./report/book-diff.ts";
import type { BookReading } from "./report/book-reading.ts";
import { type FilterOptions, filterOptions } from "./report/filter-options.ts";
import { type InvoicePage, type InvoicesAsk, listInvoices } from "./report/invoices.ts";
import { LiveUsage } from "./report/live-usage.ts";
import { type MetricsRow, metricsPages } from "./report/metrics-export.ts";
import {
  type BookAtStart,
  type BookCheck,
  checkOfBook,
  kindOfScope,
  type PriceBookRecord,
  putBookText,
} from "./report/price-books.ts";
import { type PriceExplanation, priceExplanation } from "./report/price-explanation.ts";
import { type QuotaFacts, type UsedQuota, usedQuota } from "./report/quota-usage.ts";
import { type Based, based } from "./report/report-basis.ts";
import { type Quote, quoteOf, spendOf } from "./report/spend.ts";
import type { Tariffs } from "./report/tariffs.ts";
import { type UsageCosts, usageCosts } from "./report/usage-costs.ts";
import { type ExplainSources, type UsageExplanation, usageExplanation } from "./report/usage-explanation.ts";
import { Retention, type RetentionRun } from "./retention.ts";

export type { NotifierOptions } from "./budgets/notifier.ts";
export type { ImportReject, ImportTotals } from "./ingest/import-file.ts";
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

/** A price book that is put. */
export interface NewBook {
  /** "" for the installation's list; else the account whose contract it is. */
  readonly account: string;
  readonly document: string;
  /** The id of the key that puts it. */
  readonly createdBy: string;
}

const NO_DEPLOYMENTS: Parameters<typeof enrich>[2] = new Map();

export class Service {
  readonly accounts: Accounts;
  readonly now: () => Instant;
  /** What inference calls are held to. */
  readonly budgets: Budgets;
  /** Usage as it is written. */
  readonly live: LiveUsage = new LiveUsage();
  readonly #installation: Installation;
  readonly #ledger: Ledger;
  readonly #decoder: Decoder;
  readonly #tariffs: Tariffs;
  readonly #bookReading: BookReading;
  #retention: Retention | undefined;
  #notifier: Notifier | undefined;
  /** The list book that was in force when the installation was opened, and how it came to be. */
  readonly bookAtStart: BookAtStart;

  private constructor(installation: Installation, decoder: Decoder) {
    this.#installation = installation;
    this.#ledger = installation.ledger;
    this.accounts = installation.accounts;
    this.#tariffs = installation.tariffs;
    this.#bookReading = installation.bookReading;
    this.bookAtStart = installation.bookAtStart;
    this.now = installation.now;
    this.#decoder = decoder;
    const { shared } = this.accounts;
    const sources = {
      now: this.now,
      limits: (account: string) => this.accounts.limits(account),
      spent: this.spent.bind(this),
    };
    const hasEvent = (account: string, id: string): Promise<boolean> => this.#hasEvent(account, id);
    this.budgets = new Budgets(sources, shared && { ...shared, spool: installation.folderId, hasEvent });
  }

  /** Opens an installation and holds it until {@link close}. @throws Fault as {@link openInstallation} does, or `threads_unstartable`. */
  static async open(options: InstallationOptions): Promise<Service> {
    const installation = await openInstallation(options);
    try {
      return new Service(installation, await Decoder.open());
    } catch (error) {
      await installation.close();
      throw error;
    }
  }

  /** Resolves when every engine that work takes answers. @throws Fault `unavailable` that names those that do not. */
  async ready(): Promise<void> {
    await this.#installation.readiness.check();
  }

  /**
   * Writes usage events. When it resolves, what was created is counted and on disk.
   * @throws Fault when the whole body is refused; then nothing was written, but where an `unavailable` says that nobody
   * knows: sent again, it counts once.
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
    const ids = () => accountIds(this.accounts);
    this.#retention ??= new Retention({ ledger: this.#ledger, accountIds: ids, now: this.now, keepDays, told });
    this.#retention.start();
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

  /** Finishes what was accepted, then closes what was opened and gives up the folder. */
  async close(): Promise<void> {
    await this.#retention?.close();
    await this.#notifier?.close();
    await this.budgets.close();
    await this.#decoder.close();
    await this.#installation.close();
  }

  async #sources(account: string, asOf?: Instant): Promise<ExplainSources> {
    return { ledger: this.#ledger, accounts: this.accounts, tariff: await this.#tariffs.at(account, asOf) };
  }

  /** Whether the event was written, dropped since or not. */
  async #hasEvent(account: string, id: string): Promise<boolean> {
    try {
      return (await this.#ledger.find(account, id)) !== undefined;
    } catch (error) {
      if (error instanceof Fault && error.problems[0].code === "event_dropped") return true;
      throw error;
    }
  }

  async #quotaFacts(account: string): Promise<QuotaFacts> {
    const { timezone } = await this.accounts.limits(account);
    return { timezone, requestsPerMinute: await this.budgets.rates.busiest(account) };
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

function copyOf(batch: UsageBatch): UsageBatch {
  const { times, quantities, series } = batch;
  return { ...batch, times: times.slice(), quantities: quantities.slice(), series: series.slice() };
}

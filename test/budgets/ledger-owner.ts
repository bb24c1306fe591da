/** The one ledger of several processes under test: kept in memory by the process that owns it, asked by the others. */

import { enrich, mentioned } from "../../src/accounts/enrich.ts";
import type { BudgetScope } from "../../src/accounts/records.ts";
import { Accounts } from "../../src/accounts/store.ts";
import type { TimeRange } from "../../src/domain/time.ts";
import { addEvent, batchOfColumns, emptyColumns } from "../../src/ingest/event.ts";
import { MemoryLedger } from "../../src/ledger/memory.ts";
import { BookReading } from "../../src/report/book-reading.ts";
import { putBookText } from "../../src/report/price-books.ts";
import { spendOf } from "../../src/report/spend.ts";
import { Tariffs } from "../../src/report/tariffs.ts";
import type { IngestOutcome } from "../../src/service.ts";

/** When everything happens: no month turns while a test runs. */
export const NOW: number = Date.UTC(2026, 4, 15);
/** A prompt token costs a dollar, or a tenth of a cent. */
export const DOLLAR = "dollar";
export const MILL = "mill";

const PRICES = `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.1", restrictedPlacement: "1.5", source: test }
prices:
  - match: { model: ${DOLLAR} }
    perMillionTokens: { input: "1000000", output: "1" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: test
  - match: { model: ${MILL} }
    perMillionTokens: { input: "1000", output: "1" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: test
`;

/** What a process asks the ledger. */
export interface LedgerAsks {
  spent(account: string, month: TimeRange, scopes: readonly BudgetScope[]): Promise<readonly bigint[]>;
  write(account: string, events: readonly object[]): Promise<IngestOutcome>;
  hasEvent(account: string, id: string): Promise<boolean>;
}

export class LedgerOwner implements LedgerAsks {
  readonly accounts: Accounts;
  readonly #tariffs: Tariffs;
  readonly #ledger = new MemoryLedger();
  /** Called when usage is written, before anybody is told. */
  onWritten: () => Promise<void> = async () => {};

  private constructor(accounts: Accounts) {
    this.accounts = accounts;
    this.#tariffs = new Tariffs({ accounts, now: () => NOW });
  }

  static async open(url: string): Promise<LedgerOwner> {
    const accounts = await Accounts.open({
      place: { url },
      now: () => NOW,
      randomBytes: (count) => Buffer.alloc(count),
    });
    await accounts.bootstrap({ key: "fw_0123456789abcdef" });
    const reading = new BookReading();
    await putBookText(
      { accounts, readBook: reading.read },
      { name: "test", document: PRICES },
      { account: "", createdBy: "" },
    );
    await reading.close();
    return new LedgerOwner(accounts);
  }

  async spent(account: string, range: TimeRange, scopes: readonly BudgetScope[]): Promise<readonly bigint[]> {
    const tariff = await this.#tariffs.at(account);
    const { costs } = await spendOf(
      { ledger: this.#ledger, accounts: this.accounts, tariff },
      { account, range, scopes },
      NOW,
    );
    return costs.map(({ atto }) => atto);
  }

  async write(account: string, events: readonly object[]): Promise<IngestOutcome> {
    const columns = emptyColumns(events.length, account, NOW);
    for (const event of events) {
      const problem = addEvent(columns, event);
      if (problem) throw new Error(JSON.stringify(problem));
    }
    const batch = batchOfColumns(columns);
    const { apiKeyIds } = mentioned(batch);
    const enriched = enrich(batch, await this.accounts.keyFacts(account, apiKeyIds), new Map());
    const { created, duplicates } = await this.#ledger.append(account, enriched, NOW);
    await this.onWritten();
    return { created, duplicates, conflicts: [], rejected: [], droppedAnnotations: 0 };
  }

  async hasEvent(account: string, id: string): Promise<boolean> {
    return (await this.#ledger.find(account, id)) !== undefined;
  }

  /** The ids of all usage of the account. */
  async events(account: string): Promise<string[]> {
    const range = { start: 0, end: Number.MAX_SAFE_INTEGER };
    const { events } = await this.#ledger.events(account, { range, limit: 100_000 });
    return events.map(({ id }) => id);
  }

  async close(): Promise<void> {
    await this.accounts.close();
  }
}

/** The SQLite ledger at its coldest: every question is put to a reader that knows nothing yet. */

import type { KeptEvent, UsageBatch } from "../../src/domain/usage.ts";
import type {
  AppendOutcome,
  ChangesPage,
  ChangesQuestion,
  DropAsk,
  EventCount,
  EventsPage,
  EventsQuestion,
  Ledger,
  SumQuestion,
  Sums,
  VoidOutcome,
} from "../../src/ledger/ledger.ts";
import { pageOf } from "../../src/ledger/sqlite/event-page.ts";
import type { IdentityOptions } from "../../src/ledger/sqlite/identities.ts";
import { rowsOf } from "../../src/ledger/sqlite/ledger.ts";
import { Reader } from "../../src/ledger/sqlite/reader.ts";
import { Writer } from "../../src/ledger/sqlite/writer.ts";

/** Packs all days before every third question only, so that packs of any age meet the questions between. */
const QUESTIONS_PER_PACKING = 3;

export class PackedLedger implements Ledger {
  readonly #path: string;
  readonly #identities: IdentityOptions;
  readonly #writer: Writer;
  #questions = 0;
  /** Days that were packed. */
  packs = 0;

  constructor(path: string, identities: IdentityOptions = {}) {
    this.#path = path;
    this.#identities = identities;
    this.#writer = new Writer(path, identities);
  }

  async append(account: string, batch: UsageBatch, at: number): Promise<AppendOutcome> {
    return this.#writer.run([{ kind: "append", account, batch, at }])[0] as AppendOutcome;
  }

  async void(account: string, ids: readonly string[], at: number): Promise<VoidOutcome[]> {
    return this.#writer.run([{ kind: "void", account, ids, at }])[0] as VoidOutcome[];
  }

  async sum(account: string, questions: readonly SumQuestion[]): Promise<Sums> {
    this.#questions += 1;
    if (this.#questions % QUESTIONS_PER_PACKING === 0) this.pack();
    const { tables, ...state } = this.#cold((reader) => reader.sum(account, questions));
    return { rows: tables.map(rowsOf), ...state };
  }

  async find(account: string, id: string): Promise<KeptEvent | undefined> {
    return this.#cold((reader) => reader.find(account, id));
  }

  async events(account: string, question: EventsQuestion): Promise<EventsPage> {
    return pageOf(this.#cold((reader) => reader.events(account, question)));
  }

  async changes(account: string, question: ChangesQuestion): Promise<ChangesPage> {
    const table = this.#cold((reader) => reader.changes(account, question));
    return { ...pageOf(table), mark: table.mark };
  }

  async count(account: string): Promise<EventCount> {
    return this.#cold((reader) => reader.count(account));
  }

  async dropEvents(account: string, ask: DropAsk): Promise<number> {
    return this.#writer.run([{ ...ask, kind: "drop", account }])[0] as number;
  }

  async close(): Promise<void> {
    this.#writer.close();
  }

  /** Packs the days that commits touched since the last time. */
  pack(): void {
    const touched = this.#writer.takeTouched();
    const packs = this.#cold((reader) => touched.flatMap((day) => reader.pack(day) ?? []));
    this.#writer.keepPacks(packs);
    this.packs += packs.length;
  }

  #cold<T>(read: (reader: Reader) => T): T {
    const reader = new Reader(this.#path, this.#identities);
    try {
      return read(reader);
    } finally {
      reader.close();
    }
  }
}

/**
 * The SQLite ledger without its threads: the same writer and readers, called in turn. What a step did is done when it
 * returns, so a seed runs the same way each time, and fast.
 */

import type { KeptEvent, UsageBatch } from "../../../src/domain/usage.ts";
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
} from "../../../src/ledger/ledger.ts";
import type { DayPack } from "../../../src/ledger/sqlite/days.ts";
import { pageOf } from "../../../src/ledger/sqlite/event-page.ts";
import { rowsOf } from "../../../src/ledger/sqlite/ledger.ts";
import { Reader } from "../../../src/ledger/sqlite/reader.ts";
import { Writer, type WriterCall, type WriterReply } from "../../../src/ledger/sqlite/writer.ts";

import type { Random } from "../random.ts";

interface Waiting {
  readonly call: WriterCall;
  readonly resolve: (reply: WriterReply) => void;
  readonly reject: (error: unknown) => void;
}

/** Readers, each with days of its own in memory, asked in turn. */
const READERS = 2;

export class DirectLedger implements Ledger {
  /** Packs of days that were made and not kept yet; commits may pass them by. */
  #packs: DayPack[] = [];
  readonly #writer: Writer;
  readonly #readers: readonly Reader[];
  #waiting: Waiting[] = [];
  #asked = 0;

  /** `recentMax`: identities that are kept before they are sealed; few of them, so that short stories seal often. */
  constructor(path: string, recentMax: number) {
    this.#writer = new Writer(path, { recentMax });
    this.#readers = Array.from({ length: READERS }, () => new Reader(path));
  }

  append(account: string, batch: UsageBatch, at: number): Promise<AppendOutcome> {
    return this.#write({ kind: "append", account, batch, at }) as Promise<AppendOutcome>;
  }

  void(account: string, ids: readonly string[], at: number): Promise<VoidOutcome[]> {
    return this.#write({ kind: "void", account, ids, at }) as Promise<VoidOutcome[]>;
  }

  dropEvents(account: string, ask: DropAsk): Promise<number> {
    return this.#write({ ...ask, kind: "drop", account }) as Promise<number>;
  }

  /** Calls that are made together share a transaction, as in the writer's thread. */
  #write(call: WriterCall): Promise<WriterReply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ call, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => this.#commit(this.#waiting.splice(0)));
    });
  }

  #commit(group: readonly Waiting[]): void {
    try {
      const replies = this.#writer.run(group.map(({ call }) => call));
      for (const [at, { resolve }] of group.entries()) resolve(replies[at]!);
    } catch (error) {
      if (group.length === 1) group[0]!.reject(error);
      else for (const one of group) this.#commit([one]);
    }
  }

  #reader(): Reader {
    this.#asked += 1;
    return this.#readers[this.#asked % READERS]!;
  }

  async sum(account: string, questions: readonly SumQuestion[]): Promise<Sums> {
    const { tables, ...state } = this.#reader().sum(account, questions);
    return { rows: tables.map(rowsOf), ...state };
  }

  async find(account: string, id: string): Promise<KeptEvent | undefined> {
    return this.#reader().find(account, id);
  }

  async events(account: string, question: EventsQuestion): Promise<EventsPage> {
    return pageOf(this.#reader().events(account, question));
  }

  async changes(account: string, question: ChangesQuestion): Promise<ChangesPage> {
    const table = this.#reader().changes(account, question);
    return { ...pageOf(table), mark: table.mark };
  }

  async count(account: string): Promise<EventCount> {
    return this.#reader().count(account);
  }

  /** Makes packs of days, or keeps those that were made before, as threads of the ledger do at times of their own. */
  tend(random: Random): string {
    if (this.#packs.length > 0 && random.chance(0.6)) {
      const kept = this.#packs.splice(0, random.int(1, this.#packs.length));
      this.#writer.keepPacks(kept);
      return `keep ${kept.length} packs of days`;
    }
    const touched = this.#writer.takeTouched();
    const days = random.chance(0.5) ? touched : this.#reader().unpacked();
    const packs = random.some(days, 0.8).flatMap((day) => this.#reader().pack(day) ?? []);
    this.#packs.push(...packs);
    return `make ${packs.length} packs of days`;
  }

  async close(): Promise<void> {
    for (const reader of this.#readers) reader.close();
    this.#writer.close();
  }
}

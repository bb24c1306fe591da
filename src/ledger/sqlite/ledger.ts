/** The default ledger: one SQLite file, one writer thread, and reader threads beside it. */

import { Fault, orFault, overloaded, unavailable } from "../../domain/fault.ts";
import type { Instant } from "../../domain/time.ts";
import { EVENTS_PER_CALL_MAX, type KeptEvent, type UsageBatch } from "../../domain/usage.ts";
import { type HeldFile, holdOpen } from "../../sqlite/file.ts";
import { ThreadDied, Threads } from "../../threads/threads.ts";
import type {
  AppendOutcome,
  ChangesPage,
  ChangesQuestion,
  DropAsk,
  EventCount,
  EventsPage,
  EventsQuestion,
  Ledger,
  PlainSums,
  SumQuestion,
  SumRow,
  SumRows,
  Sums,
  VoidOutcome,
} from "../ledger.ts";
import type { ChangesTable } from "./changed-events.ts";
import { COLUMN_COUNT } from "./day-columns.ts";
import { type EventTable, pageOf } from "./event-page.ts";
import { DayPacking } from "./packing.ts";
import type { SumTables } from "./reader.ts";
import type { SumTable } from "./sum-table.ts";
import type { open, ReaderCall, ThreadData } from "./thread.ts";
import type { WriterCall } from "./writer.ts";

interface SqliteLedgerOptions {
  /** The file; made when there is none. */
  readonly path: string;
  readonly readerThreads: number;
}

/** Events that may wait for the writer; more are refused before any work, with Retry-After. */
const EVENTS_WAITING_MAX = 20 * EVENTS_PER_CALL_MAX;
/** Reports that may wait for a reader. */
const READS_WAITING_MAX = 1_000;
/** The one refusal after which a call may have been written, wholly: its transaction may have been the thread's last. */
const WRITER_DIED = "the ledger's writer died in the middle; send the call again, and what was written counts once";
const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
const file = new URL(`./thread.${extension}`, import.meta.url);

export class SqliteLedger implements Ledger {
  readonly #writer: Threads;
  readonly #readers: Threads;
  readonly #packing: DayPacking;
  #held: HeldFile | undefined;
  #eventsWaiting = 0;

  private constructor(options: SqliteLedgerOptions) {
    const data = (role: ThreadData["role"]): ThreadData => ({ role, path: options.path });
    this.#writer = new Threads({
      name: "ledger's writer",
      file,
      data: data("writer"),
      count: 1,
      // Many calls wait inside the thread at once, so that they share a transaction.
      callsAtOnce: 10_000,
    });
    this.#readers = new Threads({
      name: "ledger's readers",
      file,
      data: data("reader"),
      count: options.readerThreads,
      waitingMax: READS_WAITING_MAX,
    });
    this.#packing = new DayPacking({
      touched: () => this.#writer.run(undefined, "takeTouched"),
      unpacked: () => this.#read({ kind: "unpacked" }),
      pack: (day) => this.#read({ kind: "pack", day }),
      keep: (packs) => this.#writer.run(packs, "keepPacks"),
    });
  }

  /**
   * Opens the file and starts the threads.
   * @throws Fault `folder_newer`, `folder_foreign`, `folder_unusable` or `threads_unstartable`.
   */
  static async open(options: SqliteLedgerOptions): Promise<SqliteLedger> {
    const ledger = new SqliteLedger(options);
    try {
      // The writer makes the file, so it is the first.
      for (const threads of [ledger.#writer, ledger.#readers]) {
        for (const answer of await threads.open<ReturnType<typeof open>>()) orFault(answer);
      }
      ledger.#held = holdOpen(options.path);
    } catch (error) {
      await Promise.all([ledger.#writer.end(), ledger.#readers.end()]);
      throw error;
    }
    ledger.#packing.start();
    return ledger;
  }

  async append(account: string, batch: UsageBatch, at: Instant): Promise<AppendOutcome> {
    const events = batch.ids.length;
    if (events === 0) return { created: 0, duplicates: 0, conflicts: [] };
    const buffers = [batch.times, batch.quantities, batch.sent, batch.series].map((column) => column.buffer);
    return this.#write({ kind: "append", account, batch, at }, events, [...new Set(buffers)]);
  }

  async void(account: string, ids: readonly string[], at: Instant): Promise<VoidOutcome[]> {
    return this.#write({ kind: "void", account, ids, at }, ids.length, []);
  }

  async #write<T>(call: WriterCall, events: number, buffers: readonly ArrayBufferLike[]): Promise<T> {
    if (this.#eventsWaiting > 0 && this.#eventsWaiting + events > EVENTS_WAITING_MAX) throw overloaded();
    this.#eventsWaiting += events;
    try {
      return await this.#writer.run(call, "write", buffers);
    } catch (error) {
      if (error instanceof ThreadDied) throw unavailable(WRITER_DIED);
      if (error instanceof Fault) throw error;
      throw unavailable(`nothing was written: ${(error as Error).message}`);
    } finally {
      this.#eventsWaiting -= events;
    }
  }

  async sum(account: string, questions: readonly SumQuestion[]): Promise<Sums> {
    const { tables, ...state } = await this.#read<SumTables>({ kind: "sum", account, questions });
    return { rows: tables.map(rowsOf), ...state };
  }

  async find(account: string, id: string): Promise<KeptEvent | undefined> {
    return this.#read({ kind: "find", account, id });
  }

  async events(account: string, question: EventsQuestion): Promise<EventsPage> {
    return pageOf(await this.#read<EventTable>({ kind: "events", account, question }));
  }

  async changes(account: string, question: ChangesQuestion): Promise<ChangesPage> {
    const table = await this.#read<ChangesTable>({ kind: "changes", account, question });
    return { ...pageOf(table), mark: table.mark };
  }

  async count(account: string): Promise<EventCount> {
    return this.#read({ kind: "count", account });
  }

  async dropEvents(account: string, ask: DropAsk): Promise<number> {
    return this.#writer.run({ ...ask, kind: "drop", account } satisfies WriterCall, "write");
  }

  async #read<T>(call: ReaderCall): Promise<T> {
    if (this.#readers.waiting >= READS_WAITING_MAX) throw overloaded();
    return orFault<T>(await this.#readers.run(call, "read"));
  }

  async close(): Promise<void> {
    await this.#packing.close(() => performance.now());
    await this.#readers.close();
    this.#held?.release();
    // The file of a thread that died is closed.
    await this.#writer.run(undefined, "close").catch((error: Error) => {
      if (!(error instanceof ThreadDied)) throw error;
    });
    await this.#writer.close();
  }
}

/** The columns as rows; rows of one group share their `values`. */
export function rowsOf({ groups, segment, group, sums }: SumTable): SumRows {
  if (sums instanceof Float64Array) return new PlainRows(groups, segment, group, sums);
  return Array.from(segment, (own, row) => {
    const at = row * COLUMN_COUNT;
    const quantities = sums.slice(at + 1, at + COLUMN_COUNT);
    return { segment: own, values: groups[group[row]!]!, events: sums[at]!, quantities };
  });
}

/** Rows that are made when they are looked at: what lives while a report is made is what its garbage collection waits for. */
class PlainRows implements SumRows {
  readonly #groups: SumTable["groups"];
  readonly #segment: Uint32Array;
  readonly #group: Uint32Array;
  readonly #cells: Float64Array;

  constructor(groups: SumTable["groups"], segment: Uint32Array, group: Uint32Array, cells: Float64Array) {
    this.#groups = groups;
    this.#segment = segment;
    this.#group = group;
    this.#cells = cells;
  }

  get length(): number {
    return this.#segment.length;
  }

  at(place: number): SumRow | undefined {
    if (place >= this.#segment.length) return undefined;
    const values = this.#groups[this.#group[place]!]!;
    return new PlainRow(this.#segment[place]!, values, this.#cells, place * COLUMN_COUNT + 1);
  }

  *[Symbol.iterator](): Iterator<SumRow> {
    for (let place = 0; place < this.length; place += 1) yield this.at(place)!;
  }
}

/** A row of plain numbers, whose bigints are made when they are asked for: most reports need few of them. */
class PlainRow implements SumRow, PlainSums {
  readonly segment: number;
  readonly values: readonly string[];
  readonly cells: Float64Array;
  readonly first: number;

  constructor(segment: number, values: readonly string[], cells: Float64Array, first: number) {
    this.segment = segment;
    this.values = values;
    this.cells = cells;
    this.first = first;
  }

  get plain(): PlainSums {
    return this;
  }

  get events(): bigint {
    return BigInt(this.cells[this.first - 1]!);
  }

  get quantities(): readonly bigint[] {
    return Array.from(this.cells.subarray(this.first, this.first + COLUMN_COUNT - 1), BigInt);
  }
}

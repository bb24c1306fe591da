/** The default ledger: one SQLite file, one writer thread, and reader threads beside it. */

import { Piscina } from "piscina";
import { Fault, problem } from "../../domain/fault.ts";
import type { Instant } from "../../domain/time.ts";
import { EVENTS_PER_CALL_MAX, type KeptEvent, type UsageBatch } from "../../domain/usage.ts";
import type {
  AppendOutcome,
  DropAsk,
  EventsPage,
  EventsQuestion,
  Ledger,
  PlainSums,
  SumQuestion,
  SumRow,
  Sums,
  VoidOutcome,
} from "../ledger.ts";
import { COLUMN_COUNT } from "./day-columns.ts";
import { type EventTable, pageOf } from "./event-page.ts";
import { DayPacking } from "./packing.ts";
import type { SumTables } from "./reader.ts";
import type { SumTable } from "./sum-table.ts";
import type { open, ReaderCall, Refusal, ThreadData } from "./thread.ts";
import type { WriterCall } from "./writer.ts";

type TransferList = NonNullable<NonNullable<Parameters<Piscina["run"]>[1]>["transferList"]>;

interface SqliteLedgerOptions {
  /** The file; made when there is none. */
  readonly path: string;
  readonly readerThreads: number;
}

/** Events that may wait for the writer; more are refused before any work, with Retry-After. */
const EVENTS_WAITING_MAX = 20 * EVENTS_PER_CALL_MAX;
/** Reports that may wait for a reader. */
const READS_WAITING_MAX = 1_000;
const RETRY_AFTER_SECONDS = 1;
const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
const thread = new URL(`./thread.${extension}`, import.meta.url).href;

export class SqliteLedger implements Ledger {
  readonly #writer: Piscina;
  readonly #readers: Piscina;
  readonly #packing: DayPacking;
  #eventsWaiting = 0;

  private constructor(options: SqliteLedgerOptions) {
    const data = (role: ThreadData["role"]): ThreadData => ({ role, path: options.path });
    this.#writer = new Piscina({
      filename: thread,
      workerData: data("writer"),
      minThreads: 1,
      maxThreads: 1,
      // Many calls wait inside the thread at once, so that they share a transaction.
      concurrentTasksPerWorker: 10_000,
      atomics: "disabled",
    });
    this.#readers = new Piscina({
      filename: thread,
      workerData: data("reader"),
      minThreads: options.readerThreads,
      maxThreads: options.readerThreads,
      maxQueue: READS_WAITING_MAX,
      atomics: "disabled",
    });
    this.#packing = new DayPacking({
      touched: () => this.#writer.run(undefined, { name: "takeTouched" }),
      unpacked: () => this.#read({ kind: "unpacked" }),
      pack: (day) => this.#read({ kind: "pack", day }),
      keep: (packs) => this.#writer.run(packs, { name: "keepPacks" }),
    });
  }

  /**
   * Opens the file and starts the threads.
   * @throws Fault `folder_newer`, `folder_foreign` or `folder_unusable`.
   */
  static async open(options: SqliteLedgerOptions): Promise<SqliteLedger> {
    const ledger = new SqliteLedger(options);
    const problems: ReturnType<typeof open> = await ledger.#writer.run(undefined, { name: "open" });
    if (problems) {
      await Promise.all([ledger.#writer.destroy(), ledger.#readers.destroy()]);
      throw new Fault(problems);
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
      return await this.#writer.run(call, { name: "write", transferList: buffers as unknown as TransferList });
    } catch (error) {
      const reason = `nothing was written: ${(error as Error).message}`;
      throw new Fault(problem("unavailable", "server", { reason, seconds: RETRY_AFTER_SECONDS }), RETRY_AFTER_SECONDS);
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

  async dropEvents(account: string, ask: DropAsk): Promise<number> {
    return this.#writer.run({ ...ask, kind: "drop", account } satisfies WriterCall, { name: "write" });
  }

  async #read<T>(call: ReaderCall): Promise<T> {
    if (this.#readers.queueSize >= READS_WAITING_MAX) throw overloaded();
    const answer: T | Refusal = await this.#readers.run(call, { name: "read" });
    if (isRefusal(answer)) throw new Fault(answer.problems, answer.retryAfterSeconds);
    return answer;
  }

  async close(): Promise<void> {
    await this.#packing.close(() => performance.now());
    await this.#readers.close();
    await this.#writer.run(undefined, { name: "close" });
    await this.#writer.close();
  }
}

function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === "object" && answer !== null && "problems" in answer;
}

function overloaded(): Fault {
  return new Fault(problem("overloaded", "server", { seconds: RETRY_AFTER_SECONDS }), RETRY_AFTER_SECONDS);
}

/** The columns as rows; rows of one group share their `values`. */
export function rowsOf({ groups, segment, group, sums }: SumTable): SumRow[] {
  const rows: SumRow[] = [];
  for (let row = 0; row < segment.length; row += 1) {
    const values = groups[group[row]!]!;
    const at = row * COLUMN_COUNT;
    if (sums instanceof Float64Array) rows.push(new PlainRow(segment[row]!, values, { cells: sums, first: at + 1 }));
    else {
      const quantities = sums.slice(at + 1, at + COLUMN_COUNT);
      rows.push({ segment: segment[row]!, values, events: sums[at]!, quantities });
    }
  }
  return rows;
}

/** A row of plain numbers, whose bigints are made when they are asked for: most reports need few of them. */
class PlainRow implements SumRow {
  readonly segment: number;
  readonly values: readonly string[];
  readonly plain: PlainSums;

  constructor(segment: number, values: readonly string[], plain: PlainSums) {
    this.segment = segment;
    this.values = values;
    this.plain = plain;
  }

  get events(): bigint {
    return BigInt(this.plain.cells[this.plain.first - 1]!);
  }

  get quantities(): readonly bigint[] {
    const { cells, first } = this.plain;
    return Array.from(cells.subarray(first, first + COLUMN_COUNT - 1), BigInt);
  }
}

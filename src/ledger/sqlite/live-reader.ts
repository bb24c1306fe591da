/** Reads ledger.db beside a server that may be writing to it. Nothing that it holds is changed. */

import { orFault } from "../../domain/fault.ts";
import { Threads } from "../../threads/threads.ts";
import type { ChangesPage, ChangesQuestion, EventCount, Ledger, SumQuestion, Sums } from "../ledger.ts";
import type { ChangesTable } from "./changed-events.ts";
import { pageOf } from "./event-page.ts";
import { rowsOf } from "./ledger.ts";
import type { SumTables } from "./reader.ts";
import type { ReaderCall, ThreadData } from "./thread.ts";

const extension = import.meta.filename.endsWith(".ts") ? "ts" : "js";
const file = new URL(`./thread.${extension}`, import.meta.url);

export class LiveReader implements Pick<Ledger, "sum" | "changes" | "count" | "close"> {
  readonly #reader: Threads;

  /** The file is there, and of today's version. */
  constructor(path: string) {
    const data: ThreadData = { role: "reader", path };
    this.#reader = new Threads({ name: "ledger's reader", file, data, count: 1 });
  }

  /** Every account that usage was ever written for. */
  async accounts(): Promise<readonly string[]> {
    return this.#read({ kind: "accounts" });
  }

  async sum(account: string, questions: readonly SumQuestion[]): Promise<Sums> {
    const { tables, ...state } = await this.#read<SumTables>({ kind: "sum", account, questions });
    return { rows: tables.map(rowsOf), ...state };
  }

  async changes(account: string, question: ChangesQuestion): Promise<ChangesPage> {
    const table = await this.#read<ChangesTable>({ kind: "changes", account, question });
    return { ...pageOf(table), mark: table.mark };
  }

  async count(account: string): Promise<EventCount> {
    return this.#read({ kind: "count", account });
  }

  async #read<T>(call: ReaderCall): Promise<T> {
    return orFault<T>(await this.#reader.run(call, "read"));
  }

  async close(): Promise<void> {
    await this.#reader.run(undefined, "close");
    await this.#reader.end();
  }
}

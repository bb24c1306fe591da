/** A Kysely dialect for SQLite in a thread of its own, so that no statement ever holds up the event loop. */

import { extname } from "node:path";
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { Piscina } from "piscina";
import { Fault, problem } from "../../domain/fault.ts";
import type { Call, Reply } from "./thread.ts";

const RETRY_AFTER_SECONDS = 1;

/** A dialect for the accounts file at `path`. */
export function threadDialect(path: string): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new ThreadDriver(path),
    createIntrospector: (database) => new SqliteIntrospector(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class ThreadDriver implements Driver {
  readonly #path: string;
  readonly #turns = new Turns();
  #connection: ThreadConnection | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async init(): Promise<void> {
    const connection = new ThreadConnection(this.#path);
    try {
      await connection.call({ kind: "open" });
    } catch (error) {
      await connection.end();
      throw error;
    }
    this.#connection = connection;
  }

  /** There is one connection: whoever has it is alone with it, so a transaction's statements stay together. */
  async acquireConnection(): Promise<DatabaseConnection> {
    await this.#turns.take();
    return this.#connection!;
  }

  async releaseConnection(): Promise<void> {
    this.#turns.give();
  }

  async beginTransaction(): Promise<void> {
    await this.#connection!.call({ kind: "begin" });
    this.#connection!.inTransaction = true;
  }

  async commitTransaction(): Promise<void> {
    await this.#connection!.call({ kind: "commit" });
    this.#connection!.inTransaction = false;
  }

  async rollbackTransaction(): Promise<void> {
    this.#connection!.inTransaction = false;
    await this.#connection!.call({ kind: "rollback" });
  }

  /** Waits for the statements under way. */
  async destroy(): Promise<void> {
    await this.#turns.take();
    await this.#connection?.end();
  }
}

class ThreadConnection implements DatabaseConnection {
  inTransaction = false;
  readonly #thread: Piscina<Call, Reply>;

  constructor(path: string) {
    this.#thread = new Piscina({
      filename: new URL(`./thread${extname(import.meta.filename)}`, import.meta.url).href,
      minThreads: 1,
      maxThreads: 1,
      atomics: "disabled",
      workerData: { path },
    });
  }

  async call(call: Call): Promise<Exclude<Reply, { kind: "refused" | "failed" }>> {
    const reply = await this.#thread.run(call);
    switch (reply.kind) {
      case "refused":
        throw new Fault(reply.problems);
      case "failed": {
        if (!reply.disk) throw new Error(`accounts.db: ${reply.message}`);
        const facts = { reason: `accounts.db: ${reply.message}`, seconds: RETRY_AFTER_SECONDS };
        throw new Fault(problem("unavailable", "server", facts), RETRY_AFTER_SECONDS);
      }
      default:
        return reply;
    }
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { sql, parameters } = query;
    const reply = await this.call({ kind: "query", sql, parameters, inTransaction: this.inTransaction });
    if (reply.kind === "rows") return { rows: reply.rows as R[] };
    return { rows: [], numAffectedRows: BigInt(reply.rowCount) };
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("accounts are read in pages, not streamed");
  }

  async end(): Promise<void> {
    try {
      await this.call({ kind: "close" });
    } finally {
      await this.#thread.destroy();
    }
  }
}

/** One at a time, in the order of asking. */
class Turns {
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  async take(): Promise<void> {
    if (this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken = false;
  }
}

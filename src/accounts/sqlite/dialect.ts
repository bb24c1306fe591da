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
import { Fault, unavailable } from "../../domain/fault.ts";
import { type HeldFile, holdOpen } from "../../sqlite/file.ts";
import { ThreadDied, Threads } from "../../threads/threads.ts";
import type { Call, Reply } from "./thread.ts";

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
    await connection.open();
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

type Done = Exclude<Reply, { kind: "refused" | "failed" }>;

/** @throws what the reply says went wrong. */
function replied(reply: Reply): Done {
  switch (reply.kind) {
    case "refused":
      throw new Fault(reply.problems);
    case "failed": {
      const reason = `accounts.db: ${reply.message}`;
      throw reply.mayPass ? unavailable(reason) : new Error(reason);
    }
    default:
      return reply;
  }
}

class ThreadConnection implements DatabaseConnection {
  inTransaction = false;
  readonly #path: string;
  readonly #thread: Threads;
  #held: HeldFile | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#thread = new Threads({
      name: "accounts",
      file: new URL(`./thread${extname(import.meta.filename)}`, import.meta.url),
      data: { path },
      count: 1,
    });
  }

  /** @throws Fault of the file, or `threads_unstartable`. */
  async open(): Promise<void> {
    try {
      for (const reply of await this.#thread.open<Reply>()) replied(reply);
      this.#held = holdOpen(this.#path);
    } catch (error) {
      await this.#thread.end();
      throw error;
    }
  }

  async call(call: Call): Promise<Done> {
    return replied(await this.#thread.run<Reply>(call));
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
    this.#held?.release();
    try {
      await this.call({ kind: "close" });
    } catch (error) {
      // The file of a thread that died is closed.
      if (!(error instanceof ThreadDied)) throw error;
    } finally {
      await this.#thread.end();
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

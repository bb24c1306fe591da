/** Connections to PostgreSQL whose failures are refusals that name what is away, and never hold a password. */

import type { PostgresPool, PostgresPoolClient } from "kysely";
import pg from "pg";
import { type Fault, unavailable } from "../../domain/fault.ts";
import type { PostgresAddress } from "./address.ts";

/** How many connections there may be, and how long a statement may take. */
export interface PoolLimits {
  readonly connections: number;
  /** A statement that waits longer for another's lock gives up, and its transaction leaves nothing. */
  readonly lockMs: number;
  readonly statementMs: number;
}

/** For calls. With PostgreSQL's own 100 connections a dozen processes find room. */
export const FOR_CALLS: PoolLimits = { connections: 8, lockMs: 5_000, statementMs: 10_000 };
/** For bringing the tables to a new version: it waits for another process that does so, and writes what there is anew. */
export const FOR_MIGRATION: PoolLimits = { connections: 1, lockMs: 600_000, statementMs: 600_000 };

const CONNECT_MS_MAX = 5_000;
/** An answer that is so much later than the server lets a statement run never comes. */
const ANSWER_MS_MORE = 5_000;
/** A process that stopped inside a transaction holds the others up for so long. */
const IDLE_IN_TRANSACTION_MS_MAX = 10_000;

/**
 * SQLSTATE classes and codes after which the same call may work later: connections, who may connect, the database,
 * transactions that were in each other's way, resources, the operator's doing, the disk, a server that only reads.
 */
const AWAY = /^(?:08|28|3D|40|53|57|58|55P03|25P03|25006)/;

const NO_PASSWORD = "it asks for a password and none was given; write it into the URL, or set PGPASSWORD";

/** After these the server ends the connection. */
const ENDS = /^(?:08|57P|25P03)/;

/** Instants and counts are far below 2^53, where int8 and number are the same. */
const types = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** Whether PostgreSQL, and not the statement, is to blame. Errors of the client itself are about its connection. */
function isAway(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return AWAY.test(error.code ?? "");
  return !(error instanceof TypeError || error instanceof RangeError);
}

/** What went wrong with the connection, in the words of the client or the server, for the operator. */
export function reasonOf(error: Error & { code?: string; errors?: readonly Error[] }): string {
  if (error.message.includes("client password must be a string")) return NO_PASSWORD;
  // Where a name has several addresses each has an error of its own, and the one around them says nothing.
  return error.message || error.errors?.[0]?.message || error.code || error.name;
}

/** A fault that passes, with the failure as its cause. Clients are told the reason: it names no address and no user. */
function away(error: Error & { code?: string }): Fault {
  const said = error.code ?? error.message;
  const reason =
    error instanceof pg.DatabaseError ? `cannot do it now (SQLSTATE ${said})` : `does not answer (${said})`;
  return Object.assign(unavailable(`the accounts' PostgreSQL ${reason}`), { cause: error });
}

/** The pool as the query builder takes it. Connections are made when they are needed, and anew when they were lost. */
export class RecordsPool implements PostgresPool {
  readonly #pool: pg.Pool;

  constructor(address: PostgresAddress, { connections, lockMs, statementMs }: PoolLimits) {
    this.#pool = new pg.Pool({
      ...address,
      types,
      max: connections,
      application_name: "daybook",
      connectionTimeoutMillis: CONNECT_MS_MAX,
      lock_timeout: lockMs,
      statement_timeout: statementMs,
      query_timeout: statementMs + ANSWER_MS_MORE,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS_MAX,
      keepAlive: true,
    });
    // An idle connection was lost: the pool has dropped it, and the next call makes another.
    this.#pool.on("error", () => {});
  }

  /** Connects once and says what is wrong, unmended. */
  async tryOut(): Promise<void> {
    (await this.#pool.connect()).release();
  }

  async connect(): Promise<PostgresPoolClient> {
    const client = await this.#pool.connect().catch((error) => {
      throw away(error);
    });
    // Not to be used again: it is at its end, or an answer may still be on its way.
    let isBroken = false;
    // It may end between two statements of a transaction. The next one says so.
    const noteEnd = (): void => {
      isBroken = true;
    };
    client.on("error", noteEnd);
    const query = async (text: string, values: readonly unknown[]) => {
      try {
        return await client.query(text, [...values]);
      } catch (error) {
        if (!isAway(error)) throw error;
        isBroken ||= !(error instanceof pg.DatabaseError) || ENDS.test(error.code ?? "");
        throw away(error as Error);
      }
    };
    const release = (): void => {
      client.off("error", noteEnd);
      client.release(isBroken);
    };
    // The other form, with a cursor, is for streams.
    return { query: query as unknown as PostgresPoolClient["query"], release };
  }

  end(): Promise<void> {
    return this.#pool.end();
  }
}

/** The records in PostgreSQL as a database. */

import { CamelCasePlugin, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { Fault, problem, unavailable } from "../../domain/fault.ts";
import type { Tables } from "../tables.ts";
import { readPostgresUrl } from "./address.ts";
import { FOR_CALLS, FOR_MIGRATION, RecordsPool, reasonOf } from "./pool.ts";
import { migrate } from "./schema.ts";

/** What a system says of a server that is not there, or not yet. */
const NOT_THERE = ["ECONNREFUSED", "ECONNRESET", "ENOENT", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ETIMEDOUT"];

/**
 * Connects, and brings the records to today's version.
 * @param field Where the URL was written, for the sentences; none of them holds the password.
 * @throws Fault `bad_engine_url`, `accounts_unusable`, `folder_newer`; `unavailable` where no server answers.
 */
export async function openPostgres(url: string, field: string): Promise<Kysely<Tables>> {
  const address = readPostgresUrl(url, field);
  const pool = new RecordsPool(address, FOR_MIGRATION);
  try {
    await pool.tryOut();
    await migrate(databaseOn(pool), field);
  } catch (error) {
    throw error instanceof Fault ? error : refusalOf(error as Error & { code?: string }, field);
  } finally {
    await pool.end();
  }
  return databaseOn(new RecordsPool(address, FOR_CALLS));
}

function databaseOn(pool: RecordsPool): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] });
}

function refusalOf(error: Error & { code?: string }, field: string): Fault {
  const reason = reasonOf(error);
  const isLate = error.message.includes("timeout");
  const isStarting = error instanceof pg.DatabaseError && /^(?:53|57)/.test(error.code ?? "");
  if (isLate || isStarting || NOT_THERE.includes(error.code ?? "")) return unavailable(`PostgreSQL: ${reason}`);
  return new Fault(problem("accounts_unusable", field, { reason }));
}

/** The accounts file as a database. */

import { CamelCasePlugin, Kysely, sql } from "kysely";
import type { Tables } from "../tables.ts";
import { threadDialect } from "./dialect.ts";

/**
 * Opens accounts.db, whose folder exists, and brings it to today's version.
 * @throws Fault `folder_newer`, `folder_foreign` or `folder_unusable`.
 */
export async function openDatabase(path: string): Promise<Kysely<Tables>> {
  const database = new Kysely<Tables>({ dialect: threadDialect(path), plugins: [new CamelCasePlugin()] });
  // The driver opens the file at the first statement.
  await sql`select 1`.execute(database);
  return database;
}

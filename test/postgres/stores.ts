/** The stores that the accounts are kept in, for tests that hold on each of them. */

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { RecordsPlace } from "../../src/accounts/store.ts";
import { emptyDatabase, run, WHY_NO_POSTGRES } from "./server.ts";

/** A new and empty place for accounts. */
export interface TestStore {
  readonly place: RecordsPlace;
  /** Runs statements behind the back of the accounts. */
  execute(sql: string): Promise<unknown>;
  columns(table: string): Promise<string[]>;
  /** All that is kept, as text. */
  kept(): Promise<string>;
}

/** A file. */
export async function sqliteStore(t: TestContext): Promise<TestStore> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-accounts-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "accounts.db");
  return {
    place: { path },
    async execute(sql) {
      const file = new DatabaseSync(path);
      try {
        file.exec(sql);
      } finally {
        file.close();
      }
    },
    async columns(table) {
      const file = new DatabaseSync(path);
      const columns = file.prepare(`SELECT * FROM ${table}`).columns();
      file.close();
      return columns.map(({ name }) => name);
    },
    async kept() {
      const files = (await readdir(dirname(path))).filter((name) => name.startsWith("accounts.db"));
      const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "latin1")));
      return texts.join("");
    },
  };
}

async function postgresStore(): Promise<TestStore> {
  const url = await emptyDatabase();
  return {
    place: { url },
    execute: (sql) => run(url, sql),
    columns: async (table) => (await run(url, `SELECT * FROM ${table}`)).fields.map(({ name }) => name),
    async kept() {
      const { rows } = await run(url, "select tablename from pg_tables where schemaname = 'public'");
      const texts = rows.map(async ({ tablename }) => {
        const all = await run(url, `select coalesce(string_agg(t::text, ' '), '') as text from "${tablename}" as t`);
        return all.rows[0].text as string;
      });
      return (await Promise.all(texts)).join("");
    },
  };
}

/** Declares the test once for each store; it is skipped where there is no PostgreSQL, and says why. */
export function testOnEachStore(name: string, body: (t: TestContext, store: TestStore) => Promise<void>): void {
  test(`${name} (SQLite)`, async (t) => body(t, await sqliteStore(t)));
  testOnPostgres(`${name} (PostgreSQL)`, body);
}

/** Declares a test of what only PostgreSQL has. */
export function testOnPostgres(name: string, body: (t: TestContext, store: TestStore) => Promise<void>): void {
  test(name, { skip: WHY_NO_POSTGRES ?? false }, async (t) => body(t, await postgresStore()));
}

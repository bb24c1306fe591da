/** All records as rows, to be copied from one store to another and compared there. Keys are rows of hashes, as ever. */

import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import { openPostgres } from "./postgres/open.ts";
import { postgresSharing } from "./postgres/sharing.ts";
import { openDatabase } from "./sqlite/open.ts";
import { type RecordsPlace, URL_SETTING } from "./store.ts";
import { RECORD_COLUMNS, type Tables } from "./tables.ts";

type Value = string | number | null;
type Table = keyof Tables;

/** The rows of each table, their values in the order of RECORD_COLUMNS. All of it is in memory: these are the small things. */
export type Records = { readonly [T in Table]: readonly (readonly Value[])[] };

const TABLES = Object.keys(RECORD_COLUMNS) as readonly Table[];
/** Refuses to let a row go (sqlite/schema.ts). */
const KEPT_FOR_EVER: Table = "priceBooks";
const ROWS_PER_STATEMENT = 100;

/** Equal for equal records, whatever store they are in and however it orders them. */
export function hashOfRecords(records: Records): string {
  const hash = createHash("sha256");
  for (const table of TABLES) {
    const lines = records[table].map((row) => JSON.stringify(row));
    hash.update(`${table}\n${lines.sort().join("\n")}\n`);
  }
  return hash.digest("hex");
}

export function countOfRecords(records: Records): number {
  return TABLES.reduce((sum, table) => sum + records[table].length, 0);
}

/** A store that is read and written as a whole. */
export class RecordsCopy {
  readonly #database: Kysely<Tables>;
  readonly #shared: boolean;

  private constructor(database: Kysely<Tables>, shared: boolean) {
    this.#database = database;
    this.#shared = shared;
  }

  /**
   * Opens the store, or makes it, and brings it to today's version.
   * @throws Fault when it cannot be used, `unavailable` when it does not answer.
   */
  static async open(place: RecordsPlace): Promise<RecordsCopy> {
    if ("url" in place) return new RecordsCopy(await openPostgres(place.url, place.field ?? URL_SETTING), true);
    return new RecordsCopy(await openDatabase(place.path), false);
  }

  /** All rows, from one state of the store. */
  async read(): Promise<Records> {
    const transaction = this.#database.transaction();
    // The file has one connection, alone with its transaction, and knows no levels.
    const alone = this.#shared ? transaction.setIsolationLevel("repeatable read") : transaction;
    return alone.execute(readAll);
  }

  /**
   * Puts these records in place of others, in one transaction; where they are the same, nothing is written. Versions of
   * price books stay, and those that are not there come to them. Other processes that write wait until it is done: what
   * they wrote before is told to `mayReplace`.
   * @param mayReplace Is asked, in that transaction, about the records that are there; what it throws leaves them.
   */
  async replace(records: Records, mayReplace: (found: Records) => void): Promise<void> {
    const transaction = this.#database.transaction();
    // Each statement sees what was committed before it.
    const alone = this.#shared ? transaction.setIsolationLevel("read committed") : transaction;
    await alone.execute(async (database) => {
      if (this.#shared) await postgresSharing.lockAll(database);
      const found = await readAll(database);
      mayReplace(found);
      if (hashOfRecords(found) === hashOfRecords(records)) return;
      for (const table of TABLES.toReversed()) {
        if (table !== KEPT_FOR_EVER) await database.deleteFrom(table).execute();
      }
      for (const table of TABLES) {
        const kept = new Set(table === KEPT_FOR_EVER ? found[table].map((row) => row[0]) : []);
        const rows = records[table].filter((row) => !kept.has(row[0]!));
        await insert(database, table, rows);
      }
      if (this.#shared) await postgresSharing.noteChange(database);
    });
  }

  async close(): Promise<void> {
    await this.#database.destroy();
  }
}

async function readAll(database: Kysely<Tables>): Promise<Records> {
  const records = {} as { -readonly [T in Table]: Records[T] };
  for (const table of TABLES) {
    const columns: readonly string[] = RECORD_COLUMNS[table];
    const selected = database.selectFrom(table).select(columns as readonly never[]);
    const rows = (await selected.execute()) as readonly Record<string, Value>[];
    records[table] = rows.map((row) => columns.map((column) => row[column]!));
  }
  return records;
}

async function insert(database: Kysely<Tables>, table: Table, rows: Records[Table]): Promise<void> {
  const columns: readonly string[] = RECORD_COLUMNS[table];
  for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) {
    const some = rows.slice(at, at + ROWS_PER_STATEMENT);
    const values = some.map((row) => Object.fromEntries(columns.map((column, place) => [column, row[place]])));
    await database
      .insertInto(table)
      .values(values as never)
      .execute();
  }
}

/** The floor of this engine: a bare loop over node:sqlite in one thread. */

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Baseline, COLUMNS, type Row, type TableKind, valuesOf } from "./baseline.ts";

const LABELS = COLUMNS.slice(3, 8);
const SUMS = COLUMNS.slice(8);

export class Sqlite implements Baseline<readonly Row[]> {
  readonly name = "SQLite, bare loop";
  readonly connections = 1;
  readonly #folder: string;
  #database: DatabaseSync | undefined;
  #insert: StatementSync | undefined;

  constructor(folder: string) {
    this.#folder = mkdtempSync(join(folder, "sqlite-"));
  }

  get #path(): string {
    return join(this.#folder, "events.db");
  }

  async create(kind: TableKind): Promise<void> {
    this.#database?.close();
    for (const end of ["", "-wal", "-shm"]) rmSync(this.#path + end, { force: true });
    const database = new DatabaseSync(this.#path);
    // As the ledger has them.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -98304");
    database.exec("PRAGMA wal_autocheckpoint = 32000");
    const texts = ["account", "id", "time", ...LABELS].map((name) => `${name} TEXT NOT NULL`);
    const columns = [...texts, ...SUMS.map((name) => `${name} INTEGER NOT NULL`)];
    const key = kind === "keyed" ? ", PRIMARY KEY (account, id)" : "";
    database.exec(`CREATE TABLE events (${columns.join(", ")}${key}) STRICT`);
    this.#insert = database.prepare(
      `INSERT INTO events VALUES (${COLUMNS.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING`,
    );
    this.#database = database;
  }

  prepare(rows: readonly Row[]): readonly Row[] {
    return rows;
  }

  async write(rows: readonly Row[]): Promise<void> {
    this.#database!.exec("BEGIN IMMEDIATE");
    for (const row of rows) this.#insert!.run(...valuesOf(row));
    this.#database!.exec("COMMIT");
  }

  async bytes(): Promise<number> {
    this.#database!.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return statSync(this.#path).size;
  }

  async stop(): Promise<void> {
    this.#database?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

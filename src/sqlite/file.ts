/** Opening a Daybook SQLite file: whose it is, which version wrote it, and the ordered steps to today's version. */

import { DatabaseSync } from "node:sqlite";
import { Fault, problem } from "../domain/fault.ts";

/** What kind of file it is, in SQLite's header, and the steps from an empty file to today's: step `i` makes version i+1. */
export interface FileKind {
  readonly applicationId: number;
  readonly migrations: readonly string[];
}

interface OpenOptions {
  readonly readOnly: boolean;
  /** The page cache in MiB. */
  readonly cacheMiB: number;
}

const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens the file for durable writing (WAL, synchronous=FULL) after bringing it to today's version, or for reading.
 * @throws Fault `folder_newer` when a newer daybook wrote it, `folder_foreign` when it is some other SQLite file or none,
 * `folder_unusable` when it cannot be opened.
 */
export function openFile(path: string, kind: FileKind, options: OpenOptions): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: options.readOnly, timeout: BUSY_TIMEOUT_MS });
    database.exec(`PRAGMA cache_size = -${options.cacheMiB * 1024}; PRAGMA temp_store = MEMORY`);
    if (!options.readOnly) {
      checkOrigin(database, path, kind);
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
      migrate(database, kind);
    }
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof Fault) throw error;
    const reason = (error as Error).message;
    if (reason.includes("not a database")) throw new Fault(problem("folder_foreign", "dataFolder", { value: path }));
    throw new Fault(problem("folder_unusable", "dataFolder", { value: path, reason }));
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

function checkOrigin(database: DatabaseSync, path: string, kind: FileKind): void {
  const found = pragma(database, "user_version");
  const known = kind.migrations.length;
  const tables = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()!.n;
  const id = pragma(database, "application_id");
  if (id !== kind.applicationId && !(id === 0 && tables === 0)) {
    throw new Fault(problem("folder_foreign", "dataFolder", { value: path }));
  }
  if (found > known) throw new Fault(problem("folder_newer", "dataFolder", { value: path, found, known }));
}

function migrate(database: DatabaseSync, kind: FileKind): void {
  for (let version = pragma(database, "user_version"); version < kind.migrations.length; version += 1) {
    database.exec("BEGIN IMMEDIATE");
    try {
      database.exec(kind.migrations[version]!);
      database.exec(`PRAGMA application_id = ${kind.applicationId}; PRAGMA user_version = ${version + 1}`);
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  }
}

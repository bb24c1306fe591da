/** Opening a Daybook SQLite file: whose it is, which version wrote it, and the ordered steps to today's version. */

import { DatabaseSync } from "node:sqlite";
import { Fault, problem } from "../domain/fault.ts";
import { LogWitness, lostCommits, witnessPath } from "./log-witness.ts";

/** What kind of file it is, in SQLite's header, and the steps from an empty file to today's: step `i` makes version i+1. */
export interface FileKind {
  readonly applicationId: number;
  readonly migrations: readonly Migration[];
}

/** SQL, or what SQL alone cannot do. It runs inside a transaction. */
type Migration = string | ((database: DatabaseSync) => void);

interface OpenOptions {
  readonly readOnly: boolean;
  /** The page cache in MiB. */
  readonly cacheMiB: number;
}

const BUSY_TIMEOUT_MS = 5_000;

/** A database whose commits are witnessed beside its write-ahead log. */
class WitnessedDatabase extends DatabaseSync {
  readonly #witness: LogWitness;

  constructor(path: string) {
    super(path, { timeout: BUSY_TIMEOUT_MS });
    this.#witness = new LogWitness(path);
  }

  override exec(sql: string): void {
    if (sql.includes("wal_checkpoint(TRUNCATE)")) this.#witness.end();
    super.exec(sql);
    if (sql === "COMMIT") this.#witness.note();
  }

  noteCommit(): void {
    this.#witness.note();
  }

  /** Closes the file, with all of its write-ahead log in it. */
  override close(): void {
    this.#witness.end();
    super.close();
  }

  /** Closes a file that could not be made use of. */
  abandon(): void {
    super.close();
    this.#witness.endIfEmptied();
  }
}

/** To be called after a statement that committed by itself, outside of BEGIN and COMMIT. */
export function noteCommit(database: DatabaseSync): void {
  if (database instanceof WitnessedDatabase) database.noteCommit();
}

/**
 * Opens the file for durable writing (WAL, synchronous=FULL) after bringing it to today's version, or for reading.
 * @throws Fault `folder_newer` when a newer daybook wrote it, `folder_foreign` when it is some other SQLite file or none,
 * `folder_damaged` when it lost what was committed, `folder_unusable` when it cannot be opened.
 */
export function openFile(path: string, kind: FileKind, options: OpenOptions): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (!options.readOnly) checkLog(path);
    database = options.readOnly
      ? new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
      : new WitnessedDatabase(path);
    database.exec(`PRAGMA cache_size = -${options.cacheMiB * 1024}; PRAGMA temp_store = MEMORY`);
    if (!options.readOnly) {
      checkOrigin(database, path, kind);
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
      migrate(database, kind);
    }
    return database;
  } catch (error) {
    if (database instanceof WitnessedDatabase) database.abandon();
    else database?.close();
    if (error instanceof Fault) throw error;
    const reason = (error as Error).message;
    if (reason.includes("not a database")) throw new Fault(problem("folder_foreign", "dataFolder", { value: path }));
    throw new Fault(problem("folder_unusable", "dataFolder", { value: path, reason }));
  }
}

/** @throws Fault `folder_damaged` before SQLite touches the file, so that what is left of it stays as it is. */
export function checkLog(path: string): void {
  const reason = lostCommits(path);
  if (reason)
    throw new Fault(problem("folder_damaged", "dataFolder", { value: path, reason, witness: witnessPath(path) }));
}

/** SQLite's codes for what the disk, not the statement, is to blame for: READONLY, IOERR, FULL, CANTOPEN. */
const DISK_CODES = [8, 10, 13, 14];

/** True when the file could not be written or read for now: its disk is full, failing or not to be written. */
export function isDiskTrouble(error: unknown): boolean {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === "number" && DISK_CODES.includes(errcode & 0xff);
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

/** @throws Fault `folder_foreign` for another program's file, `folder_newer` for one of a newer daybook. */
export function checkOrigin(database: DatabaseSync, path: string, kind: FileKind): void {
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
      const step = kind.migrations[version]!;
      if (typeof step === "string") database.exec(step);
      else step(database);
      database.exec(`PRAGMA application_id = ${kind.applicationId}; PRAGMA user_version = ${version + 1}`);
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  }
}

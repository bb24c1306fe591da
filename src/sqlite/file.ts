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
/** SQLite's code for a file that it could not open, whatever the reason. */
const CANTOPEN = 14;

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
    throw unusable(path, error as Error);
  }
}

function unusable(path: string, error: Error): Fault {
  const { message } = error;
  if (message.includes("not a database")) return new Fault(problem("folder_foreign", "dataFolder", { value: path }));
  const isClosed = (error as { errcode?: number }).errcode === CANTOPEN;
  const mend = "; check who may read and write it, and how many files the process may open (ulimit -n)";
  const reason = isClosed ? message + mend : message;
  return new Fault(problem("folder_unusable", "dataFolder", { value: path, reason }));
}

/** A file that this thread keeps open. */
export interface HeldFile {
  /** Before the last connection that writes is closed, so that it empties the log. */
  release(): void;
}

/**
 * Keeps a file open that other threads write. A thread that dies, and a process that ends by exit, close their connections
 * unseen; the last one of a file empties its log, and the witness would call that a loss. A held file has no last one.
 * @throws Fault `folder_unusable`
 */
export function holdOpen(path: string): HeldFile {
  let database: DatabaseSync | undefined;
  try {
    const held = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    database = held;
    // SQLite takes its lock with the first read.
    held.prepare("SELECT count(*) FROM sqlite_schema").get();
    return { release: () => held.close() };
  } catch (error) {
    database?.close();
    throw unusable(path, error as Error);
  }
}

/** @throws Fault `folder_damaged` before SQLite touches the file, so that what is left of it stays as it is. */
export function checkLog(path: string): void {
  const reason = lostCommits(path);
  if (reason)
    throw new Fault(problem("folder_damaged", "dataFolder", { value: path, reason, witness: witnessPath(path) }));
}

/** SQLite's codes for what the disk, not the statement, is to blame for: READONLY, IOERR, FULL, CANTOPEN. */
const DISK_CODES = [8, 10, 13, CANTOPEN];

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
    inTransaction(database, () => {
      const step = kind.migrations[version]!;
      if (typeof step === "string") database.exec(step);
      else step(database);
      database.exec(`PRAGMA application_id = ${kind.applicationId}; PRAGMA user_version = ${version + 1}`);
    });
  }
}

/** Makes a change in one transaction: whole, or not at all where it throws. */
export function inTransaction<T>(database: DatabaseSync, change: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const made = change();
    database.exec("COMMIT");
    return made;
  } catch (error) {
    // SQLite may have rolled back by itself, as on a full disk.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

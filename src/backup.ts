/**
 * A copy of a data folder, taken while a server may be writing to it. What was answered 200 before the copying began is
 * in it, and of each transaction all or nothing.
 *
 * The parts are copied one after another, so their order is what makes them fit each other:
 * 1. the gateway's spool, whose records leave it only when the ledger has them: a record that moves meanwhile is in both
 *    copies, and its identity lets it count once;
 * 2. ledger.db, of which the copy is one instant;
 * 3. accounts.db, from which nothing that usage can mention is ever deleted: keys, users, deployments and versions of
 *    price books, which the copied usage knows, are there. What was made after the ledger's instant has no usage yet.
 *    A deployment's time is counted from its changes, which stand in accounts.db alone.
 */

import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, renameSync, rmSync } from "node:fs";
import { copyFile, mkdir, open } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { ACCOUNTS_FILE } from "./accounts/sqlite/schema.ts";
import { Fault, problem } from "./domain/fault.ts";
import { ACCOUNTS, holdUnlessInUse, LEDGER, SPOOL } from "./folder.ts";
import { LEDGER_FILE } from "./ledger/sqlite/schema.ts";
import { checkLog, checkOrigin, type FileKind, openFile } from "./sqlite/file.ts";

/** What the copy holds. */
export interface Backup {
  /** Usage events, voided ones too, as `daybook verify` counts them. */
  readonly events: number;
  /** The latest of any account; 0 before the first event. */
  readonly position: number;
  /** Of all files. */
  readonly bytes: number;
}

export interface BackupOptions {
  /** Bytes done of all there are; the whole grows when the second file is come to. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The folder under its temporary name, once it is made: for whoever ends the process before the copy is whole. */
  readonly onFolder?: (path: string) => void;
}

interface CopiedFile {
  readonly name: string;
  readonly kind: FileKind;
}

const LEDGER_COPY: CopiedFile = { name: LEDGER, kind: LEDGER_FILE };
const ACCOUNTS_COPY: CopiedFile = { name: ACCOUNTS, kind: ACCOUNTS_FILE };
/** 8 MiB: long enough to be fast, short enough for a bar that moves. */
const PAGES_PER_STEP = 2_048;
const CACHE_MIB = 8;

/**
 * Copies the data folder, under a temporary name beside `to` that becomes `to` when all is on disk.
 * @param to a folder that is empty or not there yet.
 * @throws Fault `backup_unwritable` when the copy cannot be written, `folder_unusable`, `folder_foreign`, `folder_newer`
 * or `folder_damaged` when there is nothing to copy. Then nothing was left of the copy.
 */
export async function copyFolder(dataFolder: string, to: string, options: BackupOptions = {}): Promise<Backup> {
  const target = targetOf(dataFolder, to);
  checkAtRest(dataFolder);
  const partial = makePartial(target, to);
  options.onFolder?.(partial);
  try {
    const copied = await copyParts(dataFolder, partial, options.onProgress);
    // Takes the place of an empty folder; one that has got files since is left as it is.
    renameSync(partial, target);
    await syncPath(dirname(target));
    return copied;
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error instanceof Fault ? error : unwritable(to, reasonOf(error as NodeJS.ErrnoException));
  }
}

function unwritable(to: string, reason: string): Fault {
  return new Fault(problem("backup_unwritable", "--to", { value: to, reason }));
}

const SQLITE_FULL = 13;
const OCCUPIED = "it holds files already; name a new or an empty folder";

function reasonOf(error: NodeJS.ErrnoException & { readonly errcode?: number }): string {
  if (error.code === "ENOSPC" || error.errcode === SQLITE_FULL) {
    return "its disk is full; free some space or name a folder on another disk";
  }
  if (error.code === "ENOTEMPTY" || error.code === "EEXIST") return OCCUPIED;
  return error.message;
}

/** The target with its links followed. @throws Fault when a copy could not be renamed to it. */
function targetOf(dataFolder: string, to: string): string {
  try {
    const link = lstatSync(to, { throwIfNoEntry: false });
    const target = link ? realpathSync(to) : resolve(to);
    const inside = relative(realpathSync(dataFolder), target);
    if (inside !== "" && !inside.startsWith(".."))
      throw unwritable(to, "it lies in the data folder; name one elsewhere");
    if (!link) return target;
    const found = lstatSync(target);
    if (!found.isDirectory()) throw unwritable(to, "it is no folder; name a new or an empty folder");
    if (readdirSync(target).length > 0) throw unwritable(to, OCCUPIED);
    if (found.dev !== lstatSync(dirname(target)).dev) {
      throw unwritable(
        to,
        "a disk is mounted there, and the copy is renamed into place whole; name a new folder in it",
      );
    }
    return target;
  } catch (error) {
    throw error instanceof Fault ? error : unwritable(to, (error as Error).message);
  }
}

/** A log that lost commits must not be copied as if it were whole; a server that runs has asked that at its start. */
function checkAtRest(dataFolder: string): void {
  const held = holdUnlessInUse(dataFolder);
  if (!held) return;
  try {
    for (const name of [LEDGER, ACCOUNTS]) checkLog(join(dataFolder, name));
  } finally {
    held.release();
  }
}

function makePartial(target: string, to: string): string {
  try {
    mkdirSync(dirname(target), { recursive: true });
    return mkdtempSync(join(dirname(target), `${basename(target)}.partial-`));
  } catch (error) {
    throw unwritable(to, reasonOf(error as NodeJS.ErrnoException));
  }
}

async function copyParts(from: string, into: string, onProgress: BackupOptions["onProgress"]): Promise<Backup> {
  let done = 0;
  const copy = async (file: CopiedFile): Promise<void> => {
    done += await copyDatabase(from, into, file, (bytes, of) => onProgress?.(done + bytes, done + of));
  };
  await copySpool(join(from, SPOOL), join(into, SPOOL));
  await copy(LEDGER_COPY);
  await copy(ACCOUNTS_COPY);
  await syncPath(into);
  return { ...countsOf(join(into, LEDGER)), bytes: done };
}

/** Returns the bytes of the copy, which are on disk. */
async function copyDatabase(
  from: string,
  into: string,
  { name, kind }: CopiedFile,
  onProgress: (done: number, total: number) => void,
): Promise<number> {
  const path = join(from, name);
  // A connection that may not write would make no file; its message would not tell which one is missing.
  if (!existsSync(path)) throw new Fault(problem("folder_incomplete", "dataFolder", { value: from, missing: name }));
  const source = openFile(path, kind, { readOnly: true, cacheMiB: CACHE_MIB });
  try {
    checkReadable(source, path, kind);
    const pageBytes = Number(source.prepare("PRAGMA page_size").get()!.page_size);
    // The transaction holds one instant of the file. Without it SQLite would begin anew after each commit of the server.
    source.exec("BEGIN");
    source.prepare("SELECT count(*) FROM sqlite_schema").get();
    const pages = await backup(source, join(into, name), {
      rate: PAGES_PER_STEP,
      progress: ({ totalPages, remainingPages }) => {
        onProgress((totalPages - remainingPages) * pageBytes, totalPages * pageBytes);
      },
    });
    await syncPath(join(into, name));
    return pages * pageBytes;
  } finally {
    source.close();
  }
}

/** @throws Fault when the file is none of ours, of a newer daybook, or still without its tables. */
function checkReadable(source: DatabaseSync, path: string, kind: FileKind): void {
  try {
    checkOrigin(source, path, kind);
    if (source.prepare("SELECT count(*) AS n FROM sqlite_schema").get()!.n !== 0) return;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(problem("folder_foreign", "dataFolder", { value: path }));
  }
  const reason = "it is empty; start daybook serve on its folder once";
  throw new Fault(problem("folder_unusable", "dataFolder", { value: path, reason }));
}

/** Copies records that wait for the ledger; a file that is gone when its turn comes went there whole. */
async function copySpool(from: string, into: string): Promise<void> {
  if (!existsSync(from)) return;
  await mkdir(into, { mode: 0o700 });
  for (const name of readdirSync(from)) {
    try {
      await copyFile(join(from, name), join(into, name));
    } catch (error) {
      const { code, path } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && path === join(from, name)) continue;
      throw error;
    }
    await syncPath(join(into, name));
  }
  await syncPath(into);
}

/** Read from the copy itself, as a file that nobody changes: so no log is made beside it. */
function countsOf(path: string): Pick<Backup, "events" | "position"> {
  const copy = new DatabaseSync(new URL("?immutable=1", pathToFileURL(path)), { readOnly: true });
  try {
    const events = Number(copy.prepare("SELECT count(*) AS n FROM events").get()!.n);
    const position = Number(copy.prepare("SELECT max(version) AS n FROM days").get()!.n ?? 0);
    return { events, position };
  } finally {
    copy.close();
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A data folder that is moved from, while a server may be writing to it. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Records } from "../accounts/copying.ts";
import { readLiveAccounts, readLiveRecords } from "../accounts/sqlite/live-records.ts";
import { ACCOUNTS_FILE } from "../accounts/sqlite/schema.ts";
import { Fault, problem } from "../domain/fault.ts";
import { ACCOUNTS, type HeldFolder, holdUnlessInUse, LEDGER, SPOOL } from "../folder.ts";
import { requireFolder } from "../folder-tools.ts";
import { LiveReader } from "../ledger/sqlite/live-reader.ts";
import { LEDGER_FILE } from "../ledger/sqlite/schema.ts";
import { checkLog, checkOrigin, type FileKind, openFile } from "../sqlite/file.ts";

const SPOOLED = ".usage";

export class FolderSource {
  readonly ledger: LiveReader;
  readonly #path: string;
  #held: HeldFolder | undefined;

  private constructor(path: string, held: HeldFolder | undefined) {
    this.#path = path;
    this.#held = held;
    this.ledger = new LiveReader(join(path, LEDGER));
  }

  /** @throws Fault when the folder is none of ours, lost what was committed, or is of another version of daybook. */
  static open(path: string): FolderSource {
    requireFolder(path);
    // Files that nobody has open are looked at before they are opened: that would mend a log, and hide what it lost.
    const held = holdAtRest(path);
    try {
      checkFile(path, LEDGER, LEDGER_FILE);
      checkFile(path, ACCOUNTS, ACCOUNTS_FILE);
      return new FolderSource(path, held);
    } catch (error) {
      held?.release();
      throw error;
    }
  }

  /** True when nobody else has the folder, nor can have it from now on. @throws Fault, as {@link FolderSource.open}. */
  hold(): boolean {
    this.#held ??= holdAtRest(this.#path);
    return this.#held !== undefined;
  }

  async records(): Promise<Records> {
    return readLiveRecords(join(this.#path, ACCOUNTS));
  }

  /** Those of the records, and any that usage was written for and the records lack. */
  async accountIds(): Promise<readonly string[]> {
    const written = await this.ledger.accounts();
    return [...new Set([...readLiveAccounts(join(this.#path, ACCOUNTS)), ...written])].sort();
  }

  async close(): Promise<void> {
    await this.ledger.close();
    this.#held?.release();
  }
}

/** Undefined when another process holds it. */
function holdAtRest(path: string): HeldFolder | undefined {
  const held = holdUnlessInUse(path);
  if (!held) return undefined;
  try {
    for (const name of [LEDGER, ACCOUNTS]) checkLog(join(path, name));
    refuseSpooled(path);
    return held;
  } catch (error) {
    held.release();
    throw error;
  }
}

/** A server that ended in good order left nothing that the ledger does not have. */
function refuseSpooled(path: string): void {
  const spool = join(path, SPOOL);
  if (!existsSync(spool) || !readdirSync(spool).some((name) => name.endsWith(SPOOLED))) return;
  throw unusable(
    path,
    "its spool has usage that the ledger may lack; start daybook serve --gateway on it, and stop it",
  );
}

function unusable(value: string, reason: string): Fault {
  return new Fault(problem("folder_unusable", "--from", { value, reason }));
}

/** @throws Fault for a file that is missing, another program's, or of another version. */
function checkFile(folder: string, name: string, kind: FileKind): void {
  const path = join(folder, name);
  if (!existsSync(path)) throw new Fault(problem("folder_incomplete", "--from", { value: folder, missing: name }));
  const database = openFile(path, kind, { readOnly: true, cacheMiB: 1 });
  try {
    if (versionOf(database, path, kind) === kind.migrations.length) return;
    throw unusable(
      folder,
      `${name} is of an older daybook; start daybook serve on it once, which brings it up to date`,
    );
  } finally {
    database.close();
  }
}

function versionOf(database: DatabaseSync, path: string, kind: FileKind): unknown {
  try {
    checkOrigin(database, path, kind);
    return database.prepare("PRAGMA user_version").get()!.user_version;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(problem("folder_foreign", "--from", { value: path }));
  }
}

/** The data folder: made when there is none, and held by one process at a time. */

import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Fault, problem } from "./domain/fault.ts";

/** What a data folder holds: the files, and the folder of usage that waits for the ledger. */
export const LEDGER = "ledger.db";
export const ACCOUNTS = "accounts.db";
export const SPOOL = "spool";

/** The folder while it is held. */
export interface HeldFolder {
  readonly path: string;
  release(): void;
}

/**
 * Makes the folder and holds it. The hold is the operating system's own lock (through SQLite) on a file of the folder,
 * so it ends with the process, however that ends.
 * @throws Fault `folder_in_use` with the other's process id, or `folder_unusable`.
 */
export function holdFolder(path: string): HeldFolder {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Fault(problem("folder_unusable", "dataFolder", { value: path, reason: (error as Error).message }));
  }
  const processFile = join(path, "daybook.pid");
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(path, "daybook.lock"), { timeout: 0 });
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock?.close();
    const reason = (error as Error).message;
    if (!reason.includes("locked")) throw new Fault(problem("folder_unusable", "dataFolder", { value: path, reason }));
    throw new Fault(problem("folder_in_use", "dataFolder", { value: path, pid: processOf(processFile) }));
  }
  const held = lock;
  try {
    writeFileSync(processFile, `${process.pid}\n`);
  } catch (error) {
    held.close();
    throw new Fault(problem("folder_unusable", "dataFolder", { value: path, reason: (error as Error).message }));
  }
  return { path, release: () => held.close() };
}

/**
 * An id of the folder that stays as long as the folder does; a backup does not copy it.
 * @throws Fault `folder_unusable`.
 */
export function folderId({ path }: HeldFolder): string {
  const file = join(path, "daybook.id");
  try {
    const known = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
    // One that was cut off while it was written was never used.
    if (known !== "") return known;
    const made = crypto.randomUUID();
    writeFileSync(file, `${made}\n`, { flush: true });
    return made;
  } catch (error) {
    throw new Fault(problem("folder_unusable", "dataFolder", { value: path, reason: (error as Error).message }));
  }
}

/** As {@link holdFolder}; undefined while another process holds it. @throws Fault `folder_unusable`. */
export function holdUnlessInUse(path: string): HeldFolder | undefined {
  try {
    return holdFolder(path);
  } catch (error) {
    if (error instanceof Fault && error.problems[0].code === "folder_in_use") return undefined;
    throw error;
  }
}

function processOf(file: string): string {
  try {
    return ` (process ${Number(readFileSync(file, "utf8"))})`;
  } catch {
    return "";
  }
}

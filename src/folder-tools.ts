/** What is done with a data folder beside serving it: checked, copied, told from any other folder. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkAccountsFile } from "./accounts/sqlite/check.ts";
import { type Backup, type BackupOptions, copyFolder } from "./backup.ts";
import { Fault, problem } from "./domain/fault.ts";
import { ACCOUNTS, holdFolder, LEDGER } from "./folder.ts";
import { type Difference, type Verification, type VerifyOptions, verifyLedger } from "./ledger/sqlite/verify.ts";

export type { Difference } from "./ledger/sqlite/verify.ts";

/** In a folder that is moved from: how far that got, and at last that it is done. It may be lost or torn. */
export const MOVE = "migration.json";

/** What {@link MOVE} says of a move that is done. */
export interface DoneMove {
  /** Where to, without what is secret. */
  readonly to: string;
  readonly isDone: true;
}

/**
 * Holds a data folder that no server holds, and checks its files against themselves.
 * @throws Fault when the folder is held by another process, was written by a newer daybook or is no data folder.
 */
export async function verifyFolder(dataFolder: string, options: VerifyOptions = {}): Promise<Verification> {
  requireFolder(dataFolder);
  const folder = holdFolder(dataFolder);
  try {
    const accounts = join(folder.path, ACCOUNTS);
    const broken = existsSync(accounts) ? checkAccountsFile(accounts) : [];
    const found = broken.map((message): Difference => ({ kind: "file", message: `${ACCOUNTS}: ${message}` }));
    const ledger = await verifyLedger(join(folder.path, LEDGER), options);
    return {
      ...ledger,
      differences: [...found, ...ledger.differences],
      differencesTotal: ledger.differencesTotal + found.length,
    };
  } finally {
    folder.release();
  }
}

/**
 * Copies a data folder that a server may be writing to. The copy is a data folder itself.
 * @param to a folder that is empty or not there yet.
 * @throws Fault when there is nothing to copy, or the copy cannot be written; then nothing is left of it.
 */
export async function backupFolder(dataFolder: string, to: string, options: BackupOptions = {}): Promise<Backup> {
  requireFolder(dataFolder);
  return copyFolder(dataFolder, to, options);
}

/** @throws Fault `folder_unusable` for a folder that was moved: what is written to it since, nobody would look for. */
export function refuseMoved(dataFolder: string): void {
  const move = readMove(join(dataFolder, MOVE));
  if (!move?.isDone) return;
  const reason =
    `it was moved to ${move.to}, and what is written to it since would be missing there; ` +
    `choose another --data with the URLs of these, or delete ${MOVE} in it to go on with it as it was`;
  throw new Fault(problem("folder_unusable", "dataFolder", { value: dataFolder, reason }));
}

function readMove(path: string): Partial<DoneMove> | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Partial<DoneMove>;
  } catch {
    return undefined;
  }
}

export function holdsLedger(dataFolder: string): boolean {
  return existsSync(join(dataFolder, LEDGER));
}

/** @throws Fault `folder_unusable` for a folder that no server has been started on yet. */
export function requireFolder(dataFolder: string): void {
  if (holdsLedger(dataFolder)) return;
  const reason = `it holds no ${LEDGER}; name the folder that daybook serve was started with`;
  throw new Fault(problem("folder_unusable", "dataFolder", { value: dataFolder, reason }));
}

/** What is done with a data folder beside serving it: checked, copied, told from any other folder. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkAccountsFile } from "./accounts/sqlite/check.ts";
import { type Backup, type BackupOptions, copyFolder } from "./backup.ts";
import { Fault, problem } from "./domain/fault.ts";
import { holdFolder } from "./folder.ts";
import { type Difference, type Verification, type VerifyOptions, verifyLedger } from "./ledger/sqlite/verify.ts";

export type { Difference } from "./ledger/sqlite/verify.ts";

/** The files of a data folder. */
export const LEDGER = "ledger.db";
export const ACCOUNTS = "accounts.db";

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

export function holdsLedger(dataFolder: string): boolean {
  return existsSync(join(dataFolder, LEDGER));
}

/** @throws Fault `folder_unusable` for a folder that no server has been started on yet. */
export function requireFolder(dataFolder: string): void {
  if (holdsLedger(dataFolder)) return;
  const reason = `it holds no ${LEDGER}; name the folder that daybook serve was started with`;
  throw new Fault(problem("folder_unusable", "dataFolder", { value: dataFolder, reason }));
}

/** An installation, opened: the data folder, the ledger, the accounts and the price books, wherever each is kept. */

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Accounts, type RecordsPlace } from "./accounts/store.ts";
import { Fault, problem } from "./domain/fault.ts";
import type { Instant } from "./domain/time.ts";
import { ACCOUNTS, folderId, type HeldFolder, holdFolder, LEDGER, SPOOL } from "./folder.ts";
import { refuseMoved } from "./folder-tools.ts";
import { type EngineAddress, readAddress } from "./ledger/clickhouse/address.ts";
import type { JournalVerification, JournalVerifyOptions } from "./ledger/clickhouse/verify.ts";
import type { Ledger } from "./ledger/ledger.ts";
import { SqliteLedger } from "./ledger/sqlite/ledger.ts";
import { readBookFile, SHIPPED_PRICES } from "./price-files.ts";
import { Readiness } from "./readiness.ts";
import { BookReading } from "./report/book-reading.ts";
import { type BookAtStart, bookAtStart } from "./report/price-books.ts";
import { Tariffs } from "./report/tariffs.ts";

export type { JournalDifference, JournalVerification } from "./ledger/clickhouse/verify.ts";

/** Where an installation is kept. What has no URL is in the data folder. */
interface InstallationPlace {
  /** May be left out where nothing is kept in it. */
  readonly dataFolder?: string | undefined;
  /** clickhouse://user:password@host:8123/database. Never shown: it has a password in it, as accountsUrl has. */
  readonly ledgerUrl?: string | undefined;
  /** The name of the cluster that keeps the ledger's tables, replicated; one node when left out. */
  readonly clickhouseCluster?: string | undefined;
  /** postgres://user:password@host:5432/database. */
  readonly accountsUrl?: string | undefined;
}

export interface InstallationOptions extends InstallationPlace {
  /** A list book that becomes the newest version when it differs from it, as a path; else the one in force stays. */
  readonly pricesFile?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: () => Instant;
}

export interface Installation {
  readonly ledger: Ledger;
  readonly accounts: Accounts;
  readonly tariffs: Tariffs;
  readonly bookReading: BookReading;
  /** The list book that was in force when the installation was opened, and how it came to be. */
  readonly bookAtStart: BookAtStart;
  /** Of the data folder, where the accounts are not in it: the same after a restart. */
  readonly folderId: string | undefined;
  /** Whether the engines that are not in the folder answer. */
  readonly readiness: Readiness;
  readonly now: () => Instant;
  /** Finishes what was accepted, then closes all of it and gives up the folder. */
  close(): Promise<void>;
}

/** Where a ledger is: the file of a data folder, or a ClickHouse. */
export type LedgerPlace =
  | { readonly folder: string }
  | { readonly address: EngineAddress; readonly cluster?: string | undefined };

/** A ledger that may be away has a way to ask. */
type OpenLedger = Ledger & {
  /** @throws Fault `unavailable`. */
  ready?(): Promise<void>;
};

const READER_THREADS = 2;
const LEDGER_URL = "DAYBOOK_LEDGER_URL";
const ACCOUNTS_URL = "DAYBOOK_ACCOUNTS_URL";

/**
 * The place that is written as a URL, or as the path of a data folder.
 * @param field Where it was written, for the sentence.
 * @throws Fault `bad_engine_url`.
 */
export function ledgerPlaceOf(written: string, field: string, cluster?: string): LedgerPlace {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(written)) return { folder: written };
  return { address: readAddress(written, field), cluster };
}

/** Where a gateway keeps the usage that the ledger does not have yet. */
export function spoolFolderOf(dataFolder: string): string {
  return join(dataFolder, SPOOL);
}

/**
 * Opens a ledger, or makes it. Whoever opens one of a folder holds the folder.
 * @throws Fault when it cannot be used, `unavailable` when its engine does not answer.
 */
export async function openLedger(place: LedgerPlace): Promise<OpenLedger> {
  if ("folder" in place) {
    return SqliteLedger.open({ path: join(place.folder, LEDGER), readerThreads: READER_THREADS });
  }
  const { address, cluster } = place;
  // Only who keeps a ledger there pays for the client, in memory and at the start.
  const { ClickHouseLedger } = await import("./ledger/clickhouse/ledger.ts");
  return ClickHouseLedger.open({ ...address, ...(cluster !== undefined && { cluster }) });
}

/**
 * Checks the ledger of a ClickHouse against itself, while servers may write to it.
 * @throws Fault `bad_engine_url`, `ledger_unusable` or `unavailable`.
 */
export async function verifyEngine(
  ledgerUrl: string,
  cluster: string | undefined,
  options: JournalVerifyOptions,
): Promise<JournalVerification> {
  const address = readAddress(ledgerUrl, LEDGER_URL);
  const { verifyJournal } = await import("./ledger/clickhouse/verify.ts");
  return verifyJournal({ ...address, ...(cluster !== undefined && { cluster }) }, options);
}

/**
 * Opens all parts and holds the data folder until it is closed.
 * @throws Fault when the folder is held by another process, was written by a newer daybook or cannot be used, when an
 * engine cannot be used, and when the first price book has a mistake; `unavailable` when an engine does not answer.
 */
export async function openInstallation(options: InstallationOptions): Promise<Installation> {
  const now = options.now ?? Date.now;
  const { dataFolder, pricesFile } = options;
  const ledgerPlace = ledgerPlaceIn(options);
  const folder = dataFolder === undefined ? undefined : holdFolder(dataFolder);
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    opened.push(part);
    return part;
  };
  const closeAll = async (): Promise<void> => {
    for (const part of opened) await part.close();
    folder?.release();
  };
  const openAccounts = async (): Promise<Accounts> =>
    keep(await Accounts.open({ place: recordsPlaceOf(options), now, randomBytes }));
  try {
    if (folder) await refuseUnfitting(folder, options, openAccounts);
    const ledger = keep(await openLedger(ledgerPlace));
    const accounts = await openAccounts();
    const bookReading = keep(new BookReading());
    const given = pricesFile === undefined ? undefined : () => readBookFile(pricesFile);
    const readBook = bookReading.read;
    const atStart = await bookAtStart({ accounts, readBook }, readBookFile(SHIPPED_PRICES), given);
    const tariffs = new Tariffs({ accounts, now, readBook });
    // Read at once: a book that this Daybook cannot read is told now, and not by every report.
    await tariffs.book(atStart.inForce.version);
    const readiness = new Readiness([
      ...(ledger.ready ? [{ name: "the ledger", ready: () => ledger.ready!() }] : []),
      ...(options.accountsUrl === undefined ? [] : [{ name: "the accounts", ready: () => accounts.ready() }]),
    ]);
    const id = folder && options.accountsUrl !== undefined ? folderId(folder) : undefined;
    return {
      ledger,
      accounts,
      tariffs,
      bookReading,
      bookAtStart: atStart,
      folderId: id,
      readiness,
      now,
      close: closeAll,
    };
  } catch (error) {
    for (const part of opened) await part.close().catch(() => {});
    folder?.release();
    throw error instanceof Fault || !folder ? error : unreadable(folder.path, error as Error);
  }
}

function ledgerPlaceIn({ ledgerUrl, clickhouseCluster, dataFolder = "" }: InstallationPlace): LedgerPlace {
  if (ledgerUrl === undefined) return { folder: dataFolder };
  return { address: readAddress(ledgerUrl, LEDGER_URL), cluster: clickhouseCluster };
}

function recordsPlaceOf({ accountsUrl, dataFolder = "" }: InstallationPlace): RecordsPlace {
  return accountsUrl === undefined ? { path: join(dataFolder, ACCOUNTS) } : { url: accountsUrl };
}

/** A folder must not hold what is kept elsewhere now, nor lack what it must have: either would hide usage. */
async function refuseUnfitting(
  { path }: HeldFolder,
  { ledgerUrl, accountsUrl }: InstallationPlace,
  openAccounts: () => Promise<Accounts>,
): Promise<void> {
  const [hasLedger, hasAccounts] = [existsSync(join(path, LEDGER)), existsSync(join(path, ACCOUNTS))];
  if (ledgerUrl !== undefined && hasLedger) throw keptTwice(path, LEDGER, LEDGER_URL);
  if (accountsUrl !== undefined && hasAccounts) throw keptTwice(path, ACCOUNTS, ACCOUNTS_URL);
  refuseMoved(path);
  // The ledger is made first: without it, accounts stand over usage that was lost.
  if (ledgerUrl === undefined && accountsUrl === undefined && hasAccounts && !hasLedger) {
    await openAccounts();
    throw new Fault(problem("folder_incomplete", "dataFolder", { value: path, missing: LEDGER }));
  }
}

function keptTwice(folder: string, file: string, setting: string): Fault {
  const reason = `it holds ${file}, and ${setting} says that this is kept elsewhere; choose another --data, or unset ${setting}`;
  return new Fault(problem("folder_unusable", "dataFolder", { value: folder, reason }));
}

/** Files of the right kind that do not hold what they must: a disk that damaged them is the likely reason. */
function unreadable(dataFolder: string, error: Error): Fault {
  const reason = `its files cannot be read (${error.message}); daybook verify says what is wrong, restore a backup`;
  return new Fault(problem("folder_unusable", "dataFolder", { value: dataFolder, reason }));
}

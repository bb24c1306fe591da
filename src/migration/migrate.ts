/**
 * Moves all usage and all records from one place to another: a data folder to ClickHouse and PostgreSQL, or back. What is
 * read may be in use: passes copy what came since the pass before, and the last one runs when nobody else has the folder.
 * Then every sum is compared. Killed at any instant, it goes on where it was.
 */

import { realpathSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { countOfRecords, hashOfRecords, type Records, RecordsCopy } from "../accounts/copying.ts";
import { Fault, problem } from "../domain/fault.ts";
import { MOVE } from "../folder-tools.ts";
import { type LedgerPlace, openLedger } from "../installation.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { compareUsage } from "./compare.ts";
import { again, type Copied, copyUsage, notOurs } from "./copy-usage.ts";
import { FolderSource } from "./folder-source.ts";
import { FolderTarget } from "./folder-target.ts";
import { MigrationState } from "./state.ts";

/** Where usage and records are. */
export type MigrationPlace =
  | { readonly folder: string }
  | {
      readonly ledger: LedgerPlace;
      readonly accountsUrl: string;
      /** Both of them without what is secret. */
      readonly shown: { readonly ledger: string; readonly accounts: string };
    };

export interface MigrationOptions {
  readonly from: MigrationPlace;
  readonly to: MigrationPlace;
  /** Keeps on while a server has the folder, and ends with the last pass once it has not. */
  readonly follow: boolean;
  /** Ends it after what is being written. */
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Is told once that a folder in use is followed closely: what remains is to stop its server. */
  readonly onCaughtUp?: () => void;
  readonly onProgress?: (what: "copying" | "comparing", done: number, total: number) => void;
}

export interface Migration {
  /**
   * `verified`: nothing differs, and nobody had the folder. `in_use`: somebody has it. `differs`: as told.
   * `interrupted`: the signal ended it.
   */
  readonly outcome: "verified" | "in_use" | "differs" | "interrupted";
  /** Of this run. */
  readonly copied: Copied;
  /** Milliseconds that the copying took, without the comparing. */
  readonly copyingMs: number;
  readonly accounts: number;
  /** Events and voids that the target lacks; only of a folder in use. */
  readonly behind: number;
  /** In the target, once it was compared. */
  readonly sums: number;
  readonly events: number;
  readonly voided: number;
  readonly records: number;
  readonly differences: readonly string[];
}

interface Source {
  readonly ledger: Pick<Ledger, "sum" | "changes" | "count">;
  records(): Promise<Records>;
  accountIds(): Promise<readonly string[]>;
  /** True when nobody else can write to it any more, as far as can be known. */
  hold(): boolean;
  close(): Promise<void>;
}

interface Target {
  readonly ledger: Ledger;
  readonly records: RecordsCopy;
  finish(stateFile: string): Promise<void>;
  close(): Promise<void>;
}

/** A pass over a folder in use that copied less is the last one. */
const FEW = 10_000;
const PASSES_MAX = 10;
const FOLLOW_MS = 1_000;
/** A commit to ClickHouse is mostly waiting, and accounts of different lanes do not wait for each other. */
const ACCOUNTS_AT_ONCE = 4;
/** An event that came late since an earlier run stands before those that it copied. */
const FIRST_EVENTS = 20;
const NOTHING: Copied = { listed: 0, created: 0, voided: 0 };

/**
 * @throws Fault before anything is written: when either place cannot be used, when raw events were dropped of the usage,
 * when the target has other usage or other records. Later whatever a write throws; what was written stays, and counts once.
 */
export async function migrate(options: MigrationOptions): Promise<Migration> {
  const { from, to } = options;
  const folder = "folder" in to ? FolderTarget.partialPath(to.folder) : "folder" in from ? from.folder : undefined;
  if (folder === undefined) throw refusal("--to", "one of --from and --to is a data folder");
  const source = await openSource(from);
  let target: Target | undefined;
  try {
    await refuseDropped(source);
    target = await openTarget(to);
    const state = MigrationState.open(folder, { from: shown(from), to: shown(to) });
    return await new Move(source, target, state, options).run();
  } finally {
    await target?.close();
    await source.close();
  }
}

/** What cannot be moved is told before the target is touched. */
async function refuseDropped(source: Source): Promise<void> {
  for (const account of await source.accountIds()) {
    await again(() => source.ledger.changes(account, { limit: 1 }));
  }
}

function shown(place: MigrationPlace): string {
  return "folder" in place ? place.folder : `${place.shown.ledger} and ${place.shown.accounts}`;
}

function refusal(field: string, reason: string): Fault {
  return new Fault(problem("migrate_refused", field, { reason }));
}

async function openSource(place: MigrationPlace): Promise<Source> {
  if ("folder" in place) return FolderSource.open(place.folder);
  const { ledger, records, close } = await openEngines(place);
  const read = (): Promise<Records> => records.read();
  const accountIds = async () => (await read()).accounts.map(([id]) => id as string).sort();
  return { ledger, records: read, accountIds, hold: () => true, close };
}

async function openTarget(place: MigrationPlace): Promise<Target> {
  if ("folder" in place) return FolderTarget.open(place.folder);
  return { ...(await openEngines(place)), finish: async () => {} };
}

async function openEngines({
  ledger: place,
  accountsUrl,
}: Exclude<MigrationPlace, { folder: string }>): Promise<Pick<Target, "ledger" | "records" | "close">> {
  const ledger = await openLedger(place);
  try {
    const records = await RecordsCopy.open({ url: accountsUrl });
    const close = async (): Promise<void> => {
      await ledger.close();
      await records.close();
    };
    return { ledger, records, close };
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

class Move {
  readonly #source: Source;
  readonly #target: Target;
  readonly #state: MigrationState;
  readonly #options: MigrationOptions;
  #copied = NOTHING;
  #total = 0;

  constructor(source: Source, target: Target, state: MigrationState, options: MigrationOptions) {
    this.#source = source;
    this.#target = target;
    this.#state = state;
    this.#options = options;
  }

  async run(): Promise<Migration> {
    await this.#refuseBeforehand();
    const started = performance.now();
    const isAlone = await this.#copy();
    this.#state.write();
    const accounts = await this.#source.accountIds();
    const told = {
      copied: this.#copied,
      copyingMs: performance.now() - started,
      accounts: accounts.length,
      ...{ behind: 0, sums: 0, events: 0, voided: 0, records: 0, differences: [] as readonly string[] },
    };
    if (this.#options.signal.aborted) return { ...told, outcome: "interrupted" };
    if (!isAlone) return { ...told, outcome: "in_use", behind: await this.#behind(accounts) };
    const records = await this.#copyRecords();
    const compared = await this.#compare(accounts);
    if (this.#options.signal.aborted) return { ...told, outcome: "interrupted" };
    if (compared.differences.length > 0) {
      this.#state.forgetUsage();
      return { ...told, ...compared, records, outcome: "differs" };
    }
    await this.#target.finish(MOVE);
    if (!("folder" in this.#options.to)) this.#state.noteDone();
    return { ...told, ...compared, records, outcome: "verified" };
  }

  /** What would be found out too late otherwise: nothing was written yet. */
  async #refuseBeforehand(): Promise<void> {
    const records = await this.#source.records();
    this.#refuseRecords(await this.#target.records.read(), hashOfRecords(records));
    for (const account of await this.#source.accountIds()) {
      if (this.#options.onProgress) this.#total += (await again(() => this.#source.ledger.count(account))).events;
      const { position, keptFrom } = await again(() => this.#target.ledger.sum(account, []));
      if (keptFrom !== undefined) throw refusal("--to", `raw events of account ${account} were dropped in it`);
      const { since, reading } = this.#state.account(account);
      const isKnown = since !== undefined || reading !== undefined;
      if (position > 0 && !isKnown && !(await this.#hasFirstEvents(account))) throw notOurs(account);
    }
  }

  /** Whether an earlier run, of which nothing is noted any more, wrote to the target: it copied the first events first. */
  async #hasFirstEvents(account: string): Promise<boolean> {
    const { events } = await again(() => this.#source.ledger.changes(account, { limit: FIRST_EVENTS }));
    for (const { id, time } of events) {
      const found = await again(() => this.#target.ledger.find(account, id));
      if (found?.time === time) return true;
    }
    return false;
  }

  #refuseRecords(found: Records, hash: string): void {
    const there = hashOfRecords(found);
    if (countOfRecords(found) === 0 || there === hash || there === this.#state.records) return;
    const reason =
      "its accounts, keys and price books are not those of --from, or were changed since; it may be in use: name an empty one";
    throw refusal("--to", reason);
  }

  /** Pass after pass; true when the last one read what nobody can write to any more. */
  async #copy(): Promise<boolean> {
    const { signal, follow, onCaughtUp } = this.#options;
    let isCaughtUp = false;
    for (let passes = 1; ; passes += 1) {
      const isAlone = this.#source.hold();
      const { created, voided } = await this.#pass();
      if (isAlone || signal.aborted) return isAlone;
      const isClose = created + voided < FEW;
      if (!follow && (isClose || passes === PASSES_MAX)) return false;
      if (!follow) continue;
      if (isClose && !isCaughtUp) onCaughtUp?.();
      isCaughtUp ||= isClose;
      await wait(FOLLOW_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #pass(): Promise<Pick<Copied, "created" | "voided">> {
    const before = this.#copied;
    const accounts = (await this.#source.accountIds()).values();
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, failed.signal]);
    const copyInTurn = async (): Promise<void> => {
      try {
        for (const account of accounts) {
          if (!signal.aborted) await this.#copyAccount(account, signal);
        }
      } catch (error) {
        failed.abort();
        throw error;
      }
    };
    const turns = await Promise.allSettled(Array.from({ length: ACCOUNTS_AT_ONCE }, copyInTurn));
    for (const turn of turns) if (turn.status === "rejected") throw turn.reason;
    return { created: this.#copied.created - before.created, voided: this.#copied.voided - before.voided };
  }

  async #copyAccount(account: string, signal: AbortSignal): Promise<void> {
    const { ledger: source } = this.#source;
    const { ledger: target } = this.#target;
    const note: Parameters<typeof copyUsage>[0]["note"] = (state, { listed, created, voided }) => {
      this.#state.note(account, state);
      const before = this.#copied;
      this.#copied = {
        listed: before.listed + listed,
        created: before.created + created,
        voided: before.voided + voided,
      };
      this.#options.onProgress?.("copying", this.#copied.listed, Math.max(this.#total, this.#copied.listed));
    };
    await copyUsage({ source, target, account, state: this.#state.account(account), note, signal });
  }

  async #behind(accounts: readonly string[]): Promise<number> {
    let behind = 0;
    for (const account of accounts) {
      const there = await again(() => this.#target.ledger.count(account));
      const here = await again(() => this.#source.ledger.count(account));
      behind += here.events - there.events + here.voided - there.voided;
    }
    return behind;
  }

  /** Returns how many there are. */
  async #copyRecords(): Promise<number> {
    const records = await this.#source.records();
    const hash = hashOfRecords(records);
    await this.#target.records.replace(records, (found) => this.#refuseRecords(found, hash));
    this.#state.noteRecords(hash);
    if (hashOfRecords(await this.#target.records.read()) === hash) return countOfRecords(records);
    throw refusal("--to", "the accounts, keys and price books that were written are not those that are read back");
  }

  async #compare(accounts: readonly string[]) {
    const { onProgress, signal, now } = this.#options;
    const compared = { sums: 0, events: 0, voided: 0, differences: [] as string[] };
    for (const [at, account] of accounts.entries()) {
      if (signal.aborted) break;
      const one = await compareUsage(this.#source.ledger, this.#target.ledger, account, now());
      compared.sums += one.sums;
      compared.events += one.events;
      compared.voided += one.voided;
      compared.differences.push(...one.differences);
      onProgress?.("comparing", at + 1, accounts.length);
    }
    return compared;
  }
}

/** The folder's path, the same however it is written. */
export function folderPlace(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

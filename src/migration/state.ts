/**
 * How far a move got, in a small file in the folder. It only saves work: the file may be lost, torn or older than what was
 * copied since, for whatever is copied once more is a duplicate and changes nothing.
 */

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DoneMove, MOVE } from "../folder-tools.ts";
import type { EventCursor } from "../ledger/ledger.ts";

/** How far one account's usage was read. */
export interface AccountState {
  /** The mark of the last reading that came to its end. */
  readonly since?: string;
  /** The reading that is under way: its own mark, and where the last page that was written ended. */
  readonly reading?: { readonly mark: string; readonly after: EventCursor };
}

/** What a move is from and to; nothing of it is secret. */
export interface Between {
  readonly from: string;
  readonly to: string;
}

interface Kept extends Between {
  readonly form: typeof FORM;
  readonly accounts: Readonly<Record<string, AccountState>>;
  /** The hash of the records that were written last. */
  readonly records?: string;
  readonly isDone?: DoneMove["isDone"];
}

const FORM = 1;
const WRITE_MS = 1_000;

export class MigrationState {
  readonly #path: string;
  readonly #between: Between;
  readonly #accounts: Map<string, AccountState>;
  #records: string | undefined;
  #isDone: boolean;
  #writtenAt = Number.NEGATIVE_INFINITY;

  private constructor(path: string, between: Between, kept: Kept | undefined) {
    this.#path = path;
    this.#between = between;
    this.#accounts = new Map(Object.entries(kept?.accounts ?? {}));
    this.#records = kept?.records;
    this.#isDone = kept?.isDone === true;
  }

  /** What the folder knows of a move between these two; nothing where it was another one. */
  static open(folder: string, between: Between): MigrationState {
    const path = join(folder, MOVE);
    const kept = readKept(path);
    const isSame = kept?.form === FORM && kept.from === between.from && kept.to === between.to;
    return new MigrationState(path, between, isSame ? kept : undefined);
  }

  account(name: string): AccountState {
    return this.#accounts.get(name) ?? {};
  }

  /** The hash of the records that were written last. */
  get records(): string | undefined {
    return this.#records;
  }

  /** Written to the file now and then. */
  note(account: string, state: AccountState): void {
    this.#accounts.set(account, state);
    if (performance.now() - this.#writtenAt > WRITE_MS) this.write();
  }

  noteRecords(hash: string): void {
    this.#records = hash;
    this.write();
  }

  /** Everything will be read again from its beginning: what was noted of the usage was not true. */
  forgetUsage(): void {
    this.#accounts.clear();
    this.#isDone = false;
    this.write();
  }

  /** All is there and agrees: no server starts on the folder any more. */
  noteDone(): void {
    this.#isDone = true;
    this.write();
  }

  write(): void {
    const accounts = Object.fromEntries(this.#accounts);
    const records = this.#records;
    const kept: Kept = {
      ...{ form: FORM, ...this.#between, accounts },
      ...(records !== undefined && { records }),
      ...(this.#isDone && { isDone: true }),
    };
    writeFileSync(`${this.#path}.new`, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
    this.#writtenAt = performance.now();
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

function readKept(path: string): Kept | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Kept;
  } catch {
    return undefined;
  }
}

/**
 * A data folder that is moved to. It is made under another name beside it, and gets its own when all is verified: nobody
 * can start a server on half of it.
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { RecordsCopy } from "../accounts/copying.ts";
import { Fault, problem } from "../domain/fault.ts";
import { ACCOUNTS, type HeldFolder, holdFolder, LEDGER } from "../folder.ts";
import { openLedger } from "../installation.ts";
import type { Ledger } from "../ledger/ledger.ts";

/** Of whoever holds the folder; nothing of it is needed later. */
const HOLDERS_FILES = ["daybook.lock", "daybook.pid"];

export class FolderTarget {
  readonly ledger: Ledger;
  readonly records: RecordsCopy;
  readonly #path: string;
  readonly #held: HeldFolder;
  #isClosed = false;

  private constructor(path: string, held: HeldFolder, parts: { ledger: Ledger; records: RecordsCopy }) {
    this.#path = path;
    this.#held = held;
    this.ledger = parts.ledger;
    this.records = parts.records;
  }

  /** The folder under the name it has until it is finished. */
  static partialPath(path: string): string {
    return `${resolve(path)}.partial`;
  }

  /** @throws Fault `migrate_refused` where there is something already, `folder_in_use` for a move that is under way. */
  static async open(path: string): Promise<FolderTarget> {
    const partial = FolderTarget.partialPath(path);
    refuseOccupied(path);
    mkdirSync(dirname(partial), { recursive: true });
    const held = holdFolder(partial);
    const opened: { close(): Promise<void> }[] = [];
    try {
      const ledger = await openLedger({ folder: partial });
      opened.push(ledger);
      const records = await RecordsCopy.open({ path: join(partial, ACCOUNTS) });
      return new FolderTarget(resolve(path), held, { ledger, records });
    } catch (error) {
      for (const part of opened) await part.close().catch(() => {});
      held.release();
      throw error;
    }
  }

  /** Closes the files and gives the folder its name. */
  async finish(stateFile: string): Promise<void> {
    await this.close();
    const partial = FolderTarget.partialPath(this.#path);
    for (const name of [...HOLDERS_FILES, stateFile]) rmSync(join(partial, name), { force: true });
    for (const path of [join(partial, LEDGER), join(partial, ACCOUNTS), partial]) sync(path);
    // Takes the place of an empty folder; one that has got files since is left as it is.
    renameSync(partial, this.#path);
    sync(dirname(this.#path));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.ledger.close();
    await this.records.close();
    this.#held.release();
  }
}

function refuseOccupied(path: string): void {
  if (!existsSync(path)) return;
  const reason = lstatSync(path).isDirectory() ? "it holds files already" : "it is no folder";
  if (lstatSync(path).isDirectory() && readdirSync(path).length === 0) return;
  throw new Fault(problem("migrate_refused", "--to", { reason: `${reason}; name a new or an empty folder` }));
}

function sync(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}

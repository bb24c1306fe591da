/**
 * Packs days that no commit touched for a while, so that a report after a start reads each in one piece. A pack is a
 * convenience: whatever fails here, days are read from their rows.
 */

import type { DayPack, DayRef } from "./days.ts";

/** The threads' part of it. */
export interface PackingThreads {
  /** The days that commits touched since the last call. */
  touched(): Promise<readonly DayRef[]>;
  /** All days of the file without a pack of their version. */
  unpacked(): Promise<readonly DayRef[]>;
  pack(day: DayRef): Promise<DayPack | undefined>;
  keep(packs: readonly DayPack[]): Promise<void>;
}

/** A day is packed when no commit touched it between two looks. */
const LOOK_MS = 60_000;
/** Packs that are written in one transaction. */
const PACKS_PER_COMMIT = 8;
/** What packing may take when the ledger is closed; the days that are left are packed after the next start. */
const CLOSE_MS_MAX = 500;

export class DayPacking {
  readonly #threads: PackingThreads;
  #timer: NodeJS.Timeout | undefined;
  /** Days to be packed, by account and day, unless a commit touches them first. */
  #due = new Map<string, DayRef>();
  #looked = false;
  #closing = false;
  #looking: Promise<void> = Promise.resolve();

  constructor(threads: PackingThreads) {
    this.#threads = threads;
  }

  /** Looks again and again, as long as something else keeps the process. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look()).catch(() => {});
    }, LOOK_MS);
    this.#timer.unref();
  }

  /** Packs the days that were due at the last look and not touched since. */
  async #look(): Promise<void> {
    const touched = await this.#threads.touched();
    const quiet = this.#due;
    for (const day of touched) quiet.delete(keyOf(day));
    this.#due = new Map(touched.map((day) => [keyOf(day), day]));
    if (!this.#looked) for (const day of await this.#threads.unpacked()) this.#due.set(keyOf(day), day);
    this.#looked = true;
    await this.#packAll(quiet.values(), () => this.#closing);
  }

  /** Packs what is due, quiet or not, newest days first, and stops looking. `now`: a clock in milliseconds. */
  async close(now: () => number): Promise<void> {
    clearInterval(this.#timer);
    this.#closing = true;
    await this.#looking;
    try {
      for (const day of await this.#threads.touched()) this.#due.set(keyOf(day), day);
      const newestFirst = [...this.#due.values()].sort((a, b) => b.day - a.day);
      const end = now() + CLOSE_MS_MAX;
      await this.#packAll(newestFirst, () => now() >= end);
    } catch {
      // The days are packed after the next start.
    }
  }

  async #packAll(days: Iterable<DayRef>, isOver: () => boolean): Promise<void> {
    let packs: DayPack[] = [];
    for (const day of days) {
      if (isOver()) break;
      const pack = await this.#threads.pack(day);
      if (pack) packs.push(pack);
      if (packs.length < PACKS_PER_COMMIT) continue;
      await this.#threads.keep(packs);
      packs = [];
    }
    if (packs.length > 0) await this.#threads.keep(packs);
  }
}

function keyOf({ account, day }: DayRef): string {
  return `${account}/${day}`;
}

/**
 * The changes of one account's shared book that this process makes, in their order: all that come while one transaction
 * runs go together in the next. What has happened (usage, calls that ended) is tried until it is written; who asks for
 * money is refused when the database is away.
 */

import { setTimeout as wait } from "node:timers/promises";
import type { Run } from "../accounts/book-rows.ts";
import type { CallMoney, LockedBook, PurseName } from "../accounts/locked-book.ts";
import type { Reservations } from "../accounts/reservations.ts";

/** Who asks for money: what it needs purses of, and what it decides while nobody else can change the book. */
export interface Ask<T> {
  /** The id of the reservation that may come of it. */
  readonly id: string;
  readonly wanted: readonly PurseName[];
  decide(book: LockedBook): T;
}

interface AskEntry {
  readonly kind: "ask";
  readonly ask: Ask<unknown>;
  /** From then on its reservation may be written, whatever is heard of it. */
  isDecided: boolean;
  done(answer: unknown): void;
  failed(error: Error): void;
}

type Entry =
  | AskEntry
  | { readonly kind: "released"; readonly reservation: string; readonly isOfAsk?: true }
  | { readonly kind: "used"; readonly usage: CallMoney; readonly reservation: string | undefined }
  | { readonly kind: "dropped" | "arrived"; readonly events: readonly string[] };

const ENTRIES_AT_ONCE = 200;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;

export class BookQueue {
  readonly #reservations: Reservations;
  readonly #account: string;
  readonly #run: Run;
  /** Oldest first. No more than calls that are under way or have ended, since who only asks is told when it fails. */
  #waiting: Entry[] = [];
  #writing: Promise<void> | undefined;
  #retryMs = 0;
  #wake: () => void = () => {};
  /** Entries that tell what has happened: how many came, how many are written, and who waits for so many. */
  #told = 0;
  #written = 0;
  #drained: { readonly at: number; done(): void }[] = [];

  constructor(reservations: Reservations, account: string, run: Run) {
    this.#reservations = reservations;
    this.#account = account;
    this.#run = run;
  }

  /** @throws Fault `unavailable`. */
  ask<T>(ask: Ask<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#add({ kind: "ask", ask, isDecided: false, done: (answer) => resolve(answer as T), failed: reject });
      // Who asks does not wait for the next try.
      this.#wake();
    });
  }

  release(reservation: string): void {
    this.#add({ kind: "released", reservation });
  }

  used(usage: CallMoney, reservation: string | undefined): void {
    this.#add({ kind: "used", usage, reservation });
  }

  dropped(events: readonly string[]): void {
    this.#add({ kind: "dropped", events });
  }

  arrived(events: readonly string[]): void {
    this.#add({ kind: "arrived", events });
  }

  /** Whether all that has happened until now is written, within some milliseconds. */
  async isWritten(ms: number): Promise<boolean> {
    if (this.#written === this.#told) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = { at: this.#told, done: () => resolve(true) };
    this.#drained.push(waiter);
    const timer = setTimeout(() => {
      this.#drained = this.#drained.filter((one) => one !== waiter);
      resolve(false);
    }, ms);
    return promise.finally(() => clearTimeout(timer));
  }

  #add(entry: Entry): void {
    this.#waiting.push(entry);
    if (tells(entry)) this.#told += 1;
    this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    // Calls of the same turn share the first transaction.
    await null;
    while (this.#waiting.length > 0) {
      const entries = this.#next();
      try {
        await this.#writeThese(entries);
        this.#retryMs = 0;
        this.#tellWritten(entries.filter(tells).length);
      } catch (error) {
        await this.#putBack(entries, error as Error);
      }
    }
    this.#writing = undefined;
  }

  /** From the oldest on, up to one that speaks of an event that another speaks of. */
  #next(): Entry[] {
    const seen = new Set<string>();
    let count = 0;
    for (const entry of this.#waiting.slice(0, ENTRIES_AT_ONCE)) {
      const events = eventsOf(entry);
      if (events.some((id) => seen.has(id))) break;
      for (const id of events) seen.add(id);
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #writeThese(entries: readonly Entry[]): Promise<void> {
    const asks = entries.filter((entry) => entry.kind === "ask");
    const change = {
      ended: entries.flatMap((entry) => ("reservation" in entry ? (entry.reservation ?? []) : [])),
      used: entries.flatMap((entry) => (entry.kind === "used" ? [entry.usage] : [])),
      dropped: entries.flatMap((entry) => (entry.kind === "dropped" ? entry.events : [])),
      arrived: entries.flatMap((entry) => (entry.kind === "arrived" ? entry.events : [])),
      wanted: asks.flatMap(({ ask }) => ask.wanted),
    };
    const decide = (book: LockedBook): unknown[] =>
      asks.map((entry) => {
        entry.isDecided = true;
        return entry.ask.decide(book);
      });
    const write = (): Promise<unknown[]> => this.#reservations.change(this.#account, change, this.#run, decide);
    const answers = await write().catch(async (error: Error & { code?: string }) => {
      if (error.code !== RUN_IS_GONE) throw error;
      // Others held this process for dead, as when it was stopped for minutes.
      await this.#reservations.beat(this.#run);
      return write();
    });
    for (const [at, { done }] of asks.entries()) done(answers[at]);
  }

  /** What has happened is tried again; nobody who asks waits for that. What may be written nonetheless is given back. */
  async #putBack(entries: readonly Entry[], error: Error): Promise<void> {
    const again = entries.filter((entry) => entry.kind !== "ask" || entry.isDecided).map(toTryAgain);
    for (const entry of [...entries, ...this.#waiting]) if (entry.kind === "ask") entry.failed(error);
    this.#waiting = [...again, ...this.#waiting.filter(({ kind }) => kind !== "ask")];
    if (this.#waiting.length === 0) return;
    this.#retryMs = Math.min(Math.max(this.#retryMs * 2, RETRY_MS_MIN), RETRY_MS_MAX);
    const waking = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const timer = new AbortController();
    await Promise.race([waking, wait(this.#retryMs, undefined, { signal: timer.signal, ref: false })]);
    timer.abort();
  }

  #tellWritten(count: number): void {
    this.#written += count;
    const ready = this.#drained.filter(({ at }) => at <= this.#written);
    this.#drained = this.#drained.filter(({ at }) => at > this.#written);
    for (const { done } of ready) done();
  }
}

/** What PostgreSQL says of a reservation whose run is not there. */
const RUN_IS_GONE = "23503";

function toTryAgain(entry: Entry): Entry {
  return entry.kind === "ask" ? { kind: "released", reservation: entry.ask.id, isOfAsk: true } : entry;
}

function tells(entry: Entry): boolean {
  return entry.kind !== "ask" && !("isOfAsk" in entry);
}

function eventsOf(entry: Entry): readonly string[] {
  switch (entry.kind) {
    case "used":
      return [entry.usage.id];
    case "dropped":
    case "arrived":
      return entry.events;
    case "ask":
    case "released":
      return [];
    default:
      return entry satisfies never;
  }
}

/** The book that several processes hold together in PostgreSQL: each sees what the others keep and have used. */

import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { Run } from "../accounts/book-rows.ts";
import { covers } from "../accounts/budget-scope.ts";
import type { CallMoney, LockedBook } from "../accounts/locked-book.ts";
import type { RequestCounts } from "../accounts/request-counts.ts";
import type { Reading, ReadingAsk, Reservations } from "../accounts/reservations.ts";
import { Fault, unavailable } from "../domain/fault.ts";
import { type Instant, monthAround, type TimeRange } from "../domain/time.ts";
import {
  type Book,
  type BookSources,
  type BudgetCall,
  type Decision,
  decideAnew,
  inTime,
  isStale,
  type KnownUsage,
  type Reservation,
  type Rule,
  type Rules,
  refusalOf,
  unknown,
} from "./book.ts";
import { BookQueue } from "./book-queue.ts";
import { Runs } from "./runs.ts";
import { Turns } from "./turns.ts";

/** What processes share, and what tells them apart. */
export interface SharedParts {
  readonly reservations: Reservations;
  readonly counts: RequestCounts;
  /** The id of the folder that usage waits in on its way to the ledger: the same after a restart. */
  readonly spool: string | undefined;
  /** Whether the ledger has the event, or had it. */
  hasEvent(account: string, eventId: string): Promise<boolean>;
  /** Milliseconds between two signs of life; for tests. */
  readonly beatMs?: number;
}

/** An answer of the book, and how old what it knows of the ledger is. */
interface Answer {
  readonly decision: Decision | "unread";
  /** By the shared clock. */
  readonly now: Instant;
  readonly age: number;
  readonly readMs: number;
}

/** Each holds a connection; the pool has more. */
const READINGS_AT_ONCE = 2;
/** Readings that a call waits for until its budgets are known. */
const READINGS_MAX = 5;
/** An answer waits so long until others know of its usage. */
const SETTLE_MS_MAX = 1_000;
const CARRY_MS_MAX = 5_000;
const CLOSE_MS_MAX = 2_000;
const RETRY_MS = 1_000;

export class SharedBook implements Book {
  readonly #sources: BookSources;
  readonly #parts: SharedParts;
  readonly #run: Run;
  readonly #runs: Runs;
  readonly #queues = new Map<string, BookQueue>();
  readonly #refreshing = new Map<string, Promise<void>>();
  readonly #readings = new Turns(READINGS_AT_ONCE);
  readonly #months = new Map<string, TimeRange>();
  readonly #open = new Set<string>();
  /** By account: usage of this run that was not carried yet. */
  readonly #uncarried = new Map<string, Set<string>>();
  /** What earlier runs left in the spool is on its way to the ledger; undefined when it is there, or nobody tells. */
  #earlier: Promise<void> | undefined;
  #hasEarlier = true;
  #isClosing = false;

  constructor(sources: BookSources, parts: SharedParts) {
    this.#sources = sources;
    this.#parts = parts;
    const id = randomUUID();
    this.#run = { id, spool: parts.spool ?? id };
    this.#runs = new Runs(parts.reservations, this.#run, parts.beatMs);
  }

  follow(caughtUp: () => Promise<void>): void {
    this.#runs.begin();
    this.#earlier = this.#endEarlier(caughtUp);
  }

  async #endEarlier(caughtUp: () => Promise<void>): Promise<void> {
    while (!this.#isClosing) {
      try {
        await caughtUp();
        await this.#runs.endEarlier();
        this.#earlier = undefined;
        this.#hasEarlier = false;
        return;
      } catch {
        // The database is away, so that no call comes by either.
        await wait(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  async reserve(call: BudgetCall, held: Rules): Promise<Decision> {
    if (this.#earlier) await inTime(this.#earlier);
    const first = await this.#known(call, held);
    if (!isStale(first.age, first.readMs)) return first.decision;
    return decideAnew(first.decision, {
      refreshed: this.#refresh(call.account, first.now),
      onUnread: (error) => this.#sources.onUnread?.(error, call.account),
      again: async () => (await this.#known(call, held)).decision,
    });
  }

  async settle(usage: KnownUsage, reservation: Reservation | undefined, rules: readonly Rule[]): Promise<void> {
    if (!reservation && !rules.some(({ scope }) => covers(scope, usage))) return;
    const { account, eventId: id, time, apiKeyId, annotations, atto } = usage;
    if (reservation) this.#open.delete(reservation.id);
    const uncarried = this.#uncarried.get(account) ?? new Set();
    this.#uncarried.set(account, uncarried.add(id));
    const queue = this.#queue(account);
    queue.used({ id, time, apiKeyId, annotations, atto }, reservation?.id);
    await queue.isWritten(SETTLE_MS_MAX);
  }

  unsettle(account: string, eventId: string): void {
    if (this.#uncarried.get(account)?.delete(eventId)) this.#queue(account).dropped([eventId]);
  }

  release({ id, account }: Reservation): void {
    if (this.#open.delete(id)) this.#queue(account).release(id);
  }

  async carry<T>(account: string, eventIds: readonly string[], work: () => Promise<T>): Promise<T> {
    const uncarried = this.#uncarried.get(account);
    // What an earlier run left is known to the shared book alone.
    const counted = this.#hasEarlier ? eventIds : eventIds.filter((id) => uncarried?.has(id));
    if (counted.length === 0) return work();
    const queue = this.#queue(account);
    if (!(await queue.isWritten(CARRY_MS_MAX)))
      throw unavailable("the budgets of the account are not to be had, where its usage must be noted first");
    let done: { readonly value: T } | undefined;
    try {
      await this.#parts.reservations.carry(account, counted, work, (value) => {
        done = { value };
      });
    } catch (error) {
      if (!done) throw error;
      queue.arrived(counted);
    }
    for (const id of counted) uncarried?.delete(id);
    return done!.value;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.#refreshing.values());
    await Promise.all([...this.#queues.values()].map((queue) => queue.isWritten(CLOSE_MS_MAX)));
    await this.#runs.close();
  }

  /** Asks until every budget of the call was read. */
  async #known(call: BudgetCall, held: Rules): Promise<Answer & { readonly decision: Decision }> {
    for (let readings = 0; ; readings += 1) {
      const answer = await this.#ask(call, held);
      const { decision } = answer;
      if (decision !== "unread") return { ...answer, decision };
      if (readings === READINGS_MAX) throw unknown("the ledger was read, and others read it anew");
      await this.#refresh(call.account, answer.now).catch((error: Error) => {
        throw error instanceof Fault ? error : unknown(error.message);
      });
    }
  }

  async #ask(call: BudgetCall, held: Rules): Promise<Answer> {
    this.#runs.begin();
    const { account, apiKeyId, annotations, worstAtto: atto } = call;
    const time = Math.max(call.time, this.#sources.now());
    const month = this.#month(time, held.timezone);
    const names = held.rules.map(({ scope }) => ({ month, scope }));
    const reservation = { id: randomUUID(), account, annotations, atto };
    const money: CallMoney = { id: reservation.id, time, apiKeyId, annotations, atto };
    const decide = (book: LockedBook): Answer => {
      const told = { now: book.now, age: book.now - book.readTime, readMs: book.readMs };
      const purses = names.map((name) => book.purse(name));
      const moneys = purses.flatMap(({ spent, pending, open }) =>
        spent === undefined ? [] : { spent, pending, open },
      );
      if (moneys.length < purses.length) return { ...told, decision: "unread" };
      const refusal = refusalOf(atto, held, moneys, month.end);
      if (refusal) return { ...told, decision: refusal };
      book.reserve(money);
      return { ...told, decision: { kind: "held", reservation, name: held.rules[0]!.name } };
    };
    const answer = await this.#queue(account).ask({ id: reservation.id, wanted: names, decide });
    if (answer.decision !== "unread" && answer.decision.kind === "held") this.#open.add(reservation.id);
    return answer;
  }

  #refresh(account: string, since: Instant): Promise<void> {
    const known = this.#refreshing.get(account);
    if (known) return known;
    const reading = this.#readings
      .run(() => this.#parts.reservations.read(account, since, (ask) => this.#readLedger(account, ask)))
      .finally(() => this.#refreshing.delete(account));
    this.#refreshing.set(account, reading);
    return reading;
  }

  async #readLedger(account: string, { purses, leaving }: ReadingAsk): Promise<Reading> {
    const began = performance.now();
    // Before the sums: what comes to the ledger between the two is counted twice for a second, and never not at all.
    const arrived: string[] = [];
    for (const id of leaving) if (await this.#parts.hasEvent(account, id)) arrived.push(id);
    const spents: bigint[] = new Array(purses.length);
    for (const places of Map.groupBy(purses.keys(), (at) => keyOfMonth(purses[at]!.month)).values()) {
      const scopes = places.map((at) => purses[at]!.scope);
      const found = await this.#sources.spent(account, purses[places[0]!]!.month, scopes);
      for (const [place, at] of places.entries()) spents[at] = found[place]!;
    }
    return { spents, arrived, readMs: Math.ceil(performance.now() - began) };
  }

  #month(at: Instant, timezone: string): TimeRange {
    const known = this.#months.get(timezone);
    if (known && at >= known.start && at < known.end) return known;
    const month = monthAround(at, timezone);
    this.#months.set(timezone, month);
    return month;
  }

  #queue(account: string): BookQueue {
    let queue = this.#queues.get(account);
    if (!queue) {
      queue = new BookQueue(this.#parts.reservations, account, this.#run);
      this.#queues.set(account, queue);
    }
    return queue;
  }
}

function keyOfMonth({ start, end }: TimeRange): string {
  return `${start} ${end}`;
}

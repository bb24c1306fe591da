/** The book of a process that has its accounts to itself: all of it is in memory, and each check is one turn of the event loop. */

import { RESERVATION_MS_MAX } from "../accounts/locked-book.ts";
import { Fault } from "../domain/fault.ts";
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
import { MonthBook, type Purse } from "./month-book.ts";
import { Turns } from "./turns.ts";

/** Of one account: its book, and whose turn it is at the ledger. */
interface AccountState {
  readonly turns: Turns;
  timezone: string;
  month: MonthBook | undefined;
}

/** Money that is kept, and where. */
interface Kept {
  readonly reservation: Reservation;
  readonly purses: readonly Purse[];
  readonly until: Instant;
}

export class MemoryBook implements Book {
  readonly #sources: BookSources;
  readonly #accounts = new Map<string, AccountState>();
  /** By the reservation's id, in the order of their making. */
  readonly #open = new Map<string, Kept>();
  #made = 0;
  #caughtUp: () => Promise<void> = () => Promise.resolve();

  constructor(sources: BookSources) {
    this.#sources = sources;
  }

  follow(caughtUp: () => Promise<void>): void {
    this.#caughtUp = caughtUp;
  }

  async reserve(call: BudgetCall, held: Rules): Promise<Decision> {
    const asked = this.#sources.now();
    const state = this.#state(call.account);
    const month = this.#month(call.account, state, Math.max(call.time, asked), held.timezone);
    await this.#load(month, held.rules);
    const first = this.#take(call, month, held);
    if (!isStale(asked - month.readAt, month.readMs)) return first;
    return decideAnew(first, {
      refreshed: month.refresh(),
      onUnread: (error) => this.#sources.onUnread?.(error, call.account),
      again: () => this.#take(call, month, held),
    });
  }

  async settle(usage: KnownUsage, reservation: Reservation | undefined): Promise<void> {
    if (reservation) this.release(reservation);
    const month = this.#accounts.get(usage.account)?.month;
    if (!month || usage.time < month.range.start || usage.time >= month.range.end) return;
    month.add(usage.eventId, usage.atto, usage);
  }

  unsettle(account: string, eventId: string): void {
    this.#accounts.get(account)?.month?.drop(eventId);
  }

  release({ id, atto }: Reservation): void {
    const kept = this.#open.get(id);
    if (!kept) return;
    this.#open.delete(id);
    for (const purse of kept.purses) purse.open -= atto;
  }

  carry<T>(account: string, eventIds: readonly string[], work: () => Promise<T>): Promise<T> {
    const state = this.#state(account);
    return state.turns.run(async () => {
      const done = await work();
      state.month?.carried(eventIds);
      return done;
    });
  }

  async close(): Promise<void> {}

  #state(account: string): AccountState {
    let state = this.#accounts.get(account);
    if (!state) {
      state = { turns: new Turns(1), timezone: "", month: undefined };
      this.#accounts.set(account, state);
    }
    return state;
  }

  /** The month that holds the instant, of a zone; of a month that is over there is no book any more. */
  #month(account: string, state: AccountState, at: Instant, timezone: string): MonthBook {
    const { month } = state;
    if (month && state.timezone === timezone && at >= month.range.start && at < month.range.end) return month;
    const { now, spent } = this.#sources;
    const sources = {
      now,
      spent: (range: TimeRange, scopes: Parameters<typeof spent>[2]) => spent(account, range, scopes),
      caughtUp: () => inTime(this.#caughtUp()),
    };
    state.timezone = timezone;
    state.month = new MonthBook(monthAround(at, timezone), sources, state.turns);
    return state.month;
  }

  async #load(month: MonthBook, rules: readonly Rule[]): Promise<void> {
    const unread = rules.map(({ scope }) => month.purse(scope)).filter(({ isReady }) => !isReady);
    if (unread.length === 0) return;
    try {
      await Promise.all(unread.map((purse) => month.load(purse)));
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw unknown((error as Error).message);
    }
  }

  /** Checks every budget and reserves in all, in one turn of the event loop. */
  #take(call: BudgetCall, month: MonthBook, held: Rules): Decision {
    this.#expire();
    const { account, annotations, worstAtto: atto } = call;
    const purses = held.rules.map(({ scope }) => month.purse(scope));
    const refusal = refusalOf(atto, held, purses, month.range.end);
    if (refusal) return refusal;
    for (const purse of purses) purse.open += atto;
    this.#made += 1;
    const reservation = { id: `${this.#made}`, account, annotations, atto };
    const until = this.#sources.now() + RESERVATION_MS_MAX;
    this.#open.set(reservation.id, { reservation, purses, until });
    return { kind: "held", reservation, name: held.rules[0]!.name };
  }

  #expire(): void {
    const now = this.#sources.now();
    for (const { reservation, until } of this.#open.values()) {
      if (until > now) return;
      this.release(reservation);
    }
  }
}

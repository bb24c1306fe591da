/** Budgets that calls at the same time cannot overspend: each call reserves its worst case, and settles what it used. */

import type { BudgetScope, Limits } from "../accounts/records.ts";
import { Fault, problem } from "../domain/fault.ts";
import { ATTO_PER_USD } from "../domain/money.ts";
import { type Instant, monthAround, type TimeRange } from "../domain/time.ts";
import { covers, MonthBook, type Purse, type Spender } from "./month-book.ts";
import { RequestRates } from "./request-rates.ts";
import { Turns } from "./turns.ts";

export interface BudgetSources {
  now(): Instant;
  /** The same object until a limit changes. */
  limits(account: string): Promise<Limits>;
  /** What each scope has cost in the month by the ledger, in attodollars. */
  spent(account: string, month: TimeRange, scopes: readonly BudgetScope[]): Promise<readonly bigint[]>;
  /** Told when the ledger could not be read anew; what was read before holds on. */
  onUnread?(error: Error, account: string): void;
}

/** A call before it is sent on. */
export interface BudgetCall extends Spender {
  readonly account: string;
  readonly time: Instant;
  /** What it may cost at most, in attodollars. */
  readonly worstAtto: bigint;
}

/** Usage that is known and on its way to the ledger. */
export interface KnownUsage extends Spender {
  readonly account: string;
  readonly eventId: string;
  readonly time: Instant;
  readonly atto: bigint;
}

/** Money that is kept for a call under way. */
export interface Reservation {
  readonly atto: bigint;
  readonly purses: readonly Purse[];
  readonly until: Instant;
}

/** A budget as it stood when it refused a call; in attodollars. */
export interface Standing {
  readonly name: string;
  readonly limit: bigint;
  /** By the ledger, and on its way there. */
  readonly spent: bigint;
  readonly open: bigint;
  readonly monthEnd: Instant;
  readonly timezone: string;
}

export type Decision =
  /** No budget holds the call. */
  | { readonly kind: "free" }
  /** `name` is the first budget that holds it. */
  | { readonly kind: "held"; readonly reservation: Reservation; readonly name: string }
  /** What is left is too little for the call, whatever the calls under way will use. */
  | { readonly kind: "spent"; readonly standing: Standing }
  /** What is left would do, but calls under way may need it. */
  | { readonly kind: "reserved"; readonly standing: Standing };

interface Rule {
  readonly name: string;
  readonly scope: BudgetScope;
  readonly limit: bigint;
}

/** Of one account: its book, and whose turn it is at the ledger. */
interface AccountState {
  readonly turns: Turns;
  limits: Limits | undefined;
  rules: readonly Rule[];
  book: MonthBook | undefined;
}

/** The ledger is read anew while calls come: after so long, or so many times as long as a reading takes. */
const REFRESH_MS = 1_000;
const REFRESH_SHARE = 20;
/** No call takes as long; whatever leaked is given back then. */
const RESERVATION_MS_MAX = 6 * 3_600_000;
const CATCH_UP_MS_MAX = 5_000;
const RETRY_AFTER_SECONDS = 1;
const SPEND_QUOTA = "monthly-spend-usd";

export class Budgets {
  readonly rates: RequestRates = new RequestRates(() => performance.now());
  readonly #sources: BudgetSources;
  readonly #accounts = new Map<string, AccountState>();
  /** In the order of their making. */
  readonly #open = new Set<Reservation>();
  #caughtUp: () => Promise<void> = () => Promise.resolve();

  constructor(sources: BudgetSources) {
    this.#sources = sources;
  }

  /** Tells how to wait for usage that is on its way to the ledger: a budget is only read behind it. */
  follow(caughtUp: () => Promise<void>): void {
    this.#caughtUp = caughtUp;
  }

  /** Whether any budget may hold calls of the account. */
  async holds(account: string): Promise<boolean> {
    return rulesOf(this.#state(account), await this.#sources.limits(account)).length > 0;
  }

  /**
   * Reserves the call's worst case in each budget that it is held to, or in none.
   * @throws Fault `unavailable` when what was spent cannot be known.
   */
  async reserve(call: BudgetCall): Promise<Decision> {
    const limits = await this.#sources.limits(call.account);
    const state = this.#state(call.account);
    const rules = rulesOf(state, limits).filter(({ scope }) => covers(scope, call));
    if (rules.length === 0) return { kind: "free" };
    const asked = this.#sources.now();
    const book = this.#book(call.account, state, Math.max(call.time, asked));
    await this.#load(book, rules);
    const first = this.#take(call, book, rules, limits.timezone);
    const age = asked - book.readAt;
    if (age < Math.max(REFRESH_MS, book.readMs * REFRESH_SHARE)) return first;
    const refreshed = book.refresh().then(
      () => true,
      (error: Error) => {
        this.#sources.onUnread?.(error, call.account);
        return false;
      },
    );
    // A budget that was raised again by voided usage or lower prices refuses nobody.
    if (first.kind !== "spent" || !(await refreshed)) return first;
    return this.#take(call, book, rules, limits.timezone);
  }

  /** Gives the reservation back and counts what was used, in one; usage counts until the ledger is known to hold it. */
  settle(usage: KnownUsage, reservation: Reservation | undefined): void {
    this.release(reservation);
    const book = this.#accounts.get(usage.account)?.book;
    if (!book || usage.time < book.month.start || usage.time >= book.month.end) return;
    book.add(usage.eventId, usage.atto, usage);
  }

  /** Takes back what {@link settle} counted: the usage will not come to the ledger. */
  unsettle(account: string, eventId: string): void {
    this.#accounts.get(account)?.book?.drop(eventId);
  }

  /** Gives back what a call kept; may be called again. */
  release(reservation: Reservation | undefined): void {
    if (!reservation || !this.#open.delete(reservation)) return;
    for (const purse of reservation.purses) purse.open -= reservation.atto;
  }

  /** Carries usage to the ledger while no budget of the account is read. @throws what `work` throws. */
  carry<T>(account: string, eventIds: readonly string[], work: () => Promise<T>): Promise<T> {
    const state = this.#state(account);
    return state.turns.run(async () => {
      const done = await work();
      state.book?.carried(eventIds);
      return done;
    });
  }

  #state(account: string): AccountState {
    let state = this.#accounts.get(account);
    if (!state) {
      state = { turns: new Turns(), limits: undefined, rules: [], book: undefined };
      this.#accounts.set(account, state);
    }
    return state;
  }

  /** The book of the month that holds the instant; of a month that is over there is none any more. */
  #book(account: string, state: AccountState, at: Instant): MonthBook {
    const { book } = state;
    if (book && at >= book.month.start && at < book.month.end) return book;
    const { now, spent } = this.#sources;
    const sources = {
      now,
      spent: (month: TimeRange, scopes: readonly BudgetScope[]) => spent(account, month, scopes),
      caughtUp: () => inTime(this.#caughtUp()),
    };
    state.book = new MonthBook(monthAround(at, state.limits!.timezone), sources, state.turns);
    return state.book;
  }

  async #load(book: MonthBook, rules: readonly Rule[]): Promise<void> {
    const unread = rules.map(({ scope }) => book.purse(scope)).filter(({ isReady }) => !isReady);
    if (unread.length === 0) return;
    try {
      await Promise.all(unread.map((purse) => book.load(purse)));
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw unknown((error as Error).message);
    }
  }

  /** Checks every budget and reserves in all, in one turn of the event loop. */
  #take(call: BudgetCall, book: MonthBook, rules: readonly Rule[], timezone: string): Decision {
    this.#expire();
    const { worstAtto } = call;
    let reserved: Decision | undefined;
    const purses = rules.map(({ scope }) => book.purse(scope));
    for (const [at, { name, limit }] of rules.entries()) {
      const { spent: known, pending, open } = purses[at]!;
      const spent = known + pending;
      if (spent + open + worstAtto <= limit) continue;
      const standing = { name, limit, spent, open, monthEnd: book.month.end, timezone };
      if (spent + worstAtto > limit) return { kind: "spent", standing };
      reserved ??= { kind: "reserved", standing };
    }
    if (reserved) return reserved;
    for (const purse of purses) purse.open += worstAtto;
    const reservation = { atto: worstAtto, purses, until: this.#sources.now() + RESERVATION_MS_MAX };
    this.#open.add(reservation);
    return { kind: "held", reservation, name: rules[0]!.name };
  }

  #expire(): void {
    const now = this.#sources.now();
    for (const reservation of this.#open) {
      if (reservation.until > now) return;
      this.release(reservation);
    }
  }
}

/** What the account's limits say, made once; a changed zone has months of its own. */
function rulesOf(state: AccountState, limits: Limits): readonly Rule[] {
  if (state.limits === limits) return state.rules;
  if (state.limits?.timezone !== limits.timezone) state.book = undefined;
  state.limits = limits;
  const { monthlySpendUsd, budgets } = limits;
  state.rules = [
    ...(monthlySpendUsd === undefined
      ? []
      : [{ name: SPEND_QUOTA, scope: { kind: "account" } as const, limit: monthlySpendUsd * ATTO_PER_USD }]),
    ...budgets.map(({ id, scope, monthlyUsd }) => ({ name: id, scope, limit: monthlyUsd * ATTO_PER_USD })),
  ];
  return state.rules;
}

async function inTime(work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(unknown("usage on its way to the ledger is not there yet")), CATCH_UP_MS_MAX);
  await Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

function unknown(reason: string): Fault {
  const facts = { reason: `what was spent of a budget is not known: ${reason}`, seconds: RETRY_AFTER_SECONDS };
  return new Fault(problem("unavailable", "server", facts), RETRY_AFTER_SECONDS);
}

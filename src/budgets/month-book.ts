/** What one account may still spend in one month, budget by budget. */

import { covers, keyOfScope, type Spender } from "../accounts/budget-scope.ts";
import { RESTING_MS } from "../accounts/locked-book.ts";
import type { BudgetScope } from "../accounts/records.ts";
import type { Instant, TimeRange } from "../domain/time.ts";
import type { Money } from "./book.ts";
import type { Turns } from "./turns.ts";

/** The money of one budget. */
export interface Purse extends Money {
  readonly scope: BudgetScope;
  spent: bigint;
  pending: bigint;
  open: bigint;
  isReady: boolean;
  loading: Promise<void> | undefined;
  askedAt: Instant;
}

/** Usage that the ledger is not known to hold. */
interface Item {
  readonly atto: bigint;
  readonly purses: readonly Purse[];
}

export interface MonthSources {
  now(): Instant;
  /** What each scope has cost in the month by the ledger, in attodollars. */
  spent(month: TimeRange, scopes: readonly BudgetScope[]): Promise<readonly bigint[]>;
  /** Resolves when all usage that is on its way to the ledger now has got there. @throws when that takes too long. */
  caughtUp(): Promise<void>;
}

export class MonthBook {
  readonly range: TimeRange;
  /** When the last reading that was good began; and how long it took. */
  readAt: Instant = Number.NEGATIVE_INFINITY;
  readMs = 0;
  readonly #sources: MonthSources;
  /** Reading and carrying usage to the ledger, one at a time. */
  readonly #turns: Turns;
  readonly #purses = new Map<string, Purse>();
  readonly #items = new Map<string, Item>();
  /** Ids of items that the ledger holds since the last reading. */
  #carried: string[] = [];
  #refreshing: Promise<void> | undefined;

  constructor(range: TimeRange, sources: MonthSources, turns: Turns) {
    this.range = range;
    this.#sources = sources;
    this.#turns = turns;
  }

  /** The purse of a scope, which may not be ready yet. */
  purse(scope: BudgetScope): Purse {
    const key = keyOfScope(scope);
    let purse = this.#purses.get(key);
    if (!purse) {
      const money = { spent: 0n, pending: 0n, open: 0n };
      purse = { scope, ...money, isReady: false, loading: undefined, askedAt: 0 };
      this.#purses.set(key, purse);
    }
    purse.askedAt = this.#sources.now();
    return purse;
  }

  /** Reads what a new purse has spent; from its making on, usage is counted beside. */
  load(purse: Purse): Promise<void> {
    purse.loading ??= this.#load(purse).finally(() => {
      purse.loading = undefined;
    });
    return purse.loading;
  }

  async #load(purse: Purse): Promise<void> {
    await this.#sources.caughtUp();
    // A reading of its own: one under way may have begun before.
    await this.#turns.run(() => this.#read());
    purse.isReady = true;
  }

  /** Reads the ledger anew. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#turns
      .run(() => this.#read())
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  /** Counts usage until the ledger is known to hold it. */
  add(eventId: string, atto: bigint, spender: Spender): void {
    if (this.#items.has(eventId)) return;
    const purses = [...this.#purses.values()].filter(({ scope }) => covers(scope, spender));
    if (purses.length === 0) return;
    for (const purse of purses) purse.pending += atto;
    this.#items.set(eventId, { atto, purses });
  }

  /** Takes back usage that will never come to the ledger. */
  drop(eventId: string): void {
    const item = this.#items.get(eventId);
    if (!item) return;
    for (const purse of item.purses) purse.pending -= item.atto;
    this.#items.delete(eventId);
  }

  /** The ledger holds these, and was not read since. To be called in its turn. */
  carried(eventIds: readonly string[]): void {
    for (const id of eventIds) if (this.#items.has(id)) this.#carried.push(id);
  }

  async #read(): Promise<void> {
    const began = this.#sources.now();
    this.#forgetResting(began);
    const purses = [...this.#purses.values()];
    const spents = await this.#sources.spent(
      this.range,
      purses.map(({ scope }) => scope),
    );
    for (const [at, purse] of purses.entries()) purse.spent = spents[at]!;
    for (const id of this.#carried) this.drop(id);
    this.#carried = [];
    this.readAt = began;
    this.readMs = this.#sources.now() - began;
  }

  #forgetResting(now: Instant): void {
    for (const [key, { open, loading, askedAt }] of this.#purses) {
      if (open === 0n && !loading && now - askedAt > RESTING_MS) this.#purses.delete(key);
    }
  }
}

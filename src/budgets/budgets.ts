/** Budgets that calls at the same time cannot overspend: each call reserves its worst case, and settles what it used. */

import { covers } from "../accounts/budget-scope.ts";
import type { Limits } from "../accounts/records.ts";
import { ATTO_PER_USD } from "../domain/money.ts";
import type { Book, BookSources, BudgetCall, Decision, KnownUsage, Reservation, Rule } from "./book.ts";
import { MemoryBook } from "./memory-book.ts";
import { type Rates, RequestRates } from "./request-rates.ts";
import { SharedBook, type SharedParts } from "./shared-book.ts";
import { SharedRates } from "./shared-rates.ts";

export type { Decision, Reservation, Standing } from "./book.ts";

export interface BudgetSources extends BookSources {
  /** The same object until a limit changes. */
  limits(account: string): Promise<Limits>;
}

/** What limits say, made once of each. */
interface AccountRules {
  readonly limits: Limits;
  readonly rules: readonly Rule[];
}

const SPEND_QUOTA = "monthly-spend-usd";

export class Budgets {
  readonly rates: Rates;
  readonly #sources: BudgetSources;
  readonly #book: Book;
  readonly #rules = new Map<string, AccountRules>();

  /** @param shared Where several processes hold the same accounts to the same budgets; in memory when left out. */
  constructor(sources: BudgetSources, shared?: SharedParts) {
    this.#sources = sources;
    const own = new RequestRates(() => performance.now());
    this.rates = shared ? new SharedRates(shared.counts, own) : own;
    this.#book = shared ? new SharedBook(sources, shared) : new MemoryBook(sources);
  }

  /** Tells how to wait for usage that is on its way to the ledger: a budget is only read behind it. */
  follow(caughtUp: () => Promise<void>): void {
    this.#book.follow(caughtUp);
  }

  /** Whether any budget may hold calls of the account. */
  async holds(account: string): Promise<boolean> {
    return this.#rulesOf(account, await this.#sources.limits(account)).length > 0;
  }

  /**
   * Reserves the call's worst case in each budget that it is held to, or in none.
   * @throws Fault `unavailable` when what was spent cannot be known.
   */
  async reserve(call: BudgetCall): Promise<Decision> {
    const limits = await this.#sources.limits(call.account);
    const rules = this.#rulesOf(call.account, limits).filter(({ scope }) => covers(scope, call));
    if (rules.length === 0) return { kind: "free" };
    return this.#book.reserve(call, { rules, timezone: limits.timezone });
  }

  /**
   * Gives the reservation back and counts what was used, in one; usage counts until the ledger is known to hold it. When
   * it resolves, other processes count it too, unless what they share has been away for a second: then they will.
   */
  settle(usage: KnownUsage, reservation: Reservation | undefined): Promise<void> {
    return this.#book.settle(usage, reservation, this.#rules.get(usage.account)?.rules ?? []);
  }

  /** Takes back what {@link settle} counted: the usage will not come to the ledger. */
  unsettle(account: string, eventId: string): void {
    this.#book.unsettle(account, eventId);
  }

  /** Gives back what a call kept; may be called again. */
  release(reservation: Reservation | undefined): void {
    if (reservation) this.#book.release(reservation);
  }

  /** Carries usage to the ledger while no budget of the account is read. @throws what `work` throws. */
  carry<T>(account: string, eventIds: readonly string[], work: () => Promise<T>): Promise<T> {
    return this.#book.carry(account, eventIds, work);
  }

  /** Finishes what is under way. */
  close(): Promise<void> {
    return this.#book.close();
  }

  #rulesOf(account: string, limits: Limits): readonly Rule[] {
    const known = this.#rules.get(account);
    if (known?.limits === limits) return known.rules;
    const rules = rulesOf(limits);
    this.#rules.set(account, { limits, rules });
    return rules;
  }
}

function rulesOf({ monthlySpendUsd, budgets }: Limits): readonly Rule[] {
  return [
    ...(monthlySpendUsd === undefined
      ? []
      : [{ name: SPEND_QUOTA, scope: { kind: "account" } as const, limit: monthlySpendUsd * ATTO_PER_USD }]),
    ...budgets.map(({ id, scope, monthlyUsd }) => ({ name: id, scope, limit: monthlyUsd * ATTO_PER_USD })),
  ];
}

/** What one account may still spend in one month, budget by budget. */

import type { BudgetScope } from "../accounts/records.ts";
import type { Annotations } from "../domain/annotations.ts";
import type { Instant, TimeRange } from "../domain/time.ts";
import type { Turns } from "./turns.ts";

/** What a scope is compared with: a call, or its usage. */
export interface Spender {
  readonly apiKeyId: string;
  /** Those of its key, too. */
  readonly annotations: Annotations;
}

/** The money of one budget, in attodollars. */
export interface Purse {
  readonly scope: BudgetScope;
  /** By the ledger. */
  spent: bigint;
  /** Of calls that have ended, whose usage is not in `spent`. */
  pending: bigint;
  /** Reserved by calls under way. */
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

export interface BookSources {
  now(): Instant;
  /** What each scope has cost in the month by the ledger, in attodollars. */
  spent(month: TimeRange, scopes: readonly BudgetScope[]): Promise<readonly bigint[]>;
  /** Resolves when all usage that is on its way to the ledger now has got there. @throws when that takes too long. */
  caughtUp(): Promise<void>;
}

/** A budget that nobody asked for this long is no longer read. */
const RESTING_MS = 600_000;

export class MonthBook {
  readonly month: TimeRange;
  /** When the last reading that was good began; and how long it took. */
  readAt: Instant = Number.NEGATIVE_INFINITY;
  readMs = 0;
  readonly #sources: BookSources;
  /** Reading and carrying usage to the ledger, one at a time. */
  readonly #turns: Turns;
  readonly #purses = new Map<string, Purse>();
  readonly #items = new Map<string, Item>();
  /** Ids of items that the ledger holds since the last reading. */
  #carried: string[] = [];
  #refreshing: Promise<void> | undefined;

  constructor(month: TimeRange, sources: BookSources, turns: Turns) {
    this.month = month;
    this.#sources = sources;
    this.#turns = turns;
  }

  /** The purse of a scope, which may not be ready yet. */
  purse(scope: BudgetScope): Purse {
    const key = keyOf(scope);
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
      this.month,
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

function keyOf(scope: BudgetScope): string {
  switch (scope.kind) {
    case "account":
      return "account";
    case "apiKey":
      return `apiKey ${scope.apiKeyId}`;
    case "tag":
      return `${scope.tag} ${scope.value}`;
    default:
      return scope satisfies never;
  }
}

/** Whether usage of the spender is held to the scope. */
export function covers(scope: BudgetScope, { apiKeyId, annotations }: Spender): boolean {
  switch (scope.kind) {
    case "account":
      return true;
    case "apiKey":
      return scope.apiKeyId === apiKeyId;
    case "tag":
      return annotations[scope.tag] === scope.value;
    default:
      return scope satisfies never;
  }
}

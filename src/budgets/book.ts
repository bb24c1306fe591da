/** What a book of an account's money answers, wherever it is kept, and how a call is held to several budgets at once. */

import type { Spender } from "../accounts/budget-scope.ts";
import type { BudgetScope } from "../accounts/records.ts";
import type { Annotations } from "../domain/annotations.ts";
import { type Fault, unavailable } from "../domain/fault.ts";
import type { Instant, TimeRange } from "../domain/time.ts";

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
  readonly id: string;
  readonly account: string;
  /** Of the call. */
  readonly annotations: Annotations;
  /** In attodollars. */
  readonly atto: bigint;
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
  | Refusal;

export type Refusal =
  /** What is left is too little for the call, whatever the calls under way will use. */
  | { readonly kind: "spent"; readonly standing: Standing }
  /** What is left would do, but calls under way may need it. */
  | { readonly kind: "reserved"; readonly standing: Standing };

/** A budget of an account: its limit is in attodollars. */
export interface Rule {
  readonly name: string;
  readonly scope: BudgetScope;
  readonly limit: bigint;
}

/** What calls of an account are held to. */
export interface Rules {
  readonly rules: readonly Rule[];
  /** Whose months count. */
  readonly timezone: string;
}

export interface BookSources {
  now(): Instant;
  /** What each scope has cost in the month by the ledger, in attodollars. */
  spent(account: string, month: TimeRange, scopes: readonly BudgetScope[]): Promise<readonly bigint[]>;
  /** Told when the ledger could not be read anew; what was read before holds on. */
  onUnread?(error: Error, account: string): void;
}

export interface Book {
  /**
   * Reserves the call's worst case in each of the rules, at least one, or in none.
   * @param held The rules that hold the call, and the zone.
   * @throws Fault `unavailable` when what was spent cannot be known.
   */
  reserve(call: BudgetCall, held: Rules): Promise<Decision>;
  /**
   * Gives the reservation back and counts what was used, in one, as long as the ledger is not known to hold it.
   * @param rules All of the account's.
   */
  settle(usage: KnownUsage, reservation: Reservation | undefined, rules: readonly Rule[]): Promise<void>;
  unsettle(account: string, eventId: string): void;
  release(reservation: Reservation): void;
  carry<T>(account: string, eventIds: readonly string[], work: () => Promise<T>): Promise<T>;
  follow(caughtUp: () => Promise<void>): void;
  /** Finishes what is under way. */
  close(): Promise<void>;
}

/** The money of one budget, in attodollars. */
export interface Money {
  /** By the ledger. */
  readonly spent: bigint;
  /** Of calls that have ended, whose usage is not in `spent`. */
  readonly pending: bigint;
  /** Reserved by calls under way. */
  readonly open: bigint;
}

/** The ledger is read anew while calls come: after so long, or so many times as long as a reading takes. */
const REFRESH_MS = 1_000;
const REFRESH_SHARE = 20;
const CATCH_UP_MS_MAX = 5_000;

/** Whether what was read is old enough to be read anew; in milliseconds. */
export function isStale(age: number, readMs: number): boolean {
  return age >= Math.max(REFRESH_MS, readMs * REFRESH_SHARE);
}

/**
 * What becomes of a decision while the ledger is read anew: only a budget that is spent waits for that and is asked
 * again, for one that was raised by voided usage or lower prices refuses nobody.
 * @param refreshed The reading; where it fails, what was decided holds.
 */
export async function decideAnew(
  first: Decision,
  {
    refreshed,
    onUnread,
    again,
  }: {
    readonly refreshed: Promise<void>;
    readonly onUnread: (error: Error) => void;
    readonly again: () => Decision | Promise<Decision>;
  },
): Promise<Decision> {
  const isRead = refreshed.then(
    () => true,
    (error: Error) => {
      onUnread(error);
      return false;
    },
  );
  return first.kind === "spent" && (await isRead) ? again() : first;
}

/** Why the budgets cannot pay for the call; undefined when all can. `moneys` stand beside the rules. */
export function refusalOf(
  worst: bigint,
  { rules, timezone }: Rules,
  moneys: readonly Money[],
  monthEnd: Instant,
): Refusal | undefined {
  let reserved: Refusal | undefined;
  for (const [at, { name, limit }] of rules.entries()) {
    const { spent: known, pending, open } = moneys[at]!;
    const spent = known + pending;
    if (spent + open + worst <= limit) continue;
    const standing = { name, limit, spent, open, monthEnd, timezone };
    if (spent + worst > limit) return { kind: "spent", standing };
    reserved ??= { kind: "reserved", standing };
  }
  return reserved;
}

/** Waits for usage that is on its way to the ledger. @throws Fault `unavailable` when it takes too long. */
export async function inTime(work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(unknown("usage on its way to the ledger is not there yet")), CATCH_UP_MS_MAX);
  await Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

export function unknown(reason: string): Fault {
  return unavailable(`what was spent of a budget is not known: ${reason}`);
}

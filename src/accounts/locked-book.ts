/** An account's money as it is changed while nobody else can change it. Nothing here reads or writes. */

import type { Instant, TimeRange } from "../domain/time.ts";
import { covers, keyOfScope, type Spender } from "./budget-scope.ts";
import type { BudgetScope } from "./records.ts";

/** Money of one call, in attodollars. */
export interface CallMoney extends Spender {
  /** A reservation's own, or the usage event's. */
  readonly id: string;
  readonly time: Instant;
  readonly atto: bigint;
}

export interface PurseName {
  readonly month: TimeRange;
  readonly scope: BudgetScope;
}

/** The money of one budget in one month, in attodollars. */
export interface SharedPurse extends PurseName {
  /** By the ledger; undefined until that was read. */
  spent: bigint | undefined;
  /** Of calls that have ended, whose usage is not in `spent`. */
  pending: bigint;
  /** Reserved by calls under way. */
  open: bigint;
  askedTime: Instant;
}

interface Reading {
  /** When the last one began, and how long it took. */
  readonly readTime: Instant;
  readonly readMs: number;
}

/** No call takes as long; whatever leaked is given back then. */
export const RESERVATION_MS_MAX = 6 * 3_600_000;
/** A budget that nobody asked for this long is no longer read. */
export const RESTING_MS = 600_000;
/** So often it is noted that a budget is asked for. */
const ASKED_MS = 60_000;

export class LockedBook {
  /** By the clock that all processes share. */
  readonly now: Instant;
  readonly purses: Map<string, SharedPurse>;
  /** Keys of purses that are to be written, and of those that are to be forgotten. */
  readonly changed: Set<string> = new Set();
  readonly resting: Set<string> = new Set();
  readonly reserved: CallMoney[] = [];
  readTime: Instant;
  readMs: number;
  isRead = false;

  constructor({ now, readTime, readMs }: Reading & { readonly now: Instant }, purses: readonly SharedPurse[]) {
    this.now = now;
    this.readTime = readTime;
    this.readMs = readMs;
    this.purses = new Map(purses.map((purse) => [keyOfPurse(purse), purse]));
  }

  /** The purse of a budget that was wanted. */
  purse(name: PurseName): SharedPurse {
    const key = keyOfPurse(name);
    const purse = this.purses.get(key)!;
    if (this.now - purse.askedTime > ASKED_MS) {
      purse.askedTime = this.now;
      this.changed.add(key);
    }
    return purse;
  }

  /** Makes a purse of what the account has under way. */
  make({ month, scope }: PurseName, { open, pending }: Record<"open" | "pending", readonly CallMoney[]>): void {
    const purse: SharedPurse = { month, scope, spent: undefined, pending: 0n, open: 0n, askedTime: this.now };
    for (const money of open) if (holds(purse, money)) purse.open += money.atto;
    for (const money of pending) if (holds(purse, money)) purse.pending += money.atto;
    const key = keyOfPurse(purse);
    this.purses.set(key, purse);
    this.changed.add(key);
  }

  /** Keeps money for a call under way. */
  reserve(money: CallMoney): void {
    this.reserved.push(money);
    this.add("open", [money], 1n);
  }

  /** Adds money, or takes it away, in every purse that holds it. */
  add(part: "pending" | "open", moneys: readonly CallMoney[], sign: 1n | -1n): void {
    for (const money of moneys) {
      for (const [key, purse] of this.purses) {
        if (!holds(purse, money)) continue;
        purse[part] += sign * money.atto;
        this.changed.add(key);
      }
    }
  }

  /** What the ledger said of some purses. The others are unread: what has arrived since is not pending in them any more. */
  noteReading({ readTime, readMs }: Reading, spents: ReadonlyMap<string, bigint>): void {
    this.readTime = readTime;
    this.readMs = readMs;
    this.isRead = true;
    for (const [key, purse] of this.purses) {
      const spent = spents.get(key);
      if (spent !== purse.spent) this.changed.add(key);
      purse.spent = spent;
      if (purse.open === 0n && this.now - purse.askedTime > RESTING_MS) this.resting.add(key);
    }
  }
}

export function keyOfPurse({ month, scope }: PurseName): string {
  return `${month.start} ${month.end} ${keyOfScope(scope)}`;
}

function holds({ month, scope }: PurseName, money: CallMoney): boolean {
  return money.time >= month.start && money.time < month.end && covers(scope, money);
}

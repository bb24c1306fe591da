/** An account's book as rows: locked, changed and written back in the transaction of the caller. */

import { type Kysely, type RawBuilder, sql } from "kysely";
import type { Annotations } from "../domain/annotations.ts";
import type { Instant } from "../domain/time.ts";
import {
  type CallMoney,
  keyOfPurse,
  LockedBook,
  type PurseName,
  RESERVATION_MS_MAX,
  type SharedPurse,
} from "./locked-book.ts";
import type { BudgetScope } from "./records.ts";
import type { Tables } from "./tables.ts";

/** A change of an account's book; each part may be made again. */
export interface BookChange {
  /** Reservations that are given back. */
  readonly ended?: readonly string[];
  /** Usage that counts from now on, unless it does. */
  readonly used?: readonly CallMoney[];
  /** Usage that does not count any more. */
  readonly dropped?: readonly string[];
  /** Usage that the ledger has got. */
  readonly arrived?: readonly string[];
  /** Budgets that are to have a purse. */
  readonly wanted?: readonly PurseName[];
}

/** A process from its start to its end. */
export interface Run {
  readonly id: string;
  /** Of its data folder, so that a restart is known. */
  readonly spool: string;
}

interface RunsTable {
  readonly id: string;
  readonly spool: string;
  readonly beat: number;
}

interface BooksTable {
  readonly account: string;
  readonly readTime: Instant;
  readonly readMs: number;
}

interface PursesTable {
  readonly account: string;
  readonly monthStart: Instant;
  readonly monthEnd: Instant;
  /** JSON, as annotations are. */
  readonly scope: string;
  /** Decimal text, as all money here. */
  readonly spent: string | null;
  readonly pending: string;
  readonly open: string;
  readonly askedTime: Instant;
}

interface MoneyColumns {
  readonly time: Instant;
  readonly apiKeyId: string;
  readonly annotations: string;
  readonly atto: string;
}

interface ReservationsTable extends MoneyColumns {
  readonly id: string;
  readonly account: string;
  readonly run: string;
  readonly until: Instant;
}

interface UsageTable extends MoneyColumns {
  readonly account: string;
  readonly eventId: string;
  readonly run: string;
  readonly spool: string;
  readonly state: "waiting" | "leaving" | "arrived";
  readonly stateTime: Instant;
}

type SharedTables = Tables & {
  readonly budgetRuns: RunsTable;
  readonly budgetBooks: BooksTable;
  readonly budgetPurses: PursesTable;
  readonly budgetReservations: ReservationsTable;
  readonly budgetUsage: UsageTable;
};
export type Database = Kysely<SharedTables>;

/** By PostgreSQL's clock, which all processes share; in milliseconds. */
export const NOW: RawBuilder<Instant> = sql<Instant>`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`;

export interface Changing<T> {
  readonly change: BookChange;
  /** Whose new usage and reservations they are. */
  readonly by: Run | undefined;
  readonly decide: ((book: LockedBook) => T) | undefined;
}

/** Changes a book in a transaction, in the order in which the changes are written above. */
export async function changeBook<T>(
  database: Database,
  account: string,
  { change, by, decide }: Changing<T>,
): Promise<T> {
  const book = await lockBook(database, account);
  book.add("open", await endReservations(database, account, change.ended ?? []), -1n);
  book.add("pending", await countUsage(database, account, change.used ?? [], by), 1n);
  book.add("pending", await dropUsage(database, account, change.dropped ?? []), -1n);
  await setState(database, account, change.arrived ?? [], "arrived");
  await makePurses(database, account, book, change.wanted ?? []);
  const decided = decide?.(book) as T;
  await writeBook(database, account, book, by);
  return decided;
}

/** The account's book, which nobody else changes until the transaction ends. */
async function lockBook(database: Database, account: string): Promise<LockedBook> {
  const locking = database
    .selectFrom("budgetBooks")
    .select(["readTime", "readMs", NOW.as("now")])
    .where("account", "=", account)
    .forUpdate();
  let row = await locking.executeTakeFirst();
  if (!row) {
    const values = { account, readTime: 0, readMs: 0 };
    await database
      .insertInto("budgetBooks")
      .values(values)
      .onConflict((conflict) => conflict.column("account").doNothing())
      .execute();
    row = await locking.executeTakeFirstOrThrow();
  }
  // A statement of its own: it sees what those who had the lock before have written.
  const purses = await database.selectFrom("budgetPurses").selectAll().where("account", "=", account).execute();
  return new LockedBook(row, purses.map(purseOf));
}

async function endReservations(database: Database, account: string, ids: readonly string[]): Promise<CallMoney[]> {
  if (ids.length === 0) return [];
  const rows = await database
    .deleteFrom("budgetReservations")
    .where("account", "=", account)
    .where("id", "=", anyOf(ids))
    .returningAll()
    .execute();
  return rows.map((row) => moneyOf(row.id, row));
}

async function countUsage(
  database: Database,
  account: string,
  used: readonly CallMoney[],
  by: Run | undefined,
): Promise<CallMoney[]> {
  if (used.length === 0 || !by) return [];
  const rows = used.map((money) => ({
    account,
    eventId: money.id,
    run: by.id,
    spool: by.spool,
    ...columnsOf(money),
    state: "waiting" as const,
    stateTime: NOW,
  }));
  const added = await database
    .insertInto("budgetUsage")
    .values(rows)
    .onConflict((conflict) => conflict.columns(["account", "eventId"]).doNothing())
    .returning("eventId")
    .execute();
  const ids = new Set(added.map(idOfUsage));
  return used.filter(({ id }) => ids.has(id));
}

async function dropUsage(database: Database, account: string, ids: readonly string[]): Promise<CallMoney[]> {
  if (ids.length === 0) return [];
  const rows = await database
    .deleteFrom("budgetUsage")
    .where("account", "=", account)
    .where("eventId", "=", anyOf(ids))
    .returningAll()
    .execute();
  return rows.map((row) => moneyOf(row.eventId, row));
}

/** Whether any of the usage counts. @param from Only what is in this state now; in any when left out. */
export async function setState(
  database: Database,
  account: string,
  ids: readonly string[],
  state: UsageTable["state"],
  from?: UsageTable["state"],
): Promise<boolean> {
  if (ids.length === 0) return false;
  const { numUpdatedRows } = await database
    .updateTable("budgetUsage")
    .set({ state, stateTime: NOW })
    .where("account", "=", account)
    .where("eventId", "=", anyOf(ids))
    .$if(from !== undefined, (update) => update.where("state", "=", from!))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** A new purse holds what is under way already, and is unread. */
async function makePurses(
  database: Database,
  account: string,
  book: LockedBook,
  wanted: readonly PurseName[],
): Promise<void> {
  const missing = new Map(wanted.map((one) => [keyOfPurse(one), one]));
  for (const key of book.purses.keys()) missing.delete(key);
  if (missing.size === 0) return;
  const [reservations, usage] = [
    await database.selectFrom("budgetReservations").selectAll().where("account", "=", account).execute(),
    await database.selectFrom("budgetUsage").selectAll().where("account", "=", account).execute(),
  ];
  const open = reservations.map((row) => moneyOf(row.id, row));
  const pending = usage.map((row) => moneyOf(row.eventId, row));
  for (const name of missing.values()) book.make(name, { open, pending });
}

async function writeBook(database: Database, account: string, book: LockedBook, by: Run | undefined): Promise<void> {
  if (book.reserved.length > 0 && by) {
    const until = book.now + RESERVATION_MS_MAX;
    const rows = book.reserved.map((money) => ({ id: money.id, account, run: by.id, ...columnsOf(money), until }));
    await database.insertInto("budgetReservations").values(rows).execute();
  }
  const changed = [...book.changed].filter((key) => !book.resting.has(key)).map((key) => book.purses.get(key)!);
  if (changed.length > 0) {
    await database
      .insertInto("budgetPurses")
      .values(changed.map((purse) => rowOfPurse(account, purse)))
      .onConflict((conflict) =>
        conflict.columns(["account", "monthStart", "monthEnd", "scope"]).doUpdateSet((row) => ({
          spent: row.ref("excluded.spent"),
          pending: row.ref("excluded.pending"),
          open: row.ref("excluded.open"),
          askedTime: row.ref("excluded.askedTime"),
        })),
      )
      .execute();
  }
  if (!book.isRead) return;
  const { readTime, readMs } = book;
  await database.updateTable("budgetBooks").set({ readTime, readMs }).where("account", "=", account).execute();
  for (const key of book.resting) {
    const { month, scope } = book.purses.get(key)!;
    await database
      .deleteFrom("budgetPurses")
      .where("account", "=", account)
      .where("monthStart", "=", month.start)
      .where("monthEnd", "=", month.end)
      .where("scope", "=", JSON.stringify(scope))
      .execute();
  }
}

/** One parameter, however many they are. */
function anyOf(ids: readonly string[]): RawBuilder<string> {
  return sql<string>`any(${[...ids]}::text[])`;
}

export function idOfUsage({ eventId }: { readonly eventId: string }): string {
  return eventId;
}

function columnsOf({ time, apiKeyId, annotations, atto }: CallMoney): MoneyColumns {
  return { time, apiKeyId, annotations: JSON.stringify(annotations), atto: `${atto}` };
}

function moneyOf(id: string, { time, apiKeyId, annotations, atto }: MoneyColumns): CallMoney {
  return { id, time, apiKeyId, annotations: JSON.parse(annotations) as Annotations, atto: BigInt(atto) };
}

export function purseOf({ monthStart, monthEnd, scope, spent, pending, open, askedTime }: PursesTable): SharedPurse {
  return {
    month: { start: monthStart, end: monthEnd },
    scope: JSON.parse(scope) as BudgetScope,
    spent: spent === null ? undefined : BigInt(spent),
    pending: BigInt(pending),
    open: BigInt(open),
    askedTime,
  };
}

function rowOfPurse(account: string, { month, scope, spent, pending, open, askedTime }: SharedPurse): PursesTable {
  return {
    account,
    monthStart: month.start,
    monthEnd: month.end,
    scope: JSON.stringify(scope),
    spent: spent === undefined ? null : `${spent}`,
    pending: `${pending}`,
    open: `${open}`,
    askedTime,
  };
}

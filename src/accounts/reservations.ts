/**
 * The money of budgets as several processes share it in PostgreSQL: what calls under way keep, what has ended and is on
 * its way to the ledger, and the sums of both. Every change locks the account's row first, so it sees all changes before.
 */

import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import type { Instant } from "../domain/time.ts";
import {
  type BookChange,
  changeBook,
  type Database,
  idOfUsage,
  NOW,
  purseOf,
  type Run,
  setState,
} from "./book-rows.ts";
import { keyOfPurse, type LockedBook, RESTING_MS, type SharedPurse } from "./locked-book.ts";
import type { Tables } from "./tables.ts";

/** What a reading of the ledger found. */
export interface Reading {
  /** One for each purse, in attodollars. */
  readonly spents: readonly bigint[];
  /** Usage that was on its way and is there. */
  readonly arrived: readonly string[];
  readonly readMs: number;
}

/** What to read. */
export interface ReadingAsk {
  readonly purses: readonly SharedPurse[];
  /** Usage of carryings that did not come to their end: the ledger may have it. Not all of it, when it is much. */
  readonly leaving: readonly string[];
}

/** A carrying or a reading that takes longer gives its turn up. */
const TURN_MS_MAX = 30_000;
/** No write to a ledger that was given up comes there later. */
const LEAVING_MS_MAX = 120_000;
/** Items of a broken carrying that one reading asks the ledger for. */
const LEAVING_AT_ONCE = 100;

export class Reservations {
  readonly #database: Database;

  constructor(database: Kysely<Tables>) {
    this.#database = database as unknown as Database;
  }

  /** Says that the run lives. Gives how often each said so. */
  async beat({ id, spool }: Run): Promise<Map<string, number>> {
    await this.#database
      .insertInto("budgetRuns")
      .values({ id, spool, beat: 1 })
      .onConflict((conflict) =>
        conflict.column("id").doUpdateSet((old) => ({ beat: sql`${old.ref("budgetRuns.beat")} + 1` })),
      )
      .execute();
    const rows = await this.#database.selectFrom("budgetRuns").select(["id", "beat"]).execute();
    return new Map(rows.map((row) => [row.id, row.beat]));
  }

  /** Forgets a run that keeps nothing and has not said since that it lives. */
  async forgetRun(id: string, beat: number): Promise<void> {
    const database = this.#database;
    await database
      .deleteFrom("budgetRuns")
      .where("id", "=", id)
      .where("beat", "<=", beat)
      .where((run) => run.not(run.exists(database.selectFrom("budgetReservations").select("id").where("run", "=", id))))
      .execute();
  }

  /** The runs of the same spool that came before. */
  async earlierRuns({ id, spool }: Run): Promise<string[]> {
    const runs = await this.#database
      .selectFrom("budgetRuns")
      .select("id")
      .where("spool", "=", spool)
      .where("id", "!=", id)
      .execute();
    return runs.map((run) => run.id);
  }

  /** Gives back what these runs keep, and of every run what was kept for too long. */
  async releaseRuns(runs: readonly string[]): Promise<void> {
    const stale = await this.#database
      .selectFrom("budgetReservations")
      .select(["account", "id"])
      .where((row) => row.or([row("until", "<", NOW), ...(runs.length > 0 ? [row("run", "in", [...runs])] : [])]))
      .execute();
    for (const [account, rows] of Map.groupBy(stale, (row) => row.account)) {
      await this.change(account, { ended: rows.map(({ id }) => id) });
    }
  }

  /**
   * Settles what earlier runs of the spool left, once all that was in the spool is in the ledger: what still waits was
   * never in the spool, and what was leaving has arrived.
   */
  async settleEarlier({ id, spool }: Run): Promise<void> {
    const left = await this.#database
      .selectFrom("budgetUsage")
      .select(["account", "eventId", "state"])
      .where("spool", "=", spool)
      .where("run", "!=", id)
      .where("state", "!=", "arrived")
      .execute();
    for (const [account, rows] of Map.groupBy(left, (row) => row.account)) {
      const { waiting = [], leaving = [] } = Object.groupBy(rows, ({ state }) =>
        state === "leaving" ? state : "waiting",
      );
      await this.change(account, { dropped: waiting.map(idOfUsage), arrived: leaving.map(idOfUsage) });
    }
  }

  /** Changes an account's book and shows it to `decide` while nobody else can change it. @returns what `decide` gives. */
  change<T = void>(account: string, change: BookChange, by?: Run, decide?: (book: LockedBook) => T): Promise<T> {
    return this.#database
      .transaction()
      .setIsolationLevel("read committed")
      .execute((database) => changeBook(database, account, { change, by, decide }));
  }

  /**
   * Carries usage to the ledger while no process reads the account's budgets.
   * @param onDone Told when `work` is done, whatever becomes of noting it.
   */
  carry<T>(
    account: string,
    eventIds: readonly string[],
    work: () => Promise<T>,
    onDone: (done: T) => void,
  ): Promise<T> {
    return this.#turn(account, "carrying", async (database) => {
      // Apart from the turn, which leaves nothing when its process is killed.
      const isCounted = await setState(this.#database, account, eventIds, "leaving");
      const done = await work();
      onDone(done);
      if (isCounted) await setState(database, account, eventIds, "arrived");
      return done;
    });
  }

  /**
   * Reads the ledger while no process carries usage of the account there; does nothing when that was begun after `since`.
   * What had arrived before is then spent, and not pending.
   */
  read(account: string, since: Instant, readLedger: (ask: ReadingAsk) => Promise<Reading>): Promise<void> {
    return this.#turn(account, "reading", async (database) => {
      const [state] = await database
        .selectFrom("budgetBooks")
        .select(["readTime", NOW.as("now")])
        .where("account", "=", account)
        .execute();
      if (!state || state.readTime > since) return;
      const rows = await database
        .selectFrom("budgetPurses")
        .selectAll()
        .where("account", "=", account)
        .where("askedTime", ">=", state.now - RESTING_MS)
        .execute();
      const items = await database
        .selectFrom("budgetUsage")
        .select(["eventId", "state", "stateTime"])
        .where("account", "=", account)
        .where("state", "!=", "waiting")
        .orderBy(sql`random()`)
        .execute();
      const asked = items.filter((item) => item.state === "leaving").slice(0, LEAVING_AT_ONCE);
      const purses = rows.map(purseOf);
      const reading = await readLedger({ purses, leaving: asked.map(idOfUsage) });
      const known = new Set([...items.filter((item) => item.state === "arrived").map(idOfUsage), ...reading.arrived]);
      const late = asked.filter(
        ({ eventId, stateTime }) => !known.has(eventId) && state.now - stateTime > LEAVING_MS_MAX,
      );
      // Its process may have told meanwhile that it is there.
      await setState(database, account, late.map(idOfUsage), "waiting", "leaving");
      const decide = (book: LockedBook): void => {
        const spents = new Map(purses.map((purse, at) => [keyOfPurse(purse), reading.spents[at]!]));
        book.noteReading({ readTime: state.now, readMs: reading.readMs }, spents);
      };
      await changeBook(database, account, { change: { dropped: [...known] }, by: undefined, decide });
    });
  }

  /** Carryings run beside each other, a reading alone. The end of the transaction, or of its connection, ends the turn. */
  #turn<T>(account: string, kind: "carrying" | "reading", work: (database: Database) => Promise<T>): Promise<T> {
    const lock = sql.raw(kind === "reading" ? "pg_advisory_xact_lock" : "pg_advisory_xact_lock_shared");
    const key = `${createHash("sha256").update(`daybook budgets ${account}`).digest().readBigInt64BE()}`;
    const idle = sql`set_config('idle_in_transaction_session_timeout', ${`${TURN_MS_MAX}`}, true)`;
    return this.#database
      .transaction()
      .setIsolationLevel("read committed")
      .execute(async (database) => {
        await sql`select ${idle}, ${lock}(${key}::bigint)`.execute(database);
        return work(database);
      });
  }
}

/** Notices of thresholds: one for each account, month and threshold, kept so that each is told once, after a restart too. */

import type { Instant } from "../domain/time.ts";
import type { Notice, Webhook } from "./records.ts";
import type { Store } from "./tables.ts";
import { locked } from "./writing.ts";

/** Where an account is told, and of what. */
export interface Subscriber extends Webhook {
  readonly thresholds: readonly bigint[];
  readonly timezone: string;
}

/** Whoever took a notice has told it by then: longer than a webhook may take to answer. */
const TAKEN_MS = 60_000;

export class Notices {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Every account that wants to be told of thresholds and says where. The installation's own call. */
  async subscribers(): Promise<Subscriber[]> {
    const rows = await this.#store.database
      .selectFrom("notificationSettings")
      .innerJoin("accounts", "accounts.id", "notificationSettings.account")
      .select(["account", "webhookUrl", "webhookSecret", "monthlySpendUsdThresholds", "accounts.timezone"])
      .where("webhookUrl", "!=", "")
      .where("monthlySpendUsdThresholds", "!=", "[]")
      .execute();
    return rows.map(({ account, webhookUrl, webhookSecret, monthlySpendUsdThresholds, timezone }) => {
      const thresholds = (JSON.parse(monthlySpendUsdThresholds) as string[]).map(BigInt);
      return { account, url: webhookUrl, secret: webhookSecret, thresholds, timezone };
    });
  }

  /** The thresholds of the month that have a notice already. */
  async noticed(account: string, monthStart: Instant): Promise<Set<bigint>> {
    const rows = await this.#store.database
      .selectFrom("notices")
      .select("thresholdUsd")
      .where("account", "=", account)
      .where("monthStart", "=", monthStart)
      .execute();
    return new Set(rows.map(({ thresholdUsd }) => BigInt(thresholdUsd)));
  }

  /** Adds a notice; one of the same account, month and threshold stays as it is. */
  async add(notice: Notice): Promise<void> {
    await locked(this.#store, [], ({ database }) =>
      database
        .insertInto("notices")
        .values({ ...notice, thresholdUsd: `${notice.thresholdUsd}` })
        .onConflict((conflict) => conflict.columns(["account", "monthStart", "thresholdUsd"]).doNothing())
        .execute(),
    );
  }

  /**
   * Takes notices of all accounts that are to be sent by now, the longest waiting first, and gives each to one caller
   * only, of however many processes. One that was taken and not {@link tried} is due again after a minute, as its process
   * has ended. The installation's own call.
   */
  async take(limit: number): Promise<Notice[]> {
    const now = this.#store.now();
    const rows = await this.#store.database
      .selectFrom("notices")
      .selectAll()
      .where("nextTryTime", "<=", now)
      .orderBy("nextTryTime")
      .limit(limit)
      .execute();
    const taken: Notice[] = [];
    for (const row of rows) {
      const notice = { ...row, thresholdUsd: BigInt(row.thresholdUsd), nextTryTime: row.nextTryTime! };
      if (await this.#postpone(notice, now + TAKEN_MS)) taken.push(notice);
    }
    return taken;
  }

  /** Whether the notice stood as it was read, which is so for the first who asks. */
  async #postpone(notice: Notice, nextTryTime: Instant): Promise<boolean> {
    const outcome = await locked(this.#store, [], (inside) =>
      rowOf(inside, notice).set({ nextTryTime }).where("nextTryTime", "=", notice.nextTryTime).executeTakeFirst(),
    );
    return outcome.numUpdatedRows === 1n;
  }

  /** Writes down a try. @param nextTryTime null when there is to be no other. */
  async tried(notice: Notice, nextTryTime: Instant | null): Promise<void> {
    await locked(this.#store, [], (inside) =>
      rowOf(inside, notice)
        .set({ tries: notice.tries + 1, nextTryTime })
        .execute(),
    );
  }
}

function rowOf({ database }: Store, { account, monthStart, thresholdUsd }: Notice) {
  return database
    .updateTable("notices")
    .where("account", "=", account)
    .where("monthStart", "=", monthStart)
    .where("thresholdUsd", "=", `${thresholdUsd}`);
}

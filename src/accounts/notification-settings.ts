/** At which monthly spends an account wants to be told. */

import { refuseIfAny } from "../domain/fault.ts";
import { thresholdProblems } from "./checks.ts";
import type { NotificationSettings } from "./records.ts";
import type { Store } from "./tables.ts";

/** The settings; no thresholds since the account's creation when none were ever set. */
export async function getNotificationSettings(store: Store, account: string): Promise<NotificationSettings> {
  const { createTime, thresholds, updateTime } = await store.database
    .selectFrom("accounts")
    .leftJoin("notificationSettings", "notificationSettings.account", "accounts.id")
    .select([
      "accounts.createTime",
      "notificationSettings.monthlySpendUsdThresholds as thresholds",
      "notificationSettings.updateTime",
    ])
    .where("accounts.id", "=", account)
    .executeTakeFirstOrThrow();
  const texts = JSON.parse(thresholds ?? "[]") as string[];
  return { account, monthlySpendUsdThresholds: texts.map(BigInt), updateTime: updateTime ?? createTime };
}

/** Puts the thresholds in the place of those before. */
export async function setNotificationSettings(
  store: Store,
  account: string,
  thresholds: readonly bigint[],
): Promise<NotificationSettings> {
  refuseIfAny(thresholdProblems(thresholds));
  const updateTime = store.now();
  const columns = { monthlySpendUsdThresholds: JSON.stringify(thresholds.map(String)), updateTime };
  await store.database
    .insertInto("notificationSettings")
    .values({ account, ...columns })
    .onConflict((conflict) => conflict.column("account").doUpdateSet(columns))
    .execute();
  return { account, monthlySpendUsdThresholds: thresholds, updateTime };
}

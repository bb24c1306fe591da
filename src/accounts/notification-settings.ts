/** At which monthly spends an account wants to be told, and where. */

import { Fault, problem, refuseIfAny } from "../domain/fault.ts";
import { thresholdProblems, webhookProblems } from "./checks.ts";
import type { NotificationPatch, NotificationSettings } from "./records.ts";
import type { Store } from "./tables.ts";
import { writing } from "./writing.ts";

/** The settings with the secret, which no reader is told. */
async function readSettings(
  store: Store,
  account: string,
): Promise<NotificationSettings & { readonly webhookSecret: string }> {
  const { createTime, thresholds, updateTime, webhookUrl, webhookSecret } = await store.database
    .selectFrom("accounts")
    .leftJoin("notificationSettings", "notificationSettings.account", "accounts.id")
    .select([
      "accounts.createTime",
      "notificationSettings.monthlySpendUsdThresholds as thresholds",
      "notificationSettings.updateTime",
      "notificationSettings.webhookUrl",
      "notificationSettings.webhookSecret",
    ])
    .where("accounts.id", "=", account)
    .executeTakeFirstOrThrow();
  const texts = JSON.parse(thresholds ?? "[]") as string[];
  return {
    account,
    monthlySpendUsdThresholds: texts.map(BigInt),
    webhookUrl: webhookUrl ?? "",
    webhookSecret: webhookSecret ?? "",
    updateTime: updateTime ?? createTime,
  };
}

/** The settings; no thresholds since the account's creation when none were ever set. */
export async function getNotificationSettings(store: Store, account: string): Promise<NotificationSettings> {
  const { webhookSecret: _, ...settings } = await readSettings(store, account);
  return settings;
}

/** Changes what is named; thresholds are replaced as a whole. @throws Fault, also for a webhook without a secret. */
export async function patchNotificationSettings(
  store: Store,
  account: string,
  patch: NotificationPatch,
): Promise<NotificationSettings> {
  refuseIfAny([...thresholdProblems(patch.monthlySpendUsdThresholds ?? []), ...webhookProblems(patch)]);
  return writing(store, [account], async (inside) => {
    const before = await readSettings(inside, account);
    const thresholds = patch.monthlySpendUsdThresholds ?? before.monthlySpendUsdThresholds;
    const webhookUrl = patch.webhookUrl ?? before.webhookUrl;
    const webhookSecret = webhookUrl === "" ? "" : (patch.webhookSecret ?? before.webhookSecret);
    if (webhookUrl !== "" && webhookSecret === "") {
      throw new Fault(
        problem("required", "webhookSecret", { mend: "send it with the webhookUrl: it signs the notices" }),
      );
    }
    const updateTime = store.now();
    const columns = {
      monthlySpendUsdThresholds: JSON.stringify(thresholds.map(String)),
      webhookUrl,
      webhookSecret,
      updateTime,
    };
    await inside.database
      .insertInto("notificationSettings")
      .values({ account, ...columns })
      .onConflict((conflict) => conflict.column("account").doUpdateSet(columns))
      .execute();
    return { account, monthlySpendUsdThresholds: thresholds, webhookUrl, updateTime };
  });
}

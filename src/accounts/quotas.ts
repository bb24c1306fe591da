/** An account's quotas: how much of something it may use. Every quota is there from the beginning, unlimited. */

import { Fault, type Problem, problem, refuseIfAny } from "../domain/fault.ts";
import { INT64_MAX, quotaProblems } from "./checks.ts";
import { type Page, type PageAsk, readPage } from "./paging.ts";
import { QUOTA_IDS, type Quota, type QuotaPatch } from "./records.ts";
import type { Store } from "./tables.ts";
import { writing } from "./writing.ts";

/** Stands for no limit: the largest int64, so that "value is at most maxValue" holds as it stands. */
export const UNLIMITED = INT64_MAX;

/** All quotas of the account, those without a record at their default, in the order of their ids. */
export async function readQuotas(store: Store, account: string): Promise<Quota[]> {
  const { createTime } = await store.database
    .selectFrom("accounts")
    .select("createTime")
    .where("id", "=", account)
    .executeTakeFirstOrThrow();
  const rows = await store.database.selectFrom("quotas").selectAll().where("account", "=", account).execute();
  const records = new Map(rows.map((row) => [row.id, row]));
  return QUOTA_IDS.map((id) => {
    const row = records.get(id);
    if (!row) return { account, id, value: UNLIMITED, maxValue: UNLIMITED, updateTime: createTime };
    return { account, id, value: BigInt(row.value), maxValue: BigInt(row.maxValue), updateTime: row.updateTime };
  });
}

export async function listQuotas(store: Store, account: string, ask: PageAsk): Promise<Page<Quota>> {
  const quotas = await readQuotas(store, account);
  return readPage(ask, {
    read: async (after, limit) => quotas.filter((quota) => quota.id > after).slice(0, limit),
    count: async () => quotas.length,
    keyOf: (quota) => quota.id,
  });
}

/** @throws Fault `not_found` for an id that is no quota. */
export async function getQuota(store: Store, account: string, id: string): Promise<Quota> {
  const quota = (await readQuotas(store, account)).find((one) => one.id === id);
  if (!quota) throw new Fault(problem("not_found", "quota", { value: id }));
  return quota;
}

/** Sets what is named; the value never passes the maxValue. Who may set which is asked before. */
export async function patchQuota(
  store: Store,
  name: { readonly account: string; readonly id: string },
  patch: QuotaPatch,
): Promise<Quota> {
  refuseIfAny(quotaProblems(patch));
  const { account, id } = name;
  return writing(store, [account], async (inside) => {
    const before = await getQuota(inside, account, id);
    const value = patch.value ?? before.value;
    const maxValue = patch.maxValue ?? before.maxValue;
    if (value > maxValue) throw new Fault(overMax(patch, value, maxValue));
    const columns = { value: value.toString(), maxValue: maxValue.toString(), updateTime: store.now() };
    await inside.database
      .insertInto("quotas")
      .values({ account, id: before.id, ...columns })
      .onConflict((conflict) => conflict.columns(["account", "id"]).doUpdateSet(columns))
      .execute();
    return { ...before, value, maxValue, updateTime: columns.updateTime };
  });
}

/** The problem is the field that was sent: a maxValue alone may be too low for the value that stands. */
function overMax(patch: QuotaPatch, value: bigint, maxValue: bigint): Problem {
  if (patch.value !== undefined) {
    return problem("wrong_type", "value", { value: `${value}`, allowed: `at most the maxValue ${maxValue}` });
  }
  const allowed = `at least the quota's value ${value}, or come with a lower value`;
  return problem("wrong_type", "maxValue", { value: `${maxValue}`, allowed });
}

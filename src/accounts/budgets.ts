/** Budgets of keys and tags, and all that an account's inference calls are held to. */

import { Fault, problem, refuseIfAny } from "../domain/fault.ts";
import { BUDGETS_MAX, budgetProblems } from "./checks.ts";
import { findKey } from "./keys.ts";
import { type Page, type PageAsk, readPage } from "./paging.ts";
import { readQuotas, UNLIMITED } from "./quotas.ts";
import type { Budget, BudgetScope, Limits, NewBudget } from "./records.ts";
import type { Store, Tables } from "./tables.ts";
import { writing } from "./writing.ts";

type BudgetRow = Tables["budgets"];

function budgetOf({ scope, monthlyUsd, ...row }: BudgetRow): Budget {
  return { ...row, scope: JSON.parse(scope) as BudgetScope, monthlyUsd: BigInt(monthlyUsd) };
}

async function readBudgets(store: Store, account: string): Promise<Budget[]> {
  const rows = await store.database
    .selectFrom("budgets")
    .selectAll()
    .where("account", "=", account)
    .orderBy("id")
    .execute();
  return rows.map(budgetOf);
}

/** @throws Fault for an id that is taken, a key that there is not, or one budget too many. */
export async function createBudget(store: Store, account: string, ask: NewBudget): Promise<Budget> {
  refuseIfAny(budgetProblems(ask));
  const { id, scope, monthlyUsd } = ask;
  return writing(store, [account], async (inside) => {
    const known = await readBudgets(inside, account);
    if (known.some((one) => one.id === id)) throw new Fault(problem("already_exists", "name", { value: id }));
    if (known.length >= BUDGETS_MAX) {
      throw new Fault(problem("too_many", "budgets", { count: known.length + 1, max: BUDGETS_MAX }));
    }
    if (scope.kind === "apiKey" && !(await findKey(inside, account, scope.apiKeyId))) {
      throw new Fault(problem("not_found", "apiKeyId", { value: scope.apiKeyId }));
    }
    const time = store.now();
    const row = {
      account,
      id,
      scope: JSON.stringify(scope),
      monthlyUsd: `${monthlyUsd}`,
      createTime: time,
      updateTime: time,
    };
    await inside.database.insertInto("budgets").values(row).execute();
    return budgetOf(row);
  });
}

export async function listBudgets(store: Store, account: string, ask: PageAsk): Promise<Page<Budget>> {
  const budgets = await readBudgets(store, account);
  return readPage(ask, {
    read: async (after, limit) => budgets.filter(({ id }) => id > after).slice(0, limit),
    count: async () => budgets.length,
    keyOf: ({ id }) => id,
  });
}

interface BudgetName {
  readonly account: string;
  readonly id: string;
}

/** @throws Fault `not_found`. */
export async function patchBudget(store: Store, { account, id }: BudgetName, monthlyUsd: bigint): Promise<Budget> {
  refuseIfAny(budgetProblems({ monthlyUsd }));
  const row = await writing(store, [account], ({ database }) =>
    database
      .updateTable("budgets")
      .set({ monthlyUsd: `${monthlyUsd}`, updateTime: store.now() })
      .where("account", "=", account)
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirst(),
  );
  if (!row) throw new Fault(problem("not_found", "budget", { value: id }));
  return budgetOf(row);
}

/** @throws Fault `not_found`. */
export async function deleteBudget(store: Store, { account, id }: BudgetName): Promise<void> {
  const gone = await writing(store, [account], ({ database }) =>
    database
      .deleteFrom("budgets")
      .where("account", "=", account)
      .where("id", "=", id)
      .returning("id")
      .executeTakeFirst(),
  );
  if (!gone) throw new Fault(problem("not_found", "budget", { value: id }));
}

/** What the account's calls are held to now. */
export async function readLimits(store: Store, account: string): Promise<Limits> {
  const { timezone } = await store.database
    .selectFrom("accounts")
    .select("timezone")
    .where("id", "=", account)
    .executeTakeFirstOrThrow();
  const [quotas, budgets] = [await readQuotas(store, account), await readBudgets(store, account)];
  const limitOf = (id: string): bigint | undefined => {
    const value = quotas.find((quota) => quota.id === id)!.value;
    return value === UNLIMITED ? undefined : value;
  };
  return {
    timezone,
    monthlySpendUsd: limitOf("monthly-spend-usd"),
    requestsPerMinute: limitOf("serverless-inference-rpm"),
    budgets,
  };
}

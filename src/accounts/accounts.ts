/** Accounts and their users. */

import { Fault, problem, refuseIfAny } from "../domain/fault.ts";
import { parseZone } from "../domain/time.ts";
import { accountPatchProblems, accountProblems, userProblems } from "./checks.ts";
import { type Page, type PageAsk, readPage } from "./paging.ts";
import type { Account, AccountPatch, NewAccount, NewUser, User } from "./records.ts";
import type { Store } from "./tables.ts";
import { INSTALLATION, writing } from "./writing.ts";

/** The user that a new account begins with. */
export const FIRST_ADMIN = "admin";

/** Writes the account alone, without a user. The caller checked the ask and that the id is free. */
export async function insertAccount(store: Store, ask: NewAccount): Promise<Account> {
  const time = store.now();
  const account: Account = {
    id: ask.id,
    displayName: ask.displayName ?? ask.id,
    email: ask.email ?? "",
    suspendState: "UNSUSPENDED",
    timezone: parseZone(ask.timezone ?? "UTC") ?? "UTC",
    createTime: time,
    updateTime: time,
  };
  await store.database.insertInto("accounts").values(account).execute();
  return account;
}

export async function createAccount(store: Store, ask: NewAccount): Promise<Account> {
  refuseIfAny(accountProblems(ask));
  return writing(store, [INSTALLATION], async (inside) => {
    if (await findAccount(inside, ask.id)) {
      throw new Fault(problem("already_exists", "accountId", { value: ask.id }));
    }
    const account = await insertAccount(inside, ask);
    await insertUser(inside, ask.id, { id: FIRST_ADMIN, email: account.email, role: "ADMIN" });
    return account;
  });
}

export async function findAccount(store: Store, id: string): Promise<Account | undefined> {
  return store.database.selectFrom("accounts").selectAll().where("id", "=", id).executeTakeFirst();
}

/** Changes what is named. @throws Fault for a value that cannot be. */
export async function patchAccount(store: Store, id: string, patch: AccountPatch): Promise<Account> {
  refuseIfAny(accountPatchProblems(patch));
  const { displayName, email, timezone } = patch;
  const set = {
    ...(displayName !== undefined && { displayName }),
    ...(email !== undefined && { email }),
    ...(timezone !== undefined && { timezone: parseZone(timezone)! }),
    updateTime: store.now(),
  };
  return writing(store, [id], ({ database }) =>
    database.updateTable("accounts").set(set).where("id", "=", id).returningAll().executeTakeFirstOrThrow(),
  );
}

/** @param only the id of the one account to list; all when left out. */
export async function listAccounts(store: Store, ask: PageAsk, only: string | undefined): Promise<Page<Account>> {
  const rows = store.database
    .selectFrom("accounts")
    .$if(only !== undefined, (accounts) => accounts.where("id", "=", only!));
  return readPage(ask, {
    read: (after, limit) => rows.selectAll().where("id", ">", after).orderBy("id").limit(limit).execute(),
    count: async () => (await rows.select((all) => all.fn.countAll<number>().as("n")).executeTakeFirstOrThrow()).n,
    keyOf: (account) => account.id,
  });
}

/** Writes the user. The caller checked the ask and that the id is free. */
export async function insertUser(store: Store, account: string, ask: NewUser): Promise<User> {
  const user: User = {
    account,
    id: ask.id,
    displayName: ask.displayName ?? ask.id,
    email: ask.email ?? "",
    role: ask.role ?? "USER",
    createTime: store.now(),
  };
  await store.database.insertInto("users").values(user).execute();
  return user;
}

export async function createUser(store: Store, account: string, ask: NewUser): Promise<User> {
  refuseIfAny(userProblems(ask));
  return writing(store, [account], async (inside) => {
    if (await findUser(inside, account, ask.id)) {
      throw new Fault(problem("already_exists", "userId", { value: ask.id }));
    }
    return insertUser(inside, account, ask);
  });
}

export async function findUser(store: Store, account: string, id: string): Promise<User | undefined> {
  return store.database
    .selectFrom("users")
    .selectAll()
    .where("account", "=", account)
    .where("id", "=", id)
    .executeTakeFirst();
}

export async function listUsers(store: Store, account: string, ask: PageAsk): Promise<Page<User>> {
  const rows = store.database.selectFrom("users").where("account", "=", account);
  return readPage(ask, {
    read: (after, limit) => rows.selectAll().where("id", ">", after).orderBy("id").limit(limit).execute(),
    count: async () => (await rows.select((all) => all.fn.countAll<number>().as("n")).executeTakeFirstOrThrow()).n,
    keyOf: (user) => user.id,
  });
}

/** The email of each user of the account, by the user's id. */
export async function userEmails(store: Store, account: string): Promise<Map<string, string>> {
  const rows = await store.database
    .selectFrom("users")
    .select(["id", "email"])
    .where("account", "=", account)
    .execute();
  return new Map(rows.map((row) => [row.id, row.email]));
}

/** API keys: made, shown once, looked up by hash, revoked. */

import { timingSafeEqual } from "node:crypto";
import type { Selectable } from "kysely";
import { type Annotations, checkAnnotations } from "../domain/annotations.ts";
import { Fault, problem, refuseIfAny } from "../domain/fault.ts";
import type { Instant } from "../domain/time.ts";
import { findUser } from "./accounts.ts";
import { keyProblems } from "./checks.ts";
import { hashOf, makeKeyId, makeKeyText, prefixOf } from "./key-text.ts";
import { type Page, type PageAsk, readPage } from "./paging.ts";
import type { ApiKey, Caller, KeyFacts, NewApiKey } from "./records.ts";
import { chunks, type Store, type Tables } from "./tables.ts";
import { INSTALLATION, writing } from "./writing.ts";

/** A new key with its text, which is known to nobody afterwards. */
export interface CreatedKey {
  readonly apiKey: ApiKey;
  readonly key: string;
}

interface Owner {
  readonly account: string;
  readonly user: string;
}

type KeyRow = Omit<Selectable<Tables["apiKeys"]>, "hash"> & { readonly email: string };

function keyOfRow(row: KeyRow): ApiKey {
  const { annotations, expireTime, lastUsed, revokedTime, ...same } = row;
  return {
    ...same,
    annotations: JSON.parse(annotations) as Annotations,
    ...(expireTime === null ? {} : { expireTime }),
    ...(lastUsed === null ? {} : { lastUsed }),
    ...(revokedTime === null ? {} : { revokedTime }),
  };
}

export function createKey(store: Store, owner: Owner, ask: NewApiKey): Promise<CreatedKey> {
  return writing(store, [owner.account], (inside) => insertKey(inside, owner, ask));
}

/** Writes the key inside a transaction. @param keyText the key, where it was given beforehand. */
export async function insertKey(store: Store, owner: Owner, ask: NewApiKey, keyText?: string): Promise<CreatedKey> {
  const now = store.now();
  refuseIfAny(keyProblems(ask, now));
  const user = await findUser(store, owner.account, owner.user);
  if (!user) throw new Fault(problem("not_found", "user", { value: owner.user }));
  const key = keyText ?? makeKeyText(store.randomBytes);
  const row = {
    account: owner.account,
    keyId: makeKeyId(store.randomBytes),
    user: owner.user,
    displayName: ask.displayName || "default",
    role: ask.role,
    prefix: prefixOf(key),
    annotations: JSON.stringify(checkAnnotations(ask.annotations ?? {}, "").kept),
    createTime: now,
    expireTime: ask.expireTime ?? null,
    lastUsed: null,
    revokedTime: null,
  };
  await store.database
    .insertInto("apiKeys")
    .values({ ...row, hash: hashOf(key) })
    .execute();
  return { apiKey: keyOfRow({ ...row, email: user.email }), key };
}

/** The keys of an account that are not revoked, expired ones included; `user` narrows them to one user's. */
function liveKeys(store: Store, account: string, user: string | undefined) {
  return store.database
    .selectFrom("apiKeys")
    .where("apiKeys.account", "=", account)
    .where("apiKeys.revokedTime", "is", null)
    .$if(user !== undefined, (rows) => rows.where("apiKeys.user", "=", user!));
}

function withEmail(rows: ReturnType<typeof liveKeys>) {
  return rows
    .innerJoin("users", (join) =>
      join.onRef("users.account", "=", "apiKeys.account").onRef("users.id", "=", "apiKeys.user"),
    )
    .selectAll("apiKeys")
    .select("users.email");
}

function withoutHash({ hash: _, ...row }: KeyRow & { hash: string }): KeyRow {
  return row;
}

export async function listKeys(
  store: Store,
  owner: { account: string; user: string | undefined },
  ask: PageAsk,
): Promise<Page<ApiKey>> {
  const rows = liveKeys(store, owner.account, owner.user);
  return readPage(ask, {
    read: async (after, limit) => {
      const found = withEmail(rows).where("apiKeys.keyId", ">", after).orderBy("apiKeys.keyId").limit(limit);
      return (await found.execute()).map((row) => keyOfRow(withoutHash(row)));
    },
    count: async () => (await rows.select((all) => all.fn.countAll<number>().as("n")).executeTakeFirstOrThrow()).n,
    keyOf: (key) => key.keyId,
  });
}

export async function findKey(store: Store, account: string, keyId: string): Promise<ApiKey | undefined> {
  const row = await withEmail(liveKeys(store, account, undefined))
    .where("apiKeys.keyId", "=", keyId)
    .executeTakeFirst();
  return row && keyOfRow(withoutHash(row));
}

/** Revokes the key from now on. The last key that can operate the installation stays: no other could make a new one. */
export async function revokeKey(store: Store, account: string, keyId: string): Promise<void> {
  // A key of another account may be the other one that can operate the installation.
  await writing(store, [INSTALLATION, account], async (inside) => {
    const now = store.now();
    const key = await findKey(inside, account, keyId);
    if (!key) throw new Fault(problem("not_found", "keyId", { value: keyId }));
    if (key.role === "OPERATOR" && !(await hasOtherOperatorKey(inside, keyId, now))) {
      throw new Fault(problem("last_operator_key", "keyId", { value: keyId }));
    }
    await inside.database
      .updateTable("apiKeys")
      .set({ revokedTime: now })
      .where("account", "=", account)
      .where("keyId", "=", keyId)
      .execute();
  });
}

async function hasOtherOperatorKey(store: Store, keyId: string, now: Instant): Promise<boolean> {
  const other = await store.database
    .selectFrom("apiKeys")
    .select("keyId")
    .where("role", "=", "OPERATOR")
    .where("keyId", "!=", keyId)
    .where("revokedTime", "is", null)
    .where((key) => key.or([key("expireTime", "is", null), key("expireTime", ">", now)]))
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}

/** A key that was found: whom it stands for and until when. */
export interface FoundKey {
  readonly caller: Caller;
  readonly expireTime: Instant | null;
  readonly lastUsed: Instant | null;
}

/** The key with this hash, expired or not; undefined when there is none or it is revoked. */
export async function findByHash(store: Store, hash: string): Promise<FoundKey | undefined> {
  const row = await store.database
    .selectFrom("apiKeys")
    .select(["account", "user", "keyId", "role", "hash", "expireTime", "lastUsed"])
    .where("hash", "=", hash)
    .where("revokedTime", "is", null)
    .executeTakeFirst();
  if (!row || !timingSafeEqual(Buffer.from(row.hash), Buffer.from(hash))) return undefined;
  const { account, user, keyId, role, expireTime, lastUsed } = row;
  return { caller: { account, user, keyId, role }, expireTime, lastUsed };
}

/** What these keys add to usage, revoked ones included, since usage may come late. Unknown ids are left out. */
export async function keyFacts(
  store: Store,
  account: string,
  keyIds: readonly string[],
): Promise<Map<string, KeyFacts>> {
  const facts = new Map<string, KeyFacts>();
  for (const some of chunks(keyIds)) {
    const rows = await store.database
      .selectFrom("apiKeys")
      .select(["keyId", "annotations"])
      .where("account", "=", account)
      .where("keyId", "in", some)
      .execute();
    for (const row of rows) facts.set(row.keyId, { annotations: JSON.parse(row.annotations) as Annotations });
  }
  return facts;
}

/** The display name of every key the account ever had. */
export async function keyNames(store: Store, account: string): Promise<Map<string, string>> {
  const rows = await store.database
    .selectFrom("apiKeys")
    .select(["keyId", "displayName"])
    .where("account", "=", account)
    .execute();
  return new Map(rows.map((row) => [row.keyId, row.displayName]));
}

/** The ids of every key the user ever had, revoked ones included, since usage may come late. */
export async function keyIdsOf(store: Store, { account, user }: Owner): Promise<string[]> {
  const rows = await store.database
    .selectFrom("apiKeys")
    .select("keyId")
    .where("account", "=", account)
    .where("user", "=", user)
    .execute();
  return rows.map((row) => row.keyId);
}

/** The email of the user who owns each key the account ever had, by key id. */
export async function keyEmails(store: Store, account: string): Promise<Map<string, string>> {
  const rows = await store.database
    .selectFrom("apiKeys")
    .innerJoin("users", (join) =>
      join.onRef("users.account", "=", "apiKeys.account").onRef("users.id", "=", "apiKeys.user"),
    )
    .select(["apiKeys.keyId", "users.email"])
    .where("apiKeys.account", "=", account)
    .execute();
  return new Map(rows.map((row) => [row.keyId, row.email]));
}

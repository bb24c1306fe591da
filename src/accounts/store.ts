/**
 * Accounts, users, keys, deployments and quotas, kept. Every call names the account it is for, except those of the
 * installation's operator and the look-up of a key (house, law 6). What is not there is a Fault `not_found`, except in a
 * `find`.
 */

import { sql } from "kysely";
import { Fault, problem } from "../domain/fault.ts";
import type { Instant } from "../domain/time.ts";
import * as accounts from "./accounts.ts";
import { type BootstrapAsk, type BootstrapResult, bootstrap } from "./bootstrap.ts";
import * as budgets from "./budgets.ts";
import * as deployments from "./deployments.ts";
import { couldBeKey, hashOf, type RandomBytes } from "./key-text.ts";
import * as keys from "./keys.ts";
import { LastUse } from "./last-use.ts";
import { Memories } from "./memories.ts";
import { Notices } from "./notices.ts";
import * as notifications from "./notification-settings.ts";
import type { Page, PageAsk } from "./paging.ts";
import * as priceBooks from "./price-books.ts";
import * as quotas from "./quotas.ts";
import type {
  Account,
  AccountPatch,
  ApiKey,
  Budget,
  Caller,
  Deployment,
  DeploymentFacts,
  DeploymentPatch,
  KeyFacts,
  Limits,
  NewAccount,
  NewApiKey,
  NewBudget,
  NewDeployment,
  NewUser,
  NotificationPatch,
  NotificationSettings,
  Quota,
  QuotaPatch,
  Scale,
  User,
} from "./records.ts";
import { forgetting, remembered, rememberedWhole } from "./remembered.ts";
import { RequestCounts } from "./request-counts.ts";
import { Reservations } from "./reservations.ts";
import { openDatabase } from "./sqlite/open.ts";
import type { Store } from "./tables.ts";

/** Where the records are: in the file accounts.db, whose folder exists, or in a PostgreSQL database. */
export type RecordsPlace =
  | { readonly path: string }
  /** `field`: where the URL was written, for the sentences; default {@link URL_SETTING}. */
  | { readonly url: string; readonly field?: string };

export const URL_SETTING = "DAYBOOK_ACCOUNTS_URL";

export interface AccountsOptions {
  readonly place: RecordsPlace;
  readonly now: () => Instant;
  readonly randomBytes: RandomBytes;
}

export class Accounts {
  /** Notices of spend that are to be told, or were. */
  readonly notices: Notices;
  /** What processes that share the records count together; undefined where one process has them to itself. */
  readonly shared: { readonly reservations: Reservations; readonly counts: RequestCounts } | undefined;
  readonly #store: Store;
  readonly #memories: Memories;
  readonly #lastUse: LastUse;
  /** Accounts are never deleted, so one that was seen once is there. */
  readonly #seen = new Set<string>();

  private constructor(store: Store) {
    this.#store = store;
    this.#memories = new Memories(store);
    this.#lastUse = new LastUse(store);
    this.notices = new Notices(store);
    if (store.sharing) {
      this.shared = { reservations: new Reservations(store.database), counts: new RequestCounts(store.database) };
    }
  }

  /**
   * Opens the file or the database, or makes its tables, and brings it to today's version.
   * @throws Fault `folder_newer`; of a file `folder_foreign` or `folder_unusable`; of PostgreSQL `bad_engine_url`,
   * `accounts_unusable`, or `unavailable` where no server answers.
   */
  static async open({ place, now, randomBytes }: AccountsOptions): Promise<Accounts> {
    if ("path" in place) {
      const database = await openDatabase(place.path);
      return new Accounts({ database, now, randomBytes, sharing: undefined });
    }
    // Only who keeps records there pays for the driver, in memory and at the start.
    const { openPostgres } = await import("./postgres/open.ts");
    const { postgresSharing } = await import("./postgres/sharing.ts");
    const database = await openPostgres(place.url, place.field ?? URL_SETTING);
    return new Accounts({ database, now, randomBytes, sharing: postgresSharing });
  }

  /** Resolves when the records can be read. @throws Fault `unavailable`. */
  async ready(): Promise<void> {
    await sql`select 1`.execute(this.#store.database);
  }

  /** Finishes what is under way and closes the file. */
  async close(): Promise<void> {
    await this.#lastUse.settled();
    await this.#store.database.destroy();
  }

  /** Where there is no account at all, makes one with an OPERATOR key; undefined otherwise. The key is known once. */
  async bootstrap(ask: BootstrapAsk = {}): Promise<BootstrapResult | undefined> {
    return forgetting([this.#memories.keyNames], () => bootstrap(this.#store, ask));
  }

  /** Who calls with this key; undefined for no key of ours, a revoked or an expired one. */
  async authenticate(keyText: string): Promise<Caller | undefined> {
    if (!couldBeKey(keyText)) return undefined;
    const hash = hashOf(keyText);
    const found = (await this.#memories.keysByHash.get([hash], () => this.#readKey(hash))).get(hash);
    if (!found || (found.expireTime !== null && found.expireTime <= this.#store.now())) return undefined;
    this.#lastUse.note(found.caller, found.lastUsed);
    return found.caller;
  }

  async #readKey(hash: string): Promise<Map<string, keys.FoundKey>> {
    const found = await keys.findByHash(this.#store, hash);
    return new Map(found && [[hash, found]]);
  }

  /** Makes the account and its user "admin". The operator's call. */
  createAccount(ask: NewAccount): Promise<Account> {
    return accounts.createAccount(this.#store, ask);
  }

  /** Changes what is named. */
  async patchAccount(account: string, patch: AccountPatch): Promise<Account> {
    return this.#changingLimits(async () => accounts.patchAccount(await this.#inside(account), account, patch));
  }

  /** The one account that a caller sees, or, for the operator (undefined), all. */
  listAccounts(only: string | undefined, ask: PageAsk): Promise<Page<Account>> {
    return accounts.listAccounts(this.#store, ask, only);
  }

  findAccount(account: string): Promise<Account | undefined> {
    return accounts.findAccount(this.#store, account);
  }

  async getAccount(account: string): Promise<Account> {
    const found = await this.findAccount(account);
    if (!found) throw new Fault(problem("not_found", "account", { value: account }));
    return found;
  }

  async hasAccount(account: string): Promise<boolean> {
    if (this.#seen.has(account)) return true;
    const found = (await this.findAccount(account)) !== undefined;
    if (found) this.#seen.add(account);
    return found;
  }

  async createUser(account: string, ask: NewUser): Promise<User> {
    return accounts.createUser(await this.#inside(account), account, ask);
  }

  async listUsers(account: string, ask: PageAsk): Promise<Page<User>> {
    return accounts.listUsers(await this.#inside(account), account, ask);
  }

  async getUser(account: string, user: string): Promise<User> {
    const found = await accounts.findUser(await this.#inside(account), account, user);
    if (!found) throw new Fault(problem("not_found", "user", { value: user }));
    return found;
  }

  /** Whether the caller may give such a key is asked of roles.ts before. */
  async createKey(account: string, user: string, ask: NewApiKey): Promise<keys.CreatedKey> {
    return forgetting([this.#memories.keyNames], async () =>
      keys.createKey(await this.#inside(account), { account, user }, ask),
    );
  }

  /** Keys that are not revoked, of one user or (undefined) of all. */
  async listKeys(account: string, user: string | undefined, ask: PageAsk): Promise<Page<ApiKey>> {
    return keys.listKeys(await this.#inside(account), { account, user }, ask);
  }

  /** A key that is not revoked. */
  async findKey(account: string, keyId: string): Promise<ApiKey | undefined> {
    return keys.findKey(await this.#inside(account), account, keyId);
  }

  /** @throws Fault `not_found`, or `last_operator_key` for the one key that can operate the installation. */
  async revokeKey(account: string, keyId: string): Promise<void> {
    try {
      await keys.revokeKey(await this.#inside(account), account, keyId);
    } finally {
      this.#memories.keysByHash.forget();
    }
  }

  /** The facts of keys, revoked ones included, by key id; unknown ids are left out. */
  keyFacts(account: string, keyIds: readonly string[]): Promise<Map<string, KeyFacts>> {
    return remembered(this.#memories.keyFacts, account, keyIds, (missing) =>
      keys.keyFacts(this.#store, account, missing),
    );
  }

  /** The display name of every key the account ever had, by key id. */
  keyNames(account: string): Promise<ReadonlyMap<string, string>> {
    return rememberedWhole(this.#memories.keyNames, account, () => keys.keyNames(this.#store, account));
  }

  /** The ids of every key the user ever had. */
  keyIdsOf(account: string, user: string): Promise<string[]> {
    return keys.keyIdsOf(this.#store, { account, user });
  }

  /** The email of each key's owner, by key id, revoked keys included. */
  keyEmails(account: string): Promise<Map<string, string>> {
    return keys.keyEmails(this.#store, account);
  }

  /** The email of each user of the account, by the user's id. */
  userEmails(account: string): Promise<Map<string, string>> {
    return accounts.userEmails(this.#store, account);
  }

  /** @throws Fault `already_exists`, or `id_retired` for the id of a deleted one. */
  async createDeployment(account: string, ask: NewDeployment): Promise<Deployment> {
    return forgetting([this.#memories.deployments], async () =>
      deployments.createDeployment(await this.#inside(account), account, ask),
    );
  }

  async listDeployments(account: string, ask: PageAsk): Promise<Page<Deployment>> {
    return deployments.listDeployments(await this.#inside(account), account, ask);
  }

  async getDeployment(account: string, id: string): Promise<Deployment> {
    return deployments.getDeployment(await this.#inside(account), account, id);
  }

  /** Changes what is named, from now on; past usage stays as it was. */
  async patchDeployment(account: string, id: string, patch: DeploymentPatch): Promise<Deployment> {
    return forgetting([this.#memories.deploymentFacts, this.#memories.deployments], async () =>
      deployments.patchDeployment(await this.#inside(account), { account, id }, patch),
    );
  }

  /** Ends the deployment's usage now. */
  async deleteDeployment(account: string, id: string): Promise<void> {
    await forgetting([this.#memories.deployments], async () =>
      deployments.deleteDeployment(await this.#inside(account), account, id),
    );
  }

  /** Sets the number of replicas from an instant on; an earlier scale of the same instant is replaced. */
  async scaleDeployment(account: string, id: string, scale: Scale): Promise<Deployment> {
    return forgetting([this.#memories.deployments], async () =>
      deployments.scaleDeployment(await this.#inside(account), { account, id }, scale),
    );
  }

  /** The facts of deployments, deleted ones included, by the name that was asked, bare or full. */
  deploymentFacts(account: string, names: readonly string[]): Promise<Map<string, DeploymentFacts>> {
    return remembered(this.#memories.deploymentFacts, account, names, (missing) =>
      deployments.deploymentFacts(this.#store, account, missing),
    );
  }

  /** Every deployment the account ever had, with both timelines. */
  deploymentsForUsage(account: string): Promise<readonly Deployment[]> {
    return rememberedWhole(this.#memories.deployments, account, () =>
      deployments.deploymentsForUsage(this.#store, account),
    );
  }

  async listQuotas(account: string, ask: PageAsk): Promise<Page<Quota>> {
    return quotas.listQuotas(await this.#inside(account), account, ask);
  }

  async getQuota(account: string, id: string): Promise<Quota> {
    return quotas.getQuota(await this.#inside(account), account, id);
  }

  /** Whether the caller may set the maxValue is asked of roles.ts before. */
  async patchQuota(account: string, id: string, patch: QuotaPatch): Promise<Quota> {
    return this.#changingLimits(async () => quotas.patchQuota(await this.#inside(account), { account, id }, patch));
  }

  /** What the account's inference calls are held to; the same object until something is written. */
  async limits(account: string): Promise<Limits> {
    const found = await this.#memories.limits.get([account], async () => {
      return new Map([[account, await budgets.readLimits(await this.#inside(account), account)]]);
    });
    return found.get(account)!;
  }

  /** @throws Fault for an id that is taken, or a key that there is not. */
  async createBudget(account: string, ask: NewBudget): Promise<Budget> {
    return this.#changingLimits(async () => budgets.createBudget(await this.#inside(account), account, ask));
  }

  async listBudgets(account: string, ask: PageAsk): Promise<Page<Budget>> {
    return budgets.listBudgets(await this.#inside(account), account, ask);
  }

  async patchBudget(account: string, id: string, monthlyUsd: bigint): Promise<Budget> {
    return this.#changingLimits(async () =>
      budgets.patchBudget(await this.#inside(account), { account, id }, monthlyUsd),
    );
  }

  async deleteBudget(account: string, id: string): Promise<void> {
    return this.#changingLimits(async () => budgets.deleteBudget(await this.#inside(account), { account, id }));
  }

  async #changingLimits<T>(change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } finally {
      this.#memories.limits.forget();
    }
  }

  async getNotificationSettings(account: string): Promise<NotificationSettings> {
    return notifications.getNotificationSettings(await this.#inside(account), account);
  }

  async patchNotificationSettings(account: string, patch: NotificationPatch): Promise<NotificationSettings> {
    return notifications.patchNotificationSettings(await this.#inside(account), account, patch);
  }

  /**
   * Adds a version of the list book, or of an account's contract, known from now on. The same text as the newest version
   * of that scope adds nothing and gives that version. The operator's call.
   * @throws Fault `not_found` when there is no such account.
   */
  async putPriceBook(ask: priceBooks.NewPriceBook): Promise<priceBooks.PriceBookRecord> {
    const store = ask.account === priceBooks.LIST_SCOPE ? this.#store : await this.#inside(ask.account);
    try {
      return await priceBooks.putPriceBook(store, ask);
    } finally {
      this.#memories.priceBookVersions.forget();
    }
  }

  /** The versions of one scope, or (undefined) of all, newest first. The operator's call. */
  listPriceBooks(only: string | undefined, ask: PageAsk): Promise<Page<priceBooks.PriceBookRecord>> {
    return priceBooks.listPriceBooks(this.#store, ask, only);
  }

  /** Any scope's version, with its text. The operator's call. @throws Fault `not_found`. */
  async getPriceBook(version: number): Promise<priceBooks.PriceBookDocument> {
    const found = await priceBooks.findPriceBook(this.#store, version);
    if (!found) throw new Fault(problem("not_found", "priceBook", { value: String(version) }));
    return found;
  }

  /** Every version of a scope, LIST_SCOPE or an account, oldest first; none for an account without a contract. */
  async priceBookVersions(scope: string): Promise<readonly priceBooks.PriceBookVersion[]> {
    const found = await this.#memories.priceBookVersions.get([scope], async () => {
      return new Map([[scope, await priceBooks.priceBookVersions(this.#store, scope)]]);
    });
    return found.get(scope)!;
  }

  /** @throws Fault `not_found` when there is no such account. */
  async #inside(account: string): Promise<Store> {
    if (!(await this.hasAccount(account))) throw new Fault(problem("not_found", "account", { value: account }));
    return this.#store;
  }
}

/** The tables as the query builder knows them, and what every part of the store works with. */

import type { Kysely } from "kysely";
import type { Instant } from "../domain/time.ts";
import type { RandomBytes } from "./key-text.ts";
import type { Role, SuspendState } from "./records.ts";

interface AccountsTable {
  readonly id: string;
  readonly displayName: string;
  readonly email: string;
  readonly suspendState: SuspendState;
  readonly timezone: string;
  readonly createTime: Instant;
  readonly updateTime: Instant;
}

interface UsersTable {
  readonly account: string;
  readonly id: string;
  readonly displayName: string;
  readonly email: string;
  readonly role: Role;
  readonly createTime: Instant;
}

interface ApiKeysTable {
  readonly account: string;
  readonly keyId: string;
  readonly user: string;
  readonly displayName: string;
  readonly role: Role;
  readonly prefix: string;
  readonly hash: string;
  /** JSON, here and below. */
  readonly annotations: string;
  readonly createTime: Instant;
  readonly expireTime: Instant | null;
  readonly lastUsed: Instant | null;
  readonly revokedTime: Instant | null;
}

interface AttributeColumns {
  readonly baseModel: string;
  readonly acceleratorType: string;
  readonly acceleratorCount: number;
  readonly placement: string;
  readonly annotations: string;
}

export interface DeploymentsTable extends AttributeColumns {
  readonly account: string;
  readonly id: string;
  readonly displayName: string;
  readonly createTime: Instant;
  readonly updateTime: Instant;
  readonly deleteTime: Instant | null;
}

interface ReplicaChangesTable {
  readonly account: string;
  readonly deployment: string;
  readonly time: Instant;
  readonly replicaCount: number;
}

interface AttributeChangesTable extends AttributeColumns {
  readonly account: string;
  readonly deployment: string;
  readonly time: Instant;
}

interface QuotasTable {
  readonly account: string;
  readonly id: string;
  /** Decimal text, here and below: an int64 does not fit a number. */
  readonly value: string;
  readonly maxValue: string;
  readonly updateTime: Instant;
}

interface NotificationSettingsTable {
  readonly account: string;
  /** JSON: a list of decimal texts. */
  readonly monthlySpendUsdThresholds: string;
  readonly updateTime: Instant;
  /** "" for none. */
  readonly webhookUrl: string;
  readonly webhookSecret: string;
}

interface BudgetsTable {
  readonly account: string;
  readonly id: string;
  /** JSON. */
  readonly scope: string;
  readonly monthlyUsd: string;
  readonly createTime: Instant;
  readonly updateTime: Instant;
}

interface NoticesTable {
  readonly account: string;
  readonly monthStart: Instant;
  readonly thresholdUsd: string;
  readonly id: string;
  readonly body: string;
  readonly tries: number;
  /** Null once it was told, or given up. */
  readonly nextTryTime: Instant | null;
}

interface PriceBooksTable {
  readonly version: number;
  /** "" for the installation's list book. */
  readonly account: string;
  readonly knownFrom: Instant;
  readonly hash: string;
  readonly createdBy: string;
  readonly entryCount: number;
  readonly document: string;
}

export interface Tables {
  readonly accounts: AccountsTable;
  readonly users: UsersTable;
  readonly apiKeys: ApiKeysTable;
  readonly deployments: DeploymentsTable;
  readonly replicaChanges: ReplicaChangesTable;
  readonly attributeChanges: AttributeChangesTable;
  readonly quotas: QuotasTable;
  readonly notificationSettings: NotificationSettingsTable;
  readonly priceBooks: PriceBooksTable;
  readonly budgets: BudgetsTable;
  readonly notices: NoticesTable;
}

/** Every table with its columns, each after those that its foreign keys name: the order in which rows can be copied. */
export const RECORD_COLUMNS = {
  accounts: ["id", "displayName", "email", "suspendState", "timezone", "createTime", "updateTime"],
  users: ["account", "id", "displayName", "email", "role", "createTime"],
  apiKeys: [
    "account",
    "keyId",
    "user",
    "displayName",
    "role",
    "prefix",
    "hash",
    "annotations",
    "createTime",
    "expireTime",
    "lastUsed",
    "revokedTime",
  ],
  deployments: [
    "account",
    "id",
    "displayName",
    "baseModel",
    "acceleratorType",
    "acceleratorCount",
    "placement",
    "annotations",
    "createTime",
    "updateTime",
    "deleteTime",
  ],
  replicaChanges: ["account", "deployment", "time", "replicaCount"],
  attributeChanges: [
    "account",
    "deployment",
    "time",
    "baseModel",
    "acceleratorType",
    "acceleratorCount",
    "placement",
    "annotations",
  ],
  quotas: ["account", "id", "value", "maxValue", "updateTime"],
  notificationSettings: ["account", "monthlySpendUsdThresholds", "updateTime", "webhookUrl", "webhookSecret"],
  priceBooks: ["version", "account", "knownFrom", "hash", "createdBy", "entryCount", "document"],
  budgets: ["account", "id", "scope", "monthlyUsd", "createTime", "updateTime"],
  notices: ["account", "monthStart", "thresholdUsd", "id", "body", "tries", "nextTryTime"],
} as const satisfies { readonly [T in keyof Tables]: readonly (keyof Tables[T])[] };

/** What a store that several processes write needs beside its tables. */
export interface Sharing {
  /** Waits until no other transaction has any of these locks, and has them until this transaction ends. */
  lock(database: Kysely<Tables>, names: readonly string[]): Promise<void>;
  /** Waits until no other transaction has any lock, and keeps all that want one out until this transaction ends. */
  lockAll(database: Kysely<Tables>): Promise<void>;
  /** Counts a change, as the last statement of a transaction. */
  noteChange(database: Kysely<Tables>): Promise<void>;
  /** The changes that were committed. */
  changes(database: Kysely<Tables>): Promise<number>;
}

/** The database, or a transaction on it, with the clock and the randomness. */
export interface Store {
  readonly database: Kysely<Tables>;
  readonly now: () => Instant;
  readonly randomBytes: RandomBytes;
  /** Undefined where one process has the store to itself, and its transactions go one after the other. */
  readonly sharing: Sharing | undefined;
}

/** Values per query, so that a statement's size has a bound whatever is asked. */
const VALUES_PER_QUERY_MAX = 500;

/** The values in lists short enough for one query each. */
export function* chunks(values: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < values.length; at += VALUES_PER_QUERY_MAX) yield values.slice(at, at + VALUES_PER_QUERY_MAX);
}

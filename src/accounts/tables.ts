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

/** The database, or a transaction on it, with the clock and the randomness. */
export interface Store {
  readonly database: Kysely<Tables>;
  readonly now: () => Instant;
  readonly randomBytes: RandomBytes;
}

/** Values per query, so that a statement's size has a bound whatever is asked. */
const VALUES_PER_QUERY_MAX = 500;

/** The values in lists short enough for one query each. */
export function* chunks(values: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < values.length; at += VALUES_PER_QUERY_MAX) yield values.slice(at, at + VALUES_PER_QUERY_MAX);
}

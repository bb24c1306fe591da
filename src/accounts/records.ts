/** The records of the accounts room. Instants are milliseconds; a key itself and its hash never leave the store. */

import type { Annotations, TagName } from "../domain/annotations.ts";
import type { Instant } from "../domain/time.ts";

/** From the most to the least that a key may do (contract, section 5). */
export const ROLES = ["OPERATOR", "ADMIN", "USER", "METER"] as const;
export type Role = (typeof ROLES)[number];

export const SUSPEND_STATES = [
  "UNSUSPENDED",
  "FAILED_PAYMENTS",
  "CREDIT_DEPLETED",
  "MONTHLY_SPEND_LIMIT_EXCEEDED",
  "BLOCKED_BY_ABUSE_RULE",
] as const;
export type SuspendState = (typeof SUSPEND_STATES)[number];

export interface Account {
  readonly id: string;
  readonly displayName: string;
  readonly email: string;
  readonly suspendState: SuspendState;
  /** The IANA zone whose months its limits and budgets count. */
  readonly timezone: string;
  readonly createTime: Instant;
  readonly updateTime: Instant;
}

export interface User {
  readonly account: string;
  readonly id: string;
  readonly displayName: string;
  readonly email: string;
  readonly role: Role;
  readonly createTime: Instant;
}

export interface ApiKey {
  readonly account: string;
  readonly user: string;
  readonly keyId: string;
  readonly displayName: string;
  /** Of the key's user. */
  readonly email: string;
  readonly role: Role;
  /** The first characters of the key. */
  readonly prefix: string;
  readonly annotations: Annotations;
  readonly createTime: Instant;
  readonly expireTime?: Instant;
  /** Kept to the minute. */
  readonly lastUsed?: Instant;
  readonly revokedTime?: Instant;
}

/** From `time` on, this many replicas run. */
export interface ReplicaChange {
  readonly time: Instant;
  readonly replicaCount: number;
}

/** What a deployment's usage is labelled with and multiplied by. */
export interface DeploymentAttributes {
  readonly baseModel: string;
  readonly acceleratorType: string;
  /** Accelerators of one replica. */
  readonly acceleratorCount: number;
  readonly placement: string;
  readonly annotations: Annotations;
}

/** From `time` on, these attributes hold. */
export interface AttributeChange extends DeploymentAttributes {
  readonly time: Instant;
}

export interface Deployment extends DeploymentAttributes {
  readonly account: string;
  readonly id: string;
  readonly displayName: string;
  readonly createTime: Instant;
  readonly updateTime: Instant;
  readonly deleteTime?: Instant;
  /** In order of time; none means 0 replicas. */
  readonly replicaChanges: readonly ReplicaChange[];
  /** In order of time; the first is its creation. */
  readonly attributeChanges: readonly AttributeChange[];
}

/** What an account's use of can be limited, in the order of a list. */
export const QUOTA_IDS = ["monthly-spend-usd", "serverless-inference-rpm"] as const;
type QuotaId = (typeof QUOTA_IDS)[number];

/** A limit: whole dollars a month of the account's zone, or requests a minute. UNLIMITED (quotas.ts) stands for none. */
export interface Quota {
  readonly account: string;
  readonly id: QuotaId;
  /** The limit that holds; at most `maxValue`. */
  readonly value: bigint;
  /** How far the account's own administrators may raise the value. */
  readonly maxValue: bigint;
  /** The account's creation while nothing was set. */
  readonly updateTime: Instant;
}

/** What is left out stays. */
export interface QuotaPatch {
  readonly value?: bigint | undefined;
  readonly maxValue?: bigint | undefined;
}

/** What a budget holds to its limit: all that the account spends, what one key spends, or what has one tag. */
export type BudgetScope =
  | { readonly kind: "account" }
  | { readonly kind: "apiKey"; readonly apiKeyId: string }
  | { readonly kind: "tag"; readonly tag: TagName; readonly value: string };

/** A limit of whole dollars a month of the account's zone, for a part of what it spends. */
export interface Budget {
  readonly account: string;
  readonly id: string;
  readonly scope: BudgetScope;
  readonly monthlyUsd: bigint;
  readonly createTime: Instant;
  readonly updateTime: Instant;
}

export interface NewBudget {
  readonly id: string;
  readonly scope: BudgetScope;
  readonly monthlyUsd: bigint;
}

/** What an account's inference calls are held to. */
export interface Limits {
  readonly timezone: string;
  /** Whole dollars; undefined for no limit, here and below. */
  readonly monthlySpendUsd: bigint | undefined;
  /** Of each key. */
  readonly requestsPerMinute: bigint | undefined;
  readonly budgets: readonly Budget[];
}

export interface NotificationSettings {
  readonly account: string;
  /** Whole dollars of a month of the account's zone, ascending and distinct. */
  readonly monthlySpendUsdThresholds: readonly bigint[];
  /** Where notices go; "" for nowhere. */
  readonly webhookUrl: string;
  /** The account's creation while nothing was set. */
  readonly updateTime: Instant;
}

/** What is left out stays; `webhookUrl` "" takes the webhook away, with its secret. */
export interface NotificationPatch {
  readonly monthlySpendUsdThresholds?: readonly bigint[] | undefined;
  readonly webhookUrl?: string | undefined;
  /** Signs the notices; never shown again. */
  readonly webhookSecret?: string | undefined;
}

/** Where and how an account is told of a threshold. */
export interface Webhook {
  readonly account: string;
  readonly url: string;
  readonly secret: string;
}

/** That a month's spend has reached a threshold: told once, and tried again until it is. */
export interface Notice {
  readonly id: string;
  readonly account: string;
  readonly monthStart: Instant;
  readonly thresholdUsd: bigint;
  /** The body as it is sent, every time the same. */
  readonly body: string;
  readonly tries: number;
  readonly nextTryTime: Instant;
}

/** Who is calling: what a key stands for. */
export interface Caller {
  readonly account: string;
  readonly user: string;
  readonly keyId: string;
  readonly role: Role;
}

/** What a key adds to the usage that names it. */
export interface KeyFacts {
  readonly annotations: Annotations;
}

/** What a deployment adds to the usage that names it. */
export type DeploymentFacts = Omit<DeploymentAttributes, "acceleratorCount">;

export interface NewAccount {
  readonly id: string;
  readonly displayName?: string | undefined;
  readonly email?: string | undefined;
  /** Default UTC. */
  readonly timezone?: string | undefined;
}

/** What is left out stays. */
export type AccountPatch = Partial<Omit<NewAccount, "id">>;

export interface NewUser extends Omit<NewAccount, "timezone"> {
  /** Default USER. */
  readonly role?: Role | undefined;
}

export interface NewApiKey {
  /** Default "default". */
  readonly displayName?: string | undefined;
  readonly role: Role;
  readonly expireTime?: Instant | undefined;
  readonly annotations?: Readonly<Record<string, unknown>> | undefined;
}

export interface NewDeployment {
  readonly id: string;
  readonly displayName?: string | undefined;
  readonly baseModel?: string | undefined;
  readonly acceleratorType: string;
  /** Default 1. */
  readonly acceleratorCount?: number | undefined;
  readonly placement?: string | undefined;
  readonly annotations?: Readonly<Record<string, unknown>> | undefined;
  /** Replicas from now on; none when left out. */
  readonly replicaCount?: number | undefined;
}

/** What is left out stays. */
export type DeploymentPatch = Partial<Omit<NewDeployment, "id" | "replicaCount">>;

export interface Scale {
  readonly replicaCount: number;
  /** Default now; the past is allowed, and up to 24 hours ahead. */
  readonly time?: Instant | undefined;
}

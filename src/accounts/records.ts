/** The records of the accounts room. Instants are milliseconds; a key itself and its hash never leave the store. */

import type { Annotations } from "../domain/annotations.ts";
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

/** A limit: whole dollars a UTC month, or requests a minute. UNLIMITED (quotas.ts) stands for none. */
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

export interface NotificationSettings {
  readonly account: string;
  /** Whole dollars of a UTC month, ascending and distinct. */
  readonly monthlySpendUsdThresholds: readonly bigint[];
  /** The account's creation while nothing was set. */
  readonly updateTime: Instant;
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
}

export interface NewUser extends NewAccount {
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

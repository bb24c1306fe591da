/** What a record's fields may hold. Each check adds to `problems`, so that all are reported at once. */

import { checkAnnotations } from "../domain/annotations.ts";
import { type Problem, problem } from "../domain/fault.ts";
import { isBareId, isPlainText } from "../domain/text.ts";
import { EVENT_TIME_AHEAD_MAX_MS, EVENT_TIME_MIN, formatInstant, type Instant, parseZone } from "../domain/time.ts";
import { ACCELERATOR_TYPES } from "../domain/usage.ts";
import type {
  AccountPatch,
  DeploymentPatch,
  NewAccount,
  NewApiKey,
  NewDeployment,
  NewUser,
  NotificationPatch,
  QuotaPatch,
  Scale,
} from "./records.ts";
import { ROLES } from "./records.ts";

export const REPLICA_COUNT_MAX = 10_000;
export const ACCELERATOR_COUNT_MAX = 1_024;
export const INT64_MAX = 2n ** 63n - 1n;
export const THRESHOLDS_MAX = 20;
export const THRESHOLD_USD_MAX = 1_000_000_000n;
const PLACEMENT = /^[A-Z0-9_]{0,64}$/;
const EMAIL = /^[^\s@]+@[^\s@]+$/;

/** Undefined stays unchecked; "" is allowed, since it is the default. */
function text(problems: Problem[], field: string, value: string | undefined): void {
  if (value === undefined || value === "" || isPlainText(value)) return;
  problems.push(problem("bad_string", field, { value, min: 0, max: 256 }));
}

function id(problems: Problem[], field: string, value: string): void {
  if (value === "") problems.push(problem("required", field, { mend: "send 1 to 63 characters of a-z, 0-9 and -" }));
  else if (!isBareId(value)) problems.push(problem("bad_id", field, { value }));
}

function email(problems: Problem[], value: string | undefined): void {
  if (value === undefined || value === "" || (isPlainText(value) && EMAIL.test(value))) return;
  problems.push(problem("wrong_type", "email", { value, allowed: "an e-mail address of at most 256 characters" }));
}

function count(problems: Problem[], field: string, value: number | undefined, range: readonly [number, number]): void {
  if (value === undefined || (Number.isInteger(value) && value >= range[0] && value <= range[1])) return;
  problems.push(problem("wrong_type", field, { value, allowed: `a whole number from ${range[0]} to ${range[1]}` }));
}

function tags(problems: Problem[], field: string, value: Readonly<Record<string, unknown>> | undefined): void {
  if (value) problems.push(...checkAnnotations(value, field).problems);
}

export function accountProblems(ask: NewAccount): Problem[] {
  const problems: Problem[] = [];
  id(problems, "accountId", ask.id);
  return [...problems, ...accountPatchProblems(ask)];
}

export function accountPatchProblems(patch: AccountPatch): Problem[] {
  const problems: Problem[] = [];
  text(problems, "displayName", patch.displayName);
  email(problems, patch.email);
  const { timezone } = patch;
  if (timezone !== undefined && parseZone(timezone) === undefined) {
    problems.push(problem("bad_zone", "timezone", { value: timezone }));
  }
  return problems;
}

export const BUDGETS_MAX = 200;

/** A part that was no number or scope at all is undefined here: the caller has reported it. */
export function budgetProblems(ask: { readonly id?: string; readonly monthlyUsd: bigint | undefined }): Problem[] {
  const problems: Problem[] = [];
  if (ask.id !== undefined) id(problems, "name", ask.id);
  const { monthlyUsd } = ask;
  if (monthlyUsd !== undefined && (monthlyUsd < 0n || monthlyUsd > THRESHOLD_USD_MAX)) {
    const allowed = `whole dollars from 0 to ${THRESHOLD_USD_MAX}`;
    problems.push(problem("wrong_type", "monthlyUsd", { value: `${monthlyUsd}`, allowed }));
  }
  return problems;
}

const SECRET = /^[\x21-\x7e]{16,256}$/;

export function webhookProblems({ webhookUrl, webhookSecret }: NotificationPatch): Problem[] {
  const problems: Problem[] = [];
  const url = webhookUrl ? URL.parse(webhookUrl) : undefined;
  if (webhookUrl && (!url || !/^https?:$/.test(url.protocol) || webhookUrl.length > 1024)) {
    const reason = "it must be an http or https address of at most 1,024 characters";
    problems.push(problem("bad_webhook", "webhookUrl", { value: webhookUrl, reason }));
  } else if (url && (url.username !== "" || url.password !== "" || url.hash !== "")) {
    // The value may hold a password.
    const reason = "it must have no user, password or fragment";
    problems.push(problem("bad_webhook", "webhookUrl", { value: url.origin, reason }));
  }
  if (webhookSecret !== undefined && !SECRET.test(webhookSecret)) {
    // The secret is none of a log's business, so the sentence shows its length only.
    const facts = {
      value: `${webhookSecret.length} characters`,
      reason: "it must be 16 to 256 visible ASCII characters",
    };
    problems.push(problem("bad_webhook", "webhookSecret", facts));
  }
  return problems;
}

export function userProblems(ask: NewUser): Problem[] {
  const problems: Problem[] = [];
  id(problems, "userId", ask.id);
  text(problems, "displayName", ask.displayName);
  email(problems, ask.email);
  if (ask.role !== undefined && !ROLES.includes(ask.role)) {
    problems.push(problem("not_allowed", "role", { value: ask.role, allowed: ROLES }));
  }
  return problems;
}

export function keyProblems(ask: NewApiKey, now: Instant): Problem[] {
  const problems: Problem[] = [];
  text(problems, "apiKey.displayName", ask.displayName);
  if (!ROLES.includes(ask.role)) {
    problems.push(problem("not_allowed", "apiKey.role", { value: ask.role, allowed: ROLES }));
  }
  if (ask.expireTime !== undefined && !(ask.expireTime > now)) {
    const facts = { value: formatInstant(ask.expireTime), earliest: formatInstant(now) };
    problems.push(problem("time_before", "apiKey.expireTime", facts));
  }
  tags(problems, "apiKey.annotations", ask.annotations);
  return problems;
}

export function attributeProblems(ask: DeploymentPatch): Problem[] {
  const problems: Problem[] = [];
  text(problems, "displayName", ask.displayName);
  text(problems, "baseModel", ask.baseModel);
  const { acceleratorType, placement } = ask;
  if (acceleratorType !== undefined && !(ACCELERATOR_TYPES as readonly string[]).includes(acceleratorType)) {
    problems.push(problem("not_allowed", "acceleratorType", { value: acceleratorType, allowed: ACCELERATOR_TYPES }));
  }
  count(problems, "acceleratorCount", ask.acceleratorCount, [1, ACCELERATOR_COUNT_MAX]);
  if (placement !== undefined && !PLACEMENT.test(placement)) {
    const allowed = "at most 64 characters of A-Z, 0-9 and _, such as US, GLOBAL or US_IOWA_1";
    problems.push(problem("wrong_type", "placement", { value: placement, allowed }));
  }
  tags(problems, "annotations", ask.annotations);
  return problems;
}

export function deploymentProblems(ask: NewDeployment): Problem[] {
  const problems: Problem[] = [];
  id(problems, "deploymentId", ask.id);
  problems.push(...attributeProblems(ask));
  count(problems, "replicaCount", ask.replicaCount, [0, REPLICA_COUNT_MAX]);
  return problems;
}

export function scaleProblems(ask: Scale, now: Instant): Problem[] {
  const problems: Problem[] = [];
  count(problems, "replicaCount", ask.replicaCount, [0, REPLICA_COUNT_MAX]);
  const latest = now + EVENT_TIME_AHEAD_MAX_MS;
  if (ask.time !== undefined && !(ask.time >= EVENT_TIME_MIN && ask.time <= latest)) {
    const facts = { value: formatInstant(ask.time), latest: formatInstant(latest) };
    problems.push(problem("time_out_of_bounds", "time", facts));
  }
  return problems;
}

export function quotaProblems(patch: QuotaPatch): Problem[] {
  const allowed = `a whole number from 0 to ${INT64_MAX}`;
  return Object.entries(patch).flatMap(([field, value]: [string, bigint | undefined]) =>
    value === undefined || (value >= 0n && value <= INT64_MAX)
      ? []
      : [problem("wrong_type", field, { value: `${value}`, allowed })],
  );
}

/** A threshold that was no number at all is undefined here: the caller has reported it. */
export function thresholdProblems(thresholds: readonly (bigint | undefined)[]): Problem[] {
  const field = "monthlySpendUsdThresholds";
  if (thresholds.length > THRESHOLDS_MAX) {
    return [problem("too_many", field, { count: thresholds.length, max: THRESHOLDS_MAX })];
  }
  return thresholds.flatMap((value, at) => {
    const before = thresholds[at - 1];
    let allowed: string | undefined;
    if (value === undefined) return [];
    if (value < 1n || value > THRESHOLD_USD_MAX) allowed = `whole dollars from 1 to ${THRESHOLD_USD_MAX}`;
    else if (before !== undefined && value <= before) allowed = `more than the threshold before it, ${before}`;
    return allowed === undefined ? [] : [problem("wrong_type", `${field}.${at}`, { value: `${value}`, allowed })];
  });
}

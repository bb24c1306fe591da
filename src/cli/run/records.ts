/** Keys, accounts, quotas and deployments: one request each, and its answer. */

import { formatInstant } from "../../domain/time.ts";
import { digitsOf } from "../../render/usage-answer.ts";
import { grouped } from "../../render/usage-text.ts";
import { type Context, lastSegment, pathPart } from "../context.ts";
import { quoted, wrongWords } from "../refusal.ts";
import { type ShownField, showList, showOne, tagsText, timeText } from "../show.ts";
import { readTime } from "../time.ts";

// API keys

interface ApiKey {
  readonly keyId: string;
  readonly displayName?: string;
  readonly key?: string;
  readonly prefix?: string;
  readonly createTime?: string;
  readonly expireTime?: string;
  readonly lastUsed?: string;
  readonly email?: string;
  readonly role?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface CreateKeyFlags {
  readonly keyName?: string;
  readonly name?: string;
  readonly serviceAccount?: string;
  readonly expireTime?: string;
  readonly annotations?: readonly string[];
  readonly role?: string;
}

export async function createApiKey(context: Context, flags: CreateKeyFlags): Promise<void> {
  const { keyName, name, serviceAccount = "-", expireTime, annotations, role } = flags;
  if (keyName !== undefined && name !== undefined && keyName !== name) {
    throw wrongWords(`--name: ${quoted(name)} is not --key-name ${quoted(keyName)}; give the name once`);
  }
  const displayName = keyName ?? name;
  const apiKey = {
    ...(displayName !== undefined && { displayName }),
    ...(expireTime !== undefined && { expireTime: formatInstant(readTime(expireTime, "--expire-time", "UTC")) }),
    ...(annotations && { annotations: readTags(annotations) }),
    ...(role !== undefined && { role: role.toUpperCase() }),
  };
  const path = await context.path(`/users/${pathPart(lastSegment(serviceAccount))}/apiKeys`);
  const made = await context.call({ method: "POST", path, body: { apiKey } });
  if (made === undefined) return;
  showOne<ApiKey>(context, made, (key) => ({ ...keyFields(key), key: key.key ?? "" }));
  if (context.output === "text") context.say("keep the key now: it is not shown again");
}

function keyFields(key: ApiKey): Record<string, string> {
  return {
    id: key.keyId,
    name: key.displayName ?? "",
    role: key.role ?? "",
    email: key.email ?? "",
    annotations: tagsText(key.annotations),
    created: timeText(key.createTime),
    expires: timeText(key.expireTime),
  };
}

const KEY_COLUMNS: readonly ShownField<ApiKey>[] = [
  { title: "ID", of: ({ keyId }) => keyId },
  { title: "NAME", shortens: true, of: ({ displayName = "" }) => displayName },
  { title: "PREFIX", of: ({ prefix = "" }) => prefix },
  { title: "ROLE", of: ({ role = "" }) => role },
  { title: "EMAIL", shortens: true, of: ({ email = "" }) => email },
  { title: "CREATED", of: ({ createTime }) => timeText(createTime) },
  { title: "EXPIRES", of: ({ expireTime }) => timeText(expireTime) || "never" },
  { title: "LAST USED", of: ({ lastUsed }) => timeText(lastUsed) || "never" },
];

export async function listApiKeys(context: Context): Promise<void> {
  const records = await context.list(await context.path("/users/-/apiKeys"), "apiKeys");
  if (records) showList(context, { name: "apiKeys", records }, KEY_COLUMNS);
}

export async function deleteApiKey(context: Context, _: object, [keyId = ""]: readonly string[]): Promise<void> {
  const path = await context.path("/users/-/apiKeys:delete");
  const gone = await context.call({ method: "POST", path, body: { keyId } });
  if (gone !== undefined) showOne(context, gone, () => ({ revoked: keyId }));
}

export function readTags(list: readonly string[], flag = "--annotations"): Record<string, string> {
  const pairs = list.map((text) => {
    const at = text.indexOf("=");
    if (at < 1) throw wrongWords(`${flag}: ${quoted(text)} is not tag=value; use one such as team=search`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

// Accounts

interface Account {
  readonly name: string;
  readonly displayName?: string;
  readonly email?: string;
  readonly state?: string;
  readonly suspendState?: string;
  readonly timezone?: string;
  readonly createTime?: string;
}

const ACCOUNT_COLUMNS: readonly ShownField<Account>[] = [
  { title: "ID", of: ({ name }) => lastSegment(name) },
  { title: "NAME", shortens: true, of: ({ displayName = "" }) => displayName },
  { title: "EMAIL", shortens: true, of: ({ email = "" }) => email },
  { title: "STATE", of: ({ suspendState = "" }) => suspendState },
  { title: "CREATED", of: ({ createTime }) => timeText(createTime) },
];

export async function listAccounts(context: Context): Promise<void> {
  const records = await context.list("/v1/accounts", "accounts");
  if (records) showList(context, { name: "accounts", records }, ACCOUNT_COLUMNS);
}

export async function getAccount(context: Context, _: object, [id]: readonly string[]): Promise<void> {
  const path = id === undefined ? await context.path("") : `/v1/accounts/${pathPart(lastSegment(id))}`;
  const account = await context.call({ method: "GET", path });
  if (account === undefined) return;
  showOne<Account>(context, account, accountFields);
}

function accountFields(account: Account): Record<string, string> {
  const { name, displayName = "", email = "", suspendState = "", timezone = "", createTime } = account;
  return {
    id: lastSegment(name),
    name: displayName,
    email,
    state: suspendState,
    timezone,
    created: timeText(createTime),
  };
}

export async function updateAccount(context: Context, { timezone }: { readonly timezone: string }): Promise<void> {
  const account = await context.call({ method: "PATCH", path: await context.path(""), body: { timezone } });
  if (account !== undefined) showOne(context, account, accountFields);
}

// Quotas

interface Quota {
  readonly name: string;
  readonly value?: string;
  readonly maxValue?: string;
  readonly usage?: unknown;
  readonly updateTime?: string;
}

/** The largest int64 stands for no limit. */
const UNLIMITED = "9223372036854775807";

function number(value: unknown): string {
  const digits = digitsOf(value) ?? "";
  return digits === UNLIMITED ? "unlimited" : grouped(digits);
}

const QUOTA_COLUMNS: readonly ShownField<Quota>[] = [
  { title: "ID", of: ({ name }) => lastSegment(name) },
  { title: "VALUE", align: "right", of: ({ value }) => number(value) },
  { title: "MAX VALUE", align: "right", of: ({ maxValue }) => number(maxValue) },
  { title: "USAGE", align: "right", of: ({ usage }) => number(usage) },
  { title: "UPDATED", of: ({ updateTime }) => timeText(updateTime) },
];

function quotaFields({ name, value, maxValue, usage, updateTime }: Quota): Record<string, string> {
  return {
    id: lastSegment(name),
    value: number(value),
    "max value": number(maxValue),
    usage: number(usage),
    updated: timeText(updateTime),
  };
}

export async function listQuotas(context: Context): Promise<void> {
  const records = await context.list(await context.path("/quotas"), "quotas");
  if (records) showList(context, { name: "quotas", records }, QUOTA_COLUMNS);
}

export async function getQuota(context: Context, _: object, [id = ""]: readonly string[]): Promise<void> {
  const quota = await context.call({ method: "GET", path: await context.path(`/quotas/${pathPart(lastSegment(id))}`) });
  if (quota !== undefined) showOne(context, quota, quotaFields);
}

export async function updateQuota(
  context: Context,
  { value, maxValue }: { readonly value: string; readonly maxValue?: string },
  [id = ""]: readonly string[],
): Promise<void> {
  const body = {
    value: wholeNumber(value, "--value"),
    ...(maxValue !== undefined && { maxValue: wholeNumber(maxValue, "--max-value") }),
  };
  const path = await context.path(`/quotas/${pathPart(lastSegment(id))}`);
  const quota = await context.call({ method: "PATCH", path, body });
  if (quota !== undefined) showOne(context, quota, quotaFields);
}

/** An int64 travels as text. */
export function wholeNumber(text: string, flag: string): string {
  const digits = text.replaceAll(/[,_]/g, "");
  if (/^\d{1,18}$/.test(digits)) return digits;
  throw wrongWords(`${flag}: ${quoted(text)} is not a whole number; use digits only`);
}

// Deployments

interface Deployment {
  readonly name: string;
  readonly displayName?: string;
  readonly baseModel?: string;
  readonly acceleratorType?: string;
  readonly acceleratorCount?: number;
  readonly placement?: string;
  readonly state?: string;
  readonly replicaCount?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly createTime?: string;
}

const DEPLOYMENT_COLUMNS: readonly ShownField<Deployment>[] = [
  { title: "ID", of: ({ name }) => lastSegment(name) },
  { title: "MODEL", shortens: true, of: ({ baseModel = "" }) => baseModel },
  { title: "ACCELERATORS", of: acceleratorsText },
  { title: "PLACEMENT", of: ({ placement = "" }) => placement },
  { title: "REPLICAS", align: "right", of: ({ replicaCount = 0 }) => String(replicaCount) },
  { title: "ANNOTATIONS", shortens: true, of: ({ annotations }) => tagsText(annotations) },
];

function acceleratorsText({ acceleratorCount = 1, acceleratorType = "" }: Deployment): string {
  return acceleratorType && `${acceleratorCount} x ${acceleratorType}`;
}

function deploymentFields(deployment: Deployment): Record<string, string> {
  const { name, displayName = "", baseModel = "", placement = "", state = "", replicaCount = 0 } = deployment;
  return {
    id: lastSegment(name),
    name: displayName,
    model: baseModel,
    accelerators: acceleratorsText(deployment),
    placement,
    state,
    replicas: String(replicaCount),
    annotations: tagsText(deployment.annotations),
    created: timeText(deployment.createTime),
  };
}

async function deploymentPath(context: Context, id = ""): Promise<string> {
  return context.path(`/deployments/${pathPart(lastSegment(id))}`);
}

interface CreateDeploymentFlags {
  readonly deploymentId: string;
  readonly acceleratorType: string;
  readonly acceleratorCount?: string;
  readonly replicaCount?: string;
  readonly region?: string;
  readonly displayName?: string;
  readonly annotations?: readonly string[];
}

export async function createDeployment(
  context: Context,
  flags: CreateDeploymentFlags,
  [baseModel]: readonly string[],
): Promise<void> {
  const { deploymentId, acceleratorType, acceleratorCount, replicaCount, region, displayName, annotations } = flags;
  const body = {
    ...(displayName !== undefined && { displayName }),
    ...(baseModel !== undefined && { baseModel }),
    acceleratorType,
    ...(acceleratorCount !== undefined && { acceleratorCount: count(acceleratorCount, "--accelerator-count") }),
    ...(region !== undefined && { placement: region }),
    ...(annotations && { annotations: readTags(annotations) }),
    ...(replicaCount !== undefined && { replicaCount: count(replicaCount, "--replica-count") }),
  };
  const path = await context.path(`/deployments?deploymentId=${encodeURIComponent(deploymentId)}`);
  const made = await context.call({ method: "POST", path, body });
  if (made !== undefined) showOne(context, made, deploymentFields);
}

export async function listDeployments(context: Context): Promise<void> {
  const records = await context.list(await context.path("/deployments"), "deployments");
  if (records) showList(context, { name: "deployments", records }, DEPLOYMENT_COLUMNS);
}

export async function getDeployment(context: Context, _: object, [id]: readonly string[]): Promise<void> {
  const deployment = await context.call({ method: "GET", path: await deploymentPath(context, id) });
  if (deployment !== undefined) showOne(context, deployment, deploymentFields);
}

export async function scaleDeployment(
  context: Context,
  { replicaCount, time }: { readonly replicaCount: string; readonly time?: string },
  [id]: readonly string[],
): Promise<void> {
  const body = {
    replicaCount: count(replicaCount, "--replica-count"),
    ...(time !== undefined && { time: formatInstant(readTime(time, "--time", "UTC")) }),
  };
  const deployment = await context.call({ method: "POST", path: `${await deploymentPath(context, id)}:scale`, body });
  if (deployment !== undefined) showOne(context, deployment, deploymentFields);
}

export async function deleteDeployment(context: Context, _: object, [id = ""]: readonly string[]): Promise<void> {
  const gone = await context.call({ method: "DELETE", path: await deploymentPath(context, id) });
  if (gone !== undefined) showOne(context, gone, () => ({ deleted: lastSegment(id) }));
}

function count(text: string, flag: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw wrongWords(`${flag}: ${quoted(text)} is not a whole number; use digits only`);
}

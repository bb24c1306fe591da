/** Keys and deployments, changed in the service and in the oracle alike. */

import type { Random } from "../random.ts";
import type { Attributes, Deployment } from "./oracle.ts";
import { ACCELERATORS, MODELS, PLACEMENTS } from "./price-list.ts";
import type { Asked } from "./questions.ts";

const DAY = 86_400_000;
export const USERS = ["ada", "bob"];
/** Deployments of an account, deleted ones included; each is walked slot by slot in every answer. */
const DEPLOYMENTS_MAX = 3;

export async function makeKey(random: Random, { service, oracle, account, note }: Asked): Promise<void> {
  const user = random.pick(USERS);
  const name = random.pick(["prod", "dev"]);
  const tags = Object.fromEntries(
    random.some(["team", "project"], 0.5).map((tag) => [tag, random.pick(["core", "ads"])]),
  );
  note(`key ${account} ${user} ${name} ${JSON.stringify(tags)}`);
  const ask = { displayName: name, role: "USER", annotations: tags } as const;
  const { apiKey } = await service.accounts.createKey(account, user, ask);
  oracle.keys.push({ account, user, keyId: apiKey.keyId, name, tags });
}

/** A revoked key's usage may come late, and its facts stay. */
export async function revokeKey(random: Random, { service, oracle, note }: Asked): Promise<void> {
  if (oracle.keys.length === 0) return;
  const { account, keyId } = random.pick(oracle.keys);
  if (!(await service.accounts.findKey(account, keyId))) return;
  note(`revoke a key of ${account}`);
  await service.accounts.revokeKey(account, keyId);
}

export async function changeDeployment(random: Random, asked: Asked): Promise<void> {
  const { oracle, account } = asked;
  const all = oracle.deployments.filter((one) => one.account === account);
  const live = all.filter(({ deleteTime }) => deleteTime === undefined);
  if (live.length === 0 || (all.length < DEPLOYMENTS_MAX && random.chance(0.4))) {
    if (all.length < DEPLOYMENTS_MAX) await makeDeployment(random, `d-${all.length + 1}`, asked);
    return;
  }
  const deployment = random.pick(live);
  const doing = random.weighted<() => Promise<void>>([
    [6, () => scale(random, deployment, asked)],
    [3, () => patch(random, deployment, asked)],
    [1, () => end(deployment, asked)],
  ]);
  await doing();
}

function drawAttributes(random: Random): Attributes {
  return {
    baseModel: random.pick(MODELS),
    acceleratorType: random.pick(ACCELERATORS),
    acceleratorCount: random.int(1, 8),
    placement: random.pick(PLACEMENTS),
    tags: random.chance(0.5) ? { team: random.pick(["core", "search"]) } : {},
  };
}

async function makeDeployment(random: Random, id: string, asked: Asked): Promise<void> {
  const { service, oracle, account, now, note } = asked;
  const attributes = drawAttributes(random);
  const replicaCount = random.chance(0.7) ? random.int(0, 4) : undefined;
  note(`deployment ${account} ${id} ${JSON.stringify({ ...attributes, replicaCount })}`);
  const { tags, ...ask } = attributes;
  await service.accounts.createDeployment(account, { id, ...ask, annotations: tags, replicaCount });
  const replicas = new Map(replicaCount === undefined ? [] : [[now, replicaCount]]);
  const begun = { time: now, attributes };
  oracle.deployments.push({ account, id, replicas, attributes: [begun], deleteTime: undefined });
}

async function scale(random: Random, { account, id, replicas }: Deployment, asked: Asked): Promise<void> {
  const { service, now, note } = asked;
  const time = random.pick([undefined, now - random.int(0, 5 * DAY), now + random.int(0, DAY)]);
  const replicaCount = random.int(0, 5);
  note(`scale ${account} ${id} to ${replicaCount} at ${time ?? "once"}`);
  await service.accounts.scaleDeployment(account, id, { replicaCount, time });
  replicas.set(time ?? now, replicaCount);
}

async function patch(random: Random, { account, id, attributes }: Deployment, asked: Asked): Promise<void> {
  const { service, now, note } = asked;
  const { tags, ...drawn } = drawAttributes(random);
  const names = random.some(Object.keys(drawn) as (keyof typeof drawn)[], 0.5);
  const changed = Object.fromEntries(names.map((name) => [name, drawn[name]]));
  const retagged = random.chance(0.3) ? { annotations: tags } : {};
  note(`patch ${account} ${id} ${JSON.stringify({ ...changed, ...retagged })}`);
  await service.accounts.patchDeployment(account, id, { ...changed, ...retagged });
  if (names.length === 0 && !("annotations" in retagged)) return;
  const last = attributes.at(-1)!;
  const time = Math.max(now, last.time);
  if (last.time === time) attributes.pop();
  const held = { ...last.attributes, ...changed, ...("annotations" in retagged ? { tags } : {}) };
  attributes.push({ time, attributes: held });
}

async function end(deployment: Deployment, { service, now, note }: Asked): Promise<void> {
  note(`delete ${deployment.account} ${deployment.id}`);
  await service.accounts.deleteDeployment(deployment.account, deployment.id);
  deployment.deleteTime = now;
}

/** Deployments and their two timelines: how many replicas ran, and with which attributes, from when on. */

import { type Annotations, checkAnnotations } from "../domain/annotations.ts";
import { Fault, problem, refuseIfAny } from "../domain/fault.ts";
import type { Instant } from "../domain/time.ts";
import { attributeProblems, deploymentProblems, scaleProblems } from "./checks.ts";
import { type Page, type PageAsk, readPage } from "./paging.ts";
import type {
  AttributeChange,
  Deployment,
  DeploymentAttributes,
  DeploymentFacts,
  DeploymentPatch,
  NewDeployment,
  ReplicaChange,
  Scale,
} from "./records.ts";
import { chunks, type DeploymentsTable, type Store } from "./tables.ts";
import { writing } from "./writing.ts";

const ATTRIBUTES = ["baseModel", "acceleratorType", "acceleratorCount", "placement", "annotations"] as const;

/** The attributes as columns, annotations in JSON. */
function attributeColumns(from: Pick<NewDeployment, (typeof ATTRIBUTES)[number]>) {
  return {
    baseModel: from.baseModel ?? "",
    acceleratorType: from.acceleratorType,
    acceleratorCount: from.acceleratorCount ?? 1,
    placement: from.placement ?? "",
    annotations: JSON.stringify(checkAnnotations(from.annotations ?? {}, "").kept),
  };
}

function withAnnotations<T extends { annotations: string }>(
  row: T,
): Omit<T, "annotations"> & { annotations: Annotations } {
  return { ...row, annotations: JSON.parse(row.annotations) as Annotations };
}

export async function createDeployment(store: Store, account: string, ask: NewDeployment): Promise<Deployment> {
  refuseIfAny(deploymentProblems(ask));
  return writing(store, [account], async (inside) => {
    const { database } = inside;
    const known = await findRow(inside, account, ask.id);
    if (known) {
      const code = known.deleteTime === null ? "already_exists" : "id_retired";
      throw new Fault(problem(code, "deploymentId", { value: ask.id }));
    }
    const now = store.now();
    const attributes = attributeColumns(ask);
    await database
      .insertInto("deployments")
      .values({
        account,
        id: ask.id,
        displayName: ask.displayName ?? "",
        ...attributes,
        createTime: now,
        updateTime: now,
        deleteTime: null,
      })
      .execute();
    await database
      .insertInto("attributeChanges")
      .values({ account, deployment: ask.id, time: now, ...attributes })
      .execute();
    if (ask.replicaCount !== undefined) {
      await writeReplicas(inside, { account, id: ask.id }, { time: now, replicaCount: ask.replicaCount });
    }
    return getDeployment(inside, account, ask.id);
  });
}

async function findRow(store: Store, account: string, id: string): Promise<DeploymentsTable | undefined> {
  return store.database
    .selectFrom("deployments")
    .selectAll()
    .where("account", "=", account)
    .where("id", "=", id)
    .executeTakeFirst();
}

function notFound(id: string): Fault {
  return new Fault(problem("not_found", "deployment", { value: id }));
}

async function liveRow(store: Store, account: string, id: string): Promise<DeploymentsTable> {
  const row = await findRow(store, account, id);
  if (row?.deleteTime !== null) throw notFound(id);
  return row;
}

export async function getDeployment(store: Store, account: string, id: string): Promise<Deployment> {
  const [deployment] = await withTimelines(store, account, [await liveRow(store, account, id)]);
  return deployment!;
}

export async function listDeployments(store: Store, account: string, ask: PageAsk): Promise<Page<Deployment>> {
  const live = store.database.selectFrom("deployments").where("account", "=", account).where("deleteTime", "is", null);
  const page = await readPage(ask, {
    read: (after, limit) => live.selectAll().where("id", ">", after).orderBy("id").limit(limit).execute(),
    count: async () => (await live.select((all) => all.fn.countAll<number>().as("n")).executeTakeFirstOrThrow()).n,
    keyOf: (row) => row.id,
  });
  return { ...page, items: await withTimelines(store, account, page.items) };
}

/** Adds the timelines. */
async function withTimelines(store: Store, account: string, rows: readonly DeploymentsTable[]): Promise<Deployment[]> {
  const replicas = new Map<string, ReplicaChange[]>(rows.map((row) => [row.id, []]));
  const attributes = new Map<string, AttributeChange[]>(rows.map((row) => [row.id, []]));
  for (const ids of chunks(rows.map((row) => row.id))) {
    const counts = await store.database
      .selectFrom("replicaChanges")
      .select(["deployment", "time", "replicaCount"])
      .where("account", "=", account)
      .where("deployment", "in", ids)
      .orderBy("time")
      .execute();
    for (const { deployment, time, replicaCount } of counts) replicas.get(deployment)!.push({ time, replicaCount });
    const changes = await store.database
      .selectFrom("attributeChanges")
      .select(["deployment", "time", ...ATTRIBUTES])
      .where("account", "=", account)
      .where("deployment", "in", ids)
      .orderBy("time")
      .execute();
    for (const { deployment, ...change } of changes) attributes.get(deployment)!.push(withAnnotations(change));
  }
  return rows.map((row) => {
    const { deleteTime, ...same } = withAnnotations(row);
    return {
      ...same,
      ...(deleteTime === null ? {} : { deleteTime }),
      replicaChanges: replicas.get(row.id)!,
      attributeChanges: attributes.get(row.id)!,
    };
  });
}

/** Changes what is named, from now on. */
export async function patchDeployment(
  store: Store,
  name: { account: string; id: string },
  patch: DeploymentPatch,
): Promise<Deployment> {
  refuseIfAny(attributeProblems(patch));
  const { account, id } = name;
  return writing(store, [account], async (inside) => {
    const { database } = inside;
    const before = await getDeployment(inside, account, id);
    const old: DeploymentAttributes = before;
    const columns = attributeColumns({
      baseModel: patch.baseModel ?? old.baseModel,
      acceleratorType: patch.acceleratorType ?? old.acceleratorType,
      acceleratorCount: patch.acceleratorCount ?? old.acceleratorCount,
      placement: patch.placement ?? old.placement,
      annotations: patch.annotations ?? old.annotations,
    });
    const now = store.now();
    await database
      .updateTable("deployments")
      .set({ displayName: patch.displayName ?? before.displayName, ...columns, updateTime: now })
      .where("account", "=", account)
      .where("id", "=", id)
      .execute();
    if (patchesAttributes(patch)) {
      // A clock that was set back must not slip the change in before an earlier one, where it would not hold.
      const time = Math.max(now, before.attributeChanges.at(-1)?.time ?? now);
      await database
        .insertInto("attributeChanges")
        .values({ account, deployment: id, time, ...columns })
        .onConflict((conflict) => conflict.columns(["account", "deployment", "time"]).doUpdateSet(columns))
        .execute();
    }
    return getDeployment(inside, account, id);
  });
}

function patchesAttributes(patch: DeploymentPatch): boolean {
  return ATTRIBUTES.some((name) => patch[name] !== undefined);
}

/** Ends the deployment's usage now. Its id stays taken, and its past usage stays. */
export async function deleteDeployment(store: Store, account: string, id: string): Promise<void> {
  const outcome = await writing(store, [account], ({ database }) => {
    const now = store.now();
    return database
      .updateTable("deployments")
      .set({ deleteTime: now, updateTime: now })
      .where("account", "=", account)
      .where("id", "=", id)
      .where("deleteTime", "is", null)
      .executeTakeFirst();
  });
  if (outcome.numUpdatedRows === 0n) throw notFound(id);
}

export async function scaleDeployment(
  store: Store,
  name: { account: string; id: string },
  scale: Scale,
): Promise<Deployment> {
  const { account, id } = name;
  refuseIfAny(scaleProblems(scale, store.now()));
  return writing(store, [account], async (inside) => {
    const now = store.now();
    await liveRow(inside, account, id);
    await writeReplicas(inside, name, { time: scale.time ?? now, replicaCount: scale.replicaCount });
    await inside.database
      .updateTable("deployments")
      .set({ updateTime: now })
      .where("account", "=", account)
      .where("id", "=", id)
      .execute();
    return getDeployment(inside, account, id);
  });
}

async function writeReplicas(
  store: Store,
  name: { account: string; id: string },
  change: ReplicaChange,
): Promise<void> {
  const { replicaCount } = change;
  await store.database
    .insertInto("replicaChanges")
    .values({ account: name.account, deployment: name.id, ...change })
    .onConflict((conflict) => conflict.columns(["account", "deployment", "time"]).doUpdateSet({ replicaCount }))
    .execute();
}

/** All deployments of the account, deleted ones included. */
export async function deploymentsForUsage(store: Store, account: string): Promise<Deployment[]> {
  const rows = await store.database
    .selectFrom("deployments")
    .selectAll()
    .where("account", "=", account)
    .orderBy("id")
    .execute();
  return withTimelines(store, account, rows);
}

/**
 * What these deployments add to usage, deleted ones included, since usage may come late. A name is bare or full
 * (`accounts/{account}/deployments/{id}`); the facts come under the name as it was asked. Unknown names are left out.
 */
export async function deploymentFacts(
  store: Store,
  account: string,
  names: readonly string[],
): Promise<Map<string, DeploymentFacts>> {
  const prefix = `accounts/${account}/deployments/`;
  const namesOfId = new Map<string, string[]>();
  for (const name of names) {
    const id = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    namesOfId.set(id, [...(namesOfId.get(id) ?? []), name]);
  }
  const facts = new Map<string, DeploymentFacts>();
  for (const ids of chunks([...namesOfId.keys()])) {
    const rows = await store.database
      .selectFrom("deployments")
      .select(["id", "baseModel", "acceleratorType", "placement", "annotations"])
      .where("account", "=", account)
      .where("id", "in", ids)
      .execute();
    for (const { id, ...row } of rows) {
      for (const name of namesOfId.get(id)!) facts.set(name, withAnnotations(row));
    }
  }
  return facts;
}

/** The number of replicas that run at an instant. */
export function replicasAt(changes: readonly ReplicaChange[], time: Instant): number {
  return changes.findLast((change) => change.time <= time)?.replicaCount ?? 0;
}

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { type TestStore, testOnEachStore } from "../../test/postgres/stores.ts";
import { Fault } from "../domain/fault.ts";
import { DAY_MS, HOUR_MS, type Instant } from "../domain/time.ts";
import { deploymentUsage } from "./deployment-usage.ts";
import { Accounts } from "./store.ts";

const START = Date.UTC(2026, 4, 28);
const L4 = "NVIDIA_L4_24GB";

async function open(t: TestContext, { place }: TestStore) {
  const clock = { now: START };
  const accounts = await Accounts.open({ place, now: () => clock.now, randomBytes });
  t.after(() => accounts.close());
  await accounts.createAccount({ id: "acme" });
  await accounts.createAccount({ id: "other" });
  return { accounts, clock };
}

async function problemsOf(promise: Promise<unknown>): Promise<string[]> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Fault) return error.problems.map((one) => `${one.code} ${one.field}`);
    throw error;
  }
  return [];
}

/** `type project=hours`, of each row of one deployment over a range. */
async function hours(accounts: Accounts, id: string, range: [Instant, Instant], now: Instant): Promise<string[]> {
  const one = (await accounts.deploymentsForUsage("acme")).find((deployment) => deployment.id === id)!;
  return deploymentUsage(one, range, now).map(
    (row) => `${row.acceleratorType} ${row.annotations.project ?? "-"}=${Number(row.acceleratorMs) / HOUR_MS}`,
  );
}

testOnEachStore("a new deployment has its defaults and no replicas", async (t, store) => {
  const { accounts } = await open(t, store);
  const made = await accounts.createDeployment("acme", { id: "chat", acceleratorType: L4 });
  const attributes = { baseModel: "", acceleratorType: L4, acceleratorCount: 1, placement: "", annotations: {} };
  assert.deepEqual(made, {
    account: "acme",
    id: "chat",
    displayName: "",
    ...attributes,
    createTime: START,
    updateTime: START,
    replicaChanges: [],
    attributeChanges: [{ time: START, ...attributes }],
  });
  assert.deepEqual(await accounts.getDeployment("acme", "chat"), made);
  assert.deepEqual(await problemsOf(accounts.getDeployment("other", "chat")), ["not_found deployment"]);
});

testOnEachStore("scaling: now, before, ahead, and again at the same time", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  await accounts.createDeployment("acme", { id: "chat", acceleratorType: L4, replicaCount: 1 });
  clock.now = START + HOUR_MS;
  const scales: [number, Instant | undefined][] = [
    [4, undefined],
    [2, START - DAY_MS],
    [7, START + HOUR_MS + DAY_MS],
    [5, START + HOUR_MS],
    [0, Date.UTC(2000, 0, 1)],
  ];
  for (const [replicaCount, time] of scales) await accounts.scaleDeployment("acme", "chat", { replicaCount, time });
  const { replicaChanges, updateTime } = await accounts.getDeployment("acme", "chat");
  assert.deepEqual(
    replicaChanges.map(({ time, replicaCount }) => [time - START, replicaCount]),
    [
      [Date.UTC(2000, 0, 1) - START, 0],
      [-DAY_MS, 2],
      [0, 1],
      [HOUR_MS, 5],
      [HOUR_MS + DAY_MS, 7],
    ],
  );
  assert.equal(updateTime, START + HOUR_MS);
});

testOnEachStore("a patch counts from now on; past usage keeps what held then", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  const annotations = { project: "a" };
  await accounts.createDeployment("acme", { id: "chat", acceleratorType: L4, replicaCount: 1, annotations });
  clock.now = START + 2 * HOUR_MS;
  const patched = await accounts.patchDeployment("acme", "chat", {
    acceleratorType: "NVIDIA_H100_80GB",
    acceleratorCount: 8,
    annotations: { project: "b" },
  });
  assert.equal(patched.acceleratorCount, 8);
  clock.now = START + 3 * HOUR_MS;
  const range: [Instant, Instant] = [START, START + DAY_MS];
  const before = await hours(accounts, "chat", range, clock.now);
  assert.deepEqual(before, [`${L4} a=2`, "NVIDIA_H100_80GB b=8"]);
  await accounts.patchDeployment("acme", "chat", { displayName: "Chat" });
  assert.equal((await accounts.getDeployment("acme", "chat")).attributeChanges.length, 2, "a name is no attribute");
  await accounts.patchDeployment("acme", "chat", { placement: "US" });
  await accounts.patchDeployment("acme", "chat", { baseModel: "m" });
  const last = await accounts.getDeployment("acme", "chat");
  assert.deepEqual([last.displayName, last.placement, last.baseModel], ["Chat", "US", "m"]);
  assert.equal(last.attributeChanges.length, 3, "two changes of one instant are one");
  clock.now = START + HOUR_MS;
  const back = await accounts.patchDeployment("acme", "chat", { acceleratorCount: 2 });
  assert.deepEqual(back.attributeChanges.at(-1)?.acceleratorCount, 2, "a clock set back does not hide the change");
  assert.deepEqual(await hours(accounts, "chat", range, START + 3 * HOUR_MS), before);
});

testOnEachStore("a deleted deployment keeps its usage and its id, and is not shown", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  const ask = { id: "chat", acceleratorType: L4, replicaCount: 3, annotations: { team: "t" } };
  await accounts.createDeployment("acme", ask);
  assert.deepEqual(await problemsOf(accounts.createDeployment("acme", ask)), ["already_exists deploymentId"]);
  clock.now = START + HOUR_MS;
  assert.deepEqual(await problemsOf(accounts.deleteDeployment("other", "chat")), ["not_found deployment"]);
  await accounts.deleteDeployment("acme", "chat");
  clock.now = START + 5 * HOUR_MS;
  assert.deepEqual(await hours(accounts, "chat", [START, START + DAY_MS], clock.now), [`${L4} -=3`]);
  assert.deepEqual(await accounts.listDeployments("acme", { pageSize: 5 }), { items: [], totalSize: 0 });
  const gone: [() => Promise<unknown>, string][] = [
    [() => accounts.getDeployment("acme", "chat"), "not_found deployment"],
    [() => accounts.deleteDeployment("acme", "chat"), "not_found deployment"],
    [() => accounts.scaleDeployment("acme", "chat", { replicaCount: 1 }), "not_found deployment"],
    [() => accounts.patchDeployment("acme", "chat", { placement: "US" }), "not_found deployment"],
    [() => accounts.createDeployment("acme", ask), "id_retired deploymentId"],
  ];
  for (const [call, problem] of gone) assert.deepEqual(await problemsOf(call()), [problem]);
  const full = "accounts/acme/deployments/chat";
  const facts = await accounts.deploymentFacts("acme", ["chat", full, "accounts/other/deployments/chat", "x"]);
  assert.deepEqual([...facts.keys()], ["chat", full]);
  assert.deepEqual(facts.get(full), { acceleratorType: L4, placement: "", baseModel: "", annotations: { team: "t" } });
  assert.equal((await accounts.deploymentFacts("other", ["chat"])).size, 0);
  await accounts.createDeployment("other", ask);
});

testOnEachStore("lists come in pages, with timelines", async (t, store) => {
  const { accounts } = await open(t, store);
  for (const id of ["b", "a", "c"]) {
    await accounts.createDeployment("acme", { id, acceleratorType: L4, replicaCount: id.charCodeAt(0) });
  }
  const first = await accounts.listDeployments("acme", { pageSize: 2 });
  assert.deepEqual(
    first.items.map((one) => [one.id, one.replicaChanges[0]?.replicaCount]),
    [
      ["a", 97],
      ["b", 98],
    ],
  );
  assert.equal(first.totalSize, 3);
  const second = await accounts.listDeployments("acme", { pageSize: 2, pageToken: first.nextPageToken });
  assert.deepEqual([second.items.map((one) => one.id), second.nextPageToken], [["c"], undefined]);
});

testOnEachStore("what is refused, all problems at once", async (t, store) => {
  const { accounts } = await open(t, store);
  await accounts.createDeployment("acme", { id: "chat", acceleratorType: L4 });
  const bad = {
    acceleratorType: "TPU",
    acceleratorCount: 0,
    placement: "us",
    displayName: "x".repeat(300),
    annotations: { team: "a\u0000", unknown: 5 },
  };
  const fields = [
    "bad_string displayName",
    "not_allowed acceleratorType",
    "wrong_type acceleratorCount",
    "wrong_type placement",
    "bad_annotation_value annotations.team",
  ];
  const cases: [() => Promise<unknown>, string[]][] = [
    [
      () => accounts.createDeployment("acme", { id: "Bad", replicaCount: 10_001, ...bad }),
      ["bad_id deploymentId", ...fields, "wrong_type replicaCount"],
    ],
    [() => accounts.patchDeployment("acme", "chat", bad), fields],
    [() => accounts.patchDeployment("acme", "chat", { acceleratorCount: 1_025 }), ["wrong_type acceleratorCount"]],
    [
      () => accounts.scaleDeployment("acme", "chat", { replicaCount: -1, time: START + DAY_MS + 1 }),
      ["wrong_type replicaCount", "time_out_of_bounds time"],
    ],
    [() => accounts.scaleDeployment("acme", "chat", { replicaCount: 1.5 }), ["wrong_type replicaCount"]],
    [() => accounts.scaleDeployment("acme", "chat", { replicaCount: 1, time: 0 }), ["time_out_of_bounds time"]],
    [() => accounts.createDeployment("nowhere", { id: "d", acceleratorType: L4 }), ["not_found account"]],
  ];
  for (const [call, problems] of cases) assert.deepEqual(await problemsOf(call()), problems);
});

testOnEachStore("what a report counts is as the last write left it, though it is remembered", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  const told = async () =>
    (await accounts.deploymentsForUsage("acme")).map(
      ({ id, replicaChanges, attributeChanges, deleteTime }) =>
        `${id} ${replicaChanges.length} ${attributeChanges.length} ${deleteTime ?? "-"}`,
    );
  assert.deepEqual(await told(), []);
  await accounts.createDeployment("acme", { id: "chat", acceleratorType: L4 });
  assert.deepEqual(await told(), ["chat 0 1 -"]);
  await accounts.scaleDeployment("acme", "chat", { replicaCount: 2 });
  assert.deepEqual(await told(), ["chat 1 1 -"]);
  clock.now += HOUR_MS;
  await accounts.patchDeployment("acme", "chat", { placement: "GLOBAL" });
  assert.deepEqual(await told(), ["chat 1 2 -"]);
  await accounts.deleteDeployment("acme", "chat");
  assert.deepEqual(await told(), [`chat 1 2 ${clock.now}`]);
});

/** Several Daybook processes on one PostgreSQL: stores that share nothing but the database, and real processes. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import fc from "fast-check";
import { run } from "../../test/postgres/cluster.ts";
import { sqliteStore, type TestStore, testOnPostgres } from "../../test/postgres/stores.ts";
import { until } from "../../test/until.ts";
import { Fault } from "../domain/fault.ts";
import { Accounts } from "./store.ts";
import { FRESH_MS } from "./watch.ts";

const START = Date.UTC(2026, 4, 28);
const ALL = { pageSize: 200 };
const STORES = 4;
const RUNS = Number(process.env.DAYBOOK_LAW_RUNS ?? 30);
const L4 = "NVIDIA_L4_24GB";

/** As many stores as there would be processes, with one clock, which stands until it is set. */
async function several(t: TestContext, { place }: TestStore) {
  const clock = { now: START };
  const stores: Accounts[] = [];
  for (let at = 0; at < STORES; at += 1) {
    stores.push(await Accounts.open({ place, now: () => clock.now, randomBytes }));
  }
  t.after(() => Promise.all(stores.map((store) => store.close())));
  return { stores, clock };
}

/** What came of each call: "ok", or the code of the refusal. */
async function outcomes(calls: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(calls);
  return settled.map((one) => {
    if (one.status === "fulfilled") return "ok";
    if (one.reason instanceof Fault) return one.reason.problems[0].code;
    throw one.reason;
  });
}

/** The call made `times` times by each store, all at once. */
function byAll<T>(stores: readonly Accounts[], times: number, call: (store: Accounts) => Promise<T>): Promise<T>[] {
  return Array.from({ length: times }, () => stores.map(call)).flat();
}

testOnPostgres(
  "of processes that start at once on an empty database one makes the account and the book",
  async (_t, store) => {
    const place = store.place as { url: string };
    const starter = join(import.meta.dirname, "../../test/postgres/starter.ts");
    const starting = Array.from({ length: 3 }, () => promisify(execFile)(process.execPath, [starter, place.url]));
    const told = (await Promise.all(starting)).map(
      ({ stdout }) => JSON.parse(stdout) as { key?: string; version: number },
    );
    const made = told.filter(({ key }) => key !== undefined);
    assert.equal(made.length, 1);
    assert.deepEqual(told.map(({ version }) => version), [1, 1, 1], "one text is one version"); // biome-ignore format: a list
    const accounts = await Accounts.open({ ...store, now: Date.now, randomBytes });
    assert.equal((await accounts.authenticate(made[0]!.key!))?.role, "OPERATOR");
    assert.equal((await accounts.listAccounts(undefined, ALL)).totalSize, 1);
    await accounts.close();
  },
);

testOnPostgres("of many that make the same thing at once, in several processes, one does", async (t, store) => {
  const { stores } = await several(t, store);
  const one = (calls: string[], refused: string) => {
    assert.equal(calls.filter((outcome) => outcome === "ok").length, 1);
    assert.deepEqual(new Set(calls), new Set(["ok", refused]));
  };
  const made = await Promise.all(byAll(stores, 3, (accounts) => accounts.bootstrap()));
  assert.equal(made.filter(Boolean).length, 1);
  one(await outcomes(byAll(stores, 3, (accounts) => accounts.createAccount({ id: "acme" }))), "already_exists");
  one(await outcomes(byAll(stores, 3, (accounts) => accounts.createUser("acme", { id: "ann" }))), "already_exists");
  const d = { id: "d", acceleratorType: L4, replicaCount: 1 };
  one(await outcomes(byAll(stores, 3, (accounts) => accounts.createDeployment("acme", d))), "already_exists");
  one(await outcomes(byAll(stores, 3, (accounts) => accounts.deleteDeployment("acme", "d"))), "not_found");
  const again = await outcomes(byAll(stores, 3, (accounts) => accounts.createDeployment("acme", d)));
  assert.deepEqual(new Set(again), new Set(["id_retired"]));
  const budget = { id: "b", scope: { kind: "account" }, monthlyUsd: 1n } as const;
  one(await outcomes(byAll(stores, 3, (accounts) => accounts.createBudget("acme", budget))), "already_exists");
  const { apiKey } = await stores[0]!.createKey("acme", "admin", { role: "USER" });
  one(await outcomes(byAll(stores, 3, (accounts) => accounts.revokeKey("acme", apiKey.keyId))), "not_found");
});

testOnPostgres("the last key that can operate the installation stays, whoever revokes the others", async (t, store) => {
  const { stores } = await several(t, store);
  await stores[0]!.bootstrap();
  const ids: [account: string, keyId: string][] = [];
  for (const id of ["a", "b", "c", "d"]) {
    await stores[0]!.createAccount({ id });
    const { apiKey } = await stores[0]!.createKey(id, "admin", { role: "OPERATOR" });
    ids.push([id, apiKey.keyId]);
  }
  const first = (await stores[0]!.listKeys("default", undefined, ALL)).items[0]!;
  await stores[0]!.revokeKey("default", first.keyId);
  const told = await outcomes(ids.map(([account, keyId], at) => stores[at]!.revokeKey(account, keyId)));
  assert.deepEqual(told.toSorted(), ["last_operator_key", "ok", "ok", "ok"]);
});

testOnPostgres("price books: every put its version, known one after the other, in every process", async (t, store) => {
  const { stores } = await several(t, store);
  const book = (document: string) => ({ account: "", document, entryCount: 1, createdBy: "k" });
  const same = await Promise.all(byAll(stores, 5, (accounts) => accounts.putPriceBook(book("same"))));
  assert.deepEqual(new Set(same.map(({ version }) => version)), new Set([1]));
  const texts = Array.from({ length: 20 }, (_, at) => `${at}`);
  const putting = texts.map((text, at) => stores[at % STORES]!.putPriceBook(book(text)));
  const different = await Promise.all(putting);
  const inOrder = different.toSorted((a, b) => a.version - b.version);
  assert.deepEqual(inOrder.map(({ version, knownFrom }) => [version, knownFrom - START]), inOrder.map((_, at) => [at + 2, at + 1])); // biome-ignore format: a list
  // What one has put the others have at once, though all of them read all the time.
  let reading = true;
  const readers = stores.map(async (accounts) => {
    while (reading) await accounts.priceBookVersions("");
  });
  for (let at = 0; at < 40; at += 1) {
    const { version } = await stores[at % STORES]!.putPriceBook(book(`next ${at}`));
    const seen = await Promise.all(stores.map((accounts) => accounts.priceBookVersions("")));
    assert.deepEqual(seen.map((versions) => versions.at(-1)?.version), stores.map(() => version)); // biome-ignore format: a list
  }
  reading = false;
  await Promise.all(readers);
});

testOnPostgres("what another process wrote is seen when what was read is too old", async (t, store) => {
  const { stores } = await several(t, store);
  const [here, there] = stores as [Accounts, Accounts];
  await here.bootstrap();
  await here.createAccount({ id: "acme" });
  const { apiKey, key } = await here.createKey("acme", "admin", { role: "USER", annotations: { team: "a" } });
  await here.createDeployment("acme", { id: "d", acceleratorType: L4, baseModel: "old" });
  const look = async (accounts: Accounts) => ({
    caller: (await accounts.authenticate(key))?.keyId,
    limit: (await accounts.limits("acme")).requestsPerMinute,
    budgets: (await accounts.limits("acme")).budgets.length,
    names: (await accounts.keyNames("acme")).size,
    model: (await accounts.deploymentFacts("acme", ["d"])).get("d")?.baseModel,
    replicas: (await accounts.deploymentsForUsage("acme"))[0]?.replicaChanges.length,
    later: (await accounts.keyFacts("acme", ["key_later"])).size,
  });
  const before = { caller: apiKey.keyId, limit: undefined, budgets: 0, names: 1, model: "old", replicas: 0, later: 0 };
  for (const accounts of stores) assert.deepEqual(await look(accounts), before);
  await here.revokeKey("acme", apiKey.keyId);
  await here.patchQuota("acme", "serverless-inference-rpm", { value: 7n });
  await here.createBudget("acme", { id: "b", scope: { kind: "account" }, monthlyUsd: 1n });
  await here.createKey("acme", "admin", { role: "USER" });
  await here.patchDeployment("acme", "d", { baseModel: "new" });
  await there.scaleDeployment("acme", "d", { replicaCount: 3 });
  await wait(FRESH_MS + 5);
  const after = { caller: undefined, limit: 7n, budgets: 1, names: 2, model: "new", replicas: 1, later: 0 };
  for (const accounts of stores) assert.deepEqual(await look(accounts), after);
});

testOnPostgres("uses of the same keys are noted by all at once, and none waits for another", async (t, store) => {
  const { stores, clock } = await several(t, store);
  await stores[0]!.createAccount({ id: "acme" });
  const made = await Promise.all(
    Array.from({ length: 30 }, () => stores[0]!.createKey("acme", "admin", { role: "USER" })),
  );
  for (const accounts of stores) for (const { key } of made) await accounts.authenticate(key);
  for (let minute = 1; minute <= 5; minute += 1) {
    clock.now = START + minute * 60_000;
    const orders = stores.map((_, at) => (at % 2 === 0 ? made : made.toReversed()));
    await Promise.all(stores.flatMap((accounts, at) => orders[at]!.map(({ key }) => accounts.authenticate(key))));
    await until("all uses", async () => {
      const { items } = await stores[0]!.listKeys("acme", undefined, ALL);
      return items.every(({ lastUsed }) => lastUsed === clock.now);
    });
  }
  const { url } = store.place as { url: string };
  const { rows } = await run(url, "select deadlocks::int from pg_stat_database where datname = current_database()");
  assert.deepEqual(rows, [{ deadlocks: 0 }]);
});

testOnPostgres("a notice is taken by one process; one that was taken and not told is due again", async (t, store) => {
  const { stores, clock } = await several(t, store);
  await stores[0]!.createAccount({ id: "acme" });
  const notice = (at: number) => ({
    id: `n${at}`,
    account: "acme",
    monthStart: START,
    thresholdUsd: BigInt(at),
    body: "{}",
    tries: 0,
    nextTryTime: START,
  });
  const all = Array.from({ length: 30 }, (_, at) => notice(at + 1));
  for (const one of all) await Promise.all(stores.map(({ notices }) => notices.add(one)));
  const takeAll = async () => (await Promise.all(byAll(stores, 3, ({ notices }) => notices.take(20)))).flat();
  const ids = all.map(({ id }) => id);
  const first = [...(await takeAll()), ...(await takeAll())];
  assert.deepEqual(first.map(({ id }) => id).toSorted(), ids.toSorted());
  for (const one of first.slice(0, 10)) await stores[1]!.notices.tried(one, null);
  assert.deepEqual(await takeAll(), []);
  clock.now += 60_000;
  const left = [...(await takeAll()), ...(await takeAll())].map(({ id }) => id);
  assert.deepEqual(left.toSorted(), first.slice(10).map(({ id }) => id).toSorted()); // biome-ignore format: a list
});

type Call = (accounts: Accounts, account: string) => Promise<unknown>;

const REPLICAS = fc.integer({ min: 0, max: 2 });
const USD = fc.bigInt({ min: 0n, max: 4n });
const ID = fc.constantFrom("d", "e");
/** Calls that read before they write, on few things, so that they are in each other's way. */
const CALL: fc.Arbitrary<{ readonly name: string; readonly call: Call }> = fc.oneof(
  fc.tuple(ID, REPLICAS).map(([id, replicaCount]) => ({
    name: `create ${id} ${replicaCount}`,
    call: ((all, a) => all.createDeployment(a, { id, acceleratorType: L4, replicaCount })) as Call,
  })),
  ID.map((id) => ({ name: `delete ${id}`, call: ((all, a) => all.deleteDeployment(a, id)) as Call })),
  fc.tuple(ID, REPLICAS).map(([id, replicaCount]) => ({
    name: `scale ${id} ${replicaCount}`,
    call: ((all, a) => all.scaleDeployment(a, id, { replicaCount })) as Call,
  })),
  fc.tuple(ID, fc.constantFrom("x", "y")).map(([id, baseModel]) => ({
    name: `patch ${id} model ${baseModel}`,
    call: ((all, a) => all.patchDeployment(a, id, { baseModel })) as Call,
  })),
  fc.tuple(ID, REPLICAS).map(([id, n]) => ({
    name: `patch ${id} count ${n + 1}`,
    call: ((all, a) => all.patchDeployment(a, id, { acceleratorCount: n + 1 })) as Call,
  })),
  USD.map((value) => ({
    name: `value ${value}`,
    call: ((all, a) => all.patchQuota(a, "monthly-spend-usd", { value })) as Call,
  })),
  USD.map((maxValue) => ({
    name: `maxValue ${maxValue}`,
    call: ((all, a) => all.patchQuota(a, "monthly-spend-usd", { maxValue })) as Call,
  })),
  USD.map((monthlyUsd) => ({
    name: `budget ${monthlyUsd}`,
    call: ((all, a) => all.createBudget(a, { id: "b", scope: { kind: "account" }, monthlyUsd })) as Call,
  })),
  USD.map((monthlyUsd) => ({
    name: `to ${monthlyUsd}`,
    call: ((all, a) => all.patchBudget(a, "b", monthlyUsd)) as Call,
  })),
  fc.constant({ name: "no budget", call: ((all, a) => all.deleteBudget(a, "b")) as Call }),
  fc.constantFrom("", "https://example.com/").map((webhookUrl) => ({
    name: `webhook ${webhookUrl}`,
    call: ((all, a) => all.patchNotificationSettings(a, { webhookUrl, webhookSecret: "0123456789abcdef" })) as Call,
  })),
  USD.map((one) => ({
    name: `thresholds ${one + 1n}`,
    call: ((all, a) => all.patchNotificationSettings(a, { monthlySpendUsdThresholds: [one + 1n] })) as Call,
  })),
  fc.constantFrom("p", "q").map((document) => ({
    name: `book ${document}`,
    call: ((all, account) => all.putPriceBook({ account, document, entryCount: 1, createdBy: "k" })) as Call,
  })),
);

/** What came of a call, or stands in the end, as text in which accounts and versions of books have no names. */
function told(account: string, value: unknown): string {
  const plain = (name: string, one: unknown): unknown => {
    if (name === "version") return "any";
    if (typeof one === "bigint") return `${one}`;
    const isRecord = typeof one === "object" && one !== null && !Array.isArray(one);
    return isRecord ? Object.fromEntries(Object.entries(one).sort(([x], [y]) => (x < y ? -1 : 1))) : one;
  };
  return JSON.stringify(value, plain)?.replaceAll(`"${account}"`, '"a"') ?? "nothing";
}

async function toldOf(account: string, call: Promise<unknown>): Promise<string> {
  try {
    return told(account, await call);
  } catch (error) {
    if (error instanceof Fault) return error.problems.map(({ code, field }) => `${code} ${field}`).join();
    throw error;
  }
}

async function stateOf(accounts: Accounts, account: string): Promise<string> {
  return told(account, [
    await accounts.deploymentsForUsage(account),
    await accounts.listQuotas(account, ALL),
    await accounts.listBudgets(account, ALL),
    await accounts.getNotificationSettings(account),
    await accounts.priceBookVersions(account),
  ]);
}

function* orders(places: readonly number[]): Generator<number[]> {
  if (places.length === 0) yield [];
  for (const place of places) {
    for (const rest of orders(places.filter((one) => one !== place))) yield [place, ...rest];
  }
}

/** As the store is, whatever others remember of it. */
async function stateIn({ place }: TestStore, account: string): Promise<string> {
  const accounts = await Accounts.open({ place, now: () => START, randomBytes });
  const state = await stateOf(accounts, account);
  await accounts.close();
  return state;
}

testOnPostgres("calls at once in several processes come out as in some order on SQLite", async (t, store) => {
  const { stores } = await several(t, store);
  const { place } = await sqliteStore(t);
  const model = await Accounts.open({ place, now: () => START, randomBytes });
  t.after(() => model.close());
  let made = 0;
  const newAccount = async (accounts: Accounts) => {
    made += 1;
    return (await accounts.createAccount({ id: `run-${made}` })).id;
  };
  const some = fc.record({
    first: fc.array(CALL, { maxLength: 3 }),
    atOnce: fc.array(CALL, { minLength: 2, maxLength: STORES }),
  });
  const property = fc.asyncProperty(some, async ({ first, atOnce }) => {
    const account = await newAccount(stores[0]!);
    for (const { call } of first) await toldOf(account, call(stores[0]!, account));
    const got = await Promise.all(atOnce.map(({ call }, at) => toldOf(account, call(stores[at]!, account))));
    const state = await stateIn(store, account);
    for (const order of orders(atOnce.map((_, at) => at))) {
      const alone = await newAccount(model);
      for (const { call } of first) await toldOf(alone, call(model, alone));
      const one: string[] = [];
      for (const at of order) one[at] = await toldOf(alone, atOnce[at]!.call(model, alone));
      if (one.join() === got.join() && (await stateOf(model, alone)) === state) return;
    }
    const names = [first, atOnce].map((calls) => calls.map(({ name }) => name).join(", "));
    assert.fail(`after ${names[0]}: no order of ${names[1]} comes to ${got.join()} and ${state}`);
  });
  await fc.assert(property, { numRuns: RUNS });
});

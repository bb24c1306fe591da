import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { type TestStore, testOnEachStore } from "../../test/postgres/stores.ts";
import { until } from "../../test/until.ts";
import { Fault } from "../domain/fault.ts";
import { DAY_MS, HOUR_MS } from "../domain/time.ts";
import type { PageAsk } from "./paging.ts";
import { Accounts } from "./store.ts";

const START = Date.UTC(2026, 4, 28);
const ALL: PageAsk = { pageSize: 200 };
const OWNER_KEY = "fw_owner_key_for_tests_only";

/** The accounts in a store of their own, with a clock that stands until it is set. */
async function open(t: TestContext, { place }: TestStore) {
  const clock = { now: START };
  const accounts = await Accounts.open({ place, now: () => clock.now, randomBytes });
  t.after(() => accounts.close());
  return { accounts, clock };
}

/** The code of every problem of the fault that is thrown, with its field. */
async function problemsOf(promise: Promise<unknown>): Promise<string[]> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Fault) return error.problems.map((one) => `${one.code} ${one.field}`);
    throw error;
  }
  return [];
}

testOnEachStore("the first start makes one account with one operator key, and only the first", async (t, store) => {
  const { accounts } = await open(t, store);
  const first = await accounts.bootstrap();
  assert.equal(first?.account, "default");
  assert.match(first.key, /^fw_[0-9A-Za-z]{32}$/);
  assert.deepEqual(await accounts.authenticate(first.key), {
    account: "default",
    user: "owner",
    keyId: first.keyId,
    role: "OPERATOR",
  });
  assert.equal(await accounts.bootstrap({ accountId: "other", key: OWNER_KEY }), undefined);
  assert.equal(await accounts.authenticate(OWNER_KEY), undefined);
  assert.equal((await accounts.listAccounts(undefined, ALL)).totalSize, 1);
});

testOnEachStore(
  "account and key can be named beforehand; bad ones are refused together, the key unseen",
  async (t, store) => {
    const { accounts } = await open(t, store);
    const bad = accounts.bootstrap({ accountId: "No", key: "secret" });
    assert.deepEqual(await problemsOf(bad), ["bad_id DAYBOOK_BOOTSTRAP_ACCOUNT", "wrong_type DAYBOOK_BOOTSTRAP_KEY"]);
    await bad.catch((error: Fault) => assert.doesNotMatch(JSON.stringify(error.problems), /secret/));
    assert.equal((await accounts.bootstrap({ accountId: "acme", key: OWNER_KEY }))?.key, OWNER_KEY);
    assert.equal((await accounts.authenticate(OWNER_KEY))?.account, "acme");
  },
);

testOnEachStore("a key works from its making to its end, and is nowhere on disk", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  await accounts.bootstrap();
  await accounts.createAccount({ id: "acme" });
  const expireTime = START + HOUR_MS;
  const made = await accounts.createKey("acme", "admin", { role: "ADMIN", displayName: "ci", expireTime });
  const other = await accounts.createKey("acme", "admin", { role: "METER" });
  assert.ok(made.key.startsWith(made.apiKey.prefix));
  assert.equal(other.apiKey.displayName, "default");
  assert.equal((await accounts.authenticate(made.key))?.role, "ADMIN");
  for (const wrong of ["", "fw_", made.key.slice(0, -1), `${made.key}x`, made.apiKey.keyId, "x".repeat(10_000)]) {
    assert.equal(await accounts.authenticate(wrong), undefined, wrong.slice(0, 50));
  }
  clock.now = expireTime - 1;
  assert.ok(await accounts.authenticate(made.key));
  clock.now = expireTime;
  assert.equal(await accounts.authenticate(made.key), undefined);

  assert.ok(await accounts.authenticate(other.key));
  await accounts.revokeKey("acme", other.apiKey.keyId);
  assert.equal(await accounts.authenticate(other.key), undefined);
  assert.deepEqual(await problemsOf(accounts.revokeKey("acme", other.apiKey.keyId)), ["not_found keyId"]);
  const listed = await accounts.listKeys("acme", undefined, ALL);
  assert.deepEqual(
    listed.items.map((key) => key.keyId),
    [made.apiKey.keyId],
  );
  const kept = await store.kept();
  assert.ok(kept.includes(made.apiKey.keyId));
  assert.ok(!kept.includes(made.key) && !kept.includes(other.key));
  const shown = JSON.stringify([listed, made.apiKey]);
  assert.ok(!shown.includes("hash") && !shown.includes(made.key));
});

testOnEachStore("the last use is noted to the minute", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  const { key, keyId } = (await accounts.bootstrap())!;
  const lastUsed = async () => (await accounts.findKey("default", keyId))?.lastUsed;
  assert.equal(await lastUsed(), undefined);
  await Promise.all(Array.from({ length: 20 }, () => accounts.authenticate(key)));
  await until("the first use", async () => (await lastUsed()) === START);
  clock.now = START + 59_999;
  await accounts.authenticate(key);
  assert.equal(await lastUsed(), START);
  clock.now = START + 60_000;
  await accounts.authenticate(key);
  await until("the next use", async () => (await lastUsed()) === START + 60_000);
});

testOnEachStore("the last key that can operate the installation stays", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  const { keyId } = (await accounts.bootstrap())!;
  assert.deepEqual(await problemsOf(accounts.revokeKey("default", keyId)), ["last_operator_key keyId"]);
  await accounts.createKey("default", "owner", { role: "OPERATOR", expireTime: START + 1 });
  await accounts.createKey("default", "owner", { role: "ADMIN" });
  clock.now = START + 1;
  assert.deepEqual(await problemsOf(accounts.revokeKey("default", keyId)), ["last_operator_key keyId"]);
  await accounts.createKey("default", "owner", { role: "OPERATOR" });
  await accounts.revokeKey("default", keyId);
});

testOnEachStore("facts and names of keys, revoked ones included, and of no other account", async (t, store) => {
  const { accounts } = await open(t, store);
  await accounts.createAccount({ id: "acme" });
  await accounts.createAccount({ id: "other" });
  const annotations = { team: "search", colour: "red", __proto__: { x: "y" } };
  const one = (await accounts.createKey("acme", "admin", { role: "USER", displayName: "one", annotations })).apiKey;
  const two = (await accounts.createKey("acme", "admin", { role: "USER", displayName: "two" })).apiKey;
  const foreign = (await accounts.createKey("other", "admin", { role: "USER", displayName: "three" })).apiKey;
  await accounts.revokeKey("acme", two.keyId);
  const many = Array.from({ length: 1_200 }, (_, at) => `key_${at}`);
  const facts = await accounts.keyFacts("acme", [...many, one.keyId, two.keyId, foreign.keyId, "x' OR 1=1 --"]);
  assert.deepEqual(
    facts,
    new Map([
      [one.keyId, { annotations: { team: "search" } }],
      [two.keyId, { annotations: {} }],
    ]),
  );
  const names = await accounts.keyNames("acme");
  assert.deepEqual([...names.values()].sort(), ["one", "two"]);
  await accounts.createKey("acme", "admin", { role: "USER", displayName: "four" });
  assert.deepEqual([...(await accounts.keyNames("acme")).values()].sort(), ["four", "one", "two"]);
  assert.deepEqual(await problemsOf(accounts.revokeKey("other", one.keyId)), ["not_found keyId"]);
  assert.equal(await accounts.findKey("other", one.keyId), undefined);
});

testOnEachStore("a fact that is looked up again is the one in force", async (t, store) => {
  const { accounts } = await open(t, store);
  await accounts.createAccount({ id: "acme" });
  const acceleratorType = "NVIDIA_L4_24GB";
  const facts = async (id: string) => (await accounts.deploymentFacts("acme", [id])).get(id)?.annotations;
  assert.equal(await facts("d"), undefined);
  await accounts.createDeployment("acme", { id: "d", acceleratorType, annotations: { team: "a" } });
  assert.deepEqual(await facts("d"), { team: "a" });
  const patching = accounts.patchDeployment("acme", "d", { annotations: { team: "b" } });
  await Promise.all([facts("d"), patching]);
  assert.deepEqual(await facts("d"), { team: "b" });
  await accounts.deleteDeployment("acme", "d");
  assert.deepEqual(await facts("d"), { team: "b" });
  assert.equal((await accounts.deploymentFacts("acm", ["e/d"])).size, 0);
});

testOnEachStore("users of an account", async (t, store) => {
  const { accounts } = await open(t, store);
  await accounts.createAccount({ id: "acme", displayName: "Acme", email: "billing@acme.example" });
  const ada = await accounts.createUser("acme", { id: "ada", email: "ada@acme.example" });
  assert.deepEqual(ada, {
    account: "acme",
    id: "ada",
    displayName: "ada",
    email: "ada@acme.example",
    role: "USER",
    createTime: START,
  });
  assert.deepEqual(await accounts.getUser("acme", "ada"), ada);
  const { items } = await accounts.listUsers("acme", ALL);
  assert.deepEqual(
    items.map((user) => `${user.id} ${user.role} ${user.email}`),
    ["ada USER ada@acme.example", "admin ADMIN billing@acme.example"],
  );
  const key = await accounts.createKey("acme", "ada", { role: "USER" });
  assert.equal(key.apiKey.email, "ada@acme.example");
  assert.equal((await accounts.listKeys("acme", "ada", ALL)).totalSize, 1);
  assert.equal((await accounts.listKeys("acme", "admin", ALL)).totalSize, 0);
});

testOnEachStore("what is refused, all problems at once", async (t, store) => {
  const { accounts } = await open(t, store);
  await accounts.createAccount({ id: "acme" });
  const long = "x".repeat(257);
  const cases: [string, () => Promise<unknown>, string[]][] = [
    ["no id", () => accounts.createAccount({ id: "" }), ["required accountId"]],
    [
      "a bad account",
      () => accounts.createAccount({ id: "A b", displayName: long, email: "nobody" }),
      ["bad_id accountId", "bad_string displayName", "wrong_type email"],
    ],
    ["a taken account", () => accounts.createAccount({ id: "acme" }), ["already_exists accountId"]],
    ["a taken user", () => accounts.createUser("acme", { id: "admin" }), ["already_exists userId"]],
    ["a user elsewhere", () => accounts.createUser("nowhere", { id: "ada" }), ["not_found account"]],
    [
      "a lone surrogate",
      () => accounts.createUser("acme", { id: "u", displayName: "\ud800" }),
      ["bad_string displayName"],
    ],
    ["no such user", () => accounts.createKey("acme", "bob", { role: "USER" }), ["not_found user"]],
    [
      "a bad key",
      () =>
        accounts.createKey("acme", "admin", {
          role: "KING" as "USER",
          displayName: "a\nb",
          expireTime: START,
          annotations: { team: "", project: 5, other: "" },
        }),
      [
        "bad_string apiKey.displayName",
        "not_allowed apiKey.role",
        "time_before apiKey.expireTime",
        "bad_annotation_value apiKey.annotations.team",
        "bad_annotation_value apiKey.annotations.project",
      ],
    ],
    ["keys of nowhere", () => accounts.listKeys("nowhere", undefined, ALL), ["not_found account"]],
    ["an unknown account", () => accounts.getAccount("nowhere"), ["not_found account"]],
    ["an unknown user", () => accounts.getUser("acme", "' OR 1=1 --"), ["not_found user"]],
  ];
  for (const [name, call, problems] of cases) assert.deepEqual(await problemsOf(call()), problems, name);
  assert.equal((await accounts.listAccounts(undefined, ALL)).totalSize, 1);
});

testOnEachStore("pages follow each other, whatever comes and goes between them", async (t, store) => {
  const { accounts } = await open(t, store);
  await accounts.createAccount({ id: "acme" });
  for (const id of ["c", "a", "e", "b", "d"]) await accounts.createUser("acme", { id });
  const first = await accounts.listUsers("acme", { pageSize: 2 });
  assert.deepEqual([first.items.map((user) => user.id), first.totalSize], [["a", "admin"], 6]);
  await accounts.createUser("acme", { id: "aa" });
  const second = await accounts.listUsers("acme", { pageSize: 3, pageToken: first.nextPageToken });
  assert.deepEqual([second.items.map((user) => user.id), second.totalSize], [["b", "c", "d"], 7]);
  const last = await accounts.listUsers("acme", { pageSize: 1, pageToken: second.nextPageToken });
  assert.deepEqual(
    last.items.map((user) => user.id),
    ["e"],
  );
  assert.ok(!("nextPageToken" in last));
  for (const pageToken of ["e", "!!", "YQ==", "YSA", "%", "x".repeat(200), Buffer.from("' --").toString("base64url")]) {
    const page = accounts.listUsers("acme", { pageSize: 2, pageToken });
    assert.deepEqual(await problemsOf(page), ["bad_page_token pageToken"], pageToken);
  }
});

testOnEachStore("calls at the same time do not mix: one of many wins, the others are told", async (t, store) => {
  const { accounts } = await open(t, store);
  const tries = await Promise.all(Array.from({ length: 20 }, () => problemsOf(accounts.createAccount({ id: "acme" }))));
  assert.equal(tries.filter((problems) => problems.length === 0).length, 1);
  assert.equal(tries.filter((problems) => problems[0] === "already_exists accountId").length, 19);
  const made = await Promise.all(Array.from({ length: 5 }, () => accounts.bootstrap()));
  assert.deepEqual(made.filter(Boolean), [], "there is an account already");
});

testOnEachStore("everything is there after closing and opening again", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  await accounts.bootstrap({ key: OWNER_KEY });
  await accounts.createDeployment("default", { id: "d", acceleratorType: "NVIDIA_L4_24GB", replicaCount: 2 });
  const before = await accounts.deploymentsForUsage("default");
  await accounts.authenticate(OWNER_KEY);
  await accounts.close();
  const again = await Accounts.open({ place: store.place, now: () => clock.now + DAY_MS, randomBytes });
  assert.deepEqual(await again.deploymentsForUsage("default"), before);
  const caller = await again.authenticate(OWNER_KEY);
  assert.equal(caller?.role, "OPERATOR");
  await again.close();
});

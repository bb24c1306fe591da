import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { type TestStore, testOnEachStore } from "../../test/postgres/stores.ts";
import { Fault } from "../domain/fault.ts";
import { UNLIMITED } from "./quotas.ts";
import type { QuotaPatch } from "./records.ts";
import { ACCOUNTS_FILE } from "./sqlite/schema.ts";
import { Accounts } from "./store.ts";

const START = Date.UTC(2026, 4, 28);
const RPM = "serverless-inference-rpm";

async function filePath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-quotas-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "accounts.db");
}

/** A store with the accounts a and b, and a clock that stands until it is set. */
async function open(t: TestContext, { place }: TestStore) {
  const clock = { now: START };
  const accounts = await Accounts.open({ place, now: () => clock.now, randomBytes });
  t.after(() => accounts.close());
  for (const id of ["a", "b"]) await accounts.createAccount({ id });
  return { accounts, clock };
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "";
  } catch (error) {
    if (error instanceof Fault) return error.problems.map((one) => `${one.code} ${one.field}`).join(", ");
    throw error;
  }
}

testOnEachStore(
  "a quota stands at its default until it is set, and keeps every digit of an int64",
  async (t, store) => {
    const { accounts, clock } = await open(t, store);
    const account = "a";
    const untouched = { account, id: RPM, value: UNLIMITED, maxValue: UNLIMITED, updateTime: START };
    clock.now = START + 5;
    assert.deepEqual(await accounts.getQuota(account, RPM), untouched);
    const big = 2n ** 53n + 1n;
    const set = { ...untouched, value: big, updateTime: START + 5 };
    assert.deepEqual(await accounts.patchQuota(account, RPM, { value: big }), set);
    assert.deepEqual(await accounts.getQuota(account, RPM), set);
    assert.deepEqual(await accounts.getQuota("b", RPM), { ...untouched, account: "b" }, "another account's");
    const listed = await accounts.listQuotas(account, { pageSize: 200 });
    assert.deepEqual(
      listed.items.map(({ id, value }) => [id, value]),
      [
        ["monthly-spend-usd", UNLIMITED],
        [RPM, big],
      ],
    );
  },
);

testOnEachStore("the value never passes the maxValue, and a refusal changes nothing", async (t, store) => {
  const { accounts } = await open(t, store);
  // biome-ignore format: a ledger
  const steps: [patch: QuotaPatch, refused: string, value: bigint, maxValue: bigint][] = [
    [{ value: 10n },                      "",                               10n, UNLIMITED],
    [{ maxValue: 9n },                    "wrong_type maxValue",            10n, UNLIMITED],
    [{ maxValue: 10n },                   "",                               10n, 10n],
    [{ value: 11n },                      "wrong_type value",               10n, 10n],
    [{ value: 11n, maxValue: 12n },       "",                               11n, 12n],
    [{ value: 13n, maxValue: 12n },       "wrong_type value",               11n, 12n],
    [{ value: -1n, maxValue: UNLIMITED + 1n }, "wrong_type value, wrong_type maxValue", 11n, 12n],
    [{ value: 0n, maxValue: 0n },         "",                               0n,  0n],
    [{},                                  "",                               0n,  0n],
  ];
  for (const [patch, refused, value, maxValue] of steps) {
    const what = `${patch.value} ${patch.maxValue}`;
    assert.equal(await refusal(accounts.patchQuota("a", RPM, patch)), refused, what);
    const kept = await accounts.getQuota("a", RPM);
    assert.deepEqual([kept.value, kept.maxValue], [value, maxValue], what);
  }
  assert.equal(await refusal(accounts.patchQuota("a", "none", { value: 1n })), "not_found quota");
  assert.equal(await refusal(accounts.getQuota("nowhere", RPM)), "not_found account");
});

testOnEachStore("of two patches at once, neither undoes the other", async (t, store) => {
  const { accounts } = await open(t, store);
  await accounts.patchQuota("a", RPM, { value: 5n, maxValue: 100n });
  await Promise.all([accounts.patchQuota("a", RPM, { value: 6n }), accounts.patchQuota("a", RPM, { maxValue: 50n })]);
  const { value, maxValue } = await accounts.getQuota("a", RPM);
  assert.deepEqual([value, maxValue], [6n, 50n]);
});

testOnEachStore("notification settings: nothing at first, then what was sent last", async (t, store) => {
  const { accounts, clock } = await open(t, store);
  const none = { account: "a", monthlySpendUsdThresholds: [], webhookUrl: "", updateTime: START };
  clock.now = START + 5;
  assert.deepEqual(await accounts.getNotificationSettings("a"), none);
  for (const thresholds of [[500n, 800n], [1n, 1_000_000_000n], []]) {
    const set = { account: "a", monthlySpendUsdThresholds: thresholds, webhookUrl: "", updateTime: START + 5 };
    assert.deepEqual(await accounts.patchNotificationSettings("a", { monthlySpendUsdThresholds: thresholds }), set);
    assert.deepEqual(await accounts.getNotificationSettings("a"), set);
  }
  const many = Array.from({ length: 21 }, (_, at) => BigInt(at + 1));
  const field = "monthlySpendUsdThresholds";
  assert.equal(
    await refusal(accounts.patchNotificationSettings("a", { monthlySpendUsdThresholds: many })),
    `too_many ${field}`,
  );
  const wrong = accounts.patchNotificationSettings("a", {
    monthlySpendUsdThresholds: [0n, 5n, 5n, 1_000_000_001n],
  });
  assert.equal(await refusal(wrong), `wrong_type ${field}.0, wrong_type ${field}.2, wrong_type ${field}.3`);
  assert.deepEqual((await accounts.getNotificationSettings("b")).monthlySpendUsdThresholds, [], "another account's");
});

test("a file of the first version is brought to today's with what it holds", async (t) => {
  const path = await filePath(t);
  const file = new DatabaseSync(path);
  file.exec(ACCOUNTS_FILE.migrations[0] as string);
  file.exec(`PRAGMA application_id = ${ACCOUNTS_FILE.applicationId}; PRAGMA user_version = 1`);
  file.exec("INSERT INTO accounts VALUES ('old', 'Old', '', 'UNSUSPENDED', 7, 7)");
  file.close();
  const accounts = await Accounts.open({ place: { path }, now: () => START, randomBytes });
  assert.equal((await accounts.getQuota("old", RPM)).updateTime, 7);
  await accounts.patchQuota("old", RPM, { value: 1n });
  assert.equal((await accounts.getQuota("old", RPM)).value, 1n);
  await accounts.close();
});

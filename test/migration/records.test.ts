/** Accounts, keys, price books and the rest, from a file to each store and back. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { sql } from "kysely";
import { countOfRecords, hashOfRecords, type Records, RecordsCopy } from "../../src/accounts/copying.ts";
import { openPostgres } from "../../src/accounts/postgres/open.ts";
import { postgresSharing } from "../../src/accounts/postgres/sharing.ts";
import { readLiveRecords } from "../../src/accounts/sqlite/live-records.ts";
import { Accounts } from "../../src/accounts/store.ts";
import { RECORD_COLUMNS } from "../../src/accounts/tables.ts";
import { writing } from "../../src/accounts/writing.ts";
import { testOnEachStore, testOnPostgres } from "../postgres/stores.ts";
import { until } from "../until.ts";

const KEY = "fw_records-test-key-0123456789";
const START = Date.UTC(2026, 4, 28);

/** A file with rows in every table. */
async function filled(t: TestContext): Promise<{ path: string; accounts: Accounts }> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-records-"));
  const path = join(folder, "accounts.db");
  let now = START;
  const accounts = await Accounts.open({ place: { path }, now: () => ++now, randomBytes });
  t.after(() => rm(folder, { recursive: true }));
  await accounts.bootstrap({ accountId: "acme", key: KEY });
  await accounts.createAccount({ id: "umbra" });
  await accounts.createUser("umbra", { id: "ann", role: "USER", displayName: "Ann 'O", email: "ann@example.com" });
  const { apiKey } = await accounts.createKey("umbra", "ann", { role: "USER", annotations: { team: "search" } });
  await accounts.createKey("umbra", "ann", { role: "USER", expireTime: now + 1_000_000 });
  await accounts.revokeKey("umbra", apiKey.keyId);
  const deployment = { id: "d1", baseModel: "m", acceleratorType: "NVIDIA_H100_80GB", acceleratorCount: 2 } as const;
  await accounts.createDeployment("acme", { ...deployment, placement: "US", displayName: "", annotations: {} });
  await accounts.scaleDeployment("acme", "d1", { replicaCount: 3, time: START - 1_000 });
  await accounts.patchQuota("acme", "monthly-spend-usd", { value: 50n });
  await accounts.patchNotificationSettings("acme", { monthlySpendUsdThresholds: [25n] });
  await accounts.createBudget("acme", {
    id: "b1",
    scope: { kind: "tag", tag: "team", value: "search" },
    monthlyUsd: 9n,
  });
  for (const document of ["first: é\n", "second: 😀\n"]) {
    await accounts.putPriceBook({ account: "", document, entryCount: 1, createdBy: "test" });
  }
  const file = new DatabaseSync(path);
  file.exec("INSERT INTO notices VALUES ('acme', 1, '25', 'n1', '{}', 2, NULL), ('umbra', 1, '25', 'n2', '{}', 0, 7)");
  file.close();
  return { path, accounts };
}

test("every table of the file is copied, with every column", async (t) => {
  const { path, accounts } = await filled(t);
  await accounts.close();
  const file = new DatabaseSync(path);
  const tables = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  assert.deepEqual(
    tables.map(({ name }) => name),
    Object.keys(RECORD_COLUMNS).map(snake).sort(),
  );
  for (const [table, columns] of Object.entries(RECORD_COLUMNS)) {
    const found = file.prepare(`SELECT * FROM ${snake(table)}`).columns();
    assert.deepEqual(found.map(({ name }) => name).sort(), columns.map(snake).sort(), table);
  }
  file.close();
  const records = readLiveRecords(path);
  for (const [table, rows] of Object.entries(records)) assert.ok(rows.length > 0, `${table} has rows`);
});

testOnEachStore("records go there whole, are the same there, and come back the same", async (t, { place }) => {
  const { path, accounts } = await filled(t);
  // The file is in use meanwhile.
  const records = readLiveRecords(path);
  const target = await RecordsCopy.open(place);
  const found: Records[] = [];
  await target.replace(records, (there) => found.push(there));
  assert.equal(countOfRecords(found[0]!), 0);
  assert.equal(hashOfRecords(await target.read()), hashOfRecords(records));
  const moved = await Accounts.open({ place, now: () => START + 1_000, randomBytes });
  assert.equal((await moved.authenticate(KEY))?.role, "OPERATOR");
  assert.equal((await moved.getPriceBook(2)).document, "second: 😀\n");
  const put = await moved.putPriceBook({ account: "", document: "third\n", entryCount: 1, createdBy: "test" });
  assert.deepEqual([put.version, put.knownFrom > START], [3, true]);
  await moved.close();

  const back = await mkdtemp(join(tmpdir(), "daybook-records-back-"));
  t.after(() => rm(back, { recursive: true }));
  const file = await RecordsCopy.open({ path: join(back, "accounts.db") });
  const there = await target.read();
  await file.replace(there, () => {});
  await file.close();
  assert.equal(hashOfRecords(readLiveRecords(join(back, "accounts.db"))), hashOfRecords(there));
  await target.close();
  await accounts.close();
});

testOnEachStore("a second move brings what changed, and what is refused changes nothing", async (t, { place }) => {
  const { path, accounts } = await filled(t);
  const target = await RecordsCopy.open(place);
  t.after(() => target.close());
  const first = readLiveRecords(path);
  await target.replace(first, () => {});
  await accounts.createAccount({ id: "later" });
  await accounts.deleteBudget("acme", "b1");
  await accounts.putPriceBook({ account: "", document: "third\n", entryCount: 1, createdBy: "test" });
  await accounts.close();
  const second = readLiveRecords(path);
  assert.notEqual(hashOfRecords(second), hashOfRecords(first));
  const refused = target.replace(second, () => {
    throw new Error("not yours");
  });
  await assert.rejects(refused, /not yours/);
  assert.equal(hashOfRecords(await target.read()), hashOfRecords(first));
  await target.replace(second, (found) => assert.equal(hashOfRecords(found), hashOfRecords(first)));
  assert.equal(hashOfRecords(await target.read()), hashOfRecords(second));
});

testOnPostgres(
  "a move waits for a server's write that has begun, and looks at it before it replaces anything",
  async (t, { place }) => {
    const { path, accounts } = await filled(t);
    await accounts.close();
    const target = await RecordsCopy.open(place);
    const server = await openPostgres((place as { url: string }).url, "test");
    const observer = await openPostgres((place as { url: string }).url, "test");
    t.after(() => Promise.all([target.close(), server.destroy(), observer.destroy()]));
    const records = readLiveRecords(path);
    await target.replace(records, () => {});
    const moved: Records = { ...records, quotas: [] };
    const store = { database: server, now: Date.now, randomBytes, sharing: postgresSharing };
    const found: Records[] = [];
    let replacing: Promise<void> | undefined;
    await writing(store, ["umbra"], async ({ database }) => {
      await database.updateTable("users").set({ displayName: "written" }).where("id", "=", "ann").execute();
      replacing = target.replace(moved, (there) => {
        found.push(there);
        throw new Error("changed since");
      });
      replacing.catch(() => {});
      await until("the move waits, or did not", async () => {
        const waits = await sql`select from pg_locks where not granted`.execute(observer);
        return waits.rows.length > 0 || found.length > 0;
      });
    });
    await assert.rejects(replacing!, /changed since/);
    assert.ok(
      found[0]!.users.some((row) => row.includes("written")),
      "the write is seen",
    );
  },
);

testOnPostgres("records that are the same already are not written again", async (t, { place }) => {
  const { path, accounts } = await filled(t);
  await accounts.close();
  const target = await RecordsCopy.open(place);
  const observer = await openPostgres((place as { url: string }).url, "test");
  t.after(() => Promise.all([target.close(), observer.destroy()]));
  const records = readLiveRecords(path);
  await target.replace(records, () => {});
  const versions = async () => (await sql`select xmin::text from accounts order by id`.execute(observer)).rows;
  const before = await versions();
  await target.replace(records, () => {});
  assert.deepEqual(await versions(), before);
});

test("a mistake of the accounts' URL names the setting that it is in", async () => {
  await assert.rejects(RecordsCopy.open({ url: "postgres://host" }), /^Fault: DAYBOOK_ACCOUNTS_URL: after the host/);
});

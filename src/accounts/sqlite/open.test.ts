import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { sql } from "kysely";
import { Fault } from "../../domain/fault.ts";
import { openDatabase } from "./open.ts";
import { ACCOUNTS_FILE } from "./schema.ts";

async function filePath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-accounts-file-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "accounts.db");
}

async function refusal(path: string): Promise<string> {
  try {
    await (await openDatabase(path)).destroy();
    return "";
  } catch (error) {
    if (error instanceof Fault) return error.problems[0].code;
    throw error;
  }
}

test("a file of a newer daybook, of another program or of no kind is refused and left as it is", async (t) => {
  const path = await filePath(t);
  assert.equal(await refusal(path), "", "a new file");
  assert.equal(await refusal(path), "", "the same again");
  const file = new DatabaseSync(path);
  file.exec(`PRAGMA user_version = ${ACCOUNTS_FILE.migrations.length + 1}`);
  file.close();
  assert.equal(await refusal(path), "folder_newer");

  const foreign = await filePath(t);
  const other = new DatabaseSync(foreign);
  other.exec("CREATE TABLE t (x)");
  other.close();
  assert.equal(await refusal(foreign), "folder_foreign");

  const text = await filePath(t);
  await writeFile(text, "not a database ".repeat(100));
  assert.equal(await refusal(text), "folder_foreign");
  assert.equal(await refusal(join(text, "nowhere")), "folder_unusable");
});

test("durable settings, and foreign keys that hold", async (t) => {
  const database = await openDatabase(await filePath(t));
  const settings: string[] = [];
  for (const name of ["journal_mode", "synchronous", "foreign_keys", "user_version"]) {
    const { rows } = await sql.raw<object>(`PRAGMA ${name}`).execute(database);
    settings.push(`${name}=${Object.values(rows[0]!)[0]}`);
  }
  assert.deepEqual(settings, ["journal_mode=wal", "synchronous=2", "foreign_keys=1", "user_version=4"]);
  const user = { account: "no", id: "u", displayName: "", email: "", role: "USER", createTime: 0 } as const;
  await assert.rejects(database.insertInto("users").values(user).execute(), /FOREIGN KEY/);
  await database.destroy();
});

test("a transaction that fails leaves nothing, and the next call is not in it", async (t) => {
  const database = await openDatabase(await filePath(t));
  const account = (id: string) => ({
    id,
    displayName: "",
    email: "",
    suspendState: "UNSUSPENDED" as const,
    timezone: "UTC",
    createTime: 0,
    updateTime: 0,
  });
  const failing = database.transaction().execute(async (inside) => {
    await inside.insertInto("accounts").values(account("a")).execute();
    throw new Error("changed my mind");
  });
  const beside = database.insertInto("accounts").values(account("b")).execute();
  await assert.rejects(failing, /changed my mind/);
  await beside;
  await assert.rejects(database.insertInto("accounts").values(account("b")).execute(), /accounts\.db: UNIQUE/);
  assert.deepEqual(await database.selectFrom("accounts").select("id").execute(), [{ id: "b" }]);
  await database.destroy();
});

test("the event loop goes on while a statement runs", async (t) => {
  const database = await openDatabase(await filePath(t));
  const counting = sql<{ n: number }>`
    WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000) SELECT count(*) AS n FROM c
  `.execute(database);
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, 5);
  const { rows } = await counting;
  clearInterval(timer);
  assert.equal(rows[0]?.n, 2_000_000);
  assert.ok(ticks >= 3, `${ticks} ticks`);
  await database.destroy();
});

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { sql } from "kysely";
import { Cluster, run, whyNoCluster } from "../../../test/postgres/cluster.ts";
import { emptyDatabase } from "../../../test/postgres/server.ts";
import { testOnEachStore, testOnPostgres } from "../../../test/postgres/stores.ts";
import { until } from "../../../test/until.ts";
import { Fault } from "../../domain/fault.ts";
import { Accounts } from "../store.ts";
import { RECORD_COLUMNS } from "../tables.ts";
import { openPostgres } from "./open.ts";
import { RECORDS_MIGRATIONS } from "./schema.ts";

const FIELD = "DAYBOOK_ACCOUNTS_URL";
/** Told to clients: no address and no user. */
const AWAY =
  /^unavailable: server: the accounts' PostgreSQL (cannot do it now \(SQLSTATE \w{5}\)|does not answer \([\w ]+\)); try again in 1 s$/;
const SECRET = "s3cret-of-the-operator";

function open(url: string): Promise<Accounts> {
  return Accounts.open({ place: { url }, now: Date.now, randomBytes });
}

/** The sentence of the refusal, with its code. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    assert.doesNotMatch(JSON.stringify([error.message, error.problems, error.stack]), new RegExp(SECRET));
    return `${error.problems[0].code}: ${error.message}`;
  }
}

/** Opens and closes. */
async function refusedAt(url: string): Promise<string> {
  return refusal(open(url).then((accounts) => accounts.close()));
}

test("a URL that cannot be one is refused in a sentence without it", async () => {
  // biome-ignore format: a ledger
  const urls: [url: string, reason: RegExp][] = [
    ["",                                              /it is no URL/],
    [`postgres://me:${SECRET}/%@h/db`,                /it names no host|it is no URL|a % in it/],
    [`mysql://me:${SECRET}@h/db`,                     /does not begin with postgres:\/\//],
    [`postgres://me:${SECRET}#x@h/db`,                /it is no URL|it has a #/],
    [`postgres://me:${SECRET}@h`,                     /must name one database/],
    [`postgres://me:${SECRET}@h/a/b`,                 /must name one database/],
    [`postgres://me:%zz${SECRET}@h/db`,               /a % in it stands for nothing/],
    [`postgres:///db`,                                /it names no host/],
    [`postgres://me:${SECRET}@h/db?pool=3`,           /pool is an unknown parameter; there are sslmode, sslrootcert, options/],
    [`postgres://me:${SECRET}@h/db?sslmode=prefer`,   /sslmode is one of disable, require, verify-full/],
    [`postgres://me:${SECRET}@h/db?sslrootcert=/x`,   /sslrootcert goes with sslmode=verify-full/],
    [`postgres://me:${SECRET}@h/db?sslmode=verify-full&sslrootcert=/nowhere`, /sslrootcert cannot be read: there is no such file/],
  ];
  for (const [url, reason] of urls) {
    const told = await refusedAt(url);
    assert.match(told, reason, url);
    assert.ok(told.startsWith(`bad_engine_url: ${FIELD}: `), told);
  }
});

test("where nobody answers it is unavailable, and the password unseen", async () => {
  for (const host of ["127.0.0.1:1", "%2Fnowhere%2Fat%2Fall"]) {
    assert.match(
      await refusedAt(`postgres://me:${SECRET}@${host}/db`),
      /^unavailable: server: PostgreSQL: .*(REFUSED|ENOENT)/,
    );
  }
});

testOnPostgres("the schema is made once, and refused where it is another's or newer", async () => {
  const url = await emptyDatabase();
  const many = await Promise.all(Array.from({ length: 5 }, () => openPostgres(url, FIELD)));
  for (const database of many) await database.destroy();
  assert.equal(await refusedAt(url), "none");
  const { rows } = await run(url, "select application, version::int from daybook");
  assert.deepEqual(rows, [{ application: "daybook accounts", version: RECORDS_MIGRATIONS.length }]);
  await run(url, "update daybook set version = version + 1");
  assert.match(
    await refusedAt(url),
    /^folder_newer: .*schema public of database .*newer daybook \(schema \d+, this one/,
  );
  await run(url, "delete from daybook");
  assert.match(await refusedAt(url), /^accounts_unusable: .*the schema public has tables of another program/);

  const foreign = await emptyDatabase();
  await run(foreign, "create table accounts (id int)");
  assert.match(await refusedAt(foreign), /the schema public has tables of another program/);
  const { rows: left } = await run(foreign, "select tablename from pg_tables where schemaname = 'public'");
  assert.deepEqual(left, [{ tablename: "accounts" }], "left as it was");
  const inSchema = (name: string) => `${foreign}?options=-csearch_path%3D${name}`;
  assert.match(await refusedAt(inSchema("own")), /no schema of the connection's search_path exists/);
  await run(foreign, "create schema own");
  assert.equal(await refusedAt(inSchema("own")), "none");
  await run(foreign, "create schema other; create table other.daybook (x int)");
  assert.match(await refusedAt(inSchema("other")), /^accounts_unusable: .*column/);
  const latin = await emptyDatabase("encoding 'LATIN1' locale 'C'");
  assert.match(await refusedAt(latin), /the database's encoding is LATIN1/);
});

testOnPostgres("a schema of the first version is brought to today's with what it holds", async () => {
  const url = await emptyDatabase();
  await run(url, RECORDS_MIGRATIONS[0]!);
  await run(url, "create table daybook (application text primary key, version bigint not null)");
  await run(url, "insert into daybook values ('daybook accounts', 1)");
  await run(url, "insert into accounts values ('old', 'Old', '', 'UNSUSPENDED', 'UTC', 7, 7)");
  const accounts = await open(url);
  assert.equal((await accounts.getAccount("old")).createTime, 7);
  await accounts.close();
  const { rows } = await run(url, "select version::int from daybook");
  assert.deepEqual(rows, [{ version: RECORDS_MIGRATIONS.length }]);
});

testOnEachStore("RECORD_COLUMNS names every column of every table of records", async (_t, store) => {
  const accounts = await Accounts.open({ place: store.place, now: Date.now, randomBytes });
  await accounts.close();
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  for (const [table, columns] of Object.entries(RECORD_COLUMNS)) {
    const found = await store.columns(snake(table));
    assert.deepEqual(found.toSorted(), columns.map(snake).toSorted(), table);
  }
});

testOnPostgres("pages have one order, whatever the order of the database's texts", async () => {
  const url = await emptyDatabase("locale_provider icu icu_locale 'en' locale 'C'");
  const accounts = await open(url);
  await accounts.createAccount({ id: "acme" });
  // Their ids have letters of both cases, which no dictionary sorts as bytes.
  const making = Array.from({ length: 40 }, () => accounts.createKey("acme", "admin", { role: "USER" }));
  const ids = (await Promise.all(making)).map(({ apiKey }) => apiKey.keyId);
  const listed: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = await accounts.listKeys("acme", undefined, { pageSize: 7, pageToken });
    listed.push(...page.items.map(({ keyId }) => keyId));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  assert.deepEqual(listed, ids.toSorted());
  await accounts.close();
});

testOnPostgres("a database that is not there, and a role that may not write, are told in one sentence", async () => {
  const url = await emptyDatabase();
  assert.match(await refusedAt(`${url}_missing`), /^accounts_unusable: .*database ".*_missing" does not exist/);
  await run(url, "create schema closed");
  const role = `reader_${process.pid}`;
  await run(url, `create role ${role} login password '${SECRET}'; grant usage on schema closed to ${role}`);
  const reader = new URL(url);
  [reader.username, reader.password] = [role, SECRET];
  reader.search = "?options=-csearch_path%3Dclosed";
  assert.match(await refusedAt(reader.href), /^accounts_unusable: .*permission denied for schema closed/);
  await run(url, `drop owned by ${role}; drop role ${role}`);
});

test("with a server of its own: a wrong password, and away and back", { skip: whyNoCluster() ?? false }, async (t) => {
  const cluster = await Cluster.make();
  t.after(() => cluster.remove());
  const url = cluster.url("postgres");
  await run(url, `create role guarded login password 'right'`);
  const guarded = url.replace("daybook@", `guarded:${SECRET}@`);
  assert.match(await refusedAt(guarded), /^accounts_unusable: .*password authentication failed for user "guarded"/);
  const unnamed = url.replace("daybook@", "guarded@");
  assert.match(
    await refusedAt(unnamed),
    /^accounts_unusable: .*none was given; write it into the URL, or set PGPASSWORD/,
  );

  const accounts = await open(url);
  const { key, keyId } = (await accounts.bootstrap())!;
  await accounts.ready();
  // Connections end while nothing, and while a transaction, is on them.
  const others = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'daybook'";
  await run(url, others);
  await until("a new connection", async () => (await refusal(accounts.ready())) === "none");
  await cluster.stop();
  const calls = [
    () => accounts.ready(),
    () => accounts.getAccount("default"),
    () => accounts.createAccount({ id: "late" }),
    () => accounts.priceBookVersions(""),
    () => accounts.revokeKey("default", keyId),
  ];
  for (const call of calls) assert.match(await refusal(call()), AWAY);
  // What is remembered is not used longer than it may be.
  await until("no more authentication", async () => (await refusal(accounts.authenticate(key))) !== "none");
  await cluster.start();
  await until("readiness", async () => (await refusal(accounts.ready())) === "none");
  assert.equal((await accounts.authenticate(key))?.account, "default");
  assert.equal((await accounts.createAccount({ id: "late" })).id, "late");
  await accounts.close();
});

testOnPostgres("a connection that ends inside a transaction fails that call and no other", async () => {
  const url = await emptyDatabase();
  const database = await openPostgres(url, FIELD);
  const failing = database.transaction().execute(async (inside) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(inside);
    await run(url, `select pg_terminate_backend(${rows[0]!.pid})`);
    await until("the end", async () => {
      const left = await run(url, `select from pg_stat_activity where pid = ${rows[0]!.pid}`);
      return left.rowCount === 0;
    });
    await sql`update changes set count = 7`.execute(inside);
  });
  assert.match(await refusal(failing), AWAY);
  const { rows } = await sql`select count from changes`.execute(database);
  assert.deepEqual(rows, [{ count: 0 }]);
  await database.destroy();
});

testOnPostgres("a statement that waits for another's lock gives up before its caller does", async () => {
  const url = await emptyDatabase();
  const database = await openPostgres(url, FIELD);
  const { rows } = await sql<Record<string, string>>`
    select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement,
      current_setting('idle_in_transaction_session_timeout') as idle, pg_typeof(count(*))::text as type, count(*) as n
  `.execute(database);
  assert.deepEqual(rows, [{ lock: "5s", statement: "10s", idle: "10s", type: "bigint", n: 1 }]);
  const waiting = database.transaction().execute(async (holder) => {
    await sql`update changes set count = 1`.execute(holder);
    return refusal(
      database.transaction().execute(async (other) => {
        await sql`set local lock_timeout = 1`.execute(other);
        await sql`update changes set count = 2`.execute(other);
      }),
    );
  });
  assert.match(await waiting, /SQLSTATE 55P03/);
  await database.destroy();
});

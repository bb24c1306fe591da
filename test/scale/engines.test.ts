/** `daybook serve` with engines elsewhere, as an operator meets it: what it says, what it waits for, what it refuses. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Cluster, run as runSql, whyNoCluster } from "../postgres/cluster.ts";
import { ACCOUNT, BOOTSTRAP, Daybook, KEY, run, start } from "../process/daybook.ts";
import { until } from "../until.ts";
import { scriptedEngine } from "./scripted-engine.ts";

const PASSWORD = "hunter22-and-more";
const root = mkdtempSync(join(tmpdir(), "daybook-engines-"));
let folders = 0;

after(() => {
  Daybook.killAll();
  rmSync(root, { recursive: true, force: true });
});

function newFolder(): string {
  folders += 1;
  return join(root, `folder-${folders}`);
}

function envOf(port: number, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return { ...BOOTSTRAP, DAYBOOK_LEDGER_URL: `clickhouse://daybook:${PASSWORD}@127.0.0.1:${port}/usage`, ...more };
}

interface Told {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly message: string;
}

async function get(url: string, path: string): Promise<Told> {
  return told(await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${KEY}` } }));
}

async function write(url: string): Promise<Told> {
  const time = new Date(Date.now() - 60_000).toISOString();
  const event = { id: "one", time, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m", promptTokens: 1 };
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const path = `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`;
  return told(await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify({ events: [event] }) }));
}

async function told(answer: Response): Promise<Told> {
  const { message = "" } = (await answer.json()) as { message?: string };
  return { status: answer.status, retryAfter: answer.headers.get("retry-after"), message };
}

test("a URL that cannot be meant, or a file that cannot be read: one sentence, and never the password", async () => {
  const [empty, whole] = [join(root, "empty"), join(root, "whole")];
  writeFileSync(empty, "\n");
  writeFileSync(whole, `clickhouse://daybook:${PASSWORD}@127.0.0.1:9000/usage\n`);
  const url = `clickhouse://daybook:${PASSWORD}@127.0.0.1:8123`;
  // biome-ignore format: a table
  const cases: readonly [Readonly<Record<string, string>>, readonly string[], number, RegExp][] = [
    [{ DAYBOOK_LEDGER_URL: url },                                       [], 1, /^daybook: DAYBOOK_LEDGER_URL: .*name one database; write /],
    [{ DAYBOOK_LEDGER_URL: `${url}/usage?compress=1` },                 [], 1, /compress is an unknown parameter/],
    [{ DAYBOOK_LEDGER_URL: PASSWORD },                                  [], 1, /DAYBOOK_LEDGER_URL: it is no URL/],
    [{ DAYBOOK_LEDGER_URL_FILE: whole },                                [], 1, /port 9000 is of ClickHouse's own protocol/],
    [{ DAYBOOK_LEDGER_URL_FILE: empty },                                [], 1, /DAYBOOK_LEDGER_URL_FILE: ".*empty" is empty/],
    [{ DAYBOOK_LEDGER_URL_FILE: `${empty}.not` },                       [], 1, /DAYBOOK_LEDGER_URL_FILE: ".*" cannot be read: there is no such file/],
    [{ DAYBOOK_LEDGER_URL: url, DAYBOOK_LEDGER_URL_FILE: whole },       [], 2, /are both set; unset one of them/],
    [{},                                        ["--clickhouse-cluster=c"], 2, /--clickhouse-cluster: there is no ClickHouse/],
  ];
  for (const [env, args, code, expected] of cases) {
    const said = await run(["serve", "--data", newFolder(), "--port", "0", ...args], { env });
    assert.equal(said.code, code, said.stderr);
    assert.match(said.stderr, expected);
    assert.equal(said.stderr.trim().split("\n").length, 1);
    assert.doesNotMatch(said.stdout + said.stderr, /hunter22/);
  }
});

test("an engine that knows no such user, password or database ends the start with what to mend", async (t) => {
  const engine = await scriptedEngine(t);
  // biome-ignore format: a table
  const cases: readonly [number, string, RegExp][] = [
    [516, "AUTHENTICATION_FAILED", /DAYBOOK_LEDGER_URL: .* does not know the user or the password\n$/],
    [81,  "UNKNOWN_DATABASE",      /DAYBOOK_LEDGER_URL: .* no such database; make it with CREATE DATABASE/],
    [497, "ACCESS_DENIED",         /DAYBOOK_LEDGER_URL: .* ACCESS_DENIED: daybook: Not enough privileges/],
  ];
  for (const [code, type, expected] of cases) {
    engine.fail(/./, { code, type, message: "daybook: Not enough privileges" });
    const said = await run(["serve", "--data", newFolder(), "--port", "0"], { env: envOf(engine.port) });
    assert.equal(said.code, 1);
    assert.match(said.stderr, expected);
    assert.doesNotMatch(said.stdout + said.stderr, /hunter22/);
  }
});

test("an engine that is away is waited for: the process lives and says why it is not ready; then it starts", async (t) => {
  const engine = await scriptedEngine(t);
  const { port } = engine;
  await engine.away();
  const daybook = new Daybook(["serve", "--data", newFolder(), "--port", "0"], { env: envOf(port) });
  await until("the line about the wait", () => daybook.stderr.includes("waiting for an engine"));
  const url = /Server listening at (http:[^"]+)/.exec(daybook.stderr)![1]!;
  assert.equal((await get(url, "/healthz")).status, 200);
  for (const refused of [await get(url, "/readyz"), await get(url, "/v1/accounts"), await write(url)]) {
    assert.equal(refused.status, 503);
    assert.equal(refused.retryAfter, "1");
    assert.match(refused.message, /the ledger's engine does not answer \(ECONNREFUSED\)/);
  }
  assert.equal(daybook.url, undefined);
  await engine.back();
  assert.equal(await until("the banner", () => daybook.url), url, "the port stays");
  assert.equal((await get(url, "/readyz")).status, 200);
  assert.equal(engine.credentials, `daybook:${PASSWORD}`);
  assert.match(daybook.stdout, /^ {2}Ledger {3}clickhouse:\/\/127\.0\.0\.1:\d+\/usage\n/m);
  const { code, stdout, stderr } = await daybook.stop();
  assert.equal(code, 0);
  assert.equal(stderr.match(/waiting for an engine/g)!.length, 1);
  assert.doesNotMatch(stdout + stderr, /hunter22/);
});

test("an address that cannot be had ends the start, also while an engine is away", async (t) => {
  const engine = await scriptedEngine(t);
  const { daybook, url } = await start({ folder: newFolder(), env: envOf(engine.port) });
  await engine.away();
  const said = await run(["serve", "--data", newFolder(), "--port", new URL(url).port], { env: envOf(engine.port) });
  assert.equal(said.code, 1);
  assert.match(said.stderr, /--port: cannot listen on .*: it is taken/);
  assert.equal((await daybook.stop()).code, 0);
});

test("a signal ends the wait at once", async (t) => {
  const engine = await scriptedEngine(t);
  const { port } = engine;
  await engine.away();
  const daybook = new Daybook(["serve", "--data", newFolder(), "--port", "0"], { env: envOf(port) });
  await until("the line about the wait", () => daybook.stderr.includes("waiting for an engine"));
  assert.deepEqual([(await daybook.stop()).code, daybook.stdout], [0, ""]);
});

test("an engine that goes away makes it unready, and refuses what it would lose; back again it needs no restart", async (t) => {
  const engine = await scriptedEngine(t);
  const { daybook, url } = await start({ folder: newFolder(), env: envOf(engine.port) });
  assert.equal((await get(url, "/readyz")).status, 200);
  await engine.away();
  await until("readyz tells", async () => (await get(url, "/readyz")).status === 503);
  const [ready, written] = [await get(url, "/readyz"), await write(url)];
  for (const refused of [ready, written]) {
    assert.equal(refused.status, 503);
    assert.equal(refused.retryAfter, "1");
    assert.match(refused.message, /the ledger's engine does not answer/);
    assert.doesNotMatch(refused.message, /127\.0\.0\.1/, "the address is the operator's to know");
  }
  assert.equal((await get(url, "/healthz")).status, 200);
  await engine.back();
  await until("readyz tells", async () => (await get(url, "/readyz")).status === 200);
  // What passes by itself is told so, and so is a password that was changed meanwhile.
  for (const [code, type] of [
    [252, "TOO_MANY_PARTS"],
    [516, "AUTHENTICATION_FAILED"],
  ] as const) {
    engine.fail(/entries/, { code, type, message: "no" });
    const refused = await write(url);
    assert.deepEqual([refused.status, refused.retryAfter], [503, "1"], type);
    const report = await get(url, `/v1/accounts/${ACCOUNT}/usageEvents/one`);
    assert.deepEqual([report.status, report.retryAfter], [503, "1"], type);
  }
  assert.equal((await daybook.stop()).code, 0);
  assert.doesNotMatch(daybook.stdout + daybook.stderr, /hunter22/);
});

test("both engines: each that is away is named, and accounts are the same in all processes", {
  skip: whyNoCluster() ?? false,
}, async (t) => {
  const [engine, cluster] = [await scriptedEngine(t), await Cluster.make()];
  t.after(() => cluster.remove());
  await runSql(cluster.url("postgres"), "create database records");
  const env = envOf(engine.port, { DAYBOOK_ACCOUNTS_URL: cluster.url("records") });
  const [one, two] = [await start({ folder: newFolder(), env }), await start({ folder: newFolder(), env })];
  assert.match(one.daybook.stdout, /^ {2}Accounts postgres:\/\/\S+\/records\n/m);
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const body = JSON.stringify({ apiKey: { displayName: "made by one", role: "METER" } });
  const path = `/v1/accounts/${ACCOUNT}/users/owner/apiKeys`;
  const { key } = (await (await fetch(`${one.url}${path}`, { method: "POST", headers, body })).json()) as {
    key: string;
  };
  const known = await fetch(`${two.url}/verifyApiKey`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(known.headers.get("x-fireworks-account-id"), ACCOUNT);
  await cluster.stop();
  await until("PostgreSQL is named", async () => /PostgreSQL/.test((await get(two.url, "/readyz")).message));
  await engine.away();
  const both = /the ledger's engine does not answer.*; the accounts' PostgreSQL/;
  await until("both are named", async () => both.test((await get(two.url, "/readyz")).message));
  assert.equal((await get(two.url, "/healthz")).status, 200);
  // One that starts now waits for both, one after the other.
  const three = new Daybook(["serve", "--data", newFolder(), "--port", "0"], { env });
  await until("it waits for the ledger", () => three.stderr.includes("the ledger's engine does not answer"));
  await engine.back();
  await until("it waits for the accounts", () => three.stderr.includes("PostgreSQL"));
  assert.equal(three.url, undefined);
  await cluster.start();
  const url = await until("it starts", () => three.url);
  for (const each of [one.url, two.url, url]) {
    await until("all are ready", async () => (await get(each, "/readyz")).status === 200);
    assert.equal((await get(each, `/v1/accounts/${ACCOUNT}`)).status, 200);
  }
  for (const { daybook } of [one, two, { daybook: three }]) assert.equal((await daybook.stop()).code, 0);
});

test("a folder that holds what the settings keep elsewhere is not opened beside it", async (t) => {
  const folder = newFolder();
  const { daybook } = await start({ folder });
  assert.equal((await daybook.stop()).code, 0);
  const engine = await scriptedEngine(t);
  const said = await run(["serve", "--data", folder, "--port", "0"], { env: envOf(engine.port) });
  assert.equal(said.code, 1);
  assert.match(
    said.stderr,
    /it holds ledger\.db, and DAYBOOK_LEDGER_URL says that this is kept elsewhere; choose another/,
  );
  // Its tools mean the folder when it is named, and say so when there is more to do.
  const verified = await run(["verify", "--data", folder], { env: envOf(engine.port) });
  assert.deepEqual([verified.code, verified.stdout], [0, "all 0 sums agree with 0 events\n"]);
  const [copy, other] = [join(root, "copy"), join(root, "other")];
  const copied = await run(["backup", "--data", folder, "--to", copy], { env: envOf(engine.port) });
  assert.equal(copied.code, 0, copied.stderr);
  const refused = await run(["backup", "--to", other], { env: envOf(engine.port), cwd: root });
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /^daybook: DAYBOOK_LEDGER_URL is set, and a backup is of a data folder alone; back up ClickHouse/,
  );
});

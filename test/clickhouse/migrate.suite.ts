/** `daybook migrate` from a folder to ClickHouse and PostgreSQL, killed on the way, and back: row for row the same. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { METERS } from "../../src/domain/usage.ts";
import { SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { LABEL_COLUMNS, METER_COLUMNS } from "../../src/ledger/sqlite/schema.ts";
import { BASE, eventArbitrary, type PlainEvent, SLOT, toBatch } from "../ledger/plain-usage.ts";
import { answersOf, assertAlike } from "../migration/answers.ts";
import { emptyDatabase, WHY_NO_POSTGRES } from "../postgres/server.ts";
import { ACCOUNT, BOOTSTRAP, Daybook, run, type Said, start } from "../process/daybook.ts";
import { askJson } from "../process/http.ts";
import type { OpenEngine } from "./engine.ts";
import { ask } from "./engine.ts";
import { overHttp } from "./over-http.ts";

const SEED = Number(process.env.DAYBOOK_SEED ?? Date.now() % 2 ** 31);
const RANDOM_EVENTS = 4_000;
const EVENTS_PER_CALL = 400;
/** So many that a move has several pages, between which it is killed. */
const PLAIN_CALLS = 8;
const EVENTS_PER_PLAIN_CALL = 10_000;
const OTHER = "umbra";
const DAY_MS = 86_400_000;

const root = mkdtempSync(join(tmpdir(), "daybook-migrate-"));
const data = join(root, "data");

/** Rows of a folder's ledger as they lie in its file, without the numbers that each file gives by itself. */
function rowsOf(folder: string): { events: string[]; sums: string[] } {
  const file = new DatabaseSync(join(folder, "ledger.db"), { readOnly: true });
  const labels = LABEL_COLUMNS.map((name) => `s."${name}"`).join(", ");
  const meters = METER_COLUMNS.map((name) => `t.${name}`).join(", ");
  const lines = (sql: string): string[] => {
    const statement = file.prepare(sql);
    statement.setReturnArrays(true);
    statement.setReadBigInts(true);
    return statement.all().map((row) => (row as unknown as unknown[]).join("|"));
  };
  // Events in their order within a slot, which is the order of their arrival.
  const events = lines(
    `SELECT a.name, t.slot, row_number() OVER (PARTITION BY t.account, t.slot ORDER BY t.seq), t.id, t.time, t.voided_at,
       (SELECT at FROM arrivals WHERE seq <= t.seq ORDER BY seq DESC LIMIT 1), ${labels}, ${meters}
     FROM events t JOIN accounts a USING (account) JOIN series s USING (series) ORDER BY a.name, t.slot, t.seq`,
  );
  const sums = lines(
    `SELECT a.name, t.slot, ${labels}, t.events, ${meters} FROM sums t
     JOIN accounts a USING (account) JOIN series s USING (series) WHERE t.part = 0 AND t.events > 0`,
  );
  file.close();
  return { events, sums: sums.sort() };
}

async function fill(): Promise<void> {
  const { daybook, url } = await start({ folder: data });
  await askJson(url, { path: "/v1/accounts", body: JSON.stringify({ name: `accounts/${OTHER}` }) });
  await daybook.stop();
  const ledger = await SqliteLedger.open({ path: join(data, "ledger.db"), readerThreads: 1 });
  const random = fc.sample(eventArbitrary, { numRuns: RANDOM_EVENTS, seed: SEED });
  const events = random.map((event, n): PlainEvent => ({ ...event, id: `${event.id.slice(0, 9)}-${n}` }));
  for (let at = 0; at < RANDOM_EVENTS; at += EVENTS_PER_CALL) {
    for (const account of [ACCOUNT, OTHER]) {
      await ledger.append(account, toBatch(events.slice(at, at + EVENTS_PER_CALL)), BASE + ((at * 7_919) % 100_000));
      const voids = events.filter((_, n) => n % 13 === 0 && n < at).slice(-9);
      await ledger.void(
        account,
        voids.map(({ id }) => id),
        BASE + at,
      );
    }
  }
  const labels = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m" };
  for (let call = 0; call < PLAIN_CALLS; call += 1) {
    const plain = Array.from({ length: EVENTS_PER_PLAIN_CALL }, (_, n): PlainEvent => {
      const time = BASE + ((n * 7_919 + call * 31) % (3 * 96)) * SLOT + n;
      return {
        id: `plain-${call}-${n}`,
        time,
        labels,
        team: `t${n % 7}`,
        quantities: METERS.map((_, at) => (at + n) % 5),
      };
    });
    await ledger.append(ACCOUNT, toBatch(plain), BASE + call * 60_000);
  }
  await ledger.close();
}

suite(`clickhouse: a move there and back (DAYBOOK_SEED=${SEED})`, { skip: WHY_NO_POSTGRES ?? false }, () => {
  let engine: OpenEngine;
  let env: Readonly<Record<string, string>>;
  let place: string;
  before(async () => {
    engine = await overHttp();
    const url = new URL(engine.connection.url!);
    const database = url.pathname === "/" ? "default" : url.pathname.slice(1);
    const accountsUrl = await emptyDatabase();
    const who = url.username === "" ? "" : `${url.username}:${url.password}@`;
    place = `clickhouse://${url.host}/${database}`;
    env = { ...BOOTSTRAP, DAYBOOK_LEDGER_URL: place.replace("://", `://${who}`), DAYBOOK_ACCOUNTS_URL: accountsUrl };
    await fill();
  });
  after(async () => {
    Daybook.killAll();
    await engine.close();
    rmSync(root, { recursive: true, force: true });
  });
  const move = (from: string, to: string): Promise<Said> => run(["migrate", "--from", from, "--to", to], { env });

  test("a move that is killed after its first pages goes on, and ends with all of it", async () => {
    const state = join(data, "migration.json");
    const killed = new Daybook(["migrate", "--from", data, "--to", place], { env });
    let ended = false;
    killed.ended.then(() => {
      ended = true;
    });
    // Noted with the first page that is in the engine.
    while (!ended && !existsSync(state)) await sleep(5);
    assert.ok(!ended, "it is on its way");
    killed.kill();
    await killed.ended;
    const [[before]] = (await ask(engine.connection, "SELECT count() FROM entries")) as [[string]];
    assert.ok(Number(before) > 0, "pages were there");
    const said = await move(data, place);
    assert.equal(said.code, 0, said.stderr + said.stdout);
    assert.match(said.stdout, /\nall \d+ sums, 88000 events and \d+ voids agree, and so do \d+ records\nswitch now: /);
    assert.doesNotMatch(said.stdout, /:[^/\s]+@/, "no password");
    const copied = /^copied (\d+) events/.exec(said.stdout)![1];
    assert.ok(Number(copied) < 88_000, `${copied} were left`);
  });

  test("once more changes nothing", async () => {
    const [[before]] = (await ask(engine.connection, "SELECT count() FROM entries")) as [[string]];
    const said = await move(data, place);
    assert.equal(said.code, 0, said.stderr + said.stdout);
    assert.match(said.stdout, /^copied 0 events and 0 voids of 2 accounts/);
    rmSync(join(data, "migration.json"));
    const forgotten = await move(data, place);
    assert.match(forgotten.stdout, /^copied 0 events and 0 voids .*; 88000 were there already\nall /, forgotten.stderr);
    assert.deepEqual(await ask(engine.connection, "SELECT count() FROM entries"), [[before]]);
  });

  test("servers on both sides answer alike, byte for byte; a key of the folder opens both", async () => {
    const range = [BASE - DAY_MS, BASE + 10 * DAY_MS] as const;
    const asked = { accounts: [ACCOUNT, OTHER], range };
    const there = await answersOf({ ...asked, folder: join(root, "cluster"), env });
    const refused = await run(["serve", "--data", data, "--port", "0"]);
    assert.match(refused.stderr, /cannot be used: it was moved to clickhouse:/);
    rmSync(join(data, "migration.json"));
    assertAlike(there, await answersOf({ ...asked, folder: data }));
  });

  test("and back: the same events in the same order, the same sums, row for row", async () => {
    // The folder's server noted when its keys were used; the cluster's did, too.
    const back = join(root, "back");
    const said = await move(place, back);
    assert.equal(said.code, 0, said.stderr + said.stdout);
    assert.match(said.stdout, /\nswitch now: daybook serve --data .*, without DAYBOOK_LEDGER_URL/);
    const [one, other] = [rowsOf(data), rowsOf(back)];
    assert.equal(one.events.length, 88_000);
    assert.deepEqual(other.events, one.events);
    assert.deepEqual(other.sums, one.sums);
    assert.match((await run(["verify", "--data", back])).stdout, /^all \d+ sums agree with 88000 events\n$/);
  });

  test("a cluster that has gone on since takes no second move from the old folder", async () => {
    const { daybook, url } = await start({ folder: join(root, "cluster"), env });
    await askJson(url, { path: "/v1/accounts", body: JSON.stringify({ name: "accounts/newer" }) });
    await daybook.stop();
    const said = await move(data, place);
    assert.equal(said.code, 1);
    assert.match(
      said.stderr,
      /--to: its accounts, keys and price books are not those of --from, or were changed since/,
    );
  });
});

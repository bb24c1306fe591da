/** `daybook migrate` as an operator runs it: real processes, a server that is written to meanwhile, and kills. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openInstallation } from "../../src/installation.ts";
import { MigrationState } from "../../src/migration/state.ts";
import { answersOf, assertAlike } from "../migration/answers.ts";
import { until } from "../until.ts";
import { ACCOUNT, BOOTSTRAP, Daybook, run, type Said, start } from "./daybook.ts";
import { askJson } from "./http.ts";

const DAY_MS = 86_400_000;
const PREFILLED_CALLS = 10;
const EVENTS_PER_PREFILL = 10_000;
const EVENTS_PER_CALL = 300;
const KILLS = 4;
const NOW = Date.now();
const A = `/v1/accounts/${ACCOUNT}`;

const folder = mkdtempSync(join(tmpdir(), "daybook-migrate-"));
const data = join(folder, "data");
before(async () => {
  const { daybook, url } = await start({ folder: data });
  for (let call = 0; call < PREFILLED_CALLS; call += 1) await write(url, `before${call}`, EVENTS_PER_PREFILL);
  await askJson(url, {
    path: "/v1/accounts",
    body: JSON.stringify({ name: "accounts/umbra" }),
  });
  await write(url, "umbra", 50, "umbra");
  await daybook.stop();
});
after(() => {
  Daybook.killAll();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes a call of events over the last days, whose ids tell the call. Returns how many were new. */
async function write(url: string, call: string, events: number, account = ACCOUNT, daysAgo = 3): Promise<number> {
  const lines = Array.from({ length: events }, (_, n) =>
    JSON.stringify({
      id: `${call}/${n}`,
      time: new Date(NOW - daysAgo * DAY_MS + ((n * 7_919) % (2 * DAY_MS))).toISOString(),
      usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
      model: `accounts/fireworks/models/m${n % 5}`,
      promptTokens: n,
      completionTokens: n % 97,
      annotations: { team: `team-${n % 3}` },
    }),
  );
  const path = `/v1/accounts/${account}/usageEvents:batchCreate`;
  const body = lines.join("\n");
  const headers = { "content-type": "application/x-ndjson", "content-length": String(Buffer.byteLength(body)) };
  return (await askJson<{ created: number }>(url, { path, body, headers })).created;
}

const moved = (from: string, to: string, ...more: string[]): Promise<Said> =>
  run(["migrate", "--from", from, "--to", to, ...more]);

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
}

test("a live folder moves, through kills: what is behind is told, and at last all is the same", async (context) => {
  const to = join(folder, "moved");
  const { daybook, url } = await start({ folder: data });
  let stopped = false;
  let written = 0;
  const load = (async () => {
    for (let call = 0; !stopped; call += 1) {
      written += await write(url, `live${call}`, EVENTS_PER_CALL);
      // Late ones, too, and voids of old and new.
      await write(url, `late${call}`, 5, ACCOUNT, 15);
      const ids = [`before1/${call}`, `live${call}/1`, `late${call}/2`];
      await askJson(url, { path: `${A}/usageEvents:void`, body: JSON.stringify({ ids }) });
      await sleep(100);
    }
  })();
  let killed = 0;
  for (let round = 0; round < KILLS; round += 1) {
    const migrating = new Daybook(["migrate", "--from", data, "--to", to]);
    let ended = false;
    migrating.ended.then(() => {
      ended = true;
    });
    // Each time a little further.
    while (!ended && bytesOf(`${to}.partial/ledger.db-wal`) < round * 3_000_000) await sleep(2);
    if (!ended) killed += 1;
    migrating.kill();
    await migrating.ended;
    assert.ok(!existsSync(to), "no half has the name");
  }
  assert.ok(killed > 0, "some were killed");
  const live = await moved(data, to);
  assert.equal(live.code, 1, live.stderr);
  assert.match(live.stdout, /\n\d+ events and voids behind, as a server has the folder; stop it and run this again/);
  stopped = true;
  await load;
  assert.equal((await daybook.stop()).code, 0);
  const last = await moved(data, to);
  assert.equal(last.code, 0, last.stderr + last.stdout);
  assert.match(
    last.stdout,
    /^copied \d+ events and \d+ voids of 2 accounts in .*\nall \d+ sums, \d+ events and \d+ voids agree, and so do \d+ records\nswitch now: daybook serve --data .*\n$/,
  );
  assert.deepEqual(readdirSync(to).sort(), ["accounts.db", "ledger.db"]);
  const events = /, (\d+) events and/.exec(last.stdout)![1]!;
  assert.match(
    (await run(["verify", "--data", to])).stdout,
    new RegExp(`^all \\d+ sums agree with ${events} events\n$`),
  );
  const asked = { accounts: [ACCOUNT, "umbra"], range: [NOW - 20 * DAY_MS, NOW + DAY_MS] } as const;
  assertAlike(await answersOf({ ...asked, folder: to }), await answersOf({ ...asked, folder: data }));
  const restored = await start({ folder: to });
  assert.equal(await write(restored.url, "before0", 100), 0, "an identity is kept");
  await restored.daybook.stop();
  context.diagnostic(`${killed} of ${KILLS} were killed; ${written} events meanwhile`);
});

test("--follow goes on until the server is stopped, and ends with all that it answered", async () => {
  const [from, to] = [join(folder, "followed"), join(folder, "follower")];
  const { daybook, url } = await start({ folder: from });
  await write(url, "first", 1_000);
  const following = new Daybook(["migrate", "--from", from, "--to", to, "--follow"]);
  let calls = 0;
  let ended = false;
  following.ended.then(() => {
    ended = true;
  });
  for (; !ended && !following.stderr.includes("stop the server to finish"); calls += 1) {
    await write(url, `meanwhile${calls}`, 10);
    await sleep(50);
  }
  await write(url, "last", 10);
  await daybook.stop();
  const said = await following.end();
  assert.equal(said.code, 0, said.stderr + said.stdout);
  assert.match(said.stdout, new RegExp(`, ${1_010 + calls * 10} events and 0 voids agree, `));
});

test("Ctrl-C ends it in good order, and the next run goes on", async () => {
  const to = join(folder, "interrupted");
  const migrating = new Daybook(["migrate", "--from", data, "--to", to]);
  await until("the copying begins", () => existsSync(`${to}.partial/ledger.db-wal`));
  const said = await migrating.stop("SIGINT");
  if (said.code !== 0) {
    assert.equal(said.code, 130, said.stderr);
    assert.match(said.stdout, /^copied .*\ninterrupted; run this again, and it goes on\n$/);
    assert.ok(!existsSync(to));
    assert.equal((await moved(data, to)).code, 0);
  }
  assert.ok(existsSync(to));
});

test("a folder whose raw events were dropped is refused before anything is written", async () => {
  const [from, to] = [join(folder, "dropped"), join(folder, "of-dropped")];
  const first = await start({ folder: from });
  await write(first.url, "old", 20, ACCOUNT, 60);
  await first.daybook.stop();
  const second = await start({ folder: from, args: ["--port", "0", "--keep-events-days", "32"] });
  await until("events are dropped", () => second.daybook.stderr.includes("raw events were dropped"));
  await second.daybook.stop();
  const said = await moved(from, to);
  assert.equal(said.code, 1);
  assert.match(
    said.stderr,
    /^daybook: account: raw events of "acme" before 20.* were dropped \(--keep-events-days\), and with them the ids .*\n$/,
  );
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("of-dropped")),
    [],
  );
});

test("what cannot be moved, or moved to, is refused in one line", async () => {
  const bare = (name: string, change: (path: string) => void): string => {
    const path = join(folder, name);
    mkdirSync(path);
    for (const file of ["ledger.db", "accounts.db"]) {
      const copy = new DatabaseSync(join(data, file));
      copy.exec(`VACUUM INTO '${join(path, file)}'`);
      copy.close();
    }
    change(path);
    return path;
  };
  const older = bare("older", (path) => {
    const file = new DatabaseSync(join(path, "ledger.db"));
    const { user_version: version } = file.prepare("PRAGMA user_version").get() as { user_version: number };
    file.exec(`PRAGMA user_version = ${version - 1}`);
    file.close();
  });
  const foreign = bare("foreign", (path) => writeFileSync(join(path, "ledger.db"), "no database ".repeat(500)));
  const spooled = bare("spooled", (path) => {
    mkdirSync(join(path, "spool"));
    writeFileSync(join(path, "spool/00000001.usage"), "x");
  });
  const lacking = bare("lacking", (path) => rmSync(join(path, "accounts.db")));
  const full = join(folder, "full");
  mkdirSync(full);
  writeFileSync(join(full, "notes"), "");
  const free = join(folder, "free");
  const CH = "clickhouse://127.0.0.1:1/daybook";
  const env = {
    DAYBOOK_LEDGER_URL: "clickhouse://u:pa55word@127.0.0.1:1/daybook",
    DAYBOOK_ACCOUNTS_URL: "postgres://u:pa55word@127.0.0.1:1/db",
  };
  // biome-ignore format: a table
  const cases: readonly (readonly [code: number, from: string, to: string, said: RegExp, env?: Record<string, string>])[] = [
    [1, join(folder, "nowhere"), free, /holds no ledger\.db; name the folder/],
    [1, older, free, /ledger\.db is of an older daybook; start daybook serve on it once/],
    [1, foreign, free, /ledger\.db" is not a daybook file/],
    [1, spooled, free, /its spool has usage that the ledger may lack; start daybook serve --gateway on it, and stop it/],
    [1, lacking, free, /lacks accounts\.db/],
    [1, data, full, /--to: it holds files already; name a new or an empty folder/],
    [1, data, data, /--to: it holds files already/],
    [1, data, join(full, "notes"), /--to: it is no folder/],
    [2, data, "clickhouse://u:pa55word@127.0.0.1:1/daybook", /--to: it has a password, and command lines are for all to see/],
    [2, data, CH, /--to: accounts, keys and price books move with the usage; set DAYBOOK_ACCOUNTS_URL/],
    [2, data, "clickhouse://127.0.0.1:2/daybook", /--to: "clickhouse.*" is another place than DAYBOOK_LEDGER_URL names/, env],
    [2, CH, CH, /--to: one of --from and --to must be a data folder/, env],
    [1, data, "http://127.0.0.1/x", /--to: it does not begin with clickhouse:\/\//, env],
    [1, data, CH, /the ledger's engine does not answer/, env],
    [1, data, CH, /the ledger's engine does not answer/, { ...env, DAYBOOK_LEDGER_URL: `${env.DAYBOOK_LEDGER_URL}?secure=true` }],
  ];
  for (const [code, from, to, message, variables = {}] of cases) {
    const said = await run(["migrate", "--from", from, "--to", to], { env: { ...BOOTSTRAP, ...variables } });
    assert.match(said.stderr, message, `${from} to ${to}: ${said.stderr}`);
    assert.match(said.stderr, /^daybook: [^\n]+\n$/, "one line");
    assert.doesNotMatch(said.stderr, /pa55word/);
    assert.equal(said.code, code, said.stderr);
  }
  const followed = await run(["migrate", "--from", CH, "--to", free, "--follow"], { env: { ...BOOTSTRAP, ...env } });
  assert.match(
    followed.stderr,
    /^daybook: --follow: only a data folder is followed; leave it out, and stop all servers/,
  );
  assert.equal(followed.code, 2);
  assert.ok(!existsSync(free));
  assert.equal((await run(["migrate", "--from", data])).code, 2);
});

test("no server starts on a folder that was moved, until its operator takes it back", async () => {
  const path = join(folder, "left");
  const first = await start({ folder: path });
  await first.daybook.stop();
  const to = "clickhouse://there/daybook and postgres://there/daybook";
  const state = MigrationState.open(path, { from: path, to });
  state.noteRecords("hash");
  await (await start({ folder: path })).daybook.stop();
  state.noteDone();
  await assert.rejects(
    openInstallation({ dataFolder: path }).then((opened) => opened.close()),
    /cannot be used: it was moved to clickhouse:\/\/there\/daybook and .*; choose another --data .*, or delete migration\.json/,
  );
  rmSync(join(path, "migration.json"));
  await (await start({ folder: path })).daybook.stop();
});

test("a move into what belongs to others is refused, and changes nothing of it", async () => {
  const [from, to] = [join(folder, "one"), join(folder, "two")];
  for (const [path, call] of [
    [from, "ours"],
    [to, "theirs"],
  ] as const) {
    const { daybook, url } = await start({ folder: path });
    await write(url, call, 10);
    await daybook.stop();
  }
  // As if it were a move that was broken off.
  renameSync(to, `${to}.partial`);
  const said = await moved(from, to);
  assert.equal(said.code, 1);
  assert.match(
    said.stderr,
    /^daybook: --to: its accounts, keys and price books are not those of --from, or were changed since; it may be in use: name an empty one\n$/,
  );
  const file = new DatabaseSync(`${to}.partial/ledger.db`);
  assert.equal(file.prepare("SELECT count(*) AS n FROM events").get()!.n, 10);
  assert.equal(file.prepare("SELECT count(*) AS n FROM events WHERE id LIKE 'ours%'").get()!.n, 0);
  file.close();
  rmSync(`${to}.partial/accounts.db`);
  assert.match((await moved(from, to)).stderr, /--to: the usage of account acme in it is not that of --from/);
});

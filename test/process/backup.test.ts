/** `daybook backup` as an operator runs it: real processes, a real folder, a server that is written to meanwhile. */

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { until } from "../until.ts";
import { ACCOUNT, Daybook, run, type Said, start } from "./daybook.ts";
import { mountDisk, unmountDisk } from "./disk.ts";
import { ask, askJson } from "./http.ts";

const EVENTS_PER_CALL = 500;
const PREFILLED_CALLS = 12;
const EVENTS_PER_PREFILL = 10_000;
const CLIENTS = 3;
const KILLS = 6;
/** On a busy machine a copy may be made before it is interrupted; then it is interrupted once more. */
const TRIES_MAX = 30;
const TIME = new Date(Date.now() - 3_600_000).toISOString();
const A = `/v1/accounts/${ACCOUNT}`;

const folder = mkdtempSync(join(tmpdir(), "daybook-backup-"));
const data = join(folder, "data");
const mounts: string[] = [];
before(async () => {
  const { daybook, url } = await start({ folder: data });
  for (let call = 0; call < PREFILLED_CALLS; call += 1) {
    assert.equal(await write(url, `before${call}`, { events: EVENTS_PER_PREFILL }), EVENTS_PER_PREFILL);
  }
  await daybook.stop();
});
after(() => {
  Daybook.killAll();
  for (const mount of mounts) unmountDisk(mount);
  rmSync(folder, { recursive: true, force: true });
});

interface WriteOptions {
  readonly events?: number;
  readonly apiKeyId?: string;
  readonly agent?: Agent;
}

/** Writes a call of events of one token each, whose ids tell the call. Returns how many were new. */
async function write(url: string, call: string, options: WriteOptions = {}): Promise<number> {
  const { events = EVENTS_PER_CALL, apiKeyId, agent } = options;
  const lines = Array.from({ length: events }, (_, n) =>
    JSON.stringify({
      id: `${call}/${n}`,
      time: TIME,
      usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
      model: "m",
      promptTokens: 1,
      ...(apiKeyId && { apiKeyId }),
    }),
  );
  const path = `${A}/usageEvents:batchCreate`;
  const headers = { "content-type": "application/x-ndjson" };
  const body = Buffer.from(lines.join("\n"));
  const { created } = await askJson<{ created: number }>(url, {
    path,
    body,
    headers: { ...headers, "content-length": String(body.length) },
    ...(agent && { agent }),
  });
  return created;
}

/** A key that nobody had before, for the usage of the calls that follow. */
async function newKey(url: string): Promise<string> {
  const body = JSON.stringify({ apiKey: { displayName: "made meanwhile" } });
  return (await askJson<{ keyId: string }>(url, { path: `${A}/users/owner/apiKeys`, body })).keyId;
}

/** The tokens that a server on the folder reports, one for each event. */
async function reported(url: string): Promise<number> {
  const [from, to] = [Date.now() - 2 * 86_400_000, Date.now() + 86_400_000].map((time) => new Date(time).toISOString());
  const path = `${A}/billingUsage?startTime=${from}&endTime=${to}`;
  const report = await askJson<{ serverlessCosts: { promptTokens: string }[] }>(url, { path });
  return report.serverlessCosts.reduce((sum, row) => sum + Number(row.promptTokens), 0);
}

function rows<T>(path: string, sql: string): T[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare(sql).all() as T[];
  } finally {
    database.close();
  }
}

/** The events of each call, as they lie in a copy. */
function filedCalls(copy: string): ReadonlyMap<string, number> {
  const sql = "SELECT substr(id, 1, instr(id, '/') - 1) AS call, count(*) AS n FROM events GROUP BY 1";
  return new Map(rows<{ call: string; n: number }>(join(copy, "ledger.db"), sql).map(({ call, n }) => [call, n]));
}

const backup = (to: string, from = data): Promise<Said> => run(["backup", "--data", from, "--to", to]);
const partials = (): string[] => readdirSync(folder).filter((name) => name.includes(".partial-"));
const agrees = async (copy: string, events: number): Promise<void> => {
  const said = await run(["verify", "--data", copy]);
  assert.match(said.stdout, new RegExp(`^all \\d+ sums agree with ${events} events\n$`), said.stderr);
};

interface Load {
  /** Calls that were answered 200. */
  readonly answered: ReadonlySet<string>;
  stop(): Promise<void>;
}

/** Clients that write without a pause, with a new key every few calls. */
function startLoad(url: string): Load {
  const answered = new Set<string>();
  const agent = new Agent({ keepAlive: true });
  let stopped = false;
  const client = async (name: number): Promise<void> => {
    let apiKeyId = "";
    for (let call = 0; !stopped; call += 1) {
      if (call % 5 === 0) apiKeyId = await newKey(url);
      const id = `c${name}-${call}`;
      assert.equal(await write(url, id, { apiKeyId, agent }), EVENTS_PER_CALL);
      answered.add(id);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)));
  const stop = async (): Promise<void> => {
    stopped = true;
    await clients;
    agent.destroy();
  };
  return { answered, stop };
}

test("under full load: all that was answered before is in the copy, whole calls only, and it serves", async (context) => {
  const copy = join(folder, "copy");
  const { daybook, url } = await start({ folder: data });
  const load = startLoad(url);
  await until("a load", () => load.answered.size > 5);
  const before = [...load.answered];
  const said = await backup(copy);
  const meanwhile = load.answered.size - before.length;
  await load.stop();
  assert.equal(said.code, 0, said.stderr);
  assert.ok(before.length > 0 && meanwhile > 0, `${before.length} calls before, ${meanwhile} meanwhile`);

  const filed = filedCalls(copy);
  for (const call of before) assert.equal(filed.get(call), EVENTS_PER_CALL, call);
  for (const [call, events] of filed) {
    assert.equal(events, call.startsWith("before") ? EVENTS_PER_PREFILL : EVENTS_PER_CALL, call);
  }
  const events = [...filed.values()].reduce((sum, one) => sum + one, 0);
  const [{ position }] = rows<{ position: number }>(
    join(copy, "ledger.db"),
    "SELECT max(version) AS position FROM days",
  ) as [{ position: number }];
  assert.match(said.stdout, new RegExp(`^all of .* is in .*: ${events} events, position ${position}, [\\d.]+ MB\n$`));
  const known = new Set(
    rows<{ id: string }>(join(copy, "accounts.db"), "SELECT key_id AS id FROM api_keys").map(({ id }) => id),
  );
  const used = rows<{ id: string }>(
    join(copy, "ledger.db"),
    "SELECT DISTINCT api_key_id AS id FROM series WHERE api_key_id <> ''",
  );
  assert.ok(used.length > 0);
  assert.deepEqual(
    used.filter(({ id }) => !known.has(id)),
    [],
    "keys that usage mentions",
  );

  await agrees(copy, events);
  const restored = await start({ folder: copy });
  assert.equal(await reported(restored.url), events);
  assert.equal(await write(restored.url, before[0]!), 0, "an identity is kept");
  assert.equal(await write(restored.url, "after"), EVENTS_PER_CALL);
  assert.equal((await restored.daybook.stop()).code, 0);
  assert.equal((await daybook.stop()).code, 0);
  assert.deepEqual(partials(), []);
  context.diagnostic(`${events} events; ${before.length} calls before, ${meanwhile} calls meanwhile`);
});

test("a server that is stopped while it is copied ends in good order, and so does the copy", async () => {
  const copy = join(folder, "stopped");
  const { daybook } = await start({ folder: data });
  const copying = new Daybook(["backup", "--data", data, "--to", copy]);
  await untilPartial(copy);
  const [server, said] = await Promise.all([daybook.stop(), copying.end()]);
  assert.deepEqual([server.code, said.code], [0, 0], said.stderr);
  await agrees(copy, Number(/: (\d+) events/.exec(said.stdout)![1]));
});

/** Waits until a copy is begun, or made: on a busy machine this looks seldom. */
async function untilPartial(copy: string): Promise<void> {
  while (partials().length === 0 && !existsSync(copy)) await sleep(1);
}

test("killed at any instant, nothing half lies under the final name; the next backup succeeds", async (context) => {
  const copy = join(folder, "killed");
  let complete = 0;
  let rounds = 0;
  for (; rounds < KILLS || (complete === rounds && rounds < TRIES_MAX); rounds += 1) {
    const copying = new Daybook(["backup", "--data", data, "--to", copy]);
    await untilPartial(copy);
    await sleep((rounds % KILLS) * 60);
    copying.kill();
    await copying.ended;
    if (existsSync(copy)) {
      complete += 1;
      assert.deepEqual(readdirSync(copy).sort(), ["accounts.db", "ledger.db"]);
      rmSync(copy, { recursive: true });
    }
    for (const partial of partials()) rmSync(join(folder, partial), { recursive: true });
  }
  assert.ok(complete < rounds, "no backup was killed in the middle");
  context.diagnostic(`${complete} of ${rounds} were whole before the kill`);
  mkdirSync(copy);
  assert.equal((await backup(copy)).code, 0, "an empty folder is taken");
});

test("Ctrl-C leaves nothing", async () => {
  const copy = join(folder, "interrupted");
  let said: Said | undefined;
  for (let tries = 0; tries < TRIES_MAX && said?.code !== 130; tries += 1) {
    rmSync(copy, { recursive: true, force: true });
    const copying = new Daybook(["backup", "--data", data, "--to", copy]);
    await untilPartial(copy);
    said = await copying.stop("SIGINT");
  }
  assert.deepEqual([said?.code, said?.stdout, said?.stderr, partials()], [130, "", "", []]);
  assert.ok(!existsSync(copy));
});

test("what a killed server left in its log is copied; a log that lost commits is not", async () => {
  const crashed = join(folder, "crashed");
  const { daybook, url } = await start({ folder: crashed });
  for (const call of ["a", "b", "c"]) await write(url, call);
  daybook.kill();
  await daybook.ended;
  const copy = join(folder, "of-crashed");
  assert.match((await backup(copy, crashed)).stdout, / 1500 events, position 3,/);
  await agrees(copy, 1_500);
  truncateSync(join(crashed, "ledger.db-wal"), 40_000);
  const said = await backup(join(folder, "of-damaged"), crashed);
  assert.equal(said.code, 1);
  assert.match(said.stderr, /^daybook: ".*ledger\.db" lost what was committed last: [^\n]+\n$/);
});

test("usage of the gateway that waits for the ledger is in the copy, and is counted when it is served", async () => {
  const waiting = join(folder, "waiting");
  const { daybook, url } = await start({ folder: waiting });
  await write(url, "a");
  await daybook.stop();
  const event = {
    id: "spooled",
    time: TIME,
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: "m",
    promptTokens: 1,
  };
  const json = JSON.stringify({ account: ACCOUNT, event });
  mkdirSync(join(waiting, "spool"));
  writeFileSync(join(waiting, "spool", "00000001.usage"), `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`);
  const copy = join(folder, "of-waiting");
  assert.equal((await backup(copy, waiting)).code, 0);
  const restored = await start({ folder: copy });
  const path = `${A}/usageEvents/spooled`;
  await until("the waiting event is counted", async () => {
    const answer = await ask(restored.url, { path });
    return answer.kind === "answered" && answer.status === 200;
  });
  assert.equal(await reported(restored.url), EVENTS_PER_CALL + 1);
  await restored.daybook.stop();
});

test("a disk that is full, or the root of a disk, is told in one line, and nothing stays on it", async (context) => {
  const disk = join(folder, "disk");
  if (!mountDisk(disk, 4)) return context.skip("no disk can be mounted here");
  mounts.push(disk);
  const full = await backup(join(disk, "copy"));
  assert.match(full.stderr, /^daybook: --to: ".*copy" cannot take the backup: its disk is full; [^\n]+\n$/);
  assert.deepEqual([full.code, full.stdout, readdirSync(disk)], [1, "", []]);
  const root = await backup(disk);
  assert.match(root.stderr, /^daybook: --to: ".*disk" cannot take the backup: a disk is mounted there, [^\n]+\n$/);
});

test("files that may grow no further are told in one line, and nothing is left", async () => {
  const node = join(folder, "small-files");
  // In blocks of 512 bytes by POSIX; some shells count 1,024.
  writeFileSync(node, `#!/bin/sh\nulimit -f 4000\nexec ${process.execPath} "$@"\n`);
  chmodSync(node, 0o755);
  const copy = join(folder, "limited");
  const said = await run(["backup", "--data", data, "--to", copy], { node });
  assert.match(said.stderr, /^daybook: --to: ".*limited" cannot take the backup: [^\n]+\n$/);
  assert.deepEqual([said.code, said.stdout, existsSync(copy), partials()], [1, "", false, []]);
});

test("what cannot be the target, or is no data folder, is refused in one line and left as it is", async () => {
  mkdirSync(join(folder, "full"));
  writeFileSync(join(folder, "full", "notes"), "mine");
  symlinkSync(join(folder, "nowhere"), join(folder, "dangling"));
  mkdirSync(join(folder, "foreign"));
  writeFileSync(join(folder, "foreign", "ledger.db"), "This is some other text, long enough to have a header of it.");
  mkdirSync(join(folder, "empty"));
  writeFileSync(join(folder, "empty", "ledger.db"), "");
  // biome-ignore format: one line each
  const refused: readonly (readonly [from: string, to: string, stderr: RegExp])[] = [
    ["data", "full", /--to: ".*full" cannot take the backup: it holds files already; name a new or an empty folder/],
    ["data", "full/notes", /--to: ".*notes" cannot take the backup: it is no folder; name a new or an empty folder/],
    ["data", "full/notes/x", /--to: ".*" cannot take the backup: .*ENOTDIR/],
    ["data", "dangling", /--to: ".*dangling" cannot take the backup: .*ENOENT/],
    ["data", "data", /--to: ".*data" cannot take the backup: it holds files already/],
    ["data", "data/copy", /--to: ".*copy" cannot take the backup: it lies in the data folder/],
    ["nowhere", "new", /data folder ".*nowhere" cannot be used: it holds no ledger.db; /],
    ["foreign", "new", /".*ledger.db" is not a daybook file; /],
    ["empty", "new", /data folder ".*ledger.db" cannot be used: it is empty; /],
  ];
  for (const [from, to, stderr] of refused) {
    const said = await backup(join(folder, to), join(folder, from));
    assert.match(said.stderr, new RegExp(`^daybook: ${stderr.source}[^\n]*\n$`));
    assert.deepEqual([said.code, said.stdout], [1, ""], to);
  }
  assert.deepEqual(
    [readdirSync(join(folder, "full")), existsSync(join(folder, "new")), partials()],
    [["notes"], false, []],
  );
});

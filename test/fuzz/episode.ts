/**
 * One episode: a fresh server process, so many damaged calls after one another, each answer judged, and at the end the
 * files verified. Everything that is sent follows from the episode's seed.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkError } from "../contract/openapi-check.ts";
import { type Daybook, KEY, run, start } from "../process/daybook.ts";
import { askJson } from "../process/http.ts";
import { Random } from "../simulator/random.ts";
import { type WireCall, wireOf } from "./mutate.ts";
import { ENDLESS, mixedCall, openapi, plainCall, WORLD } from "./operations.ts";
import { ANSWER_MS_MAX, bytesOf, type Reply, sendBytes } from "./wire.ts";

export interface EpisodeOptions {
  readonly seed: number;
  readonly requests: number;
}

export interface EpisodeResult {
  /** Answers by status; `cut` for a request that is no HTTP and was hung up on. */
  readonly statuses: ReadonlyMap<string, number>;
  readonly slowestMs: number;
  /** The most memory that the process had; undefined where the system does not tell. */
  readonly peakMiB: number | undefined;
}

/** A slow answer is asked for again: the same call is slow each time, a busy machine is not. */
const REPEATS_MAX = 3;
/** A process at rest has some 200 MiB; bodies of the fuzzer are small, so what grows beyond is kept by mistake. */
const PEAK_MIB_MAX = 600;
/** What no answer holds: a place in the code, the engine's own words, a key. */
const LEAK = /\n {4}at |node_modules|\.ts:\d|\.js:\d|SQLITE_|file:\/\/|fw_process-test-key/;

/** Runs it to the end. @throws Error that tells the call, the answer and the command that replays it. */
export async function episode({ seed, requests }: EpisodeOptions): Promise<EpisodeResult> {
  const random = new Random(seed);
  const folder = mkdtempSync(join(tmpdir(), "daybook-fuzz-"));
  const { daybook, url } = await start({ folder });
  const files = new Files(folder);
  const statuses = new Map<string, number>();
  let slowestMs = 0;
  let created = 0;
  try {
    const keys = await makeWorld(url);
    created += 1;
    const operations = [...openapi.operations.keys()].filter((operation) => !ENDLESS.has(operation));
    files.note();
    for (let number = 1; number <= requests; number += 1) {
      const call = mixedCall(random.pick(operations), random);
      const wire = wireOf(call, random, keys, random.pick([0, 1, 1, 1, 2, 3]));
      const send = () => sendBytes(Number(new URL(url).port), bytesOf(wire), wire.framed);
      let reply = await send();
      try {
        judge(wire, reply, files);
        created += createdOf(wire, reply);
        for (let again = 1; reply.ms > ANSWER_MS_MAX; again += 1) {
          assert.ok(again <= REPEATS_MAX, `no answer within ${ANSWER_MS_MAX} ms, ${again} times`);
          reply = await send();
          judge(wire, reply, files);
          created += createdOf(wire, reply);
        }
      } catch (error) {
        const replay = `npm run fuzz -- --seed ${seed} --requests ${number}`;
        throw new Error(`request ${number}: ${(error as Error).message}\n${told(wire, reply)}\nreplay: ${replay}`, {
          cause: error,
        });
      }
      const status = reply.kind === "answered" ? `${reply.status}` : reply.kind;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      slowestMs = Math.max(slowestMs, reply.ms);
    }
    const peakMiB = peakOf(daybook.pid);
    assert.ok(peakMiB === undefined || peakMiB < PEAK_MIB_MAX, `seed ${seed}: the process grew to ${peakMiB} MiB`);
    files.close();
    await checkEnd(daybook, folder, created, seed);
    return { statuses, slowestMs, peakMiB };
  } finally {
    files.close();
    daybook.kill();
    await daybook.ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Two accounts, a user, a deployment, a budget, an event; keys of each role, the operator's first. */
async function makeWorld(url: string): Promise<string[]> {
  const post = <T>(path: string, body: object) => askJson<T>(url, { path, body: JSON.stringify(body) });
  const account = `/v1/accounts/${WORLD.account}`;
  await post("/v1/accounts", { name: WORLD.other });
  await post(`${account}/users`, { name: WORLD.user });
  await post(`${account}/deployments`, { name: WORLD.deployment, acceleratorType: "NVIDIA_L4_24GB" });
  await post(`${account}/budgets`, { name: WORLD.budget, annotation: { environment: "prod" }, monthlyUsd: "500" });
  const event = { id: WORLD.event, time: "2026-05-28T09:30:00Z", usageType: "TEXT_COMPLETION_INFERENCE_USAGE" };
  await post(`${account}/usageEvents:batchCreate`, { events: [event] });
  const keys = [KEY];
  for (const role of ["ADMIN", "USER", "METER"]) {
    const user = role === "USER" ? WORLD.user : "owner";
    keys.push((await post<{ key: string }>(`${account}/users/${user}/apiKeys`, { apiKey: { role } })).key);
  }
  return keys;
}

function judge(wire: WireCall, reply: Reply, files: Files): void {
  if (reply.kind === "silent") assert.fail(`no answer in ${reply.ms.toFixed(0)} ms`);
  if (reply.kind === "cut") {
    assert.ok(!wire.framed, `the connection was cut: ${JSON.stringify(reply.received)}`);
    files.doubt();
    return;
  }
  const { status, body } = reply;
  assert.ok(status < 500, `status ${status}: ${body}`);
  assert.doesNotMatch(body, LEAK);
  const isRead = wire.method === "GET" || wire.method === "HEAD";
  if (status >= 400 || isRead) files.checkUnchanged();
  else files.note();
  if (wire.method === "HEAD") return;
  const json = /^content-type: application\/json/im.test(reply.head) ? JSON.parse(body) : undefined;
  if (status >= 400) checkError("the call", status, json);
  if (wire.framed) openapi.checkAnswer(wire.method, wire.path, status, json);
}

function createdOf(wire: WireCall, reply: Reply): number {
  if (!wire.operation.endsWith(":batchCreate") || reply.kind !== "answered" || reply.status !== 200) return 0;
  return (JSON.parse(reply.body) as { created: number }).created;
}

/** What was sent and answered, for a reader: no more than a screen. */
function told(wire: WireCall, reply: Reply): string {
  const bytes = bytesOf(wire);
  const shown = JSON.stringify(bytes.toString("latin1").slice(0, 1_500));
  return `${wire.operation}, ${bytes.length} bytes: ${shown}\nanswer: ${JSON.stringify(reply).slice(0, 1_500)}`;
}

/** Ends the server: a clean exit, no error in its log, no key either, and files that agree with what was answered. */
async function checkEnd(daybook: Daybook, folder: string, created: number, seed: number): Promise<void> {
  const { code, stderr } = await daybook.stop();
  assert.equal(code, 0, `seed ${seed}: the server ended with ${code}`);
  const errors = stderr.split("\n").filter((line) => /^(?!\{"level":[34]0)./.test(line));
  assert.deepEqual(errors, [], `seed ${seed}: errors in the log`);
  assert.ok(!stderr.includes(KEY), `seed ${seed}: a key in the log`);
  const said = await run(["verify", "--data", folder]);
  const agrees = new RegExp(`^all \\d+ sums agree with ${created} events\n$`).test(said.stdout);
  assert.ok(agrees, `seed ${seed}: ${created} events were created, and verify says: ${said.stdout}${said.stderr}`);
}

function peakOf(pid: number): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kib === undefined ? undefined : Math.round(Number(kib) / 1024);
  } catch {
    return undefined;
  }
}

/** Looks at the server's files from outside, to see whether a call wrote anything. */
class Files {
  readonly #files: readonly WatchedFile[];
  #isOpen = true;
  #isDoubted = false;

  constructor(folder: string) {
    const open = (name: string) => new DatabaseSync(join(folder, name), { readOnly: true });
    this.#files = [
      { name: "ledger.db", database: open("ledger.db"), contentOf: countsOf, version: 0, content: "" },
      { name: "accounts.db", database: open("accounts.db"), contentOf: recordsOf, version: 0, content: "" },
    ];
  }

  /** Takes what is there now as what must stay. */
  note(): void {
    for (const file of this.#files) {
      const version = versionOf(file.database);
      if (version !== file.version) file.content = file.contentOf(file.database);
      file.version = version;
    }
    this.#isDoubted = false;
  }

  /** A call whose answer nobody has may write now or in a moment: the next one cannot be judged by the files. */
  doubt(): void {
    this.#isDoubted = true;
  }

  /** No transaction was committed that changed more than what a server notes beside any call. */
  checkUnchanged(): void {
    if (this.#isDoubted) this.note();
    for (const file of this.#files) {
      const version = versionOf(file.database);
      if (version === file.version) continue;
      assert.equal(file.contentOf(file.database), file.content, `a call that may not write wrote to ${file.name}`);
      file.version = version;
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const { database } of this.#files) database.close();
  }
}

interface WatchedFile {
  readonly name: string;
  readonly database: DatabaseSync;
  readonly contentOf: (database: DatabaseSync) => string;
  version: number;
  content: string;
}

/** A number that changes whenever another connection commits to the file. */
function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA data_version").get()!.data_version);
}

function tablesOf(database: DatabaseSync, without: string): string[] {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> ? ORDER BY name");
  return tables.all(without).map(({ name }) => String(name));
}

/** The ledger's counters, and the rows of each table but for packed days, which are made once a minute. */
function countsOf(database: DatabaseSync): string {
  const lines = tablesOf(database, "packed_days").map((name) => {
    return `${name}: ${database.prepare(`SELECT count(*) AS n FROM "${name}"`).get()!.n} rows`;
  });
  return [...lines, JSON.stringify(database.prepare("SELECT * FROM counters").all())].join("\n");
}

/** A digest of each table's rows but for what is noted beside any call: the last use of keys, and notices of spends. */
function recordsOf(database: DatabaseSync): string {
  const lines = tablesOf(database, "notices").map((name) => {
    const columns = database.prepare(`SELECT name FROM pragma_table_info('${name}') WHERE name <> 'last_used'`).all();
    const rows = database.prepare(`SELECT ${columns.map((column) => `"${column.name}"`).join(", ")} FROM "${name}"`);
    rows.setReturnArrays(true);
    const all = rows.all();
    return `${name}: ${all.length} rows, ${createHash("sha1").update(JSON.stringify(all)).digest("hex")}`;
  });
  return lines.join("\n");
}

/** The plain call of each operation, sent once; returns the statuses by operation. */
export async function plainStatuses(): Promise<Map<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), "daybook-fuzz-"));
  const { daybook, url } = await start({ folder });
  try {
    const keys = await makeWorld(url);
    const statuses = new Map<string, number>();
    // What deletes comes last, so that the others find what they name.
    const operations = [...openapi.operations.keys()].sort(
      (a, b) => Number(a.startsWith("D")) - Number(b.startsWith("D")),
    );
    for (const operation of operations) {
      const wire = wireOf(plainCall(operation), new Random(1), keys, 0);
      const reply = await sendBytes(Number(new URL(url).port), bytesOf(wire));
      if (reply.kind === "answered") statuses.set(operation, reply.status);
    }
    return statuses;
  } finally {
    daybook.kill();
    await daybook.ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

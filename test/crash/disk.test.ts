/**
 * Disks that fail: full while the server runs, full at its start, not to be written. What cannot be written is answered
 * 503 and nothing of it is kept; what was answered 200 stays readable; with space again, it goes on by itself.
 */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkError } from "../contract/openapi-check.ts";
import { ACCOUNT, Daybook, run, start } from "../process/daybook.ts";
import { ballast, mountDisk, remountDisk, unmountDisk } from "../process/disk.ts";
import { ask, askJson } from "../process/http.ts";
import { readFiles } from "./file-check.ts";

const DISK_MIB = 24;
const EVENTS_PER_CALL = 2_000;
const CALLS_MAX = 400;
const A = `/v1/accounts/${ACCOUNT}`;
const folder = mkdtempSync(join(tmpdir(), "daybook-disk-"));
const mounts: string[] = [];

after(() => {
  Daybook.killAll();
  for (const mount of mounts) unmountDisk(mount);
  rmSync(folder, { recursive: true, force: true });
});

/** A disk of its own of so many MiB, undefined where this process may not mount one. */
function makeDisk(name: string): string | undefined {
  const path = join(folder, name);
  if (!mountDisk(path, DISK_MIB)) return undefined;
  mounts.push(path);
  return path;
}

const disk = makeDisk("disk");
const skip =
  disk === undefined ? "no disk can be mounted here; a limit on the size of files stands for it below" : false;

function eventsText(call: number): string {
  const time = new Date(Date.now() - 3_600_000).toISOString();
  const events = Array.from({ length: EVENTS_PER_CALL }, (_, at) => {
    return { id: `${call}-${at}`, time, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m", promptTokens: 1 };
  });
  return JSON.stringify({ events });
}

const write = (url: string, call: number) => ask(url, { path: `${A}/usageEvents:batchCreate`, body: eventsText(call) });

/** The tokens that the report tells, one for each event. */
async function countedEvents(url: string): Promise<number> {
  const [from, to] = [Date.now() - 2 * 86_400_000, Date.now() + 86_400_000].map((time) => new Date(time).toISOString());
  const path = `${A}/billingUsage?startTime=${from}&endTime=${to}`;
  const report = await askJson<{ serverlessCosts: { promptTokens: string }[] }>(url, { path });
  return report.serverlessCosts.reduce((sum, row) => sum + Number(row.promptTokens), 0);
}

interface Filled {
  /** Calls that were answered 200. */
  readonly written: number;
  readonly refusals: readonly string[];
}

/** Writes until the disk takes no more, then some calls further; each of them must be refused as one that may be repeated. */
async function fill(url: string, from: number): Promise<Filled> {
  const refusals: string[] = [];
  let written = 0;
  for (let call = from; call < from + CALLS_MAX && refusals.length < 5; call += 1) {
    const answer = await write(url, call);
    assert.equal(answer.kind, "answered");
    if (answer.kind !== "answered") break;
    if (answer.status === 200) {
      written += 1;
      continue;
    }
    assert.equal(answer.status, 503, answer.body);
    checkError("a write", 503, JSON.parse(answer.body));
    refusals.push((JSON.parse(answer.body) as { message: string }).message);
  }
  return { written, refusals };
}

/** Makes users until the disk takes no more. */
async function fillAccounts(url: string): Promise<void> {
  for (let user = 0; user < CALLS_MAX; user += 1) {
    const body = JSON.stringify({ name: `user-${user}`, displayName: "x".repeat(200) });
    const answer = await ask(url, { path: `${A}/users`, body });
    assert.equal(answer.kind, "answered");
    if (answer.kind !== "answered" || answer.status === 200) continue;
    assert.equal(answer.status, 503, answer.body);
    checkError("a user", 503, JSON.parse(answer.body));
    return;
  }
  assert.fail("the disk took all users");
}

test("a disk that is full refuses writes with 503, answers reads, and goes on when there is space", {
  skip,
}, async (context) => {
  const filler = join(disk!, "ballast");
  ballast(filler, DISK_MIB - 10);
  const data = join(disk!, "data");
  const { daybook, url } = await start({ folder: data });
  const { written, refusals } = await fill(url, 0);
  assert.ok(refusals.length > 0, `${written} calls did not fill ${DISK_MIB} MiB`);
  for (const refusal of refusals) assert.match(refusal, /^server: nothing was written: .*full.*; try again in 1 s$/);
  assert.equal(await countedEvents(url), written * EVENTS_PER_CALL);
  await fillAccounts(url);
  assert.equal((await askJson<{ status: string }>(url, { path: "/healthz" })).status, "ok");
  rmSync(filler);
  const [again, later] = [await write(url, CALLS_MAX), await write(url, CALLS_MAX + 1)];
  assert.deepEqual([again.kind === "answered" && again.status, later.kind === "answered" && later.status], [200, 200]);
  const events = (written + 2) * EVENTS_PER_CALL;
  assert.equal(await countedEvents(url), events);
  assert.equal((await daybook.stop()).code, 0);
  const filed = readFiles(data);
  assert.deepEqual([filed.problems, filed.events.length], [[], events]);
  context.diagnostic(`figure full disk: ${written} calls of ${EVENTS_PER_CALL} events filled the disk`);
});

test("killed on a full disk, it starts again when there is space, with all that was answered", { skip }, async () => {
  const data = join(disk!, "killed");
  rmSync(join(disk!, "data"), { recursive: true, force: true });
  const first = await start({ folder: data });
  const { written, refusals } = await fill(first.url, 0);
  assert.ok(refusals.length > 0);
  first.daybook.kill();
  await first.daybook.ended;
  // With no space it may start or say why not; it must not lose what is there.
  const full = await run(["verify", "--data", data]);
  assert.ok(full.code === 0 || /^daybook: [^\n]+\n$/.test(full.stderr), full.stderr);
  assert.ok(remountDisk(disk!, `size=${2 * DISK_MIB}m`));
  const second = await start({ folder: data });
  assert.equal(await countedEvents(second.url), written * EVENTS_PER_CALL);
  const answer = await write(second.url, CALLS_MAX);
  assert.equal(answer.kind === "answered" && answer.status, 200);
  assert.equal((await second.daybook.stop()).code, 0);
  const said = await run(["verify", "--data", data]);
  assert.match(said.stdout, new RegExp(`^all \\d+ sums agree with ${(written + 1) * EVENTS_PER_CALL} events\n$`));
});

test("a start on a full disk ends in one line, and leaves nothing that a later start trips over", {
  skip,
}, async () => {
  const small = makeDisk("small")!;
  const filler = join(small, "ballast");
  ballast(filler, 2 * DISK_MIB);
  const data = join(small, "data");
  const said = await run(["serve", "--data", data, "--port", "0"]);
  assert.equal(said.code, 1);
  assert.match(said.stderr, /^daybook: [^\n]+\n$/);
  rmSync(filler);
  const { daybook, url } = await start({ folder: data });
  assert.equal((await ask(url, { path: A })).kind, "answered");
  assert.equal((await daybook.stop()).code, 0);
});

test("a disk that may not be written is refused in one line, also for verify", { skip }, async () => {
  const data = makeDisk("sealed")!;
  const { daybook, url } = await start({ folder: data });
  assert.equal((await write(url, 0)).kind, "answered");
  assert.equal((await daybook.stop()).code, 0);
  assert.ok(remountDisk(data, "ro"));
  for (const args of [
    ["serve", "--data", data, "--port", "0"],
    ["verify", "--data", data],
  ]) {
    // biome-ignore format: one line
    const said = await run(args);
    assert.match(said.stderr, /^daybook: data folder "[^\n]*" cannot be used: [^\n]*\n$/, args.join(" "));
    assert.deepEqual([said.code, said.stdout], [1, ""]);
  }
});

test("files that may grow no further refuse writes with 503; what was answered is there after a restart", async (context) => {
  const node = join(folder, "small-files");
  // In blocks of 512 bytes by POSIX; some shells count 1,024.
  writeFileSync(node, `#!/bin/sh\nulimit -f 12000\nexec ${process.execPath} "$@"\n`);
  chmodSync(node, 0o755);
  const data = join(folder, "limited");
  const { daybook, url } = await start({ folder: data, node });
  const { written, refusals } = await fill(url, 0);
  assert.ok(refusals.length > 0, `${written} calls did not reach the limit`);
  assert.equal(await countedEvents(url), written * EVENTS_PER_CALL);
  const ended = await daybook.stop();
  context.diagnostic(`${written} calls before the limit; the end was ${ended.code}: ${refusals[0]}`);
  const again = await start({ folder: data });
  assert.equal(await countedEvents(again.url), written * EVENTS_PER_CALL);
  const answer = await write(again.url, CALLS_MAX);
  assert.equal(answer.kind === "answered" && answer.status, 200);
  assert.equal((await again.daybook.stop()).code, 0);
  assert.ok(!existsSync(join(data, "ledger.db-wal")));
  assert.deepEqual(readFiles(data).problems, []);
});

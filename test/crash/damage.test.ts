/**
 * Files that the disk returns changed: a bit turned, a sector lost, an end cut off, in each file and its write-ahead log.
 * Whatever the damage, one of these holds: the start is refused and says why; a question is answered with an error; the
 * answers are right; or `daybook verify` says that they are not. DAYBOOK_DAMAGES sets how many, DAYBOOK_CRASH_SEED which.
 */

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Fault } from "../../src/domain/fault.ts";
import { verifyFolder } from "../../src/folder-tools.ts";
import { usageJson } from "../../src/render/billing-usage.ts";
import { Service } from "../../src/service.ts";
import { partSeed, Random } from "../simulator/random.ts";

const DAMAGES = Number(process.env.DAYBOOK_DAMAGES ?? 40);
const NAMES = Math.ceil(DAMAGES / 4);
const SEED = Number(process.env.DAYBOOK_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 32));
const NOW = Date.parse("2026-10-20T12:00:00Z");
const ACCOUNTS = ["acme", "rival"];
const SECTOR_BYTES = 512;

const folder = mkdtempSync(join(tmpdir(), "daybook-damage-"));
/** As a clean end leaves the files, and as `kill -9` does: the second with write-ahead logs. */
const [CLEAN, KILLED] = [join(folder, "clean"), join(folder, "killed")];
let right: string;

before(async () => {
  const service = await Service.open({ dataFolder: CLEAN, now: () => NOW });
  await service.accounts.bootstrap({ accountId: ACCOUNTS[0]!, key: "fw_damage-test-key-0123456789" });
  for (let call = 0; call < 12; call += 1) {
    for (const account of ACCOUNTS) {
      await service.writeUsage(account, { bytes: events(call), contentType: "application/json", contentEncoding: "" });
    }
    await service.voidUsage(ACCOUNTS[0]!, [`${call}-1`, `${call}-2`]);
  }
  right = await answersOf(service);
  // The writer is at rest, so the files are what a killed process would leave.
  cpSync(CLEAN, KILLED, { recursive: true });
  await service.close();
  for (const name of ["daybook.lock", "daybook.pid", "ledger.db-shm", "accounts.db-shm"]) {
    for (const kept of [CLEAN, KILLED]) rmSync(join(kept, name), { force: true });
  }
});
after(() => rmSync(folder, { recursive: true }));

function events(call: number): Buffer {
  const list = Array.from({ length: 60 }, (_, at) => {
    const time = new Date(NOW - ((call * 60 + at) % 300) * 3_600_000 - at * 1_000).toISOString();
    const training = at % 10 === 0;
    const common = { id: `${call}-${at}`, time, annotations: { team: `team-${at % 3}` } };
    if (training) return { ...common, usageType: "TRAINING_TOKEN_USAGE", jobId: `job-${call % 2}`, tokens: at + 1 };
    const quantities = { promptTokens: 1_000 + at, cachedPromptTokens: at, completionTokens: call };
    return { ...common, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: `model-${at % 4}`, ...quantities };
  });
  return Buffer.from(JSON.stringify({ events: list }));
}

/** What reports say of all accounts, in ranges whose edges lie on slots and off them. */
async function answersOf(service: Service): Promise<string> {
  const answers: string[] = [];
  for (const account of ACCOUNTS) {
    for (const [startTime, endTime] of [
      ["2026-10-01T00:00:00Z", "2026-10-21T00:00:00Z"],
      ["2026-10-09T01:02:03Z", "2026-10-18T04:05:06Z"],
    ]) {
      // biome-ignore format: two ranges
      const question = { startTime, endTime, groupBy: ["model_name", "job_id", "annotations.team"] };
      answers.push(usageJson((await service.billingUsage(account, question, "body")).report).toString());
    }
  }
  return answers.join("\n");
}

interface Damage {
  readonly from: string;
  readonly file: string;
  readonly kind: "bit" | "sector" | "cut";
  /** The place in the file, as a share of its length. */
  readonly at: number;
  readonly bit: number;
}

function someDamage(random: Random): Damage {
  const from = random.chance(0.5) ? CLEAN : KILLED;
  const name = random.weighted([[3, "ledger.db"], [1, "accounts.db"]] as const); // biome-ignore format: one line
  const file = from === KILLED && random.chance(0.7) ? `${name}-wal` : name;
  const kind = random.weighted([[6, "bit"], [2, "sector"], [2, "cut"]] as const); // biome-ignore format: one line
  return { from, file, kind, at: random.int(0, 2 ** 30 - 1) / 2 ** 30, bit: random.int(0, 7) };
}

function doDamage(data: string, { file, kind, at, bit }: Damage): void {
  const path = join(data, file);
  const bytes = readFileSync(path);
  const place = Math.floor(at * bytes.length);
  if (kind === "sector") bytes.fill(0, place - (place % SECTOR_BYTES), place - (place % SECTOR_BYTES) + SECTOR_BYTES);
  if (kind === "bit") bytes[place] = bytes[place]! ^ (1 << bit);
  writeFileSync(path, kind === "cut" ? bytes.subarray(0, place) : bytes);
}

type Outcome = "refused at the start" | "an error for an answer" | "right" | "told by verify" | "silent";

async function outcomeOf(damage: Damage): Promise<Outcome> {
  const data = mkdtempSync(join(folder, "damaged-"));
  cpSync(damage.from, data, { recursive: true });
  doDamage(data, damage);
  try {
    const said = await answersOrFault(data);
    if (said === right) return "right";
    if (said === "refused" || said === "error")
      return said === "refused" ? "refused at the start" : "an error for an answer";
    const told = await verifyFolder(data).then(({ differencesTotal }) => differencesTotal > 0, isFault);
    return told ? "told by verify" : "silent";
  } finally {
    rmSync(data, { recursive: true });
  }
}

function isFault(error: unknown): true {
  assert.ok(error instanceof Fault, String((error as Error).stack));
  return true;
}

async function answersOrFault(data: string): Promise<string> {
  let service: Service;
  try {
    service = await Service.open({ dataFolder: data, now: () => NOW });
  } catch (error) {
    isFault(error);
    return "refused";
  }
  try {
    return await answersOf(service);
  } catch {
    return "error";
  } finally {
    await service.close().catch(() => {});
  }
}

/**
 * Does so much damage, each to a folder of its own, and returns how often it ended how.
 * @throws AssertionError where one ended as none may.
 */
async function outcomesOf(
  count: number,
  draw: (random: Random) => Damage,
  never: readonly Outcome[] = ["silent"],
): Promise<string> {
  const outcomes = new Map<Outcome, number>();
  const silent: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const damage = draw(new Random(partSeed(SEED, at)));
    const outcome = await outcomeOf(damage);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (never.includes(outcome))
      silent.push(JSON.stringify({ ...damage, from: damage.from === CLEAN ? "clean" : "killed" }));
  }
  assert.deepEqual(silent, [], `seed ${SEED}: answers are wrong and nothing says so`);
  return `seed ${SEED}: ${JSON.stringify(Object.fromEntries(outcomes))}`;
}

test(`${DAMAGES} damaged files: refused, told, or without effect`, {
  timeout: 120_000 + DAMAGES * 10_000,
}, async (context) => {
  context.diagnostic(`figure damage: ${await outcomesOf(DAMAGES, someDamage)}`);
});

/** Every place in ledger.db where a name stands that reports group by: of a model, a job, a team. */
function placesOfNames(): number[] {
  const bytes = readFileSync(join(CLEAN, "ledger.db"));
  const places: number[] = [];
  for (const name of ["model-", "job-", "team-"]) {
    for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) places.push(at / bytes.length);
  }
  return places;
}

test(`${NAMES} bits of names: no usage is shown under another name`, {
  timeout: 120_000 + NAMES * 10_000,
}, async (context) => {
  const places = placesOfNames();
  assert.ok(places.length > 20, `${places.length} names`);
  const damageOfName = (random: Random): Damage => {
    // The last bits turn one letter or digit into another.
    return { from: CLEAN, file: "ledger.db", kind: "bit", at: random.pick(places) + 1e-9, bit: random.int(0, 2) };
  };
  context.diagnostic(`figure bits of names: ${await outcomesOf(NAMES, damageOfName, ["silent", "told by verify"])}`);
});

test("a bit of a price book is told by verify, and no price is taken from it", async () => {
  const data = mkdtempSync(join(folder, "damaged-"));
  cpSync(CLEAN, data, { recursive: true });
  const bytes = readFileSync(join(data, "accounts.db"));
  const at = bytes.indexOf("perMillionTokens");
  assert.ok(at > 0);
  bytes[bytes.indexOf('"0.', at) + 3]! ^= 1;
  writeFileSync(join(data, "accounts.db"), bytes);
  const { differences } = await verifyFolder(data);
  const message = "accounts.db: price book version 1 is not what was put";
  assert.deepEqual(differences, [{ kind: "file", message }]);
  await assert.rejects(Service.open({ dataFolder: data, now: () => NOW }), /price book version 1 is not what was put/);
});

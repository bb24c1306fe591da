/** Laws 1 and 2 where identities are sealed all the time: a writer is killed at random instants, and starts from the first id. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { verifyLedger } from "../../src/ledger/sqlite/verify.ts";

const ROUNDS = Number(process.env.DAYBOOK_CRASH_ROUNDS ?? 30) / 3;
const EVENTS_PER_CALL = 7;
const WRITER = join(import.meta.dirname, "seal-writer.ts");

/** What the writer said of its calls until it was killed, so many milliseconds after its first. */
async function killed(path: string, from: number, ms: number): Promise<[created: number, duplicates: number][]> {
  const child = spawn(process.execPath, [WRITER, path, `${from}`], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const said = text(child.stdout);
  await Promise.race([once(child.stdout, "readable"), ended]);
  await wait(ms);
  child.kill("SIGKILL");
  assert.deepEqual(await ended, [null, "SIGKILL"]);
  const lines = (await said).split("\n").slice(0, -1);
  return lines.map((line) => line.split(" ").map(Number) as [number, number]);
}

test("a kill while identities are sealed loses none and doubles none", { timeout: 600_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "daybook-seal-"));
  const path = join(folder, "ledger.db");
  let written = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const said = await killed(path, 0, 100 + Math.random() * 400);
    const created = said.reduce((sum, call) => sum + call[0], 0);
    const duplicates = said.reduce((sum, call) => sum + call[1], 0);
    // The call that was killed may be on disk and unsaid: then the next round finds it.
    assert.ok(duplicates <= written + EVENTS_PER_CALL, `${duplicates} duplicates of ${written} events`);
    if (created > 0)
      assert.ok(duplicates >= written, `${written - duplicates} of ${written} events are not known any more`);
    written = Math.max(written, duplicates + created);
  }
  assert.deepEqual((await verifyLedger(path)).differences, []);
  t.diagnostic(`${written} events`);
  rmSync(folder, { recursive: true });
});

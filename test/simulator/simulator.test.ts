/**
 * The simulator for a minute (DAYBOOK_SIMULATOR_SECONDS for longer): past failures first, then seeds that nobody has seen.
 * A failure prints its seed and the command that runs it again.
 */

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { failureText, PAST_SEEDS, runCampaign } from "./campaign.ts";
import { runSeed, stepsOf } from "./run-seed.ts";
import { WORLD_NAMES, WORLDS } from "./worlds.ts";

const SECONDS = Number(process.env.DAYBOOK_SIMULATOR_SECONDS ?? 60);

suite("simulator", () => {
  test("a seed does the same each time", async () => {
    for (const name of ["sqlite", "memory"] as const) {
      const steps = stepsOf(7, WORLDS[name]);
      const [first, second] = [await runSeed(7, WORLDS[name], steps), await runSeed(7, WORLDS[name], steps)];
      assert.equal(first.failure, undefined);
      assert.equal(first.digest, second.digest, name);
    }
  });

  test("past failures name a world that there is", () => {
    for (const { world } of PAST_SEEDS) assert.ok(WORLD_NAMES.includes(world), world);
  });

  test(`${SECONDS} s of seeds: nothing is lost, doubled or answered wrong`, {
    timeout: 300_000 + SECONDS * 1_000,
  }, async (context) => {
    const firstSeed = Date.now() % 1_000_000_000;
    const { totals, failed } = await runCampaign({ ms: SECONDS * 1_000, firstSeed, past: true });
    for (const [name, { seeds, steps, questions, crashes }] of totals) {
      context.diagnostic(`${name}: ${seeds} seeds, ${steps} steps, ${questions} questions, ${crashes} power cuts`);
    }
    if (failed) assert.fail(failureText(failed));
  });
});

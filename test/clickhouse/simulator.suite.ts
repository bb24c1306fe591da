/**
 * The simulator in the world `clickhouse`: two processes on one engine, answers and inserts that get lost or come late,
 * processes and engines that are killed, beside the same oracle as every other ledger. A minute, or
 * DAYBOOK_SIMULATOR_SECONDS.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { failureText, runCampaign } from "../simulator/campaign.ts";

const SECONDS = Number(process.env.DAYBOOK_SIMULATOR_SECONDS ?? 60);

test(`${SECONDS} s of seeds on clickhouse: nothing is lost, doubled or answered wrong`, async (context) => {
  const firstSeed = Date.now() % 1_000_000_000;
  const { totals, failed } = await runCampaign({ ms: SECONDS * 1_000, firstSeed, world: "clickhouse", past: true });
  for (const { seeds, steps, questions, crashes } of totals.values()) {
    context.diagnostic(
      `${seeds} seeds, ${steps} steps, ${questions} questions, ${crashes} processes or engines killed`,
    );
  }
  if (failed) assert.fail(failureText(failed));
});

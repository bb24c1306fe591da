import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY_MS } from "./domain/time.ts";
import { batchOf, METERS, SERIES_FIELDS } from "./domain/usage.ts";
import { MemoryLedger } from "./ledger/memory.ts";
import { droppedBefore, Retention, type RetentionRun } from "./retention.ts";

const NOW = Date.UTC(2026, 10, 21, 10);

test("the last day of which nothing is kept ended that many days ago", () => {
  assert.equal(droppedBefore(NOW, 32), Date.UTC(2026, 9, 20));
  assert.equal(droppedBefore(Date.UTC(2026, 10, 21), 32), Date.UTC(2026, 9, 20));
  assert.equal(droppedBefore(Date.UTC(2026, 10, 21) - 1, 32), Date.UTC(2026, 9, 19));
});

test("a run drops what is due of all accounts, in pieces, and tells it once", async () => {
  const ledger = new MemoryLedger();
  const labels = SERIES_FIELDS.map((field) => (field === "usageType" ? "AUDIO_INFERENCE_USAGE" : ""));
  for (const account of ["a", "b"]) {
    const events = Array.from({ length: 5_000 }, (_, n) => ({
      id: `e${n}`,
      time: NOW - (n % 50) * DAY_MS,
      sent: labels,
      series: labels,
      quantities: METERS.map(() => 1),
    }));
    await ledger.append(account, batchOf(events), NOW);
  }
  const limits: number[] = [];
  const watched = {
    dropEvents: (account: string, ask: Parameters<MemoryLedger["dropEvents"]>[1]) => {
      limits.push(ask.limit);
      return ledger.dropEvents(account, ask);
    },
  };
  const accountIds = async function* () {
    yield* ["a", "b", "without usage"];
  };
  const run = await new Promise<RetentionRun>((told) => {
    const retention = new Retention({ ledger: watched, accountIds, now: () => NOW, keepDays: 32, told });
    retention.start();
  });
  // Days 33 to 49 ago, a hundred events each.
  assert.deepEqual(run, { before: Date.UTC(2026, 9, 20), dropped: 2 * 1_700, accounts: 2 });
  assert.ok(limits.every((limit) => limit <= 2_000));
});

test("a run that is cut off says why; one that is closed stops after its piece", async () => {
  let drops = 0;
  const parts = {
    now: () => NOW,
    keepDays: 32,
    accountIds: async function* () {
      yield "a";
    },
  };
  const failing = { dropEvents: () => Promise.reject(new Error("disk full")) };
  const run = await new Promise<RetentionRun>((told) => new Retention({ ...parts, ledger: failing, told }).start());
  assert.equal(run.error?.message, "disk full");
  const endless = {
    dropEvents: async (_: string, { limit }: { limit: number }) => {
      drops += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return limit;
    },
  };
  const retention = new Retention({ ...parts, ledger: endless, told: () => {} });
  retention.start();
  while (drops === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await retention.close();
  const done = drops;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(done > 0 && drops === done, `${drops} after ${done}`);
});

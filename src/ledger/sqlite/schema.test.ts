import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { SLOT_MS } from "../../domain/time.ts";
import { batchOf, METERS, SERIES_FIELDS } from "../../domain/usage.ts";
import { SqliteLedger } from "./ledger.ts";
import { LABEL_COLUMNS, LEDGER_FILE } from "./schema.ts";
import { verifyLedger } from "./verify.ts";

const DAY = Math.floor(Date.UTC(2026, 4, 28) / 86_400_000);
const SLOT = DAY * 96;
const TIME = SLOT * SLOT_MS;

/** A ledger.db as the first version wrote it: one event of 40,000 prompt tokens, tagged by its key. */
function writeFirstVersion(path: string): void {
  const file = new DatabaseSync(path);
  file.exec(LEDGER_FILE.migrations[0] as string);
  const labels = "'TEXT_COMPLETION_INFERENCE_USAGE', 'm', 'key_1', '', 'STANDARD', '', '', '', '', '', '', '', ''";
  file.exec(`
    INSERT INTO accounts VALUES (1, 'acme');
    INSERT INTO series VALUES (1, 1, ${labels}, '', '', ''), (2, 1, ${labels}, 'search', '', '');
    INSERT INTO events VALUES (1, ${SLOT}, 1, 'old', ${TIME}, 2, 1, 40000, 0, 10, 0, 0, 0, 0, NULL);
    INSERT INTO identities VALUES (1, 'old', ${SLOT}, 1);
    INSERT INTO sums VALUES (1, ${SLOT}, 2, 0, 1, 40000, 0, 10, 0, 0, 0, 0);
    INSERT INTO days VALUES (1, ${DAY}, 1);
    UPDATE counters SET value = 1;
    PRAGMA application_id = ${LEDGER_FILE.applicationId};
    PRAGMA user_version = 1`);
  file.close();
}

test("a file of the first version keeps its series in the class of short prompts and goes on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "daybook-schema-"));
  const path = join(folder, "ledger.db");
  writeFirstVersion(path);
  const ledger = await SqliteLedger.open({ path, readerThreads: 1 });
  const labels = (values: Record<string, string>) => SERIES_FIELDS.map((field) => values[field] ?? "");
  const values = {
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: "m",
    apiKeyId: "key_1",
    serviceTier: "STANDARD",
  };
  const event = {
    time: TIME,
    sent: labels(values),
    quantities: METERS.map(() => 0)
      .with(0, 40_000)
      .with(2, 10),
  };
  const long = labels({ ...values, team: "search", contextClass: "32000" });
  const again = await ledger.append("acme", batchOf([{ ...event, id: "old", series: long }]), TIME);
  assert.deepEqual(again, { created: 0, duplicates: 1, conflicts: [] }, "the class is no part of the content");
  const sent = labels({ ...values, estimated: "client_gone" });
  const other = await ledger.append("acme", batchOf([{ ...event, id: "old", sent, series: sent }]), TIME);
  assert.deepEqual(other.conflicts, [{ at: 0, field: "estimated" }], "an event from before told no reason");
  await ledger.append("acme", batchOf([{ ...event, id: "new", series: long }]), TIME);
  const question = {
    usageTypes: ["TEXT_COMPLETION_INFERENCE_USAGE" as const],
    edges: [TIME, TIME + SLOT_MS],
    fields: ["team" as const, "contextClass" as const],
    filters: [],
  };
  const { rows } = await ledger.sum("acme", [question]);
  assert.deepEqual(
    Array.from(rows[0]!, (row) => [...row.values, row.quantities[0]]),
    [
      ["search", "", 40_000n],
      ["search", "32000", 40_000n],
    ],
  );
  assert.equal((await ledger.find("acme", "old"))?.receivedAt, undefined, "nobody wrote down when it came");
  assert.equal((await ledger.find("acme", "new"))?.receivedAt, TIME);
  await ledger.close();
  assert.deepEqual((await verifyLedger(path)).differences, []);
  await rm(folder, { recursive: true });
});

test("the columns of a series are its fields", () => {
  const spelled = SERIES_FIELDS.map((field) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  assert.deepEqual(LABEL_COLUMNS, spelled);
});

/** Packed days: the same answers as from the sums, never those of another version, and packed when they are quiet. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, mock, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import fc from "fast-check";
import { METERS } from "../../src/domain/usage.ts";
import type { Ledger, SumQuestion } from "../../src/ledger/ledger.ts";
import { rowsOf, SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { Reader } from "../../src/ledger/sqlite/reader.ts";
import { verifyLedger } from "../../src/ledger/sqlite/verify.ts";
import { Writer } from "../../src/ledger/sqlite/writer.ts";
import { plainRows } from "./conformance.ts";
import { PackedLedger } from "./packed.ts";
import { BASE, eventArbitrary, MINUTE, type PlainEvent, questionArbitrary, Truth, toBatch } from "./plain-usage.ts";

const DAY = 24 * 60 * MINUTE;
const folder = mkdtempSync(join(tmpdir(), "daybook-packs-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Small quantities: days that can be packed. */
const smallEvent = fc
  .tuple(eventArbitrary, fc.tuple(...METERS.map(() => fc.nat(70_000))))
  .map(([event, quantities]): PlainEvent => ({ ...event, quantities }));
const ids = fc.subarray(Array.from({ length: 24 }, (_, n) => `event-${n}`));
const stepArbitrary = fc.oneof(
  fc.record({ kind: fc.constant("append" as const), events: fc.array(smallEvent, { minLength: 1, maxLength: 6 }) }),
  fc.record({ kind: fc.constant("void" as const), ids }),
  fc.record({ kind: fc.constant("pack" as const) }),
);

test("law 8: whatever is written, voided or late between packings, the answer is the plain fold's", async () => {
  const path = join(folder, "random.db");
  const ledger = new PackedLedger(path);
  let fresh = 0;
  const property = fc.asyncProperty(
    fc.array(stepArbitrary, { minLength: 1, maxLength: 12 }),
    questionArbitrary,
    async (steps, question) => {
      fresh += 1;
      const account = `packs-${fresh}`;
      const truth = new Truth();
      for (const step of steps) {
        if (step.kind === "pack") {
          ledger.pack();
        } else if (step.kind === "void") {
          await ledger.void(account, step.ids, BASE);
          truth.void(account, step.ids);
        } else {
          await ledger.append(account, toBatch(step.events), BASE);
          truth.append(account, step.events, BASE);
        }
        const { rows } = await ledger.sum(account, [question]);
        assert.deepEqual(plainRows(rows[0]!), truth.sum(account, question));
      }
    },
  );
  await fc.assert(property, { numRuns: Number(process.env.DAYBOOK_LAW_RUNS ?? 120) });
  assert.ok(ledger.packs > 100, `${ledger.packs} packs`);
  await ledger.close();
  assert.deepEqual((await verifyLedger(path)).differences, []);
});

function eventAt(id: string, time: number, quantity: number): PlainEvent {
  const labels = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m" };
  return { id, time, labels, team: "", quantities: METERS.map(() => quantity) };
}

const QUESTION: SumQuestion = {
  usageTypes: ["TEXT_COMPLETION_INFERENCE_USAGE"],
  edges: [BASE, BASE + DAY, BASE + 2 * DAY],
  fields: ["model"],
  filters: [],
};

async function answerOf(ledger: Ledger): Promise<string[]> {
  return plainRows((await ledger.sum("acme", [QUESTION])).rows[0]!);
}

test("days are read from their packs: with the sums gone, the answer stands", async () => {
  const path = join(folder, "gone.db");
  const ledger = new PackedLedger(path);
  await ledger.append("acme", toBatch([eventAt("a", BASE, 5), eventAt("b", BASE + DAY, 300)]), BASE);
  ledger.pack();
  const expected = await answerOf(ledger);
  assert.equal(expected.length, 2);
  const file = new DatabaseSync(path);
  file.exec("DELETE FROM sums");
  assert.deepEqual(await answerOf(ledger), expected);
  file.exec("UPDATE packed_days SET version = version - 1");
  assert.deepEqual(await answerOf(ledger), [], "a pack of another version is none");
  file.close();
  await ledger.close();
});

test("a pack that a commit passed by while it was on its way is dropped", () => {
  const path = join(folder, "passed.db");
  const writer = new Writer(path);
  const append = (event: PlainEvent) =>
    writer.run([{ kind: "append", account: "acme", batch: toBatch([event]), at: BASE }]);
  append(eventAt("a", BASE, 5));
  const reader = new Reader(path);
  const packs = writer.takeTouched().map((day) => reader.pack(day)!);
  assert.equal(packs.length, 1);
  append(eventAt("late", BASE + 1, 5));
  writer.keepPacks(packs);
  assert.deepEqual(packedDays(path), []);
  const [table] = reader.sum("acme", [QUESTION]).tables;
  assert.deepEqual(plainRows(rowsOf(table!)), [`[0,["m"]] 2 ${METERS.map(() => 10).join(" ")}`]);
  reader.close();
  writer.close();
});

/** The days of the file that have a pack of their version, counted from BASE. */
function packedDays(path: string): number[] {
  const file = new DatabaseSync(path, { readOnly: true });
  const rows = file.prepare("SELECT day FROM packed_days JOIN days USING (account, day, version) ORDER BY day").all();
  file.close();
  return rows.map(({ day }) => (day as number) - BASE / DAY);
}

/** Lets a minute pass for the ledger, and waits until these are the days that are packed. */
async function minuteUntil(path: string, days: readonly number[]): Promise<void> {
  mock.timers.tick(60_000);
  for (let tries = 0; tries < 6_000 && String(packedDays(path)) !== String(days); tries += 1) await wait(10);
  assert.deepEqual(packedDays(path), days);
}

test("a day is packed once it was quiet for a minute, anew after a late event, and the rest when the ledger closes", async () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    const path = join(folder, "quiet.db");
    const first = await SqliteLedger.open({ path, readerThreads: 1 });
    await first.append("acme", toBatch([eventAt("a", BASE, 5), eventAt("b", BASE + DAY, 6)]), BASE);
    await minuteUntil(path, []);
    await first.append("acme", toBatch([eventAt("late", BASE, 1)]), BASE);
    await minuteUntil(path, [1]);
    await minuteUntil(path, [0, 1]);
    await first.append("acme", toBatch([eventAt("later", BASE + DAY, 1), eventAt("c", BASE + 2 * DAY, 1)]), BASE);
    await minuteUntil(path, [0]);
    await first.close();
    assert.deepEqual(packedDays(path), [0, 1, 2]);
    // Packs that an earlier process left out are made by the next one.
    const file = new DatabaseSync(path);
    file.exec("DELETE FROM packed_days");
    file.close();
    const second = await SqliteLedger.open({ path, readerThreads: 1 });
    await minuteUntil(path, []);
    await minuteUntil(path, [0, 1, 2]);
    await second.close();
    assert.deepEqual((await verifyLedger(path)).differences, []);
  } finally {
    mock.timers.reset();
  }
});

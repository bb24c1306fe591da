/** Raw events that are dropped: what stays, what is told of them, and what a power cut or damage leaves. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { Fault } from "../../src/domain/fault.ts";
import { batchOf, METERS, SERIES_FIELDS } from "../../src/domain/usage.ts";
import type { AppendOutcome } from "../../src/ledger/ledger.ts";
import { rowsOf } from "../../src/ledger/sqlite/ledger.ts";
import { Reader } from "../../src/ledger/sqlite/reader.ts";
import { verifyLedger } from "../../src/ledger/sqlite/verify.ts";
import { Writer } from "../../src/ledger/sqlite/writer.ts";
import { readFiles, writeRemains } from "../simulator/power-cut.ts";
import { Random } from "../simulator/random.ts";
import { plainRows } from "./conformance.ts";

const DAY = 86_400_000;
const BASE = Date.UTC(2026, 4, 28);
const DAYS = 3;
const EVENTS = 300;
const KEPT_FROM = BASE + 2 * DAY;
const folder = mkdtempSync(join(tmpdir(), "daybook-retention-"));
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(folder, String(folders));
};
after(() => rmSync(folder, { recursive: true }));

const idOf = (n: number): string => `e${n}`;
/** Spread over the days, two hundred in each slot that has any. */
const timeOf = (n: number): number => BASE + (n % DAYS) * DAY + (n % 7) * 60_000;

function batch(numbers: readonly number[], quantity = 7) {
  const labels = SERIES_FIELDS.map((field) => (field === "usageType" ? "AUDIO_INFERENCE_USAGE" : ""));
  const quantities = METERS.map(() => quantity);
  const events = numbers.map((n) => ({ id: idOf(n), time: timeOf(n), sent: labels, series: labels, quantities }));
  return batchOf(events);
}

const ALL = Array.from({ length: EVENTS }, (_, n) => n);
const append = (numbers: readonly number[], quantity?: number) =>
  ({ kind: "append", account: "acme", batch: batch(numbers, quantity), at: BASE }) as const;
const drop = (limit: number) => ({ kind: "drop", account: "acme", before: KEPT_FROM, limit }) as const;
const QUESTION = {
  usageTypes: ["AUDIO_INFERENCE_USAGE" as const],
  edges: Array.from({ length: DAYS + 1 }, (_, day) => BASE + day * DAY),
  fields: ["usageType" as const],
  filters: [],
};

/** A file with all events. */
function filled(at: string): Writer {
  writeRemains(at, new Map(), new Map(), new Random(1));
  const writer = new Writer(join(at, "ledger.db"), { recentMax: 64 });
  for (let from = 0; from < EVENTS; from += 50) writer.run([append(ALL.slice(from, from + 50))]);
  return writer;
}

function withReader<T>(at: string, read: (reader: Reader) => T): T {
  const reader = new Reader(join(at, "ledger.db"));
  try {
    return read(reader);
  } finally {
    reader.close();
  }
}

const sums = (at: string): string[] =>
  withReader(at, (reader) => plainRows(rowsOf(reader.sum("acme", [QUESTION]).tables[0]!)));

function stateOf(reader: Reader, id: string): "kept" | "dropped" | "unknown" {
  try {
    return reader.find("acme", id) ? "kept" : "unknown";
  } catch (error) {
    assert.ok(error instanceof Fault && error.problems[0].code === "event_dropped");
    return "dropped";
  }
}

test("a drop leaves every sum of whole days, and each identity", async () => {
  const at = newFolder();
  const writer = filled(at);
  const before = sums(at);
  let dropped = 0;
  for (let piece = 7; piece === 7; dropped += piece) piece = writer.run([drop(7)])[0] as number;
  assert.equal(dropped, 200);
  assert.deepEqual(sums(at), before);
  for (const quantity of [7, 8]) {
    const { created, duplicates, conflicts } = writer.run([append(ALL, quantity)])[0] as AppendOutcome;
    assert.deepEqual([created, duplicates, conflicts.length], quantity === 7 ? [0, 300, 0] : [0, 200, 100]);
  }
  const voided = writer.run([{ kind: "void", account: "acme", ids: ["e0", "e2", "e2", "never"], at: BASE }])[0];
  assert.deepEqual(voided, ["dropped", "voided", "already_voided", "not_found"]);
  writer.close();
  const found = await verifyLedger(join(at, "ledger.db"));
  assert.deepEqual(found.differences, []);
  assert.deepEqual([found.events, found.days, found.daysDropped], [100, 1, 2]);
});

test("an id whose hash is that of a dropped event is still another id", () => {
  const at = newFolder();
  writeRemains(at, new Map(), new Map(), new Random(1));
  const hashes = (_key: unknown, _account: number, ids: readonly string[]) => new Uint32Array(2 * ids.length).fill(5);
  const writer = new Writer(join(at, "ledger.db"), { recentMax: 2, hashes });
  writer.run([append([0, 1, 2, 3])]);
  writer.run([drop(1_000)]);
  const again = writer.run([append([0, 1, 2, 3, 4, 5, 6])])[0];
  assert.deepEqual(again, { created: 3, duplicates: 4, conflicts: [] });
  writer.close();
});

test("a power cut while events are dropped leaves each of them kept or dropped, under a horizon that says so", async () => {
  for (let seed = 1; seed <= 15; seed += 1) {
    const random = new Random(seed);
    const at = newFolder();
    const writer = filled(at);
    const expected = sums(at);
    for (let pieces = random.int(0, 3); pieces > 0; pieces -= 1) writer.run([drop(random.int(1, 60))]);
    const before = readFiles(at);
    writer.run([drop(random.int(1, 120)), ...(random.chance(0.5) ? [append([EVENTS, EVENTS + 1])] : [])]);
    const after = readFiles(at);
    writer.close();
    const life = newFolder();
    writeRemains(life, before, after, random);
    const path = join(life, "ledger.db");
    const next = new Writer(path, { recentMax: 64 });
    const states = withReader(life, (reader) => ALL.map((n) => stateOf(reader, idOf(n))));
    const { keptFrom } = withReader(life, (reader) => reader.sum("acme", []));
    assert.ok(!states.includes("unknown"), `seed ${seed}: ${states}`);
    assert.equal(keptFrom, states.includes("dropped") ? KEPT_FROM : undefined, `seed ${seed}`);
    const { created } = next.run([append(ALL, 9)])[0] as { created: number };
    assert.equal(created, 0, `seed ${seed}: no event counts again`);
    // Where the call beside the drop outlived the cut, its events are not among the expected ones.
    next.run([{ kind: "void", account: "acme", ids: [idOf(EVENTS), idOf(EVENTS + 1)], at: BASE }]);
    assert.deepEqual(sums(life), expected, `seed ${seed}`);
    next.close();
    assert.deepEqual((await verifyLedger(path)).differences, [], `seed ${seed}`);
  }
});

test("damage to what is left of dropped events is told", async () => {
  const at = newFolder();
  const writer = filled(at);
  writer.run([drop(1_000)]);
  writer.close();
  const path = join(at, "ledger.db");
  const kinds = async (sql: string): Promise<string[]> => {
    const database = new DatabaseSync(path);
    database.exec(
      "CREATE TEMP TABLE was AS SELECT * FROM dropped_events; CREATE TEMP TABLE pages AS SELECT * FROM identity_pages",
    );
    database.exec(sql);
    const { differences } = await verifyLedger(path);
    for (const [table, copy] of [
      ["dropped_events", "was"],
      ["identity_pages", "pages"],
    ]) {
      database.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} SELECT * FROM ${copy}`);
    }
    database.close();
    return [...new Set(differences.map(({ kind }) => kind))].sort();
  };
  assert.deepEqual(await kinds("SELECT 1"), []);
  const flip =
    "UPDATE dropped_events SET entries = unhex('01' || substr(hex(entries), 3)) WHERE slot = (SELECT min(slot) FROM dropped_events)";
  assert.deepEqual(await kinds(flip), ["dropped_row", "entry"]);
  assert.deepEqual(await kinds("DELETE FROM dropped_events WHERE slot = (SELECT min(slot) FROM dropped_events)"), [
    "entry",
  ]);
  assert.ok((await kinds("DELETE FROM identity_pages")).includes("dropped"));
});

/** Law 2 where identities are kept: whatever is committed, taken back, sealed or opened again, what was known is known. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import fc from "fast-check";
import { batchOf, METERS, SERIES_FIELDS } from "../../domain/usage.ts";
import { openFile } from "../../sqlite/file.ts";
import type { AppendOutcome } from "../ledger.ts";
import { Identities, identitySearch } from "./identities.ts";
import { wordsOf } from "./identity-entries.ts";
import { filterOf, mayHold } from "./identity-filter.ts";
import { Reader } from "./reader.ts";
import { LEDGER_FILE } from "./schema.ts";
import { verifyLedger } from "./verify.ts";
import { Writer } from "./writer.ts";

const folder = mkdtempSync(join(tmpdir(), "daybook-identities-"));
let files = 0;
const newPath = (): string => {
  files += 1;
  return join(folder, `${files}.db`);
};
after(() => rmSync(folder, { recursive: true, force: true }));

const BASE = Date.UTC(2026, 4, 28);
const RECENT_MAX = 40;

function write(writer: Writer, ids: readonly string[], quantity = 1): AppendOutcome {
  return writer.run([append(ids, quantity)])[0] as AppendOutcome;
}

function append(ids: readonly string[], quantity = 1) {
  const labels = SERIES_FIELDS.map((field) => (field === "usageType" ? "AUDIO_INFERENCE_USAGE" : ""));
  const quantities = METERS.map(() => quantity);
  const events = ids.map((id) => ({ id, time: BASE + id.length * 900_000, sent: labels, series: labels, quantities }));
  return { kind: "append" as const, account: "acme", batch: batchOf(events), at: BASE };
}

test("a filter knows all its hashes, and few others", () => {
  const random = (words: number) => wordsOf(randomBytes(4 * words));
  const property = fc.property(fc.integer({ min: 1, max: 3_000 }), (count) => {
    const entries = random(4 * count);
    const filter = filterOf(entries);
    for (let at = 0; at < entries.length; at += 4) assert.ok(mayHold(filter, entries[at]!, entries[at + 1]!));
  });
  fc.assert(property, { numRuns: 50 });
  const filter = filterOf(random(4 * 10_000));
  const strangers = random(200_000);
  let held = 0;
  for (let at = 0; at < strangers.length; at += 2) if (mayHold(filter, strangers[at]!, strangers[at + 1]!)) held += 1;
  assert.ok(held < 1_000, `${held} of 100,000`);
});

test("law 2: known is what was committed, in memory and in the file, across rollbacks, parts and starts", () => {
  const ids = fc.array(
    fc.nat(200).map((n) => `id-${n}`),
    { maxLength: 30 },
  );
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("commit" as const, "rollback" as const), ids }) },
    { weight: 1, arbitrary: fc.constant({ kind: "open" as const, ids: [] }) },
  );
  const property = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const path = newPath();
    const options = { recentMax: 5 };
    let database = openFile(path, LEDGER_FILE, { readOnly: false, cacheMiB: 1 });
    let identities = new Identities(database, options);
    const known = new Map<string, number>();
    let seq = 0;
    for (const { kind, ids } of steps) {
      if (kind === "open") {
        database.close();
        database = openFile(path, LEDGER_FILE, { readOnly: false, cacheMiB: 1 });
        identities = new Identities(database, options);
        continue;
      }
      identities.prepare(seq);
      database.exec("BEGIN IMMEDIATE");
      const fresh = new Map<string, number>();
      const hashes = identities.hashes(1, ids);
      for (const [at, id] of ids.entries()) {
        const [low, high] = [hashes[2 * at]!, hashes[2 * at + 1]!];
        const expected = known.get(id) ?? fresh.get(id);
        const found = identities.find(low, high);
        assert.deepEqual(found, expected === undefined ? [] : [{ slot: 7, seq: expected }]);
        if (expected !== undefined) continue;
        fresh.set(id, seq + fresh.size + 1);
        identities.add(low, high, { slot: 7, seq: fresh.get(id)! });
      }
      identities.write();
      database.exec(kind === "commit" ? "COMMIT" : "ROLLBACK");
      if (kind === "rollback") {
        identities.rollback();
        continue;
      }
      identities.commit();
      for (const [id, number] of fresh) known.set(id, number);
      seq += fresh.size;
    }
    assert.equal(identities.count, known.size);
    const search = identitySearch(database, {});
    for (let n = 0; n <= 200; n += 1) {
      const number = known.get(`id-${n}`);
      assert.deepEqual(search(1, `id-${n}`), number === undefined ? [] : [{ slot: 7, seq: number }]);
    }
    database.close();
  });
  fc.assert(property, { numRuns: Number(process.env.DAYBOOK_LAW_RUNS ?? 120) });
});

/** A file with ids in many parts and some in the log. */
function filled(): { readonly path: string; readonly ids: readonly string[] } {
  const path = newPath();
  const writer = new Writer(path, { recentMax: RECENT_MAX });
  const ids = Array.from({ length: 500 }, (_, n) => `id-${n}`);
  for (let at = 0; at < ids.length; at += 7) write(writer, ids.slice(at, at + 7));
  writer.close();
  return { path, ids };
}

function change(path: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path);
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

test("ids of every age are duplicates after a start, found by a reader, and voided once", async () => {
  const { path, ids } = filled();
  assert.equal(change(path, "SELECT 1 FROM identity_parts").length, 11);
  const writer = new Writer(path, { recentMax: RECENT_MAX });
  assert.deepEqual(write(writer, [...ids, "new"]), { created: 1, duplicates: 500, conflicts: [] });
  assert.equal(write(writer, ids, 2).conflicts.length, 500);
  const reader = new Reader(path);
  for (const id of ids) assert.equal(reader.find("acme", id)?.id, id);
  assert.equal(reader.find("acme", "other"), undefined);
  reader.close();
  const voids = ["id-0", "id-499", "id-0", "other"];
  const outcomes = ["voided", "voided", "already_voided", "not_found"];
  assert.deepEqual(writer.run([{ kind: "void", account: "acme", ids: voids, at: BASE }]), [outcomes]);
  writer.close();
  assert.deepEqual((await verifyLedger(path)).differences, []);
});

test("a part of many pages holds each of its identities once", async () => {
  const path = newPath();
  const writer = new Writer(path, { recentMax: 2_000 });
  const ids = Array.from({ length: 2_000 }, (_, n) => `id-${n}`);
  write(writer, ids);
  write(writer, ["new"]);
  assert.deepEqual(write(writer, ids), { created: 0, duplicates: 2_000, conflicts: [] });
  writer.close();
  const [pages] = change(
    path,
    "SELECT count(*) > 30 AS many, sum(length(entries)) / 16 AS entries FROM identity_pages",
  );
  assert.deepEqual({ ...pages }, { many: 1, entries: 2_000 });
  assert.deepEqual((await verifyLedger(path)).differences, []);
});

test("a transaction that fails after a part was sealed leaves everything as it was", async () => {
  const path = newPath();
  const writer = new Writer(path, { recentMax: RECENT_MAX });
  const ids = Array.from({ length: RECENT_MAX }, (_, n) => `id-${n}`);
  write(writer, ids);
  // Half a token is no INTEGER: the file refuses it, after other events of the transaction were taken in.
  assert.throws(() => writer.run([append(["a", "b"]), append(["c"], 0.5)]), /cannot store REAL/);
  assert.deepEqual(write(writer, ["a", "c", ...ids]), { created: 2, duplicates: RECENT_MAX, conflicts: [] });
  assert.throws(() => writer.run([append(["d"]), append(["e"], 0.5)]), /cannot store REAL/);
  assert.deepEqual(write(writer, ["d", "a"]), { created: 1, duplicates: 1, conflicts: [] });
  writer.close();
  assert.deepEqual((await verifyLedger(path)).differences, []);
  assert.equal(change(path, "SELECT 1 FROM identity_parts").length, 1);
});

test("a damaged filter is told by verify, and made anew at the next start", async () => {
  const { path, ids } = filled();
  change(path, "UPDATE identity_parts SET filter = zeroblob(length(filter)) WHERE part = 3");
  change(path, "UPDATE identity_parts SET filter = x'00' WHERE part = 5");
  assert.deepEqual((await verifyLedger(path)).differences, [
    { kind: "filter", part: 3 },
    { kind: "filter", part: 5 },
  ]);
  const writer = new Writer(path, { recentMax: RECENT_MAX });
  assert.deepEqual(write(writer, ids), { created: 0, duplicates: 500, conflicts: [] });
  writer.close();
  assert.deepEqual((await verifyLedger(path)).differences, []);
});

test("verify tells an identity that a part lost, and one that is counted twice", async () => {
  const { path } = filled();
  const page = "page = (SELECT min(page) FROM identity_pages)";
  change(path, `UPDATE identity_pages SET entries = substr(entries, 17) WHERE ${page}`);
  const lost = (await verifyLedger(path)).differences;
  assert.deepEqual(
    lost.map(({ kind }) => kind),
    ["identity"],
  );
  const other = filled().path;
  change(other, "DELETE FROM identity_pages WHERE page / 16777216 = 1");
  change(other, "DELETE FROM identity_parts WHERE part = 1");
  const writer = new Writer(other, { recentMax: RECENT_MAX });
  assert.equal(write(writer, ["id-0"]).created, 1, "what the file forgot is not known");
  writer.close();
  const kinds = (await verifyLedger(other)).differences.map(({ kind }) => kind);
  assert.equal(kinds.filter((kind) => kind === "identity").length, 42);
  assert.equal(kinds.filter((kind) => kind === "twice").length, 1);
});

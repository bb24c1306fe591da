import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { batchOf, METERS, SERIES_FIELDS } from "../../domain/usage.ts";
import { SqliteLedger } from "./ledger.ts";
import { type Difference, verifyLedger } from "./verify.ts";

const BASE = Date.UTC(2026, 4, 28);
let folder: string;
let path: string;

function batch(account: string, from: number, count: number, quantity: number) {
  return batchOf(
    Array.from({ length: count }, (_, n) => {
      const values: Record<string, string> = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: `m${n % 3}` };
      const labels = SERIES_FIELDS.map((field) => values[field] ?? "");
      const series = n % 5 === 0 ? labels : labels.with(13, "search");
      const time = BASE + (from + n) * 60_000;
      return { id: `${account}-${from + n}`, time, sent: labels, series, quantities: METERS.map(() => quantity) };
    }),
  );
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "daybook-verify-"));
  path = join(folder, "ledger.db");
  const ledger = await SqliteLedger.open({ path, readerThreads: 1 });
  await ledger.append("acme", batch("acme", 0, 6_000, 7), BASE);
  await ledger.append("acme", batch("acme", 100, 6_000, 7), BASE);
  await ledger.append("acme", batchOf([]), BASE);
  // Sums past an int64, in parts: 2,000 times 2^53 - 1 in three series of one slot each.
  for (let round = 0; round < 4; round += 1) {
    const big = batch("big", round * 1_000, 1_000, Number.MAX_SAFE_INTEGER);
    await ledger.append("big", { ...big, times: big.times.fill(BASE) }, BASE);
  }
  await ledger.void("acme", ["acme-5", "acme-6"], BASE);
  await ledger.void("big", ["big-1"], BASE);
  await ledger.close();
});
after(() => rm(folder, { recursive: true }));

test("a ledger that was written by the writer agrees, past an int64 too", async () => {
  const steps: [number, number][] = [];
  const found = await verifyLedger(path, { onProgress: (done, total) => steps.push([done, total]) });
  assert.deepEqual(found.differences, []);
  assert.equal(found.differencesTotal, 0);
  assert.equal(found.events, 6_100 + 4_000);
  assert.ok(found.sums > 400, `${found.sums} sums`);
  assert.deepEqual(steps.at(-1), [2 * found.events, 2 * found.events]);
  const database = new DatabaseSync(path);
  assert.ok((database.prepare("SELECT max(part) AS part FROM sums").get()!.part as number) > 0, "sums in parts");
  database.close();
});

/** Changes the file by SQL, verifies, and takes the change back. */
async function withChange(sql: string): Promise<readonly Difference[]> {
  const database = new DatabaseSync(path);
  database.exec("CREATE TEMP TABLE kept (x)");
  const copies = [
    "events",
    "identity_log",
    "identity_parts",
    "identity_pages",
    "sums",
    "days",
    "packed_days",
    "counters",
  ];
  for (const table of copies) database.exec(`CREATE TEMP TABLE kept_${table} AS SELECT * FROM main.${table}`);
  database.exec(sql);
  try {
    const { differences, differencesTotal } = await verifyLedger(path);
    assert.equal(differences.length, differencesTotal);
    return differences;
  } finally {
    for (const table of copies) {
      database.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} SELECT * FROM kept_${table}`);
    }
    database.close();
  }
}

const sum = { kind: "sum", account: "acme", slot: BASE };

test("each kind of difference is found and named", async () => {
  const slot = BASE / 900_000;
  const one = "account = 1 AND slot = (SELECT min(slot) FROM sums WHERE account = 1) AND series = 1";
  const [flipped] = await withChange(`UPDATE sums SET prompt_tokens = prompt_tokens + 1 WHERE ${one}`);
  assert.deepEqual(
    { ...flipped, kept: 0n, recomputed: 0n, series: 0 },
    {
      ...sum,
      series: 0,
      field: "promptTokens",
      kept: 0n,
      recomputed: 0n,
    },
  );
  assert.ok(flipped?.kind === "sum" && flipped.kept === flipped.recomputed + 1n);

  const gone = await withChange(`DELETE FROM sums WHERE ${one}`);
  const kinds = gone.map((difference) =>
    difference.kind === "sum" && difference.kept === 0n ? "sum" : difference.kind,
  );
  assert.deepEqual(kinds, [...Array(1 + METERS.length).fill("sum"), "pack"]);

  const late = `INSERT INTO sums VALUES (1, ${slot + 100_000}, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0)`;
  const [extra, day] = await withChange(late);
  assert.deepEqual(extra, {
    ...sum,
    slot: BASE + 100_000 * 900_000,
    series: 1,
    field: "promptTokens",
    kept: 5n,
    recomputed: 0n,
  });
  assert.equal(day?.kind, "day");

  const last = "seq = (SELECT max(seq) FROM identity_log)";
  assert.deepEqual(
    await withChange(`UPDATE identity_log SET entries = substr(entries, 1, length(entries) - 16) WHERE ${last}`),
    [{ kind: "identity", account: "big", id: "big-3999" }],
  );
  // A hash, then slot 1, then number 2 from the base on.
  const ghost = "x'00000000000000000100000002000000'";
  assert.deepEqual(
    await withChange(`UPDATE identity_log SET entries = CAST(entries || ${ghost} AS BLOB) WHERE ${last}`),
    [{ kind: "entry", slot: 900_000, arrival: 2 }],
  );
  const lost = await withChange("DELETE FROM events WHERE id = 'acme-5'");
  assert.deepEqual(lost, [{ kind: "entry", slot: BASE, arrival: 6 }]);
  const twice = await withChange("UPDATE events SET id = 'acme-8' WHERE id = 'acme-9'");
  assert.deepEqual(
    twice.map(({ kind }) => kind),
    ["identity", "twice"],
  );

  assert.deepEqual(await withChange("UPDATE events SET time = time + 900000 WHERE id = 'acme-9'"), [
    { kind: "event", account: "acme", id: "acme-9", wrong: "slot" },
  ]);
  assert.deepEqual(await withChange("UPDATE events SET sent = 999 WHERE id = 'acme-9'"), [
    { kind: "event", account: "acme", id: "acme-9", wrong: "series" },
  ]);
  assert.deepEqual(
    (await withChange(`DELETE FROM days WHERE account = 1 AND day = ${BASE / 86_400_000}`)).map(({ kind }) => kind),
    ["day"],
  );
  const packed = `account = 1 AND day = ${BASE / 86_400_000}`;
  const swapped = `UPDATE packed_days SET columns = (SELECT columns FROM packed_days WHERE NOT (${packed})) WHERE ${packed}`;
  for (const change of [swapped, `UPDATE packed_days SET columns = x'00' WHERE ${packed}`]) {
    assert.deepEqual(await withChange(change), [{ kind: "pack", account: "acme", day: BASE }]);
  }
  const [counter] = await withChange("UPDATE counters SET value = 3 WHERE name = 'seq'");
  assert.deepEqual(counter, { kind: "counter", name: "seq", kept: 3n, used: 10_100n });
  assert.deepEqual(await withChange("SELECT 1"), []);
});

test("a quantity past the safe integers is recomputed, not stumbled over", async () => {
  const found = await withChange("UPDATE events SET prompt_tokens = 9223372036854775807 WHERE id = 'acme-9'");
  assert.deepEqual(
    found.map((difference) => difference.kind === "sum" && difference.recomputed > 2n ** 62n),
    [true],
  );
});

test("at most 1,000 differences are kept, all are counted", async () => {
  const database = new DatabaseSync(path);
  database.exec("BEGIN; UPDATE sums SET prompt_tokens = prompt_tokens + 1, tokens = tokens + 1, image_count = 0");
  database.exec("COMMIT");
  database.close();
  const { differences, differencesTotal, sums } = await verifyLedger(path);
  assert.equal(differences.length, 1_000);
  assert.ok(differencesTotal >= 2 * sums, `${differencesTotal} of ${sums} sums`);
});

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { Spool, type SpoolRecord } from "./spool.ts";

const root = mkdtempSync(join(tmpdir(), "daybook-spool-"));
after(() => rmSync(root, { recursive: true }));
const newFolder = (): string => mkdtempSync(join(root, "s-"));

const record = (at: number): SpoolRecord => ({ account: "acme", event: { id: `e-${at}`, model: "ü".repeat(at % 7) } });
const MAX = 1024 * 1024;

/** Everything that is in the spool, taken out. */
async function drain(spool: Spool): Promise<{ ids: unknown[]; damaged: number }> {
  const ids: unknown[] = [];
  let damaged = 0;
  for (let batch = await spool.read(); batch; batch = await spool.read()) {
    ids.push(...batch.records.map(({ event }) => event.id));
    damaged += batch.damaged;
    await spool.remove(batch);
  }
  return { ids, damaged };
}

function onlyFile(folder: string): string {
  const [name, ...others] = readdirSync(folder);
  assert.ok(name !== undefined && others.length === 0);
  return join(folder, name);
}

const idsTo = (count: number): string[] => Array.from({ length: count }, (_, at) => `e-${at}`);

test("what was appended is on disk, is read once in order, and an empty spool leaves no file", async () => {
  const folder = newFolder();
  const spool = Spool.open({ folder, maxBytes: MAX });
  await Promise.all(idsTo(1000).map((_, at) => spool.append(record(at))));
  assert.equal(readFileSync(onlyFile(folder), "utf8").split("\n").length - 1, 1000);
  assert.equal(spool.bytes, readFileSync(onlyFile(folder), "latin1").replace(/\0*$/, "").length);
  assert.deepEqual(await drain(spool), { ids: idsTo(1000), damaged: 0 });
  assert.equal(spool.bytes, 0);
  await spool.append(record(1000));
  assert.deepEqual((await drain(spool)).ids, ["e-1000"]);
  await spool.close();
  assert.deepEqual(readdirSync(folder), []);
});

test("a file that was cut anywhere gives the records before the cut, and counts the torn one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (count, part) => {
        const folder = newFolder();
        const spool = Spool.open({ folder, maxBytes: MAX });
        await Promise.all(idsTo(count).map((_, at) => spool.append(record(at))));
        await spool.close();
        const file = onlyFile(folder);
        const text = readFileSync(file);
        const end = Math.floor(text.length * part);
        truncateSync(file, end);
        const whole = text.subarray(0, end).toString("latin1").split("\n").length - 1;
        const again = Spool.open({ folder, maxBytes: MAX });
        const isTorn = end > 0 && text[end - 1] !== 0x0a;
        assert.deepEqual(await drain(again), { ids: idsTo(whole), damaged: isTorn ? 1 : 0 });
        await again.close();
        assert.deepEqual(readdirSync(folder), []);
      },
    ),
    { numRuns: 30 },
  );
});

test("one byte that changed costs one record, wherever it is", async () => {
  const folder = newFolder();
  const spool = Spool.open({ folder, maxBytes: MAX });
  await Promise.all(idsTo(30).map((_, at) => spool.append(record(at))));
  await spool.close();
  const file = onlyFile(folder);
  const text = readFileSync(file);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: text.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = Buffer.from(text);
      changed[at] = changed[at]! ^ change;
      const other = newFolder();
      writeFileSync(join(other, "00000001.usage"), changed);
      const { ids, damaged } = await drain(Spool.open({ folder: other, maxBytes: MAX }));
      // A line's end that is gone joins two lines.
      const lost = text[at] === 0x0a && at < text.length - 1 ? 2 : 1;
      assert.equal(ids.length, 30 - lost);
      assert.ok(damaged >= 1 && new Set(ids).size === ids.length && ids.every((id) => idsTo(30).includes(String(id))));
    }),
    { numRuns: 30 },
  );
});

test("after a run that was killed, its file comes first and new records go to another", async () => {
  const folder = newFolder();
  const first = Spool.open({ folder, maxBytes: MAX });
  await first.append(record(0));
  // No close: as after kill -9, in the middle of a write behind the record.
  const file = onlyFile(folder);
  const bytes = readFileSync(file);
  bytes.write('0badc0de {"account":"acme","ev', first.bytes);
  writeFileSync(file, bytes);
  const second = Spool.open({ folder, maxBytes: MAX });
  await second.append(record(1));
  assert.equal(readdirSync(folder).length, 2);
  assert.deepEqual(await drain(second), { ids: ["e-0", "e-1"], damaged: 1 });
  await second.close();
  await first.close();
});

test("room is kept up to the bound, given back, and taken by what is on disk", async () => {
  const folder = newFolder();
  const spool = Spool.open({ folder, maxBytes: 40_000 });
  const kept: boolean[] = [];
  for (let at = 0; at < 6; at += 1) kept.push(spool.reserve());
  assert.deepEqual(kept, [true, true, true, true, false, false]);
  for (let at = 0; at < 4; at += 1) spool.release();
  while (spool.bytes < 35_000) await Promise.all(idsTo(20).map(() => spool.append(record(6))));
  assert.equal(spool.reserve(), false);
  await drain(spool);
  assert.equal(spool.reserve(), true);
  await spool.close();
});

test("a folder that cannot be written is told, and an append that failed is not in the spool", async () => {
  assert.throws(
    () => Spool.open({ folder: "/dev/null/spool", maxBytes: MAX }),
    /data folder "\/dev\/null\/spool" cannot be used/,
  );
  const folder = newFolder();
  const spool = Spool.open({ folder, maxBytes: MAX });
  rmSync(folder, { recursive: true });
  await assert.rejects(spool.append(record(0)), { code: "ENOENT" });
  assert.equal(await spool.read(), undefined);
});

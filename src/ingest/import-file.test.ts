import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decoded, decode } from "./decode.ts";
import { type ImportReject, type ImportTotals, importFile } from "./import-file.ts";
import { SeenRows } from "./seen-rows.ts";

const NOW = Date.UTC(2026, 4, 28);
const HEADER_11 =
  "email,start_time,end_time,usage_type,accelerator_type,accelerator_seconds,base_model_name,model_bucket,parameter_count,prompt_tokens,completion_tokens";
const HEADER_13 = `${HEADER_11},cached_prompt_tokens,uncached_prompt_tokens`;
const TEXT = "2025-10-20 17:16:48 UTC,2025-10-20 17:16:48 UTC,TEXT_COMPLETION_INFERENCE_USAGE,,,accounts/f/models/m";

interface Imported {
  readonly totals: ImportTotals;
  readonly rejects: readonly ImportReject[];
  readonly batches: number;
  readonly ids: readonly string[];
}

/** Imports into a plain map of ids, as the ledger would judge them. */
async function imported(
  file: string | Uint8Array,
  { kept = new Map<string, string>(), cut = 7 }: { kept?: Map<string, string>; cut?: number } = {},
): Promise<Imported> {
  const bytes = Buffer.from(file as string);
  const chunks = (async function* () {
    for (let at = 0; at < bytes.length; at += cut) yield bytes.subarray(at, at + cut);
  })();
  const rejects: ImportReject[] = [];
  let batches = 0;
  const write = async (body: Uint8Array) => {
    const form = { contentType: "application/x-ndjson", contentEncoding: "" };
    const decoded = decode(body, { ...form, account: "acme", now: NOW });
    batches += 1;
    let created = 0;
    let duplicates = 0;
    const conflicts: { index: number; id: string; field: string }[] = [];
    for (const [at, id] of decoded.batch.ids.entries()) {
      const content = contentOf(decoded, at);
      if (!kept.has(id)) created += 1;
      else if (kept.get(id) === content) duplicates += 1;
      else conflicts.push({ index: decoded.index[at]!, id, field: "promptTokens" });
      if (!kept.has(id)) kept.set(id, content);
    }
    return { ...decoded, created, duplicates, conflicts };
  };
  const totals = await importFile({ name: "f", chunks }, write, {
    onReject: (reject) => void rejects.push(reject),
    onProgress: () => {},
  });
  return { totals, rejects, batches, ids: [...kept.keys()] };
}

function contentOf({ batch }: Decoded, at: number): string {
  const quantities = batch.quantities.subarray(at * 7, at * 7 + 7);
  return JSON.stringify([batch.times[at], batch.labels[batch.sent[at]!], [...quantities]]);
}

const counts = ({ totals: { created, duplicates, conflicts, rejected } }: Imported): number[] => [
  created,
  duplicates,
  conflicts,
  rejected,
];

const event = (id: string, more: object = {}): string =>
  JSON.stringify({
    id,
    time: "2026-05-01T00:00:00Z",
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: "m",
    promptTokens: 5,
    ...more,
  });

test("lines: good ones are taken, each other one is told with its line, reason and text", async () => {
  const file = [
    event("a"),
    "",
    "{broken",
    "  \r",
    event("b", { promptTokens: -1 }),
    event("a"),
    event("a", { model: "x" }),
  ];
  const found = await imported(`\uFEFF${file.join("\n")}`);
  assert.deepEqual(counts(found), [1, 1, 1, 2]);
  assert.equal(found.totals.lines, 7);
  const told = found.rejects.map(({ line, reason, text }) => `${line} | ${reason.slice(0, 30)} | ${text.slice(0, 10)}`);
  assert.deepEqual(told, [
    "3 | it is not valid JSON: Expected | {broken",
    '5 | promptTokens: -1 was sent; it  | {"id":"b",',
    '7 | conflict: promptTokens is anot | {"id":"a",',
  ]);
});

test("lines: bytes that are no UTF-8 and a line without an end", async () => {
  const file = Buffer.concat([
    Buffer.from(`${event("a")}\n`),
    Buffer.from([0x7b, 0xff, 0x0a]),
    Buffer.from(event("b")),
  ]);
  const found = await imported(file);
  assert.deepEqual(counts(found), [2, 0, 0, 1]);
  assert.deepEqual([found.rejects[0]!.line, found.rejects[0]!.reason], [2, "it is not valid UTF-8"]);
});

test("lines: many lines come in batches; however the file is cut, the lines are the same", async () => {
  const lines = Array.from({ length: 25_000 }, (_, n) => event(n % 10_000 === 77 ? "" : `e${n}`));
  const file = lines.join("\r\n");
  for (const cut of [999, 1 << 20, 1 << 26]) {
    const found = await imported(file, { cut });
    assert.deepEqual(counts(found), [24_997, 0, 0, 3]);
    assert.deepEqual(
      found.rejects.map(({ line }) => line),
      [78, 10_078, 20_078],
    );
    assert.equal(found.batches, 3);
    assert.deepEqual([found.totals.lines, found.totals.bytes], [25_000, file.length]);
  }
});

test("lines: one that is too long is refused and not held in memory", async () => {
  const long = event("long", { model: "m".repeat(3 << 20) });
  for (const cut of [64 * 1024, 1 << 26]) {
    const file = `${event("a")}\n${long}\n${event("b")}\n${long}`;
    const found = await imported(file, { cut });
    assert.deepEqual(counts(found), [2, 0, 0, 2]);
    assert.deepEqual(
      found.rejects.map(({ line, reason, text }) => [line, reason, text.length]),
      [2, 4].map((line) => [line, "the line is longer than 1048576 bytes", 4096]),
    );
    assert.equal(found.totals.bytes, file.length);
  }
});

test("csv: equal rows count each once, and again not at all", async () => {
  const rows = [
    `ada@example.com,${TEXT},,,803,109`,
    `ada@example.com,${TEXT},,,803,109`,
    `bob@example.com,${TEXT},,,1,2`,
  ];
  const kept = new Map<string, string>();
  const first = await imported([HEADER_11, ...rows].join("\n"), { kept });
  assert.deepEqual(counts(first), [3, 0, 0, 0]);
  const [id, again] = first.ids;
  assert.match(id!, /^csv-2025-10-20T17:16:48Z-[0-9a-f]{32}-1$/);
  assert.equal(again, `${id!.slice(0, -1)}2`);
  const second = await imported([HEADER_11, ...rows].join("\r\n"), { kept });
  assert.deepEqual(counts(second), [0, 3, 0, 0]);
  // The newer form of the same rows, with another bucket: nothing counts twice.
  const newer = rows.map(
    (row) => `${row.replace("models/m,,", "models/m,4B - 16B,8030000000")},0,${row.split(",").at(-2)}`,
  );
  const third = await imported([HEADER_13, ...newer].join("\n"), { kept });
  assert.deepEqual(counts(third), [0, 3, 0, 0]);
});

test("csv: each column goes to its field, by the stream of the usage", async () => {
  const kept = new Map<string, string>();
  const at = "2025-10-20 17:16:48.5 UTC,2025-10-20 18:00:00 UTC";
  const rows = [
    `ada@example.com,${at},TEXT_COMPLETION_INFERENCE_USAGE,,,accounts/f/models/m,b,1,803,109,200,603`,
    `"'=x@example.com",${at},DEDICATED_DEPLOYMENT_USAGE,NVIDIA_H100_80GB,1.5,accounts/f/models/m,,,0,0,0,0`,
    `,${at},TRAINING_TOKEN_USAGE,,,accounts/f/models/m,,,77,0,0,77`,
  ];
  const found = await imported([HEADER_13, ...rows].join("\n"), { kept });
  assert.deepEqual(counts(found), [3, 0, 0, 0]);
  const plain = [...kept.values()].map((content) => {
    const [time, labels, quantities] = JSON.parse(content);
    return `${new Date(time).toISOString()} ${labels.filter(Boolean).join(" ")} ${quantities.join(" ")}`;
  });
  assert.deepEqual(plain, [
    "2025-10-20T17:16:48.500Z TEXT_COMPLETION_INFERENCE_USAGE accounts/f/models/m ada@example.com STANDARD 803 200 109 0 0 0 0",
    "2025-10-20T17:16:48.500Z DEDICATED_DEPLOYMENT_USAGE =x@example.com NVIDIA_H100_80GB accounts/f/models/m 0 0 0 0 0 1500 0",
    "2025-10-20T17:16:48.500Z TRAINING_TOKEN_USAGE accounts/f/models/m 0 0 0 0 0 0 77",
  ]);
});

test("csv: a row that is wrong is told and does not stop the others", async () => {
  const rows = [
    `a@b.c,${TEXT},,,1,2`,
    `a@b.c,yesterday,,TEXT_COMPLETION_INFERENCE_USAGE,,,m,,,1,2,0,1`,
    `a@b.c,${TEXT},,,10,2,4,5`,
    `a@b.c,${TEXT},,,ten,2,,`,
    "",
    `a@b.c,2025-10-20 17:16:48 UTC,,FINE_TUNING,,,m,,,1,2,0,1`,
    `a@b.c,${TEXT},,,10,2,4,6`,
  ];
  const found = await imported([HEADER_13, ...rows].join("\n"));
  assert.deepEqual(counts(found), [1, 0, 0, 5]);
  assert.deepEqual(
    found.rejects.map(({ line, reason }) => `${line} ${reason.slice(0, 40)}`),
    [
      "2 it has 11 columns; the header has 13",
      '3 start_time: "yesterday" was sent; it mus',
      "4 uncached_prompt_tokens: 5 and cached 4 a",
      '5 promptTokens: "ten" was sent; it must be',
      '7 usageType: "FINE_TUNING" was sent; allow',
    ],
  );
  assert.equal(found.rejects[1]!.text, rows[1]);
});

const refusals: readonly (readonly [name: string, file: string, reason: RegExp])[] = [
  ["a missing column", `${HEADER_11.replace("email,", "")}\n`, /its header lacks email; it must have/],
  ["one cached column", `${HEADER_11},cached_prompt_tokens\n`, /its header lacks uncached_prompt_tokens/],
  ["an unknown column", `${HEADER_11},cost\n1\n`, /has the unknown "cost"/],
  ["a column twice", `${HEADER_11},email\n1\n`, /names a column twice/],
  ["neither form", "hello\nworld\n", /neither usage events, one JSON object a line, nor the CSV/],
  ["a JSON array", `[${event("a")}]`, /neither usage events/],
  ["gzip", "\u001f\u008b\u0008 x\n", /neither usage events/],
  ["a quote that is never closed", `${HEADER_11}\n"a@b.c,${TEXT},,,1,2\n`, /[Qq]uote/],
];
for (const [name, file, reason] of refusals) {
  test(`a file that is no usage: ${name}`, async () => {
    await assert.rejects(imported(file, { cut: 1 << 20 }), reason);
  });
}

test("an empty file holds no events", async () => {
  assert.deepEqual(counts(await imported("")), [0, 0, 0, 0]);
  assert.deepEqual(counts(await imported("\n \n")), [0, 0, 0, 0]);
  assert.deepEqual(counts(await imported(`${HEADER_11}\n`)), [0, 0, 0, 0]);
});

test("a write that fails ends the import, with what was reported before", async () => {
  const lines = Array.from({ length: 30_000 }, (_, n) => event(`e${n}`));
  let written = 0;
  let reported = 0;
  const source = {
    name: "f",
    chunks: (async function* () {
      yield Buffer.from(lines.join("\n"));
    })(),
  };
  const write = async () => {
    written += 1;
    if (written === 2) throw new Error("the disk is full");
    return { created: 10_000, duplicates: 0, conflicts: [], rejected: [], droppedAnnotations: 0 };
  };
  const onProgress = ({ lines: done }: ImportTotals): void => {
    reported = done;
  };
  const hooks = { onReject: () => {}, onProgress };
  await assert.rejects(importFile(source, write, hooks), /the disk is full/);
  assert.deepEqual([written, reported], [2, 10_000]);
});

test("a source that is closed to end the import is no mistake, from its first byte on", async () => {
  for (const first of ["", `${event("a")}\n`.repeat(20_000)]) {
    const controller = new AbortController();
    const chunks = (async function* () {
      if (first !== "") yield Buffer.from(first);
      await new Promise((resolve) => setTimeout(resolve, 50));
      controller.abort();
      throw new Error("Premature close");
    })();
    const write = async () => ({ created: 10_000, duplicates: 0, conflicts: [], rejected: [], droppedAnnotations: 0 });
    const hooks = { onReject: () => {}, onProgress: () => {}, signal: controller.signal };
    const totals = await importFile({ name: "f", chunks }, write, hooks);
    assert.deepEqual([totals.created, totals.lines], first === "" ? [0, 0] : [20_000, 20_000]);
  }
});

test("rows seen: exact within its hours, and the oldest hour is given up first", () => {
  const hour = 3_600_000;
  const seen = new SeenRows(1_000);
  for (let n = 0; n < 600; n += 1) assert.equal(seen.count(0, BigInt(n + 1)), 1);
  for (let n = 0; n < 600; n += 1) assert.equal(seen.count(1, BigInt(n + 1)), 2);
  assert.equal(seen.count(2, 5n), 3);
  for (let n = 0; n < 600; n += 1) assert.equal(seen.count(hour, BigInt(n + 1)), 1);
  assert.equal(seen.count(0, 5n), undefined);
  assert.equal(seen.count(hour, 5n), 2);
});

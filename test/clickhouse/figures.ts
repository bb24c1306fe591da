/**
 * `node test/clickhouse/figures.ts [--events N] [--per-call N] [--ids ordered|random]`: the same usage into sqlite and
 * into clickhouse over HTTP, one after the other in one run, and the same questions to both. Ledgers only: no ingest, no
 * HTTP of Daybook's own.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { idOf, quantitiesOf, SERIES, seriesOf, timeOf, type UsageShape } from "../../bench/usage.ts";
import { DAY_MS, SLOT_MS } from "../../src/domain/time.ts";
import { METERS, SERIES_FIELDS, type UsageBatch } from "../../src/domain/usage.ts";
import { ClickHouseLedger } from "../../src/ledger/clickhouse/ledger.ts";
import type { Ledger, SumQuestion } from "../../src/ledger/ledger.ts";
import { SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { ask } from "./engine.ts";
import { overHttp } from "./over-http.ts";

const { values: options } = parseArgs({
  options: {
    events: { type: "string", default: "500000" },
    "per-call": { type: "string", default: "10000" },
    ids: { type: "string", default: "ordered" },
  },
});
const perCall = Number(options["per-call"]);
const shape: UsageShape = {
  spread: "history",
  ids: options.ids === "random" ? "random" : "ordered",
  events: Number(options.events),
  now: Math.floor(Date.now() / SLOT_MS) * SLOT_MS,
};
/** Calls that wait at once, as from several clients. */
const CALLS_AT_ONCE = 4;
const ASKED = 15;

const labels = Array.from({ length: SERIES }, (_, series) =>
  SERIES_FIELDS.map((field) => {
    if (field === "usageType") return "TEXT_COMPLETION_INFERENCE_USAGE";
    if (field === "model") return `accounts/fireworks/models/m-${series % 5}`;
    if (field === "apiKeyId") return `key_bench${series % 10}`;
    return field === "team" ? `team-${series % 2}-${Math.floor(series / 10)}` : "";
  }),
);

function batchFrom(first: number): UsageBatch {
  const events = Array.from({ length: Math.min(perCall, shape.events - first) }, (_, n) => first + n);
  const quantities = new Float64Array(events.length * METERS.length);
  for (const [at, event] of events.entries()) quantities.set(quantitiesOf(event), at * METERS.length);
  return {
    ids: events.map((event) => idOf(event, timeOf(event, shape), shape.ids)),
    times: Float64Array.from(events, (event) => timeOf(event, shape)),
    quantities,
    labels,
    sent: Uint32Array.from(events, seriesOf),
    series: Uint32Array.from(events, seriesOf),
  };
}

const days = (count: number): number[] => Array.from({ length: count + 1 }, (_, n) => shape.now - (count - n) * DAY_MS);
const question = (edges: readonly number[]): SumQuestion => ({
  usageTypes: ["TEXT_COMPLETION_INFERENCE_USAGE"],
  edges,
  fields: ["model", "team"],
  filters: [],
});
const QUESTIONS: Readonly<Record<string, SumQuestion>> = {
  "31 days by day": question(days(31)),
  "31 days by hour": question(Array.from({ length: 31 * 24 + 1 }, (_, n) => days(31)[0]! + (n * DAY_MS) / 24)),
  "90 days, edges off the slots": question(days(90).map((edge) => edge - 1_000)),
};

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

async function measure(name: string, ledger: Ledger): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < shape.events) {
      const first = next;
      next += perCall;
      await ledger.append("acme", batchFrom(first), Date.now());
    }
  };
  const wrote = await milliseconds(() => Promise.all(Array.from({ length: CALLS_AT_ONCE }, client)));
  process.stdout.write(`${name}: ${Math.round(shape.events / (wrote / 1_000))} events/s\n`);
  for (const [title, asked] of Object.entries(QUESTIONS)) {
    const took: number[] = [];
    for (let n = 0; n < ASKED; n += 1) took.push(await milliseconds(() => ledger.sum("acme", [asked])));
    const sorted = took.slice(1).sort((a, b) => a - b);
    const shown = [took[0]!, sorted[sorted.length >> 1]!].map((ms) => ms.toFixed(1));
    process.stdout.write(`  ${title}: first ${shown[0]} ms, median ${shown[1]} ms\n`);
  }
}

const folder = await mkdtemp(join(tmpdir(), "daybook-"));
const engine = await overHttp();
process.stdout.write(`${shape.events} events, ${perCall} a call, ${CALLS_AT_ONCE} calls at once, ids ${shape.ids}\n`);
const sqlite = await SqliteLedger.open({ path: join(folder, "ledger.db"), readerThreads: 1 });
await measure("sqlite", sqlite);
await sqlite.close();
const clickhouse = await ClickHouseLedger.open(engine.connection);
await measure("clickhouse", clickhouse);
await clickhouse.close();
const [[bytes, parts]] = (await ask(
  engine.connection,
  "SELECT sum(bytes_on_disk), count() FROM system.parts WHERE active AND table = 'entries'",
)) as [[string, string]];
process.stdout.write(`  ${(Number(bytes) / shape.events).toFixed(1)} bytes an event, ${parts} parts\n`);
await engine.close();
await rm(folder, { recursive: true });

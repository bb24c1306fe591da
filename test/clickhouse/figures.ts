/**
 * `node test/clickhouse/figures.ts`: the same usage into sqlite, into clickhouse over HTTP and into a plain table of the
 * same engine, one after the other in one run, and the same question to each. Then the journal grows. Ledgers only: no ingest, no HTTP of Daybook's own.
 */

import { readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent } from "node:http";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { writePart } from "../../bench/document-part.ts";
import { count, machine, median, quantile, table } from "../../bench/figures.ts";
import { EVENTS_PER_CALL, type Ids, type UsageShape, usageBodies } from "../../bench/usage.ts";
import { METERS } from "../../src/domain/usage.ts";
import { Engine } from "../../src/ledger/clickhouse/engine.ts";
import { ClickHouseLedger } from "../../src/ledger/clickhouse/ledger.ts";
import { LANES, laneOf } from "../../src/ledger/clickhouse/schema.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { readWords, wholeNumber } from "../../tools/script-words.ts";
import { BOOTSTRAP, start } from "../process/daybook.ts";
import { askJson } from "../process/http.ts";
import { ask } from "./engine.ts";
import {
  ACCOUNT,
  append,
  batchesOf,
  CALLS_AT_ONCE,
  copyStatements,
  fillStatements,
  MONTH,
  NOW,
  PLAIN_TABLE,
  plainLines,
  plainQuestion,
} from "./figures-usage.ts";
import { type MortalEngine, mortal } from "./over-http.ts";

const USAGE = `node test/clickhouse/figures.ts [--events N] [--growth N] [--write]

  --events N  events into each engine (1000000)
  --growth N  how far the journal grows then, in events (0: not at all)
  --write     writes the figures into docs/benchmarks.md`;
const options = readWords(USAGE, {
  events: { type: "string", default: "1000000" },
  growth: { type: "string", default: "0" },
  write: { type: "boolean", default: false },
});
const EVENTS = wholeNumber("events", options.events, USAGE, 1);
const GROWTH = wholeNumber("growth", options.growth, USAGE);
const PER_CALL = 10_000;
const MILLION = 1_000_000;
const POINTS = [0.5, 1, 2, 5, 10, 20, 50, 100]
  .map((millions) => millions * MILLION)
  .filter((events) => events <= GROWTH);
/** Events that are written, and timed, at each point. */
const WRITTEN_AT_POINT = 200_000;
const RANDOM_AT_POINT = 50_000;
const ASKED = 10;
const TICKS_PER_S = 100;
/** Events that are sent to Daybook's own processes, and the calls that wait at once. */
const SERVED = EVENTS / 2;
const CALLS_WAITING = 16;
const BATCH_CREATE = `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`;
const DOCUMENT = join(import.meta.dirname, "../../docs/benchmarks.md");

const shapeOf = (ids: Ids, spread: UsageShape["spread"], events: number): UsageShape => ({
  ...{ ids, spread, events },
  now: NOW,
});

/** Processor seconds of a process since its start, and its memory in MB. */
function usageOf(pid: number): { readonly cpu: number; readonly megabytes: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1];
  return { cpu: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S, megabytes: Number(rss) / 1024 };
}

async function milliseconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

interface Wrote {
  readonly rate: number;
  /** Seconds of processors for a million events: of this process, and of the engine's. */
  readonly ownCpu: number;
  readonly engineCpu: number;
}

async function writing(events: number, pid: number | undefined, run: () => Promise<unknown>): Promise<Wrote> {
  const engineBefore = pid === undefined ? 0 : usageOf(pid).cpu;
  const before = process.cpuUsage();
  const ms = await milliseconds(run);
  const { user, system } = process.cpuUsage(before);
  const engineCpu = pid === undefined ? 0 : usageOf(pid).cpu - engineBefore;
  const millions = events / MILLION;
  return { rate: (events * 1_000) / ms, ownCpu: (user + system) / MILLION / millions, engineCpu: engineCpu / millions };
}

interface Asked {
  readonly first: number;
  readonly warm: number;
}

async function asking(ask: () => Promise<unknown>): Promise<Asked> {
  const took: number[] = [];
  for (let n = 0; n < ASKED; n += 1) took.push(await milliseconds(ask));
  return { first: took[0]!, warm: median(took.slice(1)) };
}

/** Bytes on disk, with projections, and active parts. */
async function weightOf(
  engine: MortalEngine,
  name: string,
): Promise<{ readonly bytes: number; readonly parts: number }> {
  const [row] = await ask(
    engine.connection,
    `SELECT sum(bytes_on_disk), count() FROM system.parts WHERE active AND table = '${name}'`,
  );
  return { bytes: Number(row![0]), parts: Number(row![1]) };
}

/** Events and tokens of the answer, so that what is compared is equal. */
async function totalOf(ledger: Ledger): Promise<string> {
  const rows = [...(await ledger.sum(ACCOUNT, [MONTH])).rows[0]!];
  return [
    rows.length,
    ...rows.reduce((sum, row) => [sum[0]! + row.events, sum[1]! + row.quantities[0]!], [0n, 0n]),
  ].join();
}

async function plainTotal(engine: MortalEngine): Promise<string> {
  const rows = await ask(engine.connection, plainQuestion());
  const sum = (at: number): bigint => rows.reduce((all, row) => all + BigInt(row[at]!), 0n);
  return [rows.length, sum(3), sum(4)].join();
}

interface Line extends Asked, Wrote {
  readonly name: string;
  readonly bytes: number;
}

const tell = (text: string): void => void process.stderr.write(`${text}\n`);

async function beside(ids: Ids): Promise<Line[]> {
  // Made anew: what sqlite's thread was handed is gone.
  const made = () => batchesOf(shapeOf(ids, "history", EVENTS), [0, EVENTS], PER_CALL);
  const handed = made();
  const folder = await mkdtemp(join(tmpdir(), "daybook-"));
  const path = join(folder, "ledger.db");
  const sqlite = await SqliteLedger.open({ path, readerThreads: 1 });
  tell(`sqlite, ${ids} ids`);
  const bySqlite = await writing(EVENTS, undefined, () => append(sqlite, handed));
  const askedSqlite = await asking(() => sqlite.sum(ACCOUNT, [MONTH]));
  const total = await totalOf(sqlite);
  await sqlite.close();
  const sqliteBytes = statSync(path).size / EVENTS;
  await rm(folder, { recursive: true });
  const batches = made();
  const engine = await mortal();
  const clickhouse = await ClickHouseLedger.open(engine.connection);
  tell(`clickhouse, ${ids} ids`);
  const byClickhouse = await writing(EVENTS, engine.pid, () => append(clickhouse, batches));
  const askedClickhouse = await asking(() => clickhouse.sum(ACCOUNT, [MONTH]));
  if ((await totalOf(clickhouse)) !== total) throw new Error("clickhouse answers otherwise than sqlite");
  await clickhouse.close();
  const { bytes } = await weightOf(engine, "entries");
  tell(`plain SQL, ${ids} ids`);
  await ask(engine.connection, PLAIN_TABLE);
  const lines = batches.map(plainLines);
  const plain = new Engine(engine.connection, { replicated: false });
  const columns = (
    await ask(engine.connection, "SELECT name FROM system.columns WHERE table = 'plain' ORDER BY position")
  ).map(([name]) => `\`${name}\``);
  const byHand = await writing(EVENTS, engine.pid, async () => {
    const client = async (): Promise<void> => {
      for (let some = lines.shift(); some; some = lines.shift()) await plain.insert("plain", { columns, lines: some });
    };
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, client));
  });
  await plain.close();
  const askedPlain = await asking(() => ask(engine.connection, plainQuestion()));
  if ((await plainTotal(engine)) !== total) throw new Error("plain SQL answers otherwise");
  const plainBytes = (await weightOf(engine, "plain")).bytes / EVENTS;
  await engine.close();
  const kind = ids === "ordered" ? "ids in order" : "random ids";
  return [
    { name: `sqlite ledger, ${kind}`, ...bySqlite, ...askedSqlite, bytes: sqliteBytes },
    { name: `clickhouse ledger, ${kind}`, ...byClickhouse, ...askedClickhouse, bytes: bytes / EVENTS },
    { name: `plain SQL in ClickHouse, ${kind}`, ...byHand, ...askedPlain, bytes: plainBytes },
  ];
}

function besideTable(lines: readonly Line[]): string {
  const head = ["", "events/s", "Daybook CPU s / M", "engine CPU s / M", "bytes/event", "report first ms", "warm ms"];
  const rows = lines.map(({ name, rate, ownCpu, engineCpu, bytes, first, warm }) => [
    ...[name, count(rate), ownCpu.toFixed(1), engineCpu === 0 ? "" : engineCpu.toFixed(1), bytes.toFixed(1)],
    ...[first.toFixed(1), warm.toFixed(1)],
  ]);
  return table([head, ...rows]);
}

interface Commits {
  readonly name: string;
  readonly perSecond: number;
  readonly events: number;
  readonly p50: number;
  readonly p99: number;
}

/** One call after the other in a lane, then in all lanes at once: each call is a commit. */
async function commits(): Promise<Commits[]> {
  const engine = await mortal();
  const ledger = await ClickHouseLedger.open(engine.connection);
  const accounts: string[] = [];
  for (let n = 0; accounts.filter(Boolean).length < LANES; n += 1) accounts[laneOf(`a${n}`)] ??= `a${n}`;
  const found: Commits[] = [];
  let made = 0;
  for (const [lanes, perCall, calls] of [
    ...[
      [1, 1, 100],
      [1, 1_000, 60],
      [1, 10_000, 20],
      [1, 50_000, 8],
    ],
    ...[
      [LANES, 1, 60],
      [LANES, 1_000, 30],
      [LANES, 10_000, 6],
    ],
  ] as const) {
    tell(`${lanes} lanes, ${perCall} events a call`);
    const took: number[] = [];
    const batches = accounts.slice(0, lanes).map((account) => {
      const shape = shapeOf("ordered", "live", perCall * calls);
      made += 1;
      const some = batchesOf(shape, [0, perCall * calls], perCall);
      return { account, batches: some.map((batch) => ({ ...batch, ids: batch.ids.map((id) => `${made}-${id}`) })) };
    });
    const ms = await milliseconds(() =>
      Promise.all(
        batches.map(async ({ account, batches: some }) => {
          for (const batch of some) took.push(await milliseconds(() => ledger.append(account, batch, NOW)));
        }),
      ),
    );
    found.push({
      name: `${lanes === 1 ? "1 lane" : `${lanes} lanes at once`}, ${count(perCall)} a call`,
      perSecond: (lanes * calls * 1_000) / ms,
      events: (lanes * calls * perCall * 1_000) / ms,
      p50: median(took),
      p99: quantile(took, 0.99),
    });
  }
  await ledger.close();
  await engine.close();
  return found;
}

function commitsTable(lines: readonly Commits[]): string {
  const rows = lines.map(({ name, perSecond, events, p50, p99 }) => [
    ...[name, perSecond.toFixed(1), count(events), p50.toFixed(0), p99.toFixed(0)],
  ]);
  return table([["Commits", "commits/s", "events/s", "p50 ms", "p99 ms"], ...rows]);
}

interface Served extends Wrote {
  readonly name: string;
  readonly p50: number;
  readonly p99: number;
}

/** Real `daybook serve` processes on one engine: usage in NDJSON, a call waits for its answer. */
async function serving(processes: number): Promise<Served> {
  tell(`${processes} served`);
  const engine = await mortal();
  const folder = await mkdtemp(join(tmpdir(), "daybook-"));
  const env = { ...BOOTSTRAP, DAYBOOK_LEDGER_URL: `clickhouse://127.0.0.1:${engine.port}/default` };
  const servers: Awaited<ReturnType<typeof start>>[] = [];
  for (let at = 0; at < processes; at += 1) servers.push(await start({ folder: join(folder, `${at}`), env }));
  const bodies = usageBodies(shapeOf("ordered", "live", SERVED), 0, SERVED);
  const cpuOfAll = (): number => servers.reduce((sum, { daybook }) => sum + usageOf(daybook.pid).cpu, 0);
  const took: number[] = [];
  const before = cpuOfAll();
  const agent = new Agent({ keepAlive: true });
  const wrote = await writing(SERVED, engine.pid, () =>
    Promise.all(
      Array.from({ length: CALLS_WAITING }, async (_, client) => {
        const { url } = servers[client % processes]!;
        for (let body = bodies.shift(); body; body = bodies.shift()) {
          const call = { path: BATCH_CREATE, body, headers: { "content-type": "application/x-ndjson" }, agent };
          took.push(await milliseconds(() => askJson(url, call)));
        }
      }),
    ),
  );
  const ownCpu = ((cpuOfAll() - before) * MILLION) / SERVED;
  agent.destroy();
  for (const { daybook } of servers) await daybook.stop();
  await engine.close();
  await rm(folder, { recursive: true });
  const name = `${processes} ${processes === 1 ? "process" : "processes"}`;
  return { ...wrote, ownCpu, name, p50: median(took), p99: quantile(took, 0.99) };
}

function servedTable(lines: readonly Served[]): string {
  const rows = lines.map(({ name, rate, ownCpu, engineCpu, p50, p99 }) => [
    ...[name, count(rate), ownCpu.toFixed(1), engineCpu.toFixed(1), p50.toFixed(0), p99.toFixed(0)],
  ]);
  const head = ["daybook serve", "events/s", "Daybook CPU s / M", "engine CPU s / M", "call p50 ms", "p99 ms"];
  return table([head, ...rows]);
}

interface Stage extends Asked {
  readonly events: number;
  readonly ordered: Wrote;
  readonly random: Wrote;
  readonly single: number;
  readonly find: number;
  readonly plain: number;
  readonly bytes: number;
  readonly parts: number;
  readonly megabytes: number;
}

async function grow(): Promise<{ readonly stages: Stage[]; readonly fillRate: number }> {
  const engine = await mortal();
  await (await ClickHouseLedger.open(engine.connection)).close();
  await ask(engine.connection, PLAIN_TABLE);
  const headOf = async (): Promise<number> =>
    Number(
      (await ask(engine.connection, `SELECT max(\`commit\`) FROM entries WHERE lane = ${laneOf(ACCOUNT)}`))[0]![0],
    );
  const stages: Stage[] = [];
  let events = 0;
  let copied = 0;
  let filled = 0;
  let fillMs = 0;
  for (const point of POINTS) {
    const ledger = await ClickHouseLedger.open(engine.connection);
    if (events === 0) {
      // The first events bring the labels.
      await append(ledger, batchesOf(shapeOf("ordered", "history", PER_CALL), [0, PER_CALL], PER_CALL));
      events = PER_CALL;
    }
    tell(`growth to ${count(point)}`);
    const head = await headOf();
    const own = WRITTEN_AT_POINT + RANDOM_AT_POINT;
    const until = point - own;
    fillMs += await milliseconds(async () => {
      for (const statement of fillStatements([events, until], head)) await ask(engine.connection, statement);
    });
    filled += until - events;
    await ledger.close();
    // What the writer knows of the lane is older than what was filled in.
    const after = await ClickHouseLedger.open(engine.connection);
    const live = shapeOf("ordered", "live", point);
    const ordered = batchesOf(live, [until, until + WRITTEN_AT_POINT], PER_CALL);
    const random = batchesOf({ ...live, ids: "random" }, [until + WRITTEN_AT_POINT, point], PER_CALL);
    const byOrder = await writing(WRITTEN_AT_POINT, engine.pid, () => append(after, ordered));
    const byChance = await writing(RANDOM_AT_POINT, engine.pid, () => append(after, random));
    const few = batchesOf(shapeOf("random", "live", 20), [0, 20], 1);
    const singles: number[] = [];
    for (const batch of few) singles.push(await milliseconds(() => after.append("few", batch, NOW)));
    const finds: number[] = [];
    for (const batch of ordered) finds.push(await milliseconds(() => after.find(ACCOUNT, batch.ids[77]!)));
    const asked = await asking(() => after.sum(ACCOUNT, [MONTH]));
    const now = await headOf();
    for (const statement of copyStatements(copied, now)) await ask(engine.connection, statement);
    copied = now;
    events = point;
    const plain = await asking(() => ask(engine.connection, plainQuestion()));
    if ((await totalOf(after)) !== (await plainTotal(engine))) throw new Error("plain SQL answers otherwise");
    await after.close();
    const { bytes, parts } = await weightOf(engine, "entries");
    const { megabytes } = usageOf(engine.pid);
    const figures = { events, ordered: byOrder, random: byChance, single: median(singles), find: median(finds) };
    stages.push({ ...figures, ...asked, plain: plain.warm, bytes: bytes / events, parts, megabytes });
    tell(JSON.stringify(stages.at(-1)));
  }
  await engine.close();
  return { stages, fillRate: (filled * 1_000) / Math.max(1, fillMs) };
}

function growthTable(stages: readonly Stage[]): string {
  const head = [
    ...["Events", "in order, events/s", "engine CPU s / M", "random ids, events/s", "1 event ms", "find ms"],
    ...["report first ms", "warm ms", "plain SQL ms", "bytes/event", "parts", "engine MB"],
  ];
  const rows = stages.map((stage) => [
    ...[count(stage.events), count(stage.ordered.rate), stage.ordered.engineCpu.toFixed(1), count(stage.random.rate)],
    ...[stage.single, stage.find, stage.first, stage.warm, stage.plain].map((ms) => ms.toFixed(0)),
    ...[stage.bytes.toFixed(1), String(stage.parts), count(stage.megabytes)],
  ]);
  return table([head, ...rows]);
}

const loadBefore = loadavg()[1]!;
const parts = [
  besideTable([...(await beside("ordered")), ...(await beside("random"))]),
  servedTable([await serving(1), await serving(2)]),
  commitsTable(await commits()),
];
tell(parts.join("\n\n"));
const grown = POINTS.length > 0 ? await grow() : undefined;
const command = `node test/clickhouse/figures.ts --events ${EVENTS}${grown ? ` --growth ${GROWTH}` : ""} --write`;
const text = `
## The ledger on ClickHouse

Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}. Machine: ${machine()}.
The engine is ClickHouse 26.7 as the package chdb behind a small HTTP server that does four statements at once; it
shares this machine's cores with Daybook's side. The machine's load was ${loadBefore.toFixed(1)} when it began: where that is more than a
little, others worked beside it, and CPU seconds and bytes tell more than rates and times.

Ledgers alone, without Daybook's JSON and HTTP: ${count(EVENTS)} events of 90 days in calls of ${count(PER_CALL)}, ${CALLS_AT_ONCE}
calls at once, one account, each call on disk before it is answered. "Plain SQL" is a table of the same columns with the
labels as texts, ordered by account and time, with no key, so with no dedup, no sums and no voids. The report is the sums of 31 days
by day, model and team. Their sums were equal. CPU is of all threads, in seconds for a million events.

${parts[0]}

Over HTTP, by real processes: ${count(SERVED)} events of the last two hours for one account, in NDJSON calls of ${count(EVENTS_PER_CALL)},
${CALLS_WAITING} calls at once. The load generator shares the cores, too. Processes that write one account contend for its lane.

${parts[1]}

Commits, one call after the other in each lane:

${parts[2]}
${
  grown
    ? `
As the journal of one account grows, all of its events in the last 90 days. The engine filled it in by \`INSERT ... SELECT\`
(${count(grown.fillRate)} events/s), with the columns and commits that the ledger writes; at each size ${count(WRITTEN_AT_POINT)} events of the last
two hours were then written through the ledger, and ${count(RANDOM_AT_POINT)} more with random ids. "1 event" is a call with one
event, "find" the reading of one event by its id. ${METERS.length} meters, 100 series.

${growthTable(grown.stages)}
`
    : ""
}`;
process.stdout.write(text);
if (options.write) writePart(DOCUMENT, "clickhouse", text);

/**
 * `npm run bench`: how fast events go in over HTTP, and how fast the month's report comes out, on this machine.
 *
 *   npm run bench                       1,000,000 events, 3 runs; writes docs/benchmarks.md
 *   npm run bench -- --quick            100,000 events, 1 run; writes nothing
 *   npm run bench -- --events 300000 --runs 2
 *
 * Prints figures and asserts none of them.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { ACCOUNT, agent, CONNECTIONS, call, startServer } from "./server.ts";
import { inThread, type Written } from "./threads.ts";
import { EVENTS_PER_CALL, HISTORY_DAYS, type Ids, SERIES, type Spread } from "./usage.ts";

const EVENTS = 1_000_000;
const EVENTS_QUICK = 100_000;
const RUNS = 3;
const WARM_REPORTS = 100;
const ZONE = "America/Los_Angeles";
const REPORT_DAYS = 31;
const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));

interface Plan {
  readonly events: number;
  readonly runs: number;
  /** The document to write, if any. */
  readonly document: string | undefined;
  readonly command: string;
}

function planOf(words: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...words],
    options: { quick: { type: "boolean", default: false }, events: { type: "string" }, runs: { type: "string" } },
  });
  const whole = (name: "events" | "runs", fallback: number): number => {
    const value = Number(values[name] ?? fallback);
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name}: ${values[name]} is not a count`);
    return value;
  };
  const asked = whole("events", values.quick ? EVENTS_QUICK : EVENTS);
  return {
    events: Math.ceil(asked / EVENTS_PER_CALL) * EVENTS_PER_CALL,
    runs: whole("runs", values.quick ? 1 : RUNS),
    document: values.quick ? undefined : DOCUMENT,
    command: ["npm run bench", ...(words.length > 0 ? ["--", ...words] : [])].join(" "),
  };
}

/** Runs a step with a bar on a terminal, else a line; both on stderr. */
async function step<T>(name: string, total: number, work: (add: (count: number) => void) => Promise<T>): Promise<T> {
  const bar = process.stderr.isTTY ? new SingleBar({ format: `${name} [{bar}] {value}/{total}` }) : undefined;
  if (bar) bar.start(total, 0);
  else process.stderr.write(`${name}\n`);
  try {
    return await work((count) => bar?.increment(count));
  } finally {
    bar?.stop();
  }
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

interface IngestFigures {
  readonly name: string;
  readonly eventsPerSecond: number;
  readonly cpuUs: number;
  readonly callMsP50: number;
  readonly callMsP99: number;
  readonly bytesPerEvent: number;
  readonly floorPerSecond: number;
}

const INGEST: readonly { readonly name: string; readonly ids: Ids; readonly spread: Spread }[] = [
  { name: "live, ids in order", ids: "ordered", spread: "live" },
  { name: "live, random ids", ids: "random", spread: "live" },
  { name: `${HISTORY_DAYS} days, ids in order`, ids: "ordered", spread: "history" },
];

async function measureIngest(
  plan: Plan,
  folder: string,
  { name, ids, spread }: (typeof INGEST)[number],
): Promise<IngestFigures & { readonly dataFolder: string }> {
  const shape = { ids, spread, events: plan.events, now: Date.now() };
  const runs: Written[] = [];
  const floors: number[] = [];
  let dataFolder = "";
  for (let run = 1; run <= plan.runs; run += 1) {
    if (dataFolder) rmSync(dataFolder, { recursive: true });
    dataFolder = mkdtempSync(join(folder, "data-"));
    const server = await startServer(dataFolder);
    const title = `${name}, run ${run} of ${plan.runs}`;
    runs.push(await step(title, plan.events, (add) => inThread({ kind: "load", shape, url: server.url }, add)));
    await server.stop();
    const path = join(folder, "floor.db");
    const bare = await step(`${title}: floor`, plan.events, (add) => inThread({ kind: "floor", shape, path }, add));
    floors.push(plan.events / bare.seconds);
  }
  return {
    name,
    dataFolder,
    eventsPerSecond: median(runs.map(({ seconds }) => plan.events / seconds)),
    cpuUs: median(runs.map(({ serverCpuSeconds }) => (serverCpuSeconds / plan.events) * 1e6)),
    callMsP50: median(runs.map(({ callMs }) => median(callMs))),
    callMsP99: median(runs.map(({ callMs }) => quantile(callMs, 0.99))),
    bytesPerEvent: runs[0]!.bytesPerEvent,
    floorPerSecond: median(floors),
  };
}

interface ReportFigures {
  readonly rows: number;
  readonly bytes: number;
  readonly firstMs: number;
  readonly warmMsP50: number;
  readonly warmMsP99: number;
}

/** The report on the folder, by a server that was just started, then again and again. */
async function measureReport(plan: Plan, dataFolder: string): Promise<ReportFigures> {
  const today = Temporal.Now.zonedDateTimeISO(ZONE).startOfDay();
  const query = new URLSearchParams([
    ["startTime", today.subtract({ days: REPORT_DAYS }).toInstant().toString()],
    ["endTime", today.toInstant().toString()],
    ["timezone", ZONE],
    ...["model_name", "api_key_id", "annotations.team"].map((name) => ["groupBy", name]),
  ]);
  const firsts: number[] = [];
  const warms: number[][] = [];
  let last: Buffer = Buffer.alloc(0);
  for (let run = 1; run <= plan.runs; run += 1) {
    const server = await startServer(dataFolder);
    const url = `${server.url}/v1/accounts/${ACCOUNT}/billingUsage?${query}`;
    const timed = async (): Promise<number> => {
      const start = performance.now();
      last = await call(url);
      return performance.now() - start;
    };
    const title = `report, run ${run} of ${plan.runs}`;
    const times = await step(title, WARM_REPORTS, async (add) => {
      // The connection is open before the clock starts.
      await call(`${server.url}/healthz`);
      firsts.push(await timed());
      const warm: number[] = [];
      for (; warm.length < WARM_REPORTS; add(1)) warm.push(await timed());
      return warm;
    });
    warms.push(times);
    agent.destroy();
    await server.stop();
  }
  const { serverlessCosts } = JSON.parse(last.toString()) as { serverlessCosts: unknown[] };
  return {
    rows: serverlessCosts.length,
    bytes: last.length,
    firstMs: median(firsts),
    warmMsP50: median(warms.map(median)),
    warmMsP99: median(warms.map((times) => quantile(times, 0.99))),
  };
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Rows of cells as a Markdown table, columns aligned so that it reads on a terminal too. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(" | ")} |`;
  const rules = widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  const rule = `| ${rules.join(" | ")} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join("\n");
}

function ingestTable(figures: readonly IngestFigures[]): string {
  return table([
    ["Events", "events/s", "server CPU us/event", "call p50 ms", "call p99 ms", "floor events/s", "of the floor"],
    ...figures.map((one) => [
      one.name,
      count(one.eventsPerSecond),
      one.cpuUs.toFixed(1),
      one.callMsP50.toFixed(1),
      one.callMsP99.toFixed(1),
      count(one.floorPerSecond),
      `${((one.eventsPerSecond / one.floorPerSecond) * 100).toFixed(0)} %`,
    ]),
  ]);
}

function reportTable(report: ReportFigures): string {
  return table([
    ["Report", "rows", "KB", "first ms", "warm p50 ms", "warm p99 ms"],
    [
      `${REPORT_DAYS} days, ${ZONE}`,
      count(report.rows),
      count(report.bytes / 1000),
      report.firstMs.toFixed(1),
      report.warmMsP50.toFixed(1),
      report.warmMsP99.toFixed(1),
    ],
  ]);
}

function machine(): string {
  const { node, sqlite } = process.versions;
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory`;
  const cores = `${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "an unknown CPU"}`;
  return `${cores}, ${memory}, ${process.platform} ${release()}, Node ${node}, SQLite ${sqlite}`;
}

function documentOf(plan: Plan, figures: readonly IngestFigures[], report: ReportFigures): string {
  const events = count(plan.events);
  const bytes = count(figures[0]!.bytesPerEvent);
  const inACall = count(EVENTS_PER_CALL);
  return `# Benchmarks

Written by \`${plan.command}\` on ${new Date().toISOString().slice(0, 10)}; medians of ${plan.runs} runs.
Machine: ${machine()}.

Server and load generator share this machine, so its cores are theirs together.

## Writing usage over HTTP

${events} events of ${bytes} bytes in NDJSON calls of ${inACall}, ${CONNECTIONS} connections, ${SERIES} series,
each run on an empty folder. Every call was answered after its events were on disk. "live" are events of two hours, as
clients send them; "${HISTORY_DAYS} days" is a backfill, in which almost each event makes a quarter-hour sum of its own.

The floor is a loop in one thread that inserts the same columns into the same two tables of a bare SQLite file, one
durable commit per ${inACall} events: no HTTP, no JSON, no sums, nobody asking whether an id is known. The server may
come near it, or pass it, since calls that arrive together share a commit.

${ingestTable(figures)}

## The month's report

\`billingUsage\` of ${REPORT_DAYS} days of \`${ZONE}\`
by \`model_name\`, \`api_key_id\` and \`annotations.team\`, on the ${events} events of ${HISTORY_DAYS} days from
above, from the request to the last byte of the answer. "first" is the first report after the server's start; "warm" are
the ${WARM_REPORTS} after it, one at a time.

${reportTable(report)}
`;
}

async function main(): Promise<void> {
  const plan = planOf(process.argv.slice(2));
  const folder = mkdtempSync(join(tmpdir(), "daybook-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const figures: Awaited<ReturnType<typeof measureIngest>>[] = [];
  for (const one of INGEST) figures.push(await measureIngest(plan, folder, one));
  const report = await measureReport(plan, figures.at(-1)!.dataFolder);
  process.stdout.write(`\n${machine()}\n\n${ingestTable(figures)}\n\n${reportTable(report)}\n`);
  if (plan.document) {
    writeFileSync(plan.document, documentOf(plan, figures, report));
    process.stdout.write(`\nWritten to ${plan.document}\n`);
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

/**
 * `npm run bench:baselines`: what people would build by hand, on the data of the benchmark, beside Daybook in one run.
 * The clients are installed into this folder; PostgreSQL must be on the machine. What is missing is told, and not run.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asTyped, readWords, wholeNumber } from "../../tools/script-words.ts";
import { writePart } from "../document-part.ts";
import { count, machine } from "../figures.ts";
import { EVENTS_PER_CALL, type Ids, type UsageShape } from "../usage.ts";
import type { Baseline, Question, TableKind } from "./baseline.ts";
import { type Measured, sectionOf, tableOf, type Way } from "./document.ts";
import { DuckDbBaseline } from "./duckdb.ts";
import {
  daybookIngest,
  daybookReport,
  type IngestFigures,
  ingestOf,
  measureIngest,
  measureReport,
  questionAt,
  type ReportFigures,
  remove,
} from "./measure.ts";
import { Postgres } from "./postgres.ts";
import { Sqlite } from "./sqlite.ts";

const EVENTS = 1_000_000;
const EVENTS_QUICK = 100_000;
const RUNS = 3;
const USAGE = `npm run bench:baselines -- [--events N] [--runs N] [--report-events N,N,...] [--quick]

  --events N           events that are written (${EVENTS})
  --runs N             runs of each, of which the median counts (${RUNS})
  --report-events N,.. sizes that the month's report is asked on (as --events)
  --quick              ${count(EVENTS_QUICK)} events, 1 run; else docs/benchmarks.md is written`;
const DOCUMENT = fileURLToPath(new URL("../../docs/benchmarks.md", import.meta.url));

interface Plan {
  readonly events: number;
  readonly reportEvents: readonly number[];
  readonly runs: number;
  readonly quick: boolean;
  readonly command: string;
  /** Milliseconds since the epoch: all events lie before it. */
  readonly now: number;
  readonly question: Question;
}

function readPlan(): Plan {
  const values = readWords(USAGE, {
    quick: { type: "boolean", default: false },
    events: { type: "string" },
    "report-events": { type: "string" },
    runs: { type: "string" },
  });
  const whole = (name: string, text: string): number => wholeNumber(name, text, USAGE, 1);
  const calls = (name: string, text: string): number =>
    Math.ceil(whole(name, text) / EVENTS_PER_CALL) * EVENTS_PER_CALL;
  const events = calls("events", values.events ?? String(values.quick ? EVENTS_QUICK : EVENTS));
  const sizes = (values["report-events"] ?? String(events)).split(",");
  const now = Date.now();
  return {
    events,
    reportEvents: sizes.map((size) => calls("report-events", size)),
    runs: whole("runs", values.runs ?? String(values.quick ? 1 : RUNS)),
    quick: values.quick,
    command: asTyped("npm run bench:baselines"),
    now,
    question: questionAt(now),
  };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Installs the clients; a failure is told, and the ways that need them are not run. */
function install(): void {
  const folder = import.meta.dirname;
  if (existsSync(join(folder, "node_modules"))) return;
  say("installing the clients of DuckDB and PostgreSQL into bench/baselines");
  const { status, stderr } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0) say(`bench: not installed: ${stderr?.trim().split("\n")[0] ?? "npm was not found"}`);
}

const SHAPE = { spread: "live" } as const;
const KINDS: Readonly<Record<TableKind, readonly Ids[]>> = { plain: ["ordered"], keyed: ["ordered", "random"] };

async function measureDaybook(plan: Plan, folder: string): Promise<{ way: Way; sums: ReadonlyMap<number, string> }> {
  const once = async (ids: Ids): Promise<IngestFigures> => {
    const figures = await daybookIngest(folder, { ...SHAPE, ids, events: plan.events, now: plan.now });
    remove(figures.data);
    return figures;
  };
  const ingest = await ingestOf(plan.runs, KINDS.keyed, once);
  const reports = new Map<number, ReportFigures>();
  const sums = new Map<number, string>();
  for (const events of plan.reportEvents) {
    const { data } = await daybookIngest(folder, historyOf(plan, events));
    const answered = await daybookReport(data, plan.question);
    remove(data);
    reports.set(events, answered);
    sums.set(events, answered.sums);
  }
  return { way: { name: "Daybook", ingest, reports }, sums };
}

function historyOf({ now }: Plan, events: number): UsageShape {
  return { ids: "ordered", spread: "history", events, now };
}

/** An engine in one or two columns: without a key, if it is asked for, and with one. */
async function measureBaseline(
  plan: Plan,
  sums: ReadonlyMap<number, string>,
  { name, kinds, start }: { name: string; kinds: readonly TableKind[]; start: () => Promise<Baseline> },
): Promise<Way[]> {
  const titles = (full: string): string[] => kinds.map((kind) => (kind === "plain" ? `${full}, no key` : full));
  let baseline: Baseline;
  try {
    baseline = await start();
  } catch (error) {
    const notRun = (error as Error).message.split("\n")[0]!;
    say(`bench: ${name} is not run: ${notRun}`);
    return titles(name).map((title) => ({ name: title, ingest: {}, reports: new Map(), notRun }));
  }
  try {
    const ways: Way[] = [];
    for (const [at, title] of titles(baseline.name).entries()) {
      const kind = kinds[at]!;
      const once = (ids: Ids): Promise<IngestFigures> =>
        measureIngest(baseline, kind, { ...SHAPE, ids, events: plan.events, now: plan.now });
      ways.push({ name: title, ingest: await ingestOf(plan.runs, KINDS[kind], once), reports: new Map() });
    }
    const reports = new Map<number, ReportFigures>();
    for (const [events, own] of sums) {
      const figures = await measureReport(baseline, historyOf(plan, events), plan.question, own);
      if (figures) reports.set(events, figures);
    }
    return ways.map((way, at) => (at === ways.length - 1 ? { ...way, reports } : way));
  } finally {
    await baseline.stop();
  }
}

async function main(): Promise<void> {
  const plan = readPlan();
  install();
  const folder = mkdtempSync(join(tmpdir(), "daybook-baselines-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const { way: daybook, sums } = await measureDaybook(plan, folder);
  const both: readonly TableKind[] = ["plain", "keyed"];
  const engines = [
    { name: "SQLite", kinds: ["keyed"] as const, start: async (): Promise<Baseline> => new Sqlite(folder) as Baseline },
    { name: "PostgreSQL", kinds: both, start: async () => (await Postgres.start()) as Baseline },
    { name: "DuckDB", kinds: both, start: async () => (await DuckDbBaseline.start(folder)) as Baseline },
  ];
  const others: Way[] = [];
  for (const engine of engines) others.push(...(await measureBaseline(plan, sums, engine)));
  const measured: Measured = { ...plan, ways: [daybook, ...others] };
  process.stdout.write(`\n${machine()}\n\n${tableOf(measured)}\n`);
  if (plan.quick) return;
  writePart(DOCUMENT, "baselines", sectionOf(measured));
  process.stdout.write(`\nWritten to ${DOCUMENT}\n`);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  await main();
} catch (error) {
  say(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}

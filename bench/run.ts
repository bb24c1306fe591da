/**
 * `npm run bench`: how fast events go in over HTTP, and how fast the month's report comes out, on this machine. Prints
 * figures and asserts none of them.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asTyped, readWords, wholeNumber } from "../tools/script-words.ts";
import { documentOf, type Measured, tablesOf } from "./document.ts";
import { writeAround } from "./document-part.ts";
import { count, machine } from "./figures.ts";
import { type GrowthFigures, measureGrowth } from "./growth.ts";
import { INGEST, measureIngest } from "./ingest.ts";
import { measureLimits } from "./limits.ts";
import { measureRating } from "./rating.ts";
import { measureReaders } from "./readers.ts";
import { measureReport } from "./report.ts";
import { measureReportGrowth } from "./report-growth.ts";
import { EVENTS_PER_CALL } from "./usage.ts";

const EVENTS = 1_000_000;
const EVENTS_QUICK = 100_000;
const EVENTS_FULL = 10_000_000;
const RUNS = 3;
const USAGE = `npm run bench -- [--events N] [--runs N] [--full] [--growth N] [--report-growth N] [--quick]

  --events N         events of each way of writing, and of the report (${EVENTS})
  --runs N           runs of each, of which the median counts (${RUNS})
  --full             and ${count(EVENTS_FULL)} events into one file, with ids in order and random ones
  --growth N         the same up to so many events
  --report-growth N  and the month's report on 1, 3, 10, 30 million events, up to so many
  --quick            ${count(EVENTS_QUICK)} events, 1 run; else docs/benchmarks.md is written`;
const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));

interface Plan {
  readonly events: number;
  readonly runs: number;
  /** How far the file is to grow, in events; 0: not measured. */
  readonly growth: number;
  /** How many events of 90 days the report is to be asked on; 0: not measured. */
  readonly reportGrowth: number;
  /** The document to write, if any. */
  readonly document: string | undefined;
  readonly command: string;
}

function readPlan(): Plan {
  const values = readWords(USAGE, {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    events: { type: "string" },
    runs: { type: "string" },
    growth: { type: "string" },
    "report-growth": { type: "string" },
  });
  const whole = (name: "events" | "runs" | "growth" | "report-growth", fallback: number): number =>
    wholeNumber(name, values[name] ?? `${fallback}`, USAGE, 1);
  const asked = whole("events", values.quick ? EVENTS_QUICK : EVENTS);
  const growth = values.full || values.growth !== undefined ? whole("growth", EVENTS_FULL) : 0;
  return {
    growth: Math.ceil(growth / EVENTS_PER_CALL) * EVENTS_PER_CALL,
    reportGrowth: values["report-growth"] === undefined ? 0 : whole("report-growth", 0),
    events: Math.ceil(asked / EVENTS_PER_CALL) * EVENTS_PER_CALL,
    runs: whole("runs", values.quick ? 1 : RUNS),
    document: values.quick ? undefined : DOCUMENT,
    command: asTyped("npm run bench"),
  };
}

async function measure(plan: Plan, folder: string): Promise<Measured> {
  const ingest: Awaited<ReturnType<typeof measureIngest>>[] = [];
  for (const one of INGEST) ingest.push(await measureIngest({ ...plan, folder }, one));
  const limits = await measureLimits({ ...plan, folder });
  const report = await measureReport(plan.runs, ingest.at(-1)!.dataFolder);
  const rating = await measureRating(ingest.at(-1)!.dataFolder);
  for (const { dataFolder } of ingest) rmSync(dataFolder, { recursive: true });
  const readers = await measureReaders(plan.events, plan.runs, folder);
  const growth: GrowthFigures[] = [];
  if (plan.growth > 0) {
    for (const ids of ["ordered", "random"] as const) growth.push(await measureGrowth(ids, plan.growth, folder));
  }
  const reportGrowth = await measureReportGrowth(plan.reportGrowth, folder);
  const { command, events, runs } = plan;
  return { command, events, runs, ingest, limits, report, rating, readers, growth, reportGrowth };
}

async function main(): Promise<void> {
  const plan = readPlan();
  const folder = mkdtempSync(join(tmpdir(), "daybook-bench-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const measured = await measure(plan, folder);
  process.stdout.write(`\n${machine()}\n\n${tablesOf(measured)}\n`);
  if (plan.document) {
    writeAround(plan.document, documentOf(measured));
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

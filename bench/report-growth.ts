/** Whether the month's report stays as fast while the same series count more and more events. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { count, table } from "./figures.ts";
import { measureReport, type ReportFigures } from "./report.ts";
import { startServer } from "./server.ts";
import { step } from "./step.ts";
import { inThread } from "./threads.ts";

/** Events in the file when it is asked. */
const STAGES = [1_000_000, 3_000_000, 10_000_000, 30_000_000];

export interface ReportGrowthFigures extends ReportFigures {
  readonly events: number;
}

/** Fills one folder with 90 days again and again, up to so many events, and asks at each stage on the way. */
export async function measureReportGrowth(upTo: number, folder: string): Promise<readonly ReportGrowthFigures[]> {
  const dataFolder = mkdtempSync(join(folder, "report-growth-"));
  const figures: ReportGrowthFigures[] = [];
  const now = Date.now();
  let written = 0;
  for (const events of STAGES.filter((stage) => stage <= upTo)) {
    const server = await startServer(dataFolder);
    // Random ids, so that no two stages share one.
    const shape = { ids: "random" as const, spread: "history" as const, events: events - written, now };
    await step(`90 days, to ${count(events)}`, shape.events, (add) =>
      inThread({ kind: "load", shape, url: server.url }, add),
    );
    await server.stop();
    written = events;
    figures.push({ events, ...(await measureReport(1, dataFolder)) });
  }
  rmSync(dataFolder, { recursive: true });
  return figures;
}

export function reportGrowthTable(stages: readonly ReportGrowthFigures[]): string {
  return table([
    ["Events in 90 days", "rows", "first ms", "warm p50 ms", "warm p99 ms", "server CPU ms"],
    ...stages.map((one) => [
      count(one.events),
      count(one.rows),
      one.firstMs.toFixed(1),
      one.warmMsP50.toFixed(1),
      one.warmMsP99.toFixed(1),
      one.serverCpuMs.toFixed(1),
    ]),
  ]);
}

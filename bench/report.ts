/** How fast the month's report comes out over HTTP. */

import { bareAnswerMs } from "./bare-answers.ts";
import { count, median, quantile, table } from "./figures.ts";
import { ACCOUNT, agent, call, cpuSeconds, startServer } from "./server.ts";
import { step } from "./step.ts";

export const WARM_REPORTS = 100;
export const ZONE = "America/Los_Angeles";
export const REPORT_DAYS = 31;

export interface ReportFigures {
  readonly rows: number;
  readonly bytes: number;
  readonly firstMs: number;
  readonly warmMsP50: number;
  readonly warmMsP99: number;
  /** CPU of all threads of the server for a warm report. */
  readonly serverCpuMs: number;
  /** What the same number of bytes takes from a server that makes nothing; the median. */
  readonly bareMs: number;
}

export const GROUP_BY = ["model_name", "api_key_id", "annotations.team"];

/** The instants of local midnight so many days before today and, later, before that. */
export function daysBack(from: number, to = 0): { readonly startTime: string; readonly endTime: string } {
  const today = Temporal.Now.zonedDateTimeISO(ZONE).startOfDay();
  const midnight = (days: number): string => today.subtract({ days }).toInstant().toString();
  return { startTime: midnight(from), endTime: midnight(to) };
}

/** The address of the report of a range. */
export function reportUrl(server: string, range: ReturnType<typeof daysBack>): string {
  const query = new URLSearchParams({ ...range, timezone: ZONE });
  for (const name of GROUP_BY) query.append("groupBy", name);
  return `${server}/v1/accounts/${ACCOUNT}/billingUsage?${query}`;
}

/** The report on the folder, by a server that was just started, then again and again. */
export async function measureReport(runs: number, dataFolder: string): Promise<ReportFigures> {
  const firsts: number[] = [];
  const warms: number[][] = [];
  const cpuMs: number[] = [];
  let last: Buffer = Buffer.alloc(0);
  for (let run = 1; run <= runs; run += 1) {
    const server = await startServer(dataFolder);
    const url = reportUrl(server.url, daysBack(REPORT_DAYS));
    const timed = async (): Promise<number> => {
      const start = performance.now();
      last = await call(url);
      return performance.now() - start;
    };
    const title = `report, run ${run} of ${runs}`;
    const times = await step(title, WARM_REPORTS, async (add) => {
      // The connection is open before the clock starts.
      await call(`${server.url}/healthz`);
      firsts.push(await timed());
      const warm: number[] = [];
      const cpuBefore = await cpuSeconds(server.url);
      for (; warm.length < WARM_REPORTS; add(1)) warm.push(await timed());
      cpuMs.push((((await cpuSeconds(server.url)) - cpuBefore) * 1000) / WARM_REPORTS);
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
    serverCpuMs: median(cpuMs),
    bareMs: await bareAnswerMs(last.length),
  };
}

export function reportTable(report: ReportFigures): string {
  return table([
    ["Report", "rows", "KB", "first ms", "warm p50 ms", "warm p99 ms", "server CPU ms", "bare server ms"],
    [
      `${REPORT_DAYS} days, ${ZONE}`,
      count(report.rows),
      count(report.bytes / 1000),
      report.firstMs.toFixed(1),
      report.warmMsP50.toFixed(1),
      report.warmMsP99.toFixed(1),
      report.serverCpuMs.toFixed(1),
      report.bareMs.toFixed(1),
    ],
  ]);
}

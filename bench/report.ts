/** How fast the month's report comes out over HTTP. */

import { bareAnswerMs } from "./bare-answers.ts";
import { count, median, quantile, table } from "./figures.ts";
import { ACCOUNT, agent, call, cpuSeconds, startServer } from "./server.ts";
import { step } from "./step.ts";

/** Reports after the first: those by which the engine learns the code, and as many after them. */
export const REPORTS = 100;
export const ZONE = "America/Los_Angeles";
export const REPORT_DAYS = 31;

export interface ReportFigures {
  readonly rows: number;
  readonly bytes: number;
  readonly firstMs: number;
  /** Of the reports after the first. */
  readonly nextMsP50: number;
  readonly nextMsP99: number;
  /** Of those after them. */
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
  const nexts: number[][] = [];
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
    await step(title, 2 * REPORTS, async (add) => {
      const many = async (): Promise<number[]> => {
        const times: number[] = [];
        for (; times.length < REPORTS; add(1)) times.push(await timed());
        return times;
      };
      // The connection is open before the clock starts.
      await call(`${server.url}/healthz`);
      firsts.push(await timed());
      nexts.push(await many());
      const cpuBefore = await cpuSeconds(server.url);
      warms.push(await many());
      cpuMs.push((((await cpuSeconds(server.url)) - cpuBefore) * 1000) / REPORTS);
    });
    agent.destroy();
    await server.stop();
  }
  const { serverlessCosts } = JSON.parse(last.toString()) as { serverlessCosts: unknown[] };
  return {
    rows: serverlessCosts.length,
    bytes: last.length,
    firstMs: median(firsts),
    nextMsP50: median(nexts.map(median)),
    nextMsP99: median(nexts.map((times) => quantile(times, 0.99))),
    warmMsP50: median(warms.map(median)),
    warmMsP99: median(warms.map((times) => quantile(times, 0.99))),
    serverCpuMs: median(cpuMs),
    bareMs: await bareAnswerMs(last.length),
  };
}

export function reportTable(report: ReportFigures): string {
  return table([
    [
      "Report",
      "rows",
      "KB",
      "first ms",
      "next p50 ms",
      "next p99 ms",
      "warm p50 ms",
      "warm p99 ms",
      "server CPU ms",
      "bare server ms",
    ],
    [
      `${REPORT_DAYS} days, ${ZONE}`,
      count(report.rows),
      count(report.bytes / 1000),
      report.firstMs.toFixed(1),
      report.nextMsP50.toFixed(1),
      report.nextMsP99.toFixed(1),
      report.warmMsP50.toFixed(1),
      report.warmMsP99.toFixed(1),
      report.serverCpuMs.toFixed(1),
      report.bareMs.toFixed(1),
    ],
  ]);
}

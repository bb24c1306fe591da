/** Reports that are asked for at length: a year in pieces, and many readers while usage is written. */

import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { count, median, quantile, table } from "./figures.ts";
import { daysBack, REPORT_DAYS, reportUrl } from "./report.ts";
import { type BenchServer, call, startServer } from "./server.ts";
import { step } from "./step.ts";
import { allOf, inThread } from "./threads.ts";
import { YEAR_DAYS } from "./usage.ts";

const YEARS = 20;
/** Asked before the clock starts: they bring the days into memory, and the engine learns the code by them. */
const YEARS_BEFORE = 10;
export const READERS = 50;

export interface ReadersFigures {
  readonly yearRows: number;
  readonly yearMsP50: number;
  readonly yearMsP99: number;
  /** Events written a second, with nobody reading and with all readers. */
  readonly aloneEventsPerSecond: number;
  readonly readEventsPerSecond: number;
  /** Memory of the server meanwhile, at most. */
  readonly aloneBytesMax: number;
  readonly readBytesMax: number;
  readonly reports: number;
  readonly reportMsP50: number;
  readonly reportMsP99: number;
  readonly callMsP99: number;
}

/** Fills a folder with a year, then reads it, run by run, then reads it while as many events are written. */
export async function measureReaders(events: number, runs: number, folder: string): Promise<ReadersFigures> {
  const dataFolder = mkdtempSync(join(folder, "readers-"));
  let server = await startServer(dataFolder);
  const load = async (spread: "year" | "live", title: string) => {
    // Random ids, so that no two loads share one.
    const shape = { ids: "random" as const, spread, events, now: Date.now() };
    return allOf(await step(title, events, (add) => inThread({ kind: "load", shape, url: server.url }, add)));
  };
  await load("year", "a year of usage");
  const years: Awaited<ReturnType<typeof readYears>>[] = [];
  for (let run = 1; run <= runs; run += 1) {
    await server.stop();
    server = await startServer(dataFolder);
    years.push(await step(`a year's report, run ${run} of ${runs}`, YEARS, (add) => readYears(server, add)));
  }
  const alone = await load("live", "writing alone");
  const readers = new Readers(server);
  const read = await load("live", `writing, with ${READERS} readers`);
  const reportMs = await readers.end();
  await server.stop();
  rmSync(dataFolder, { recursive: true });
  return {
    yearRows: years[0]!.yearRows,
    yearMsP50: median(years.map(({ yearMsP50 }) => yearMsP50)),
    yearMsP99: median(years.map(({ yearMsP99 }) => yearMsP99)),
    aloneEventsPerSecond: events / alone.seconds,
    readEventsPerSecond: events / read.seconds,
    aloneBytesMax: alone.serverBytesMax,
    readBytesMax: read.serverBytesMax,
    reports: reportMs.length,
    reportMsP50: median(reportMs),
    reportMsP99: quantile(reportMs, 0.99),
    callMsP99: quantile(read.callMs, 0.99),
  };
}

/** The pieces of a year, each as long as one question may be. */
function yearUrls({ url }: BenchServer): string[] {
  const urls: string[] = [];
  for (let from = YEAR_DAYS; from > 0; from -= REPORT_DAYS) {
    urls.push(reportUrl(url, daysBack(from, Math.max(from - REPORT_DAYS, 0))));
  }
  return urls;
}

async function readYears(server: BenchServer, add: (count: number) => void) {
  const urls = yearUrls(server);
  const yearMs: number[] = [];
  let yearRows = 0;
  for (let year = -YEARS_BEFORE; year < YEARS; year += 1) {
    const start = performance.now();
    const answers = await Promise.all(urls.map((url) => call(url)));
    if (year >= 0) {
      yearMs.push(performance.now() - start);
      add(1);
    } else if (year === -1) {
      yearRows = answers.reduce((rows, answer) => rows + answer.toString().split('"startTime"').length - 1, 0);
    }
  }
  return { yearRows, yearMsP50: median(yearMs), yearMsP99: quantile(yearMs, 0.99) };
}

/** Readers that ask for the month again and again, each over a connection of its own, until the end. */
class Readers {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: READERS });
  readonly #ms: number[] = [];
  readonly #all: Promise<unknown>;
  #ending = false;

  constructor(server: BenchServer) {
    const url = reportUrl(server.url, daysBack(REPORT_DAYS));
    this.#all = Promise.all(Array.from({ length: READERS }, () => this.#read(url)));
  }

  async #read(url: string): Promise<void> {
    while (!this.#ending) {
      const start = performance.now();
      await call(url, undefined, this.#agent);
      this.#ms.push(performance.now() - start);
    }
  }

  /** Milliseconds of each report. */
  async end(): Promise<readonly number[]> {
    this.#ending = true;
    await this.#all;
    this.#agent.destroy();
    return this.#ms;
  }
}

export function readersTable(one: ReadersFigures): string {
  const year = table([
    ["Year", "rows", "p50 ms", "p99 ms"],
    [
      `${YEAR_DAYS} days in pieces of ${REPORT_DAYS}`,
      count(one.yearRows),
      one.yearMsP50.toFixed(0),
      one.yearMsP99.toFixed(0),
    ],
  ]);
  const both = table([
    ["Writing", "events/s", "of it alone", "call p99 ms", "reports", "report p50 ms", "report p99 ms", "server MB"],
    ["alone", count(one.aloneEventsPerSecond), "100 %", "", "", "", "", count(one.aloneBytesMax / 1e6)],
    [
      `with ${READERS} readers`,
      count(one.readEventsPerSecond),
      `${((one.readEventsPerSecond / one.aloneEventsPerSecond) * 100).toFixed(0)} %`,
      one.callMsP99.toFixed(0),
      count(one.reports),
      one.reportMsP50.toFixed(0),
      one.reportMsP99.toFixed(0),
      count(one.readBytesMax / 1e6),
    ],
  ]);
  return `${year}\n\n${both}`;
}

/** How fast events go in over HTTP into an empty folder, beside the floor. */

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { count, median, quantile, table } from "./figures.ts";
import { startServer } from "./server.ts";
import { step } from "./step.ts";
import { allOf, inThread, type Written } from "./threads.ts";
import { HISTORY_DAYS, type Ids, type Spread } from "./usage.ts";

export interface IngestFigures {
  readonly name: string;
  readonly eventsPerSecond: number;
  readonly cpuUs: number;
  readonly callMsP50: number;
  readonly callMsP99: number;
  readonly bytesPerEvent: number;
  readonly floorPerSecond: number;
}

export const INGEST: readonly { readonly name: string; readonly ids: Ids; readonly spread: Spread }[] = [
  { name: "live, ids in order", ids: "ordered", spread: "live" },
  { name: "live, random ids", ids: "random", spread: "live" },
  { name: `${HISTORY_DAYS} days, ids in order`, ids: "ordered", spread: "history" },
];

export interface IngestOptions {
  readonly events: number;
  readonly runs: number;
  /** A folder for the data. */
  readonly folder: string;
}

/** The medians of the runs, and the folder that the last one left behind. */
export async function measureIngest(
  { events, runs, folder }: IngestOptions,
  { name, ids, spread }: (typeof INGEST)[number],
): Promise<IngestFigures & { readonly dataFolder: string }> {
  const shape = { ids, spread, events, now: Date.now() };
  const written: Written[] = [];
  const floors: number[] = [];
  let dataFolder = "";
  for (let run = 1; run <= runs; run += 1) {
    if (dataFolder) rmSync(dataFolder, { recursive: true });
    dataFolder = mkdtempSync(join(folder, "data-"));
    const server = await startServer(dataFolder);
    const title = `${name}, run ${run} of ${runs}`;
    written.push(allOf(await step(title, events, (add) => inThread({ kind: "load", shape, url: server.url }, add))));
    await server.stop();
    const path = join(folder, "floor.db");
    const bare = await step(`${title}: floor`, events, (add) => inThread({ kind: "floor", shape, path }, add));
    floors.push(events / allOf(bare).seconds);
  }
  return {
    name,
    dataFolder,
    eventsPerSecond: median(written.map(({ seconds }) => events / seconds)),
    cpuUs: median(written.map(({ serverCpuSeconds }) => (serverCpuSeconds / events) * 1e6)),
    callMsP50: median(written.map(({ callMs }) => median(callMs))),
    callMsP99: median(written.map(({ callMs }) => quantile(callMs, 0.99))),
    bytesPerEvent: written[0]!.bytes / events,
    floorPerSecond: median(floors),
  };
}

export function ingestTable(figures: readonly IngestFigures[]): string {
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

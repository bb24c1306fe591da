/** What the machine does at most with the bodies of the benchmark, whatever takes them: read as JSON, synced, copied. */

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { count, median, table } from "./figures.ts";
import type { IngestFigures, IngestOptions } from "./ingest.ts";
import { step } from "./step.ts";
import { EVENTS_PER_CALL, usageBodies } from "./usage.ts";

const EVENTS_MAX = 250_000;

export interface Limit {
  readonly name: string;
  readonly eventsPerSecond: number;
}

/** The median of the runs of each limit, one thread at work. */
export async function measureLimits({ events, runs, folder }: IngestOptions): Promise<readonly Limit[]> {
  const taken = Math.min(events, EVENTS_MAX);
  const bodies = usageBodies({ ids: "ordered", spread: "live", events: taken, now: Date.now() }, 0, taken);
  const path = join(folder, "limits.ndjson");
  const limits: readonly (readonly [name: string, work: () => void])[] = [
    ["JSON.parse of each line", () => bodies.forEach(parseLines)],
    [`written to a file, synced after each ${count(EVENTS_PER_CALL)}`, () => writeSynced(path, bodies)],
    ["copied in memory", () => bodies.forEach((body) => void Buffer.from(body))],
  ];
  return step("limits of the machine", limits.length * runs, async (add) =>
    limits.map(([name, work]) => {
      const seconds = Array.from({ length: runs }, () => {
        const start = performance.now();
        work();
        add(1);
        return (performance.now() - start) / 1000;
      });
      return { name, eventsPerSecond: taken / median(seconds) };
    }),
  );
}

function parseLines(body: Buffer): void {
  for (const line of body.toString().split("\n")) JSON.parse(line);
}

function writeSynced(path: string, bodies: readonly Buffer[]): void {
  const file = openSync(path, "w");
  try {
    for (const body of bodies) {
      writeSync(file, body);
      fdatasyncSync(file);
    }
  } finally {
    closeSync(file);
    rmSync(path);
  }
}

/** The limits, and the part of each that writing usage comes to. */
export function limitsTable(limits: readonly Limit[], { name, eventsPerSecond }: IngestFigures): string {
  return table([
    ["One thread alone", "events/s", `"${name}" of it`],
    ...limits.map((one) => [
      one.name,
      count(one.eventsPerSecond),
      `${((eventsPerSecond / one.eventsPerSecond) * 100).toPrecision(2)} %`,
    ]),
  ]);
}

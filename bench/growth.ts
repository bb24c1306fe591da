/** How ingest goes on while the file grows, and what the file and the server weigh in the end. */

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { LEDGER } from "../src/folder.ts";
import { count, quantile, table } from "./figures.ts";
import { residentBytes, startServer } from "./server.ts";
import { step } from "./step.ts";
import { allOf, inThread, type Written } from "./threads.ts";
import type { Ids } from "./usage.ts";

const MILLION = 1_000_000;
/** Where the curve is read off, in events. */
const POINTS = [1, 2, 5, 10, 20, 30, 50, 100].map((millions) => millions * MILLION);
/** The floor under random ids takes longer and longer: its curve ends here. */
const FLOOR_EVENTS_MAX = 2 * MILLION;
const REST_MS = 3_000;
const STARTS = 3;

interface Weight {
  /** Bytes of the file for each event, by what they hold. */
  readonly bytes: Readonly<Record<(typeof HOLDINGS)[number]["name"] | "all", number>>;
  readonly startMs: number;
  readonly restBytes: number;
}

export interface GrowthFigures extends Weight {
  readonly ids: Ids;
  /** One for each point: what was written since the point before. */
  readonly curve: readonly { readonly until: number; readonly server: Written; readonly floor: Written | undefined }[];
}

/** What the tables and indexes of ledger.db hold. */
const HOLDINGS = [
  { name: "raw", like: ["events", "series%", "sqlite_autoindex_series%", "arrivals"] },
  { name: "identities", like: ["identit%"] },
  { name: "sums", like: ["sums", "days"] },
  { name: "packs", like: ["packed%"] },
] as const;

export async function measureGrowth(ids: Ids, events: number, folder: string): Promise<GrowthFigures> {
  const dataFolder = mkdtempSync(join(folder, "growth-"));
  const now = Date.now();
  const shape = { ids, spread: "live" as const, events, now };
  const server = await startServer(dataFolder);
  const title = `${count(events)} events, ${ids} ids`;
  const rounds = await step(title, events, (add) => inThread({ kind: "load", shape, url: server.url }, add));
  await server.stop();
  const floorEvents = Math.min(events, FLOOR_EVENTS_MAX);
  const bare = { kind: "floor" as const, shape: { ...shape, events: floorEvents }, path: join(folder, "floor.db") };
  const floors = await step(`${title}: floor`, floorEvents, (add) => inThread(bare, add));
  const weight = await weigh(dataFolder, events);
  rmSync(dataFolder, { recursive: true });
  return { ids, ...weight, curve: curveOf(rounds, floors, events) };
}

function curveOf(rounds: readonly Written[], floors: readonly Written[], events: number): GrowthFigures["curve"] {
  const points = [...POINTS.filter((point) => point < events), events];
  return points.map((until, at) => {
    const from = points[at - 1] ?? 0;
    const between = (all: readonly Written[]): readonly Written[] =>
      all.filter((round) => round.until > from && round.until <= until);
    const floor = between(floors);
    return { until, server: allOf(between(rounds)), floor: floor.at(-1)?.until === until ? allOf(floor) : undefined };
  });
}

async function weigh(dataFolder: string, events: number): Promise<Weight> {
  let [startMs, restBytes] = [Number.POSITIVE_INFINITY, 0];
  for (let start = 0; start < STARTS; start += 1) {
    const began = performance.now();
    const server = await startServer(dataFolder);
    startMs = Math.min(startMs, performance.now() - began);
    await wait(REST_MS);
    restBytes = await residentBytes(server.url);
    await server.stop();
  }
  return { bytes: bytesOf(join(dataFolder, LEDGER), events), startMs, restBytes };
}

function bytesOf(path: string, events: number): Weight["bytes"] {
  const file = new DatabaseSync(path, { readOnly: true });
  const pages = file.prepare("SELECT sum(pgsize) AS bytes FROM dbstat WHERE aggregate = TRUE AND name LIKE ?");
  const bytes: Record<string, number> = { all: statSync(path).size / events };
  for (const { name, like } of HOLDINGS) {
    bytes[name] = like.reduce((sum, one) => sum + Number(pages.get(one)!.bytes ?? 0), 0) / events;
  }
  file.close();
  return bytes as Weight["bytes"];
}

export function growthTable(figures: readonly GrowthFigures[]): string {
  return table([
    [
      "Events in the file",
      "events/s",
      "server CPU us/event",
      "call p50 ms",
      "call p99 ms",
      "server MB",
      "floor events/s",
    ],
    ...figures.flatMap(({ ids, curve }) =>
      curve.map(({ until, server, floor }) => [
        `${ids === "random" ? "random ids" : "ids in order"}, to ${count(until / MILLION)} M`,
        count(server.events / server.seconds),
        ((server.serverCpuSeconds / server.events) * 1e6).toFixed(1),
        quantile(server.callMs, 0.5).toFixed(1),
        quantile(server.callMs, 0.99).toFixed(1),
        count(server.serverBytesMax / 1e6),
        floor ? count(floor.events / floor.seconds) : "",
      ]),
    ),
  ]);
}

export function weightTable(figures: readonly GrowthFigures[]): string {
  return table([
    ["File", "bytes an event", ...HOLDINGS.map(({ name }) => `${name}`), "start ms", "MB at rest"],
    ...figures.map(({ ids, curve, bytes, startMs, restBytes }) => [
      `${count(curve.at(-1)!.until)} events, ${ids === "random" ? "random ids" : "ids in order"}`,
      bytes.all.toFixed(0),
      ...HOLDINGS.map(({ name }) => bytes[name].toFixed(1)),
      count(startMs),
      count(restBytes / 1e6),
    ]),
  ]);
}

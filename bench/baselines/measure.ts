/** The same events into each engine, and the same question to each. */

import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { count, median } from "../figures.ts";
import { REPORT_DAYS, ZONE } from "../report.ts";
import { ACCOUNT, agent, call, startServer } from "../server.ts";
import { step } from "../step.ts";
import { allOf, inThread } from "../threads.ts";
import { EVENTS_PER_CALL, type Ids, type UsageShape, usageBodies } from "../usage.ts";
import { type Baseline, type Question, rowsOf, type SumRow, type TableKind } from "./baseline.ts";

/** Events whose batches are made before a clock starts; it stands still while the next ones are made. */
const EVENTS_PER_ROUND = 250_000;
const WARM_REPORTS = 9;

export interface IngestFigures {
  readonly eventsPerSecond: number;
  readonly bytesPerEvent: number;
}

export interface ReportFigures {
  readonly firstMs: number;
  readonly warmMs: number;
}

type Add = (events: number) => void;

/** Writes all events of the shape. Returns the seconds in which the engine had something to do. */
async function write<Batch>(baseline: Baseline<Batch>, shape: UsageShape, add: Add): Promise<number> {
  let ms = 0;
  for (let from = 0; from < shape.events; from += EVENTS_PER_ROUND) {
    const bodies = usageBodies(shape, from, Math.min(from + EVENTS_PER_ROUND, shape.events));
    const batches = bodies.map((body) => baseline.prepare(rowsOf(body))).values();
    const connection = async (number: number): Promise<void> => {
      for (const batch of batches) {
        await baseline.write(batch, number);
        add(EVENTS_PER_CALL);
      }
    };
    const start = performance.now();
    await Promise.all(Array.from({ length: baseline.connections }, (_, number) => connection(number)));
    ms += performance.now() - start;
  }
  return ms / 1000;
}

export async function measureIngest(baseline: Baseline, kind: TableKind, shape: UsageShape): Promise<IngestFigures> {
  await baseline.create(kind);
  const title = `${baseline.name}, ${kind === "keyed" ? "" : "no key, "}${shape.ids} ids`;
  const seconds = await step(title, shape.events, (add) => write(baseline, shape, add));
  return { eventsPerSecond: shape.events / seconds, bytesPerEvent: (await baseline.bytes()) / shape.events };
}

/** Daybook over HTTP, on a folder that is removed, or kept when `keep` is asked for. */
export async function daybookIngest(folder: string, shape: UsageShape): Promise<IngestFigures & { data: string }> {
  const data = mkdtempSync(join(folder, "daybook-"));
  const server = await startServer(data);
  const work = (add: Add) => inThread({ kind: "load", shape, url: server.url }, add);
  const { seconds } = allOf(await step(`Daybook, ${shape.ids} ids, ${shape.spread}`, shape.events, work));
  await server.stop();
  const bytes = readdirSync(data).reduce((sum, name) => sum + statSync(join(data, name)).size, 0);
  return { eventsPerSecond: shape.events / seconds, bytesPerEvent: bytes / shape.events, data };
}

/** Ids in order and random ones, medians of the runs. */
export async function ingestOf(
  runs: number,
  ids: readonly Ids[],
  once: (ids: Ids) => Promise<IngestFigures>,
): Promise<Partial<Record<Ids, IngestFigures>>> {
  const figures: Partial<Record<Ids, IngestFigures>> = {};
  for (const one of ids) {
    const all: IngestFigures[] = [];
    while (all.length < runs) all.push(await once(one));
    figures[one] = {
      eventsPerSecond: median(all.map(({ eventsPerSecond }) => eventsPerSecond)),
      bytesPerEvent: median(all.map(({ bytesPerEvent }) => bytesPerEvent)),
    };
  }
  return figures;
}

/** The question of the report: the last whole days of the zone. */
export function questionAt(now: number): Question {
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(ZONE).startOfDay();
  const text = (days: number): string => today.subtract({ days }).toInstant().toString();
  return { start: text(REPORT_DAYS), end: text(0), zone: ZONE };
}

/** The first answer after a start, then warm ones, one at a time. */
async function timed<T>(ask: () => Promise<T>): Promise<ReportFigures & { readonly last: T }> {
  const times: number[] = [];
  let last: T | undefined;
  while (times.length <= WARM_REPORTS) {
    const start = performance.now();
    last = await ask();
    times.push(performance.now() - start);
  }
  return { firstMs: times[0]!, warmMs: median(times.slice(1)), last: last! };
}

/** Answers as one text, to be held against each other. */
const textOf = (rows: readonly SumRow[]): string =>
  rows
    .map((row) => row.join(" "))
    .sort()
    .join("\n");

interface WireRow {
  readonly startTime: string;
  readonly group: Readonly<Record<string, string>>;
  readonly promptTokens: string;
  readonly cachedPromptTokens: string;
  readonly completionTokens: string;
}

function wireSum({ startTime, group, promptTokens, cachedPromptTokens, completionTokens }: WireRow): SumRow {
  const names = [group.model_name!, group.api_key_id!, group["annotations.team"]!] as const;
  return [startTime.slice(0, 10), ...names, promptTokens, cachedPromptTokens, completionTokens];
}

export interface Answered extends ReportFigures {
  /** All rows, in an order of their own. */
  readonly sums: string;
}

/** @param data a folder with the usage. */
export async function daybookReport(data: string, { start, end, zone }: Question): Promise<Answered> {
  const server = await startServer(data);
  const groups = ["model_name", "api_key_id", "annotations.team"].map((name) => ["groupBy", name]);
  const query = new URLSearchParams([["startTime", start], ["endTime", end], ["timezone", zone], ...groups]);
  const url = `${server.url}/v1/accounts/${ACCOUNT}/billingUsage?${query}`;
  try {
    // The connection is open before the clock starts.
    await call(`${server.url}/healthz`);
    const { last, ...figures } = await timed(() => call(url));
    const { serverlessCosts } = JSON.parse(last.toString()) as { serverlessCosts: WireRow[] };
    return { ...figures, sums: textOf(serverlessCosts.map(wireSum)) };
  } finally {
    agent.destroy();
    await server.stop();
  }
}

/** @throws Error when its sums are not `sums`. */
export async function measureReport(
  baseline: Baseline,
  shape: UsageShape,
  question: Question,
  sums: string,
): Promise<ReportFigures | undefined> {
  if (!baseline.report || !baseline.restart) return undefined;
  await baseline.create("plain");
  await step(`${baseline.name}, ${count(shape.events)} events of history`, shape.events, (add) =>
    write(baseline, shape, add),
  );
  await baseline.index?.();
  await baseline.restart();
  const { last, ...figures } = await timed(() => baseline.report!(question));
  if (textOf(last) !== sums) throw new Error(`${baseline.name}: its report has other sums than Daybook's`);
  return figures;
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** The figures as a table, and its place in docs/benchmarks.md. */

import { count, machine, table } from "../figures.ts";
import { REPORT_DAYS, ZONE } from "../report.ts";
import { EVENTS_PER_CALL, HISTORY_DAYS, type Ids } from "../usage.ts";
import type { IngestFigures, ReportFigures } from "./measure.ts";

/** One way of doing it: a column. */
export interface Way {
  readonly name: string;
  readonly ingest: Partial<Record<Ids, IngestFigures>>;
  /** By the number of events. */
  readonly reports: ReadonlyMap<number, ReportFigures>;
  /** Why there are no figures, where there are none. */
  readonly notRun?: string;
}

export interface Measured {
  readonly command: string;
  readonly events: number;
  readonly reportEvents: readonly number[];
  readonly runs: number;
  /** Daybook first: the others are told as ratios to it. */
  readonly ways: readonly [Way, ...Way[]];
}

/** A figure and its ratio to Daybook's. */
function cell(figure: number | undefined, daybook: number | undefined, way: Way): string {
  if (figure === undefined) return way.notRun === undefined ? "–" : "not run";
  const shown = figure < 100 ? figure.toFixed(1) : count(figure);
  if (daybook === undefined || way.name === "Daybook") return shown;
  const ratio = figure / daybook;
  return `${shown} (${ratio < 10 ? ratio.toFixed(2) : count(ratio)}x)`;
}

export function tableOf({ ways, reportEvents }: Measured): string {
  const row = (name: string, of: (way: Way) => number | undefined): string[] => {
    return [name, ...ways.map((way) => cell(of(way), of(ways[0]), way))];
  };
  const reports = reportEvents.flatMap((events) => [
    row(`report on ${count(events)} events, first, ms`, ({ reports: all }) => all.get(events)?.firstMs),
    row(`report on ${count(events)} events, warm, ms`, ({ reports: all }) => all.get(events)?.warmMs),
  ]);
  return table([
    ["", ...ways.map(({ name }) => name)],
    row("ids in order, events/s", ({ ingest }) => ingest.ordered?.eventsPerSecond),
    row("random ids, events/s", ({ ingest }) => ingest.random?.eventsPerSecond),
    row("ids in order, bytes/event", ({ ingest }) => ingest.ordered?.bytesPerEvent),
    row("random ids, bytes/event", ({ ingest }) => ingest.random?.bytesPerEvent),
    ...reports,
  ]);
}

export function sectionOf(measured: Measured): string {
  const { command, events, runs } = measured;
  const missing = measured.ways.flatMap(({ name, notRun }) => (notRun === undefined ? [] : [`${name}: ${notRun}.`]));
  return `## Beside other engines

Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}; ingest as medians of ${runs} runs.
Machine: ${machine()}.

${count(events)} events in batches of ${count(EVENTS_PER_CALL)}, each batch on disk before it is answered; in brackets the ratio
to Daybook in this run. Daybook takes JSON over HTTP, knows the ids, keeps the events and adds up the sums of the reports. The others
take the same events in the form that they read fastest, made before the clock starts, into one table with the labels as
texts and the primary key (account, id): SQLite by a loop of inserts in one thread; PostgreSQL by COPY into a
staging table and \`INSERT ... ON CONFLICT DO NOTHING\`, 4 connections over a Unix socket, \`synchronous_commit\` on;
DuckDB by its appender, likewise through a staging table, in one connection. "No key" is without the primary key, so without
any dedup. Bytes are of the table and its key. Beside their defaults: SQLite with the ledger's settings, PostgreSQL with
\`shared_buffers\` 1 GB and \`max_wal_size\` 8 GB, DuckDB with \`checkpoint_threshold\` 1 GB.

The report is ${REPORT_DAYS} days of \`${ZONE}\` by model, key and team on events of ${HISTORY_DAYS} days: from
Daybook over HTTP, with dollars, as JSON; from the others by SQL on raw events, sums of quantities alone, in PostgreSQL with
an index on (account, time). Their sums were equal. "first" is the first after a start, "warm" the median of 9.

${tableOf(measured)}
${missing.length > 0 ? `\nNot run: ${missing.join(" ")}\n` : ""}`;
}

/** The document of the figures. */

import { count, machine } from "./figures.ts";
import { type GrowthFigures, growthTable, weightTable } from "./growth.ts";
import { type IngestFigures, ingestTable } from "./ingest.ts";
import { type Limit, limitsTable } from "./limits.ts";
import { type RatingFigures, ratingTable } from "./rating.ts";
import { READERS, type ReadersFigures, readersTable } from "./readers.ts";
import { REPORT_DAYS, REPORTS, type ReportFigures, reportTable, ZONE } from "./report.ts";
import { type ReportGrowthFigures, reportGrowthTable } from "./report-growth.ts";
import { CONNECTIONS } from "./server.ts";
import { EVENTS_PER_CALL, HISTORY_DAYS, SERIES } from "./usage.ts";

export interface Measured {
  readonly command: string;
  readonly events: number;
  readonly runs: number;
  readonly ingest: readonly IngestFigures[];
  readonly limits: readonly Limit[];
  readonly report: ReportFigures;
  readonly rating: RatingFigures;
  readonly readers: ReadersFigures;
  /** Empty when it was not asked for. */
  readonly growth: readonly GrowthFigures[];
  /** Likewise. */
  readonly reportGrowth: readonly ReportGrowthFigures[];
}

export function tablesOf({ ingest, limits, report, rating, readers, growth, reportGrowth }: Measured): string {
  const grown = growth.length > 0 ? [growthTable(growth), weightTable(growth)] : [];
  if (reportGrowth.length > 0) grown.push(reportGrowthTable(reportGrowth));
  const written = [ingestTable(ingest), limitsTable(limits, ingest[0]!)];
  return [...written, reportTable(report), ratingTable(rating), readersTable(readers), ...grown].join("\n\n");
}

export function documentOf(measured: Measured): string {
  const { ingest: figures, report, growth, reportGrowth } = measured;
  const events = count(measured.events);
  const bytes = count(figures[0]!.bytesPerEvent);
  const inACall = count(EVENTS_PER_CALL);
  return `# Benchmarks

Written by \`${measured.command}\` on ${new Date().toISOString().slice(0, 10)}; medians of ${measured.runs} runs.
Machine: ${machine()}.

Server and load generator share this machine, so its cores are theirs together.

## Writing usage over HTTP

${events} events of ${bytes} bytes in NDJSON calls of ${inACall}, ${CONNECTIONS} connections, ${SERIES} series,
each run on an empty folder. Every call was answered after its events were on disk. "live" are events of two hours, as
clients send them; "${HISTORY_DAYS} days" is a backfill, in which almost each event makes a quarter-hour sum of its own.

The floor is what one would write by hand: a loop in one thread that inserts the same columns into a bare SQLite file,
the ids as a plain primary key, one durable commit per ${inACall} events: no HTTP, no JSON, no sums. The server may
pass it: calls that arrive together share a commit, and random ids do not each change a page of an index.

${ingestTable(figures)}

What this machine does with the same bodies at most, whatever takes them. A server reads JSON in threads and lets calls
share a sync, so it may come near to one thread's limit, or pass it.

${limitsTable(measured.limits, figures[0]!)}

## The month's report

\`billingUsage\` of ${REPORT_DAYS} days of \`${ZONE}\`
by \`model_name\`, \`api_key_id\` and \`annotations.team\`, on the ${events} events of ${HISTORY_DAYS} days from
above, from the request to the last byte of the answer. "first" is the first report after the server's start; "next" are
the ${REPORTS} after it, by which the engine learns the code, and "warm" the ${REPORTS} after those, one at a time. "server CPU" is that of all its threads for a warm report; "bare server" is the floor:
the median of calls by the same client to a server that sends as many bytes and makes none of them.

${reportTable(report)}

What dollars add: rating alone over the report's sums, as a part of the report without it (read, folded, written as
JSON, in one process). Median of pairs that were timed one after the other.

${ratingTable(measured.rating)}

## A year, and many readers

The same grouping on ${events} events of a year: all pieces are asked at once over ${CONNECTIONS} connections. Then as many "live" events
are written alone, and once more while ${READERS} readers ask for the month's report without a pause, each over its own connection.
"server MB" is the server's resident memory, at most.

${readersTable(measured.readers)}
${reportGrowth.length > 0 ? reportGrowthText(reportGrowth) : ""}${growth.length > 0 ? growthText(growth) : ""}`;
}

function reportGrowthText(stages: readonly ReportGrowthFigures[]): string {
  return `
## The report as events become more

The month's report from above, while the same ${SERIES} series count more and more events of the same ${HISTORY_DAYS} days: one run each.

${reportGrowthTable(stages)}
`;
}

function growthText(growth: readonly GrowthFigures[]): string {
  return `
## While the file grows

As above, one run each, "live". A row is what was written since the row before, at the size of file that it names; the
bodies are made while the clock stands still, every 250,000 events.

${growthTable(growth)}

Bytes on disk after a clean end, for each event, and by what they hold; what is missing to the whole is free space. "start
ms" is from the command to its line that it listens, the best of three; "MB at rest" is 3 s after that.

${weightTable(growth)}
`;
}

/** The CSV exports: every usage event, and serverless costs by day. */

import { DAY_MS, formatInstant, type TimeRange } from "../../domain/time.ts";
import { dollarsOfNanos, nanosOfMoney, type WireMoney } from "../../render/usage-answer.ts";
import { csvText } from "../../render/usage-csv.ts";
import { type ApiRequest, HttpRefusal } from "../client.ts";
import type { Context } from "../context.ts";
import { checkSink, type SinkFlags, type Write, writeWhole } from "../file-sink.ts";
import { Counter } from "../progress.ts";
import { refused } from "../refusal.ts";
import { asOfParameters, checkRange, piecesOf, type RangeFlags, readRange, readTime } from "../time.ts";

type ExportFlags = RangeFlags & SinkFlags;

const LINE_FEED = 10;

/** Every usage event, streamed piece by piece; the head line is written once. */
export async function exportMetrics(context: Context, flags: ExportFlags): Promise<void> {
  const range = readRange(flags, "UTC", context.now());
  const account = await context.path("");
  const requests = piecesOf(range, "UTC").map((piece) => metricsRequest(account, piece));
  if (context.showDry(requests)) return;
  checkSink(flags);
  const counter = new Counter(context.streams.stderr);
  let lines = 0;
  try {
    await writeWhole(context, flags, async (write) => {
      for (const [at, request] of requests.entries()) {
        const response = await context.client.open(request);
        checkCsv(response);
        lines += await copyLines(context.client.parts(response), write, {
          skipHead: at > 0,
          seen: (more) => counter.show(() => `${(lines + more).toLocaleString("en-US")} rows`),
        });
      }
    });
  } finally {
    counter.end();
  }
  sayDone(context, flags, lines);
}

/** @throws Refusal for an answer that is no export, such as a sign-in page on the way. */
function checkCsv(response: Response): void {
  const type = response.headers.get("content-type") ?? "no content type";
  if (type.startsWith("text/csv")) return;
  throw refused(`the server answered ${response.status} (${type}), which is not the export; check --base-url`);
}

function metricsRequest(account: string, { start, end }: TimeRange): ApiRequest {
  const query = `startTime=${formatInstant(start)}&endTime=${formatInstant(end)}`;
  return { method: "GET", path: `${account}/billing/metrics:export?${query}` };
}

/** Copies CSV without reading it into records; counts its lines but the first. No field of it holds a line break. */
async function copyLines(
  parts: AsyncIterable<Uint8Array>,
  write: Write,
  { skipHead, seen }: { readonly skipHead: boolean; readonly seen: (lines: number) => void },
): Promise<number> {
  let feeds = 0;
  let skipping = skipHead;
  for await (const part of parts) {
    let from = 0;
    for (let at = part.indexOf(LINE_FEED); at >= 0; at = part.indexOf(LINE_FEED, at + 1)) {
      feeds += 1;
      if (skipping) {
        skipping = false;
        from = at + 1;
      }
    }
    if (!skipping && from < part.length) await write(from === 0 ? part : part.subarray(from));
    seen(Math.max(0, feeds - 1));
  }
  return Math.max(0, feeds - 1);
}

/** usageCosts:query's word for a dimension, and the field of a row that holds its value. */
const COST_GROUPS = {
  model: { dimension: "MODEL", field: "model" },
  model_tier: { dimension: "MODEL_TIER", field: "modelTier" },
  user: { dimension: "USER", field: "user" },
  api_key: { dimension: "API_KEY", field: "apiKeyId" },
} as const;

type CostGroup = keyof typeof COST_GROUPS;

const COST_COLUMNS = ["account_id", "date", "group_by_dimension", "group_by_value", "subtotal_usd", "currency"];
const COST_PAGE_SIZE = 1_000;

interface CostRow {
  readonly dimensions: Readonly<Record<string, unknown>> & {
    readonly startTime: string;
    readonly unknownModel?: boolean;
    readonly unattributedDimensions?: readonly string[];
  };
  readonly subtotal: WireMoney;
}

/** Serverless costs, one line for each UTC day and group that cost anything. */
export async function exportUsageCosts(
  context: Context,
  flags: ExportFlags & { readonly groupBy: CostGroup; readonly asOf?: string },
): Promise<void> {
  const range = lastDay(flags, context.now());
  const account = await context.account();
  const path = await context.path("/usageCosts:query");
  const more = Object.fromEntries(asOfParameters(flags.asOf, "UTC"));
  const bodies = piecesOf(range, "UTC").map((piece) => ({ ...costsBody(piece, flags.groupBy), ...more }));
  if (context.showDry(bodies.map((body) => ({ method: "POST", path, body })))) return;
  checkSink(flags);
  const counter = new Counter(context.streams.stderr);
  let lines = 0;
  try {
    await writeWhole(context, flags, async (write) => {
      let head = [COST_COLUMNS];
      for (const body of bodies) {
        for await (const rows of costPages(context, path, body)) {
          const records = rows.flatMap((row) => costRecord(account, flags.groupBy, row));
          const text = csvText([...head, ...records]);
          head = [];
          if (text !== "") await write(text);
          lines += records.length;
          counter.show(() => `${lines.toLocaleString("en-US")} rows`);
        }
      }
    });
  } finally {
    counter.end();
  }
  sayDone(context, flags, lines);
}

/** The range of the flags; 24 hours up to now when they are left out. */
function lastDay(flags: RangeFlags, now: number): TimeRange {
  const end = flags.endTime === undefined ? now : readTime(flags.endTime, "--end-time", "UTC");
  const start = flags.startTime === undefined ? end - DAY_MS : readTime(flags.startTime, "--start-time", "UTC");
  checkRange(flags, { start, end });
  return { start, end };
}

function costsBody({ start, end }: TimeRange, group: CostGroup): object {
  return {
    startTime: formatInstant(start),
    endTime: formatInstant(end),
    groupBy: ["DAY", COST_GROUPS[group].dimension],
    pageSize: COST_PAGE_SIZE,
  };
}

async function* costPages(context: Context, path: string, body: object): AsyncGenerator<readonly CostRow[]> {
  for (let pageToken: string | undefined; ; ) {
    const asked = { ...body, ...(pageToken !== undefined && { pageToken }) };
    const { json } = await context.client.call({ method: "POST", path, body: asked }).catch(explainTier);
    const { rows = [], nextPageToken } = json as { rows?: readonly CostRow[]; nextPageToken?: string };
    yield rows;
    if (!nextPageToken || nextPageToken === pageToken) return;
    pageToken = nextPageToken;
  }
}

/** MODEL_TIER is firectl's word; a server that does not know it says so in words that are not of the prompt. */
function explainTier(error: unknown): never {
  if (error instanceof HttpRefusal && error.status === 400 && error.message.includes("MODEL_TIER")) {
    throw refused("this server does not tell costs by model tier; use --group-by model", { cause: error });
  }
  throw error;
}

/** A line of the file; none for a group that cost nothing. */
function costRecord(account: string, group: CostGroup, { dimensions, subtotal }: CostRow): string[][] {
  const nanos = nanosOfMoney(subtotal);
  if (nanos === 0n) return [];
  const { dimension, field } = COST_GROUPS[group];
  const unattributed = dimensions.unattributedDimensions?.includes(dimension) ?? false;
  const value = String(dimensions[field] ?? "");
  const shown = unattributed || value === "" ? (dimensions.unknownModel ? "unknown_model" : "unattributed") : value;
  return [[account, dimensions.startTime.slice(0, 10), group, shown, dollarsOfNanos(nanos), "USD"]];
}

function sayDone(context: Context, { filename }: SinkFlags, lines: number): void {
  const rows = `${lines.toLocaleString("en-US")} ${lines === 1 ? "row" : "rows"}`;
  context.say(filename === "-" ? `wrote ${rows}` : `wrote ${rows} to ${filename}`);
}

/** `billing explain`: why one row of get-usage is the number that it is. */

import { addLocalDays, dayStart, formatInstant, formatInZone } from "../../domain/time.ts";
import { snakeCased } from "../../render/snake-json.ts";
import { EVENTS_HEAD, eventLines, explanationText, type WireExplanation } from "../../render/usage-explanation-text.ts";
import { basisLine } from "../basis-line.ts";
import { type ApiRequest, queryText } from "../client.ts";
import type { Context } from "../context.ts";
import { quoted, wrongWords } from "../refusal.ts";
import { styleOf } from "../style.ts";
import { readTime, readZone } from "../time.ts";
import { questionParameters, readUsageAsk, type UsageFlags } from "./get-usage.ts";

interface ExplainFlags extends UsageFlags {
  readonly rowStart?: string;
  readonly rowUsageType?: string;
  readonly group?: readonly string[];
  readonly events?: boolean;
}

const EVENTS_PER_PAGE = "200";

type Parameters = readonly (readonly [string, string])[];

export async function explain(context: Context, flags: ExplainFlags): Promise<void> {
  const parameters = readParameters(flags, context.now());
  const path = `${await context.path("")}/billingUsage:explain`;
  const request = (more: Parameters = []): ApiRequest => ({
    method: "GET",
    path: `${path}?${queryText([...parameters, ...more])}`,
  });
  if (context.showDry([request()])) return;
  const { json, headers } = await context.client.call(request());
  const first = json as unknown as WireExplanation;
  if (context.output === "json") {
    const events = [];
    for await (const page of pages(context, first, request)) events.push(...page);
    const { nextPageToken: _, ...whole } = first;
    context.print(JSON.stringify(snakeCased({ ...whole, ...(flags.events && { usageEvents: events }) }), null, 2));
    return;
  }
  const { stdout } = context.streams;
  const style = styleOf(stdout);
  stdout.write(explanationText(first, style));
  if (flags.events) {
    stdout.write(`\n${style.emphasize(EVENTS_HEAD)}\n`);
    for await (const page of pages(context, first, request)) stdout.write(eventLines(page));
  }
  const basis = basisLine([headers]);
  if (basis) stdout.write(`\n${style.dim(basis)}\n`);
}

/** The events of every page; each is read when the one before was used. */
async function* pages(
  context: Context,
  first: WireExplanation,
  request: (more: Parameters) => ApiRequest,
): AsyncGenerator<NonNullable<WireExplanation["usageEvents"]>> {
  let page = first;
  for (;;) {
    yield page.usageEvents ?? [];
    if (!page.nextPageToken) return;
    const { json } = await context.client.call(request([["pageToken", page.nextPageToken]]));
    page = json as unknown as WireExplanation;
  }
}

function readParameters(flags: ExplainFlags, now: number): Parameters {
  const zone = readZone(flags.timezone);
  const rowStart = flags.rowStart === undefined ? undefined : readTime(flags.rowStart, "--row-start", zone);
  const ask = readUsageAsk(rangeOf(flags, rowStart, zone), now);
  const parameters = [...questionParameters(ask, ask.range)];
  if (rowStart !== undefined) parameters.push(["row[startTime]", formatInZone(rowStart, zone)]);
  if (flags.rowUsageType !== undefined) {
    parameters.push(["row[usageType]", flags.rowUsageType.toUpperCase().replaceAll("-", "_")]);
  }
  for (const text of flags.group ?? []) {
    const at = text.indexOf("=");
    if (at < 1) throw wrongWords(`--group: ${quoted(text)} is not key=value; use one such as model_name=kimi-k2p6`);
    parameters.push([`group[${text.slice(0, at)}]`, text.slice(at + 1)]);
  }
  if (flags.events) parameters.push(["events", "true"], ["pageSize", EVENTS_PER_PAGE]);
  return parameters;
}

/** A row that is named by its start needs no range beside it: its own day is meant. */
function rangeOf(flags: ExplainFlags, rowStart: number | undefined, zone: string): UsageFlags {
  if (rowStart === undefined || flags.startTime !== undefined || flags.endTime !== undefined) return flags;
  const start = dayStart(rowStart, zone);
  const end = dayStart(addLocalDays(start, zone, 1), zone);
  return { ...flags, startTime: formatInstant(start), endTime: formatInstant(end) };
}

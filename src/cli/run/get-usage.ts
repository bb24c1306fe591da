/** `billing get-usage`: what the account's usage cost, and who used what. */

import type { TimeRange } from "../../domain/time.ts";
import { formatInZone } from "../../domain/time.ts";
import { snakeCased } from "../../render/snake-json.ts";
import { ANSWER_STREAMS, type UsageAnswer, type WireRow } from "../../render/usage-answer.ts";
import { costsCsv, usageCsv } from "../../render/usage-csv.ts";
import { accountCostsText, usageText } from "../../render/usage-text.ts";
import {
  type AccountCosts,
  type CostsAsk,
  costItemJson,
  costsAsks,
  costsRequest,
  joinCosts,
  lastDay,
} from "../account-costs.ts";
import { basisLine } from "../basis-line.ts";
import { type ApiRequest, HttpRefusal, queryText } from "../client.ts";
import type { Context } from "../context.ts";
import { showProgress } from "../progress.ts";
import { quoted, wrongWords } from "../refusal.ts";
import { type Style, styleOf } from "../style.ts";
import { asOfParameters, piecesOf, type RangeFlags, readRange, readZone } from "../time.ts";

/** The flags of a question of billingUsage. */
export interface UsageFlags extends RangeFlags {
  readonly usageType: string;
  readonly groupBy?: readonly string[];
  readonly filter?: readonly string[];
  readonly timezone: string;
  readonly asOf?: string;
}

interface GetUsageFlags extends UsageFlags {
  readonly accountCostsOnly?: boolean;
}

/** What is asked, read from the flags. */
export interface UsageAsk {
  readonly range: TimeRange;
  readonly zone: string;
  readonly groupBy: readonly string[];
  /** The parameters of every piece beside its times. */
  readonly parameters: readonly (readonly [string, string])[];
  /** Those of them that the summary knows. */
  readonly asOf: readonly (readonly [string, string])[];
}

export async function getUsage(context: Context, flags: GetUsageFlags): Promise<void> {
  const ask = readUsageAsk(flags, context.now());
  const account = await context.path("");
  const usageRequests = flags.accountCostsOnly
    ? []
    : piecesOf(ask.range, ask.zone).map((piece) => request(account, ask, piece));
  const asks = costsAsks(ask.range, ask.zone);
  const costsRequests = asks.map((one) => costsRequest(account, one, ask.asOf));
  if (context.showDry([...usageRequests, ...costsRequests])) return;
  const headers: Headers[] = [];
  const usage = flags.accountCostsOnly ? undefined : await fetchPieces(context, usageRequests, headers);
  const required = flags.accountCostsOnly === true;
  const costs = await fetchCosts(context, { asks, requests: costsRequests, required }, headers);
  print(context, ask, { usage, costs, basis: basisLine(headers) });
}

/** @throws Refusal for a flag that cannot be read. */
export function readUsageAsk(flags: UsageFlags, now: number): UsageAsk {
  const zone = readZone(flags.timezone);
  const range = readRange(flags, zone, now);
  const asOf = asOfParameters(flags.asOf, zone);
  const parameters: [string, string][] = [];
  if (flags.usageType !== "all") parameters.push(["usageType", flags.usageType.toUpperCase().replaceAll("-", "_")]);
  if (zone !== "UTC") parameters.push(["timezone", zone]);
  for (const name of flags.groupBy ?? []) parameters.push(["groupBy", name]);
  for (const text of flags.filter ?? []) {
    const at = text.indexOf("=");
    if (at < 1) throw wrongWords(`--filter: ${quoted(text)} is not key=value; use one such as annotations.team=search`);
    parameters.push([`filter[${text.slice(0, at)}][values]`, text.slice(at + 1)]);
  }
  return { range, zone, groupBy: flags.groupBy ?? [], parameters: [...parameters, ...asOf], asOf };
}

function request(account: string, ask: UsageAsk, piece: TimeRange): ApiRequest {
  return { method: "GET", path: `${account}/billingUsage?${queryText(questionParameters(ask, piece))}` };
}

/** The parameters of a question about a part of the range. */
export function questionParameters(
  { zone, parameters }: UsageAsk,
  { start, end }: TimeRange,
): readonly (readonly [string, string])[] {
  return [["startTime", formatInZone(start, zone)], ["endTime", formatInZone(end, zone)], ...parameters];
}

/** Asks piece by piece and joins the answers: pieces meet at local midnights, so no bucket is in two of them. */
async function fetchPieces(
  context: Context,
  requests: readonly ApiRequest[],
  headers: Headers[],
): Promise<UsageAnswer> {
  const joined = { serverlessCosts: [] as WireRow[], dedicatedCosts: [] as WireRow[], trainingCosts: [] as WireRow[] };
  const progress = showProgress(context.streams.stderr, requests.length > 1 ? requests.length : 0, "Fetching usage");
  try {
    for (const request of requests) {
      const { json, headers: own } = await context.client.call(request);
      headers.push(own);
      const answer = json as unknown as Partial<UsageAnswer>;
      for (const stream of ANSWER_STREAMS) for (const row of answer[stream] ?? []) joined[stream].push(row);
      progress.step();
    }
  } finally {
    progress.end();
  }
  return joined;
}

interface CostsCalls {
  readonly asks: readonly CostsAsk[];
  /** For each of the asks. */
  readonly requests: readonly ApiRequest[];
  readonly required: boolean;
}

/** The account's costs; undefined, and said on stderr, when the server has no such report. */
async function fetchCosts(
  context: Context,
  { asks, requests, required }: CostsCalls,
  headers: Headers[],
): Promise<AccountCosts | undefined> {
  try {
    const answers = [];
    for (const [at, ask] of asks.entries()) {
      const { json, headers: own } = await context.client.call(requests[at]!);
      headers.push(own);
      answers.push({ ask, json });
    }
    return joinCosts(answers);
  } catch (error) {
    if (required || !(error instanceof HttpRefusal) || ![404, 501].includes(error.status)) throw error;
    context.say("this server has no billing summary, so the account's costs are left out");
    return undefined;
  }
}

interface Answers {
  readonly usage: UsageAnswer | undefined;
  readonly costs: AccountCosts | undefined;
  /** What they were made of, in a line. */
  readonly basis: string | undefined;
}

function print(context: Context, ask: UsageAsk, { usage, costs, basis }: Answers): void {
  const { stdout } = context.streams;
  switch (context.output) {
    case "json": {
      const document = {
        ...(costs && { account_costs: { cost_data_items: costs.items.map(costItemJson) } }),
        ...(usage && { account_usage: snakeCased(usage) }),
      };
      stdout.write(`${JSON.stringify(document, null, 2)}\n`);
      return;
    }
    case "csv":
      stdout.write(usage ? usageCsv(usage) : costsCsv(costs?.items ?? []));
      return;
    case "text":
      stdout.write(textOf(ask, { usage, costs, basis }, styleOf(stdout)));
      return;
    default:
      context.output satisfies never;
  }
}

function textOf({ zone, groupBy }: UsageAsk, { usage, costs, basis }: Answers, style: Style): string {
  const texts: string[] = [];
  const [first, last] = [costs?.items[0], costs?.items.at(-1)];
  if (costs && first && last) {
    const heading = style.emphasize(`Account costs, ${first.start} to ${lastDay(last)}, whole days of UTC`);
    texts.push(`${heading}\n\n${accountCostsText(costs, style)}`);
  }
  if (usage) texts.push(usageText(usage, { zone, groupBy }, style));
  if (basis) texts.push(`${style.dim(basis)}\n`);
  return texts.join("\n");
}

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
import { type ApiRequest, HttpRefusal, queryText } from "../client.ts";
import type { Context } from "../context.ts";
import { showProgress } from "../progress.ts";
import { quoted, wrongWords } from "../refusal.ts";
import { type Style, styleOf } from "../style.ts";
import { piecesOf, type RangeFlags, readRange, readZone } from "../time.ts";

interface GetUsageFlags extends RangeFlags {
  readonly usageType: string;
  readonly groupBy?: readonly string[];
  readonly filter?: readonly string[];
  readonly timezone: string;
  readonly accountCostsOnly?: boolean;
}

/** What is asked, read from the flags. */
interface Ask {
  readonly range: TimeRange;
  readonly zone: string;
  readonly groupBy: readonly string[];
  /** The parameters of every piece beside its times. */
  readonly parameters: readonly (readonly [string, string])[];
}

export async function getUsage(context: Context, flags: GetUsageFlags): Promise<void> {
  const ask = readAsk(flags, context.now());
  const account = await context.path("");
  const usageRequests = flags.accountCostsOnly
    ? []
    : piecesOf(ask.range, ask.zone).map((piece) => request(account, ask, piece));
  const asks = costsAsks(ask.range, ask.zone);
  if (context.showDry([...usageRequests, ...asks.map((one) => costsRequest(account, one))])) return;
  const usage = flags.accountCostsOnly ? undefined : await fetchPieces(context, usageRequests);
  const costs = await fetchCosts(context, account, { asks, required: flags.accountCostsOnly === true });
  print(context, ask, { usage, costs });
}

function readAsk(flags: GetUsageFlags, now: number): Ask {
  const zone = readZone(flags.timezone);
  const range = readRange(flags, zone, now);
  const parameters: [string, string][] = [];
  if (flags.usageType !== "all") parameters.push(["usageType", flags.usageType.toUpperCase().replaceAll("-", "_")]);
  if (zone !== "UTC") parameters.push(["timezone", zone]);
  for (const name of flags.groupBy ?? []) parameters.push(["groupBy", name]);
  for (const text of flags.filter ?? []) {
    const at = text.indexOf("=");
    if (at < 1) throw wrongWords(`--filter: ${quoted(text)} is not key=value; use one such as annotations.team=search`);
    parameters.push([`filter[${text.slice(0, at)}][values]`, text.slice(at + 1)]);
  }
  return { range, zone, groupBy: flags.groupBy ?? [], parameters };
}

function request(account: string, { zone, parameters }: Ask, { start, end }: TimeRange): ApiRequest {
  const times = [
    ["startTime", formatInZone(start, zone)],
    ["endTime", formatInZone(end, zone)],
  ] as const;
  return { method: "GET", path: `${account}/billingUsage?${queryText([...times, ...parameters])}` };
}

/** Asks piece by piece and joins the answers: pieces meet at local midnights, so no bucket is in two of them. */
async function fetchPieces(context: Context, requests: readonly ApiRequest[]): Promise<UsageAnswer> {
  const joined = { serverlessCosts: [] as WireRow[], dedicatedCosts: [] as WireRow[], trainingCosts: [] as WireRow[] };
  const progress = showProgress(context.streams.stderr, requests.length > 1 ? requests.length : 0, "Fetching usage");
  try {
    for (const request of requests) {
      const { json } = await context.client.call(request);
      const answer = json as unknown as Partial<UsageAnswer>;
      for (const stream of ANSWER_STREAMS) for (const row of answer[stream] ?? []) joined[stream].push(row);
      progress.step();
    }
  } finally {
    progress.end();
  }
  return joined;
}

/** The account's costs; undefined, and said on stderr, when the server has no such report. */
async function fetchCosts(
  context: Context,
  account: string,
  { asks, required }: { readonly asks: readonly CostsAsk[]; readonly required: boolean },
): Promise<AccountCosts | undefined> {
  try {
    const answers = [];
    for (const ask of asks) answers.push({ ask, json: (await context.client.call(costsRequest(account, ask))).json });
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
}

function print(context: Context, ask: Ask, { usage, costs }: Answers): void {
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
      stdout.write(textOf(ask, { usage, costs }, styleOf(stdout)));
      return;
    default:
      context.output satisfies never;
  }
}

function textOf({ zone, groupBy }: Ask, { usage, costs }: Answers, style: Style): string {
  const texts: string[] = [];
  const [first, last] = [costs?.items[0], costs?.items.at(-1)];
  if (costs && first && last) {
    const heading = style.emphasize(`Account costs, ${first.start} to ${lastDay(last)}, whole days of UTC`);
    texts.push(`${heading}\n\n${accountCostsText(costs, style)}`);
  }
  if (usage) texts.push(usageText(usage, { zone, groupBy }, style));
  return texts.join("\n");
}

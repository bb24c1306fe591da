/** `daybook tail`: usage as it is written, a line each, until Ctrl-C. */

import { usdTextOfAtto } from "../../domain/money.ts";
import { nanosOfMoney, type WireMoney } from "../../render/usage-answer.ts";
import { queryText } from "../client.ts";
import type { Context } from "../context.ts";
import { parseExact } from "../exact-json.ts";
import { refused, sayable } from "../refusal.ts";
import { tagsText } from "../show.ts";

const ATTO_PER_NANO = 10n ** 9n;

interface TailFlags {
  readonly key?: string;
  readonly model?: string;
}

interface LiveLine {
  readonly dropped?: number;
  readonly time?: string;
  readonly model?: string;
  readonly apiKeyId?: string;
  readonly promptTokens?: number;
  readonly cachedPromptTokens?: number;
  readonly completionTokens?: number;
  readonly audioInputSeconds?: number;
  readonly imageCount?: number;
  readonly estimated?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly cost?: WireMoney;
  readonly isUnpriced?: boolean;
}

/** @throws Refusal when the server ends the answer. */
export async function tail(context: Context, { key, model }: TailFlags): Promise<void> {
  const filters = Object.entries({ apiKeyId: key, model }).filter(([, value]) => value !== undefined);
  const query = filters.length > 0 ? `?${queryText(filters as [string, string][])}` : "";
  const request = { method: "GET", path: await context.path(`/usageEvents:tail${query}`) } as const;
  if (context.showDry([request])) return;
  const response = await context.client.open(request);
  if (context.output === "text") context.say("waiting for usage; Ctrl-C ends it");
  const decoder = new TextDecoder();
  let rest = "";
  for await (const part of context.client.parts(response)) {
    const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line !== "") show(context, line);
  }
  throw refused("the server ended the answer; it may be stopping, start again");
}

function show(context: Context, line: string): void {
  if (context.output === "json") {
    context.print(line);
    return;
  }
  const live = parseExact(line) as unknown as LiveLine;
  if (live.dropped === undefined) context.print(sayable(textOf(live)));
  else context.say(`${live.dropped} events came too fast and are not shown`);
}

function textOf(live: LiveLine): string {
  const { time = "", model = "", apiKeyId = "", annotations, cost, isUnpriced } = live;
  const quantities = [
    live.promptTokens && `${live.promptTokens} in`,
    live.cachedPromptTokens && `${live.cachedPromptTokens} cached`,
    live.completionTokens && `${live.completionTokens} out`,
    live.audioInputSeconds && `${live.audioInputSeconds} s`,
    live.imageCount && `${live.imageCount} images`,
    live.estimated && `estimated (${live.estimated})`,
  ].filter(Boolean);
  const money = `${cost ? exactDollars(cost) : ""}${isUnpriced ? "+ (no price)" : ""}`;
  return [time, money, quantities.join(", "), model, apiKeyId, tagsText(annotations)].filter(Boolean).join("  ");
}

/** One call costs far less than a cent, so no digit is left out. */
function exactDollars(cost: WireMoney): string {
  return `$${usdTextOfAtto(nanosOfMoney(cost) * ATTO_PER_NANO)}`;
}

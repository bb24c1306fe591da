/** The account's costs from `billing/summary`, as get-usage tells them. */

import { DAY_MS, type TimeRange } from "../domain/time.ts";
import { snakeCased } from "../render/snake-json.ts";
import { moneyOfNanos, nanosOfMoney, type WireMoney } from "../render/usage-answer.ts";
import type { SeriesCost } from "../render/usage-text.ts";
import { type ApiRequest, queryText } from "./client.ts";
import type { Json } from "./exact-json.ts";

/** The whole UTC days of one call, with the same dates as the asked range: the summary knows no other zone. */
export interface CostsAsk {
  /** YYYY-MM-DD, inclusive. */
  readonly start: string;
  /** YYYY-MM-DD, exclusive. */
  readonly end: string;
}

/** What one range of days cost. */
export interface CostDataItem extends CostsAsk {
  /** What is owed. */
  readonly nanos: bigint;
  /** By list prices, before what a contract takes off. */
  readonly listNanos: bigint;
}

export interface AccountCosts {
  readonly items: readonly CostDataItem[];
  readonly series: readonly SeriesCost[];
  readonly totalNanos: bigint;
  readonly listNanos: bigint;
  /** What no price covers is in no cost. */
  readonly unpriced: boolean;
}

/** Days that one call may ask for; a year is one call. */
const SUMMARY_DAYS_MAX = 366;

/** The dates of the range in its zone; a day that is only begun counts whole. */
export function costsAsks(range: TimeRange, zone: string): CostsAsk[] {
  const local = (instant: number) =>
    Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone).toPlainDate();
  const first = local(range.start);
  const end = local(range.end - 1).add({ days: 1 });
  const asks: CostsAsk[] = [];
  for (let start = first; Temporal.PlainDate.compare(start, end) < 0; ) {
    const last = start.add({ days: SUMMARY_DAYS_MAX });
    const next = Temporal.PlainDate.compare(last, end) < 0 ? last : end;
    asks.push({ start: start.toString(), end: next.toString() });
    start = next;
  }
  return asks;
}

/** `more` are parameters beside the times. */
export function costsRequest(
  account: string,
  { start, end }: CostsAsk,
  more: readonly (readonly [string, string])[] = [],
): ApiRequest {
  const times = [
    ["startTime", `${start}T00:00:00Z`],
    ["endTime", `${end}T00:00:00Z`],
  ] as const;
  return { method: "GET", path: `${account}/billing/summary?${queryText([...times, ...more])}` };
}

interface WireLine {
  readonly series?: string;
  readonly totalCost?: WireMoney;
  readonly listCost?: WireMoney;
}

interface WireSummary {
  readonly lineItems?: readonly WireLine[];
  readonly unpricedLineItems?: readonly WireLine[];
  readonly totalCost?: WireMoney;
  readonly subtotal?: WireMoney;
  readonly seriesTotals?: readonly WireLine[];
}

const SERIES_NAME = {
  SERVERLESS: "Serverless",
  DEDICATED_DEPLOYMENT: "Dedicated deployments",
  TRAINING: "Training",
} as const;

/** Joins the answers. Daybook's own totals are exact; of a server without them the lines are added up. */
export function joinCosts(answers: readonly { readonly ask: CostsAsk; readonly json: Json }[]): AccountCosts {
  const bySeries = new Map(Object.keys(SERIES_NAME).map((name) => [name, { nanos: 0n, listNanos: 0n }]));
  const items: CostDataItem[] = [];
  let unpriced = false;
  for (const { ask, json } of answers) {
    const {
      lineItems = [],
      unpricedLineItems = [],
      totalCost,
      subtotal,
      seriesTotals = lineItems,
    } = json as unknown as WireSummary;
    let sum = 0n;
    for (const { series = "", totalCost: cost = {}, listCost = cost } of seriesTotals) {
      sum += nanosOfMoney(cost);
      const { nanos = 0n, listNanos = 0n } = bySeries.get(series) ?? {};
      bySeries.set(series, { nanos: nanos + nanosOfMoney(cost), listNanos: listNanos + nanosOfMoney(listCost) });
    }
    const nanos = totalCost ? nanosOfMoney(totalCost) : sum;
    items.push({ ...ask, nanos, listNanos: subtotal ? nanosOfMoney(subtotal) : nanos });
    unpriced ||= unpricedLineItems.length > 0;
  }
  return {
    items,
    series: [...bySeries].map(([name, cost]) => ({
      name: (SERIES_NAME as Record<string, string>)[name] ?? name,
      ...cost,
    })),
    totalNanos: items.reduce((sum, { nanos }) => sum + nanos, 0n),
    listNanos: items.reduce((sum, { listNanos }) => sum + listNanos, 0n),
    unpriced,
  };
}

/** firectl's form: the subtotal is by list prices, the total is what is owed. */
export function costItemJson({ start, end, nanos, listNanos }: CostDataItem): object {
  const [subtotal, total] = [listNanos, nanos].map((amount) => snakeCased(moneyOfNanos(amount)));
  return { subtotal, total, start_time: `${start}T00:00:00Z`, end_time: `${end}T00:00:00Z` };
}

/** The last day of an exclusive end. */
export function lastDay({ end }: CostsAsk): string {
  return new Date(Date.parse(end) - DAY_MS).toISOString().slice(0, 10);
}

/** Usage as CSV: one table of all streams, one line a row, every number exact. */

import { stringify } from "csv-stringify/sync";
import {
  ANSWER_STREAMS,
  costNanosOf,
  digitsOf,
  dollarsOfNanos,
  groupColumns,
  nanosOfMoney,
  type UsageAnswer,
} from "./usage-answer.ts";

const STREAM_NAME = {
  serverlessCosts: "SERVERLESS",
  dedicatedCosts: "DEDICATED_DEPLOYMENT",
  trainingCosts: "TRAINING",
};

/** Columns of quantities; a stream that has none of a kind leaves it empty. */
const QUANTITIES = [
  ["prompt_tokens", "promptTokens"],
  ["cached_prompt_tokens", "cachedPromptTokens"],
  ["uncached_prompt_tokens", "uncachedPromptTokens"],
  ["completion_tokens", "completionTokens"],
  ["audio_input_seconds", "audioInputSeconds"],
  ["image_count", "imageCount"],
  ["accelerator_seconds", "acceleratorSeconds"],
  ["tokens", "tokens"],
] as const;

/**
 * Columns: stream, start_time, end_time, usage_type, the grouping's dimensions, quantities, cost_usd, list_cost_usd of an
 * account with a contract, unpriced.
 */
export function usageCsv(answer: UsageAnswer): string {
  const dimensions = groupColumns(ANSWER_STREAMS.flatMap((stream) => answer[stream]));
  // A dimension that is a column already would be there twice.
  const grouping = dimensions.filter((name) => name !== "usage_type");
  const head = ["stream", "start_time", "end_time", "usage_type", ...grouping];
  const listed = ANSWER_STREAMS.some((stream) => answer[stream].some(({ listCost }) => listCost !== undefined));
  const costs = listed ? ["cost_usd", "list_cost_usd"] : ["cost_usd"];
  const records: (readonly string[])[] = [[...head, ...QUANTITIES.map(([name]) => name), ...costs, "unpriced"]];
  for (const stream of ANSWER_STREAMS) {
    for (const row of answer[stream]) {
      const cost = costNanosOf(row);
      const unpriced = (row.unpricedQuantities ?? []).map(({ quantity, amount }) => `${quantity}=${amount}`);
      records.push([
        STREAM_NAME[stream],
        row.startTime,
        row.endTime,
        row.usageType ?? "",
        ...grouping.map((name) => row.group?.[name] ?? ""),
        ...QUANTITIES.map(([, field]) => digitsOf(row[field]) ?? ""),
        cost === undefined ? "" : dollarsOfNanos(cost),
        ...(listed ? [row.listCost ? dollarsOfNanos(nanosOfMoney(row.listCost)) : ""] : []),
        unpriced.join(" "),
      ]);
    }
  }
  return csvText(records);
}

interface CostOfDays {
  readonly start: string;
  readonly end: string;
  readonly nanos: bigint;
  readonly listNanos: bigint;
}

/** The account's costs: one line for each range of days, the end exclusive; list_cost_usd where it differs. */
export function costsCsv(items: readonly CostOfDays[]): string {
  const listed = items.some(({ nanos, listNanos }) => nanos !== listNanos);
  return csvText([
    ["start_time", "end_time", "cost_usd", ...(listed ? ["list_cost_usd"] : [])],
    ...items.map(({ start, end, nanos, listNanos }) => [
      start,
      end,
      ...(listed ? [nanos, listNanos] : [nanos]).map(dollarsOfNanos),
    ]),
  ]);
}

/** Records as RFC 4180 asks, each line ended by a line feed. */
export function csvText(records: readonly (readonly string[])[]): string {
  return stringify(records as string[][]);
}

/** Usage as CSV: one table of all streams, one line a row, every number exact. */

import { stringify } from "csv-stringify/sync";
import {
  ANSWER_STREAMS,
  costNanosOf,
  digitsOf,
  dollarsOfNanos,
  groupColumns,
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

/** Columns: stream, start_time, end_time, usage_type, the grouping's dimensions, quantities, cost_usd, unpriced. */
export function usageCsv(answer: UsageAnswer): string {
  const dimensions = groupColumns(ANSWER_STREAMS.flatMap((stream) => answer[stream]));
  // A dimension that is a column already would be there twice.
  const grouping = dimensions.filter((name) => name !== "usage_type");
  const head = ["stream", "start_time", "end_time", "usage_type", ...grouping];
  const records: (readonly string[])[] = [[...head, ...QUANTITIES.map(([name]) => name), "cost_usd", "unpriced"]];
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
}

/** The account's costs: one line for each range of days, the end exclusive. */
export function costsCsv(items: readonly CostOfDays[]): string {
  return csvText([
    ["start_time", "end_time", "cost_usd"],
    ...items.map(({ start, end, nanos }) => [start, end, dollarsOfNanos(nanos)]),
  ]);
}

/** Records as RFC 4180 asks, each line ended by a line feed. */
export function csvText(records: readonly (readonly string[])[]): string {
  return stringify(records as string[][]);
}

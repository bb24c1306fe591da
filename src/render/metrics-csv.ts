/** The raw export as CSV, in the columns of `billing export-metrics` (contract, section 8). */

import { stringify } from "csv-stringify/sync";
import type { Instant } from "../domain/time.ts";
import type { MetricsFacts, MetricsRow } from "../report/metrics-export.ts";

export const METRICS_COLUMNS = [
  "email",
  "start_time",
  "end_time",
  "usage_type",
  "accelerator_type",
  "accelerator_seconds",
  "base_model_name",
  "model_bucket",
  "parameter_count",
  "prompt_tokens",
  "completion_tokens",
  "cached_prompt_tokens",
  "uncached_prompt_tokens",
] as const;

/**
 * The header, then the rows page by page: a text is made only when it is asked for. A value that a spreadsheet would run
 * as a formula begins with an apostrophe. What rows share is quoted once, since quoting each row took four times as long.
 */
export async function* metricsCsv(pages: AsyncIterable<readonly MetricsRow[]>): AsyncGenerator<string, void> {
  yield `${METRICS_COLUMNS.join(",")}\n`;
  for await (const rows of pages) {
    const quoted = new Map<MetricsFacts, QuotedFacts>();
    let text = "";
    for (const row of rows) {
      let facts = quoted.get(row.facts);
      if (!facts) {
        facts = quoteFacts(row.facts);
        quoted.set(row.facts, facts);
      }
      text += lineOf(row, facts);
    }
    yield text;
  }
}

/** The cells of a row that its facts fill, quoted. */
interface QuotedFacts {
  readonly email: string;
  readonly usage: string;
  readonly model: string;
}

function quoteFacts({ email, usageType, acceleratorType, model, bucket, parameters }: MetricsFacts): QuotedFacts {
  const size = parameters === undefined ? "" : String(parameters);
  return { email: quote([email]), usage: quote([usageType, acceleratorType]), model: quote([model, bucket, size]) };
}

function quote(cells: readonly string[]): string {
  return stringify([cells], { escape_formulas: true, eof: false });
}

function lineOf(row: MetricsRow, { email, usage, model }: QuotedFacts): string {
  const { start, end, acceleratorMs, promptTokens, cachedPromptTokens, completionTokens } = row;
  const startTime = utcText(start);
  const endTime = start === end ? startTime : utcText(end);
  const seconds = acceleratorMs === undefined ? "" : secondsText(acceleratorMs);
  const uncached = promptTokens - cachedPromptTokens;
  return (
    `${email},${startTime},${endTime},${usage},${seconds},${model},` +
    `${promptTokens},${completionTokens},${cachedPromptTokens},${uncached}\n`
  );
}

/** `2025-10-20 17:16:48 UTC`; what is below a second is cut off. */
function utcText(instant: Instant): string {
  const text = new Date(instant).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
}

/** Exact, with up to three decimals: rows are there to be added up. */
function secondsText(ms: bigint): string {
  const fraction = (ms % 1000n).toString().padStart(3, "0").replace(/0+$/, "");
  return fraction === "" ? `${ms / 1000n}` : `${ms / 1000n}.${fraction}`;
}

/** accountUsageFilterOptions: the distinct values of each dimension in a range (contract, section 2). */

import { type Dimension, dimensionsOf, STREAM_DIMENSIONS } from "../domain/dimension.ts";
import type { Instant } from "../domain/time.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import { billingUsage } from "./billing-usage.ts";
import type { ReportSources } from "./priced-sums.ts";

export type FilterOptions = Readonly<Partial<Record<Dimension, readonly string[]>>>;

/**
 * The values that usage in the question's range and streams has, sorted; "" stands for usage without one. They can be
 * sent back as a filter's values.
 */
export async function filterOptions(
  sources: ReportSources,
  account: string,
  question: UsageQuery,
  now: Instant,
): Promise<FilterOptions> {
  const found = new Map<Dimension, Set<string>>();
  for (const stream of question.streams) {
    const dimensions = STREAM_DIMENSIONS[stream];
    // One question a stream over all its dimensions: the public limit on groupBy is for answers, not for this.
    const asked = { ...question, streams: [stream], groupBy: dimensions };
    const report = await billingUsage(sources, account, asked, now);
    for (const row of report.rows[stream]) {
      for (const [dimension, value] of row.group.values) {
        const values = found.get(dimension) ?? new Set();
        found.set(dimension, values.add(value));
      }
    }
  }
  const asked = dimensionsOf(question.streams.length === 1 ? question.streams[0] : undefined);
  return Object.fromEntries(asked.map((dimension) => [dimension, [...(found.get(dimension) ?? [])].sort()]));
}

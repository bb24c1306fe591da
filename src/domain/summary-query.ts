/** The question of the billing summary: from untrusted words to whole UTC days (contract, section 3). */

import { QueryChecker, type RawQuery } from "./query-checker.ts";
import { formatInstant, type Instant, type TimeRange } from "./time.ts";

export const SUMMARY_GRANULARITIES = ["DAILY"] as const;
/** A year, and the longest one. */
export const SUMMARY_DAYS_MAX = 366;

export interface SummaryQuery {
  /** From midnight to midnight, UTC. */
  readonly range: TimeRange;
  /** True when each day is asked for beside the whole. */
  readonly daily: boolean;
  /** By the prices that were known then; the newest when left out. */
  readonly asOf?: Instant | undefined;
}

const PARAMETERS = ["startTime", "endTime", "granularity", "asOf"] as const;

/**
 * Checks a question. Of each time only its date in UTC counts; the end date is excluded.
 * @throws Fault with a problem for each mistake.
 */
export function parseSummaryQuery(raw: RawQuery): SummaryQuery {
  const check = new QueryChecker("query");
  check.names(raw, PARAMETERS);
  const start = check.utcDay(raw, "startTime");
  const end = check.utcDay(raw, "endTime");
  const granularity = check.oneOf(raw, "granularity", SUMMARY_GRANULARITIES);
  if (start !== undefined && end !== undefined) {
    check.range({ start, end }, { daysMax: SUMMARY_DAYS_MAX, zone: "UTC", show: dateText });
  }
  const asOf = check.optionalTime(raw, "asOf");
  check.finish();
  return { range: { start: start!, end: end! }, daily: granularity === "DAILY", asOf };
}

function dateText(day: Instant): string {
  return formatInstant(day).split("T")[0]!;
}

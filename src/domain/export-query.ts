/** The question of an export: a range of any length. */

import { QueryChecker, type RawQuery } from "./query-checker.ts";
import { formatInstant, type TimeRange } from "./time.ts";

const PARAMETERS = ["startTime", "endTime"] as const;

/** @throws Fault with a problem for each mistake. */
export function parseExportQuery(raw: RawQuery): TimeRange {
  const check = new QueryChecker("query");
  check.names(raw, PARAMETERS);
  const start = check.time(raw, "startTime");
  const end = check.time(raw, "endTime");
  if (start !== undefined && end !== undefined && end <= start) {
    check.add("range_empty", "endTime", { value: formatInstant(end), start: formatInstant(start) });
  }
  check.finish();
  return { start: start!, end: end! };
}

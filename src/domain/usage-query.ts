/** The question of billingUsage: from untrusted words to a checked {@link UsageQuery} (contract, section 2). */

import { type Dimension, dimensionsOf, isDimension, STREAM_DIMENSIONS } from "./dimension.ts";
import { isRecord, QueryChecker, type QueryForm, type RawQuery } from "./query-checker.ts";
import { type Instant, parseZone, type TimeRange } from "./time.ts";
import { STREAMS, type Stream } from "./usage.ts";

export const GRANULARITIES = ["DAILY", "HOURLY"] as const;
type Granularity = (typeof GRANULARITIES)[number];

export interface UsageQuery {
  readonly range: TimeRange;
  /** The streams that are asked for. */
  readonly streams: readonly Stream[];
  readonly timezone: string;
  readonly granularity: Granularity;
  /** As requested; empty means each stream's default grouping. */
  readonly groupBy: readonly Dimension[];
  /** All must hold; within one, any value may. */
  readonly filters: readonly { readonly dimension: Dimension; readonly values: readonly string[] }[];
  /** By the prices that were known then; the newest when left out. */
  readonly asOf?: Instant | undefined;
}

export const RANGE_DAYS_MAX = 31;
export const GROUP_BY_MAX = 5;
export const FILTER_VALUES_MAX = 1_000;
export const USAGE_TYPE_PARAMETERS = ["USAGE_TYPE_UNSPECIFIED", ...STREAMS] as const;

/** The parameters of a question that only names a range and streams. */
export const USAGE_RANGE_PARAMETERS = ["startTime", "endTime", "usageType"] as const;
/** The parameters of a whole question. */
export const USAGE_PARAMETERS = [
  ...USAGE_RANGE_PARAMETERS,
  "timezone",
  "groupBy",
  "filter",
  "granularity",
  "asOf",
] as const;

/**
 * Checks a question. All that is wrong is reported at once.
 * @throws Fault with a problem for each mistake.
 */
export function parseUsageQuery(
  raw: RawQuery,
  form: QueryForm,
  parameters: readonly string[] = USAGE_PARAMETERS,
): UsageQuery {
  const check = new QueryChecker(form);
  check.names(raw, parameters);
  const question = checkUsageQuery(check, raw);
  check.finish();
  return question!;
}

/** Reads a question's own parameters; undefined when one of them is wrong (then it is reported). */
export function checkUsageQuery(check: QueryChecker, raw: RawQuery): UsageQuery | undefined {
  const before = check.problems.length;
  const start = check.time(raw, "startTime");
  const end = check.time(raw, "endTime");
  const zoneText = check.text(raw, "timezone") ?? "UTC";
  const timezone = parseZone(zoneText) ?? check.add("bad_zone", "timezone", { value: zoneText });
  const usageType = check.oneOf(raw, "usageType", USAGE_TYPE_PARAMETERS) ?? "USAGE_TYPE_UNSPECIFIED";
  const granularity = check.oneOf(raw, "granularity", GRANULARITIES) ?? "DAILY";
  const stream = usageType === "USAGE_TYPE_UNSPECIFIED" ? undefined : usageType;
  const groupBy = checkGroupBy(check, check.texts(raw.groupBy, "groupBy"), stream);
  const filters = checkFilters(check, raw.filter, stream);
  if (start !== undefined && end !== undefined) {
    check.range({ start, end }, { daysMax: RANGE_DAYS_MAX, zone: timezone ?? "UTC" });
  }
  const asOf = check.optionalTime(raw, "asOf");
  if (check.problems.length > before) return undefined;
  return {
    range: { start: start!, end: end! },
    streams: stream ? [stream] : STREAMS,
    timezone: timezone!,
    granularity,
    groupBy,
    filters,
    asOf,
  };
}

/** The name as a dimension that the question may use, or undefined when it is wrong (then it is reported). */
export function checkDimension(
  check: QueryChecker,
  name: string,
  field: string,
  stream: Stream | undefined,
): Dimension | undefined {
  const allowed = dimensionsOf(stream);
  if (!isDimension(name)) return check.add("unknown_dimension", field, { value: name, allowed });
  if (stream && !STREAM_DIMENSIONS[stream].includes(name)) {
    return check.add("foreign_dimension", field, { value: name, usageType: stream, allowed });
  }
  return name;
}

function checkGroupBy(check: QueryChecker, names: readonly string[], stream: Stream | undefined): Dimension[] {
  if (names.length > GROUP_BY_MAX) check.add("too_many", "groupBy", { count: names.length, max: GROUP_BY_MAX });
  const groupBy: Dimension[] = [];
  for (const name of names.slice(0, GROUP_BY_MAX)) {
    const dimension = checkDimension(check, name, "groupBy", stream);
    if (dimension && groupBy.includes(dimension)) check.add("repeated_dimension", "groupBy", { value: name });
    else if (dimension) groupBy.push(dimension);
  }
  return groupBy;
}

function checkFilters(check: QueryChecker, filter: unknown, stream: Stream | undefined): UsageQuery["filters"] {
  if (filter === undefined || filter === null) return [];
  if (!isRecord(filter)) {
    check.add("wrong_type", "filter", { value: filter, allowed: 'an object such as {"model_name":{"values":["m"]}}' });
    return [];
  }
  const filters: { dimension: Dimension; values: string[] }[] = [];
  for (const [name, condition] of Object.entries(filter)) {
    const field = `filter[${name}]`;
    const dimension = checkDimension(check, name, "filter", stream);
    if (!isRecord(condition) || Object.keys(condition).some((key) => key !== "values")) {
      check.add("wrong_type", field, { value: condition, allowed: 'an object with "values" and nothing else' });
      continue;
    }
    const values = check.texts(condition.values, `${field}[values]`);
    if (values.length > FILTER_VALUES_MAX) {
      check.add("too_many", `${field}[values]`, { count: values.length, max: FILTER_VALUES_MAX });
    }
    // A filter without values asks for nothing in particular, as on the public surface.
    if (dimension && values.length > 0) filters.push({ dimension, values });
  }
  return filters;
}

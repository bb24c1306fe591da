/** The question of billingUsage: from untrusted words to a checked {@link UsageQuery} (contract, section 2). */

import { type Dimension, dimensionsOf, isDimension, STREAM_DIMENSIONS } from "./dimension.ts";
import { Fault, type Problem, problem } from "./fault.ts";
import type { TimeRange } from "./time.ts";
import { addLocalDays, DAY_MS, formatInstant, type Instant, parseInstant, parseZone } from "./time.ts";
import { STREAMS, type Stream } from "./usage.ts";

export const GRANULARITIES = ["DAILY", "HOURLY"] as const;
export type Granularity = (typeof GRANULARITIES)[number];

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
}

export const RANGE_DAYS_MAX = 31;
export const GROUP_BY_MAX = 5;
export const FILTER_VALUES_MAX = 1_000;
export const USAGE_TYPE_PARAMETERS = ["USAGE_TYPE_UNSPECIFIED", ...STREAMS] as const;

/** The words of a question before they are checked: each value is whatever was sent. */
export type RawQuery = Readonly<Record<string, unknown>>;

/** The parameters of a question that only names a range and streams. */
export const USAGE_RANGE_PARAMETERS = ["startTime", "endTime", "usageType"] as const;
const PARAMETERS = [...USAGE_RANGE_PARAMETERS, "timezone", "groupBy", "filter", "granularity"] as const;

/** Gathers the problems of one question. */
class Checker {
  readonly problems: Problem[] = [];

  add(code: Problem["code"], field: string, facts: Record<string, unknown>): undefined {
    this.problems.push(problem(code, field, facts));
  }

  /** A single text; undefined when it is absent, empty or wrong (then it is reported). */
  text(raw: RawQuery, field: string): string | undefined {
    const value = raw[field];
    if (value === undefined || value === null || value === "") return undefined;
    if (Array.isArray(value)) return this.add("repeated_parameter", field, { count: value.length });
    if (typeof value !== "string") return this.add("wrong_type", field, { value, allowed: "a text" });
    return value;
  }

  time(raw: RawQuery, field: string): Instant | undefined {
    const before = this.problems.length;
    const text = this.text(raw, field);
    if (this.problems.length > before) return undefined;
    if (text === undefined)
      return this.add("required", field, { mend: "send an RFC 3339 time such as 2026-05-28T00:00:00Z" });
    return parseInstant(text) ?? this.add("bad_time", field, { value: text });
  }

  oneOf<T extends string>(raw: RawQuery, field: string, allowed: readonly T[]): T | undefined {
    const text = this.text(raw, field);
    if (text === undefined) return undefined;
    const found = allowed.find((one) => one === text);
    return found ?? this.add("not_allowed", field, { value: text, allowed });
  }

  texts(value: unknown, field: string): string[] {
    if (value === undefined || value === null) return [];
    const list = Array.isArray(value) ? value : [value];
    return list.filter((one): one is string => {
      if (typeof one === "string") return true;
      this.add("wrong_type", field, { value: one, allowed: "a text or a list of texts" });
      return false;
    });
  }
}

/**
 * Checks a question. All that is wrong is reported at once.
 * @throws Fault with a problem for each mistake.
 */
export function parseUsageQuery(raw: RawQuery, parameters: readonly string[] = PARAMETERS): UsageQuery {
  const check = new Checker();
  for (const name of Object.keys(raw)) {
    if (!parameters.includes(name)) check.add("unknown_parameter", name, { allowed: parameters });
  }
  const start = check.time(raw, "startTime");
  const end = check.time(raw, "endTime");
  const zoneText = check.text(raw, "timezone") ?? "UTC";
  const timezone = parseZone(zoneText) ?? check.add("bad_zone", "timezone", { value: zoneText });
  const usageType = check.oneOf(raw, "usageType", USAGE_TYPE_PARAMETERS) ?? "USAGE_TYPE_UNSPECIFIED";
  const granularity = check.oneOf(raw, "granularity", GRANULARITIES) ?? "DAILY";
  const stream = usageType === "USAGE_TYPE_UNSPECIFIED" ? undefined : usageType;
  const groupBy = checkGroupBy(check, check.texts(raw.groupBy, "groupBy"), stream);
  const filters = checkFilters(check, raw.filter, stream);
  if (start !== undefined && end !== undefined) checkRange(check, { start, end }, timezone ?? "UTC");
  if (check.problems.length > 0) throw new Fault(check.problems);
  return {
    range: { start: start!, end: end! },
    streams: stream ? [stream] : STREAMS,
    timezone: timezone!,
    granularity,
    groupBy,
    filters,
  };
}

function checkRange(check: Checker, range: TimeRange, zone: string): void {
  const facts = { value: formatInstant(range.end), start: formatInstant(range.start) };
  if (range.end <= range.start) check.add("range_empty", "endTime", facts);
  // 31 x 24 h always passes; so do 31 local days, however long they are.
  const latest = Math.max(range.start + RANGE_DAYS_MAX * DAY_MS, addLocalDays(range.start, zone, RANGE_DAYS_MAX));
  if (range.end > latest) check.add("range_too_long", "endTime", { ...facts, latest: formatInstant(latest) });
}

/** The name as a dimension that the question may use, or undefined when it is wrong (then it is reported). */
function checkDimension(
  check: Checker,
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

function checkGroupBy(check: Checker, names: readonly string[], stream: Stream | undefined): Dimension[] {
  if (names.length > GROUP_BY_MAX) check.add("too_many", "groupBy", { count: names.length, max: GROUP_BY_MAX });
  const groupBy: Dimension[] = [];
  for (const name of names.slice(0, GROUP_BY_MAX)) {
    const dimension = checkDimension(check, name, "groupBy", stream);
    if (dimension && groupBy.includes(dimension)) check.add("repeated_dimension", "groupBy", { value: name });
    else if (dimension) groupBy.push(dimension);
  }
  return groupBy;
}

function checkFilters(check: Checker, filter: unknown, stream: Stream | undefined): UsageQuery["filters"] {
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The question of an explanation: a question of billingUsage, and which of its rows is meant. */

import { type Dimension, groupingOf } from "./dimension.ts";
import type { PageStart } from "./page-token.ts";
import { isRecord, QueryChecker, type QueryForm, type RawQuery } from "./query-checker.ts";
import type { Instant } from "./time.ts";
import { USAGE_TYPE_NAMES, type UsageType } from "./usage.ts";
import { checkDimension, checkUsageQuery, USAGE_PARAMETERS, type UsageQuery } from "./usage-query.ts";

/** Fields of a row that some stream tells beside the group. */
const DESCRIBED_FIELDS = ["placement", "baseModel", "trainingSessionId"] as const;
export type DescribedField = (typeof DESCRIBED_FIELDS)[number];
/** What a row may be named by, its group aside. */
export const ROW_FIELDS = ["startTime", "usageType", ...DESCRIBED_FIELDS] as const;

/** What is known of the row; what is left out is not asked for. "" asks for usage without a value. */
export interface RowIdentity {
  /** The start of its bucket. */
  readonly start: Instant | undefined;
  readonly usageType: UsageType | undefined;
  readonly described: Readonly<Partial<Record<DescribedField, string>>>;
  readonly group: readonly (readonly [dimension: Dimension, value: string])[];
}

/** Which of the row's events are asked for. */
interface EventsAsk {
  readonly pageSize: number;
  readonly pageStart: PageStart | undefined;
}

export interface UsageExplainQuery {
  readonly usage: UsageQuery;
  readonly row: RowIdentity;
  /** Undefined where only their count is asked for. */
  readonly events: EventsAsk | undefined;
}

export const EXPLAIN_PAGE_SIZE = 50;
export const EXPLAIN_PAGE_SIZE_MAX = 200;
const PARAMETERS = [...USAGE_PARAMETERS, "row", "group", "events", "pageSize", "pageToken"] as const;

/**
 * Checks a question; `row` and `group` are objects in either form. All that is wrong is reported at once.
 * @throws Fault with a problem for each mistake.
 */
export function parseUsageExplainQuery(raw: RawQuery, form: QueryForm): UsageExplainQuery {
  const check = new QueryChecker(form);
  check.names(raw, PARAMETERS);
  const usage = checkUsageQuery(check, raw);
  const described = checkRow(check, raw.row);
  const group = checkGroup(check, raw.group, usage);
  const withEvents = check.flag(raw, "events");
  const pageSize = check.pageSize(raw.pageSize, { usual: EXPLAIN_PAGE_SIZE, most: EXPLAIN_PAGE_SIZE_MAX });
  const pageStart = check.pageToken(raw);
  if (!withEvents && (raw.pageSize !== undefined || raw.pageToken !== undefined)) {
    check.add("required", "events", { mend: "send true with pageSize and pageToken: only events come in pages" });
  }
  check.finish();
  return { usage: usage!, row: { ...described, group }, events: withEvents ? { pageSize, pageStart } : undefined };
}

function checkRow(check: QueryChecker, row: unknown): Omit<RowIdentity, "group"> {
  const none = { start: undefined, usageType: undefined, described: {} };
  if (row === undefined || row === null) return none;
  if (!isRecord(row)) {
    check.add("wrong_type", "row", { value: row, allowed: 'an object such as {"startTime":"2026-05-28T00:00:00Z"}' });
    return none;
  }
  for (const name of Object.keys(row)) {
    if (!isRowField(name)) check.add("unknown_field", `row[${name}]`, { allowed: ROW_FIELDS });
  }
  const start = check.optionalTime(row, "startTime", "row[startTime]");
  const usageType = check.oneOf(row, "usageType", USAGE_TYPE_NAMES, "row[usageType]");
  const described: Partial<Record<DescribedField, string>> = {};
  for (const name of DESCRIBED_FIELDS) {
    const value = oneText(check, row[name], `row[${name}]`);
    if (value !== undefined) described[name] = value;
  }
  return { start, usageType, described };
}

function isRowField(name: string): boolean {
  return (ROW_FIELDS as readonly string[]).includes(name);
}

function checkGroup(check: QueryChecker, group: unknown, usage: UsageQuery | undefined): RowIdentity["group"] {
  if (group === undefined || group === null) return [];
  if (!isRecord(group)) {
    check.add("wrong_type", "group", { value: group, allowed: 'an object such as {"model_name":"m"}' });
    return [];
  }
  const grouping = new Set(usage?.streams.flatMap((stream) => groupingOf(stream, usage.groupBy)));
  return Object.entries(group).flatMap(([name, sent]) => {
    const dimension = checkDimension(check, name, "group", usage?.streams.length === 1 ? usage.streams[0] : undefined);
    const value = oneText(check, sent, `group[${name}]`);
    if (dimension && usage && !grouping.has(dimension)) {
      check.add("not_allowed", "group", { value: name, allowed: [...grouping] });
    }
    return dimension && value !== undefined ? [[dimension, value] as const] : [];
  });
}

/** One text, which may be empty; undefined when it is absent or wrong. */
function oneText(check: QueryChecker, value: unknown, field: string): string | undefined {
  if (typeof value === "string" || value === undefined || value === null) return value ?? undefined;
  if (Array.isArray(value)) return check.add("repeated_parameter", field, { count: value.length });
  return check.add("wrong_type", field, { value, allowed: "a text" });
}

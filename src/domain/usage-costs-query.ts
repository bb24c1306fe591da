/** The question of usageCosts: from untrusted words to a checked {@link UsageCostsQuery} (contract, section 4). */

import type { PageStart } from "./page-token.ts";
import { bodyOf, isRecord, QueryChecker } from "./query-checker.ts";
import { isPlainText, TEXT_CHARACTERS_MAX } from "./text.ts";
import type { Instant, TimeRange } from "./time.ts";
import type { SeriesField } from "./usage.ts";
import { RANGE_DAYS_MAX } from "./usage-query.ts";

/**
 * In the order in which rows are sorted by them. HOUR and DAY exclude each other. MODEL_TIER is the service tier: the
 * prompt's word (contract, section 8), not one of section 4.
 */
export const COST_DIMENSIONS = ["HOUR", "DAY", "MODEL", "MODEL_TIER", "USER", "API_KEY"] as const;
export type CostDimension = (typeof COST_DIMENSIONS)[number];

/** The series field of a dimension that is none of time. */
export const COST_DIMENSION_FIELD = {
  MODEL: "model",
  MODEL_TIER: "serviceTier",
  USER: "user",
  API_KEY: "apiKeyId",
} as const satisfies Partial<Record<CostDimension, SeriesField>>;

export const COST_SCOPES = ["SCOPE_UNSPECIFIED", "ACCOUNT", "SELF"] as const;
export const COST_FILTERS = ["apiKeyId", "model", "sessionId", "user"] as const;
export type CostFilter = (typeof COST_FILTERS)[number];
export const COST_GROUP_BY_MAX = 2;
export const COST_PAGE_SIZE_MAX = 1_000;

export interface UsageCostsQuery {
  readonly range: TimeRange;
  /** Undefined where it depends on the caller's role. */
  readonly scope: "ACCOUNT" | "SELF" | undefined;
  /** In the order of COST_DIMENSIONS. */
  readonly groupBy: readonly CostDimension[];
  /** All must hold. */
  readonly filter: Readonly<Partial<Record<CostFilter, string>>>;
  /** By the prices that were known then; the newest when left out. */
  readonly asOf?: Instant | undefined;
  /** Rows on a page. */
  readonly pageSize: number;
  readonly pageStart: PageStart | undefined;
}

const FIELDS = ["startTime", "endTime", "scope", "groupBy", "filter", "asOf", "pageSize", "pageToken"] as const;

/**
 * Checks a question. All that is wrong is reported at once.
 * @throws Fault with a problem for each mistake.
 */
export function parseUsageCostsQuery(raw: unknown): UsageCostsQuery {
  const check = new QueryChecker("body");
  const body = bodyOf(raw);
  check.names(body, FIELDS);
  const range = check.timeRange(body, { daysMax: RANGE_DAYS_MAX, zone: "UTC" });
  const scope = check.oneOf(body, "scope", COST_SCOPES);
  const groupBy = checkGroupBy(check, check.texts(body.groupBy, "groupBy"));
  const filter = checkFilter(check, body.filter);
  const asOf = check.optionalTime(body, "asOf");
  const pageSize = check.pageSize(body.pageSize, { usual: COST_PAGE_SIZE_MAX, most: COST_PAGE_SIZE_MAX });
  const pageStart = check.pageToken(body);
  check.finish();
  return {
    range: range!,
    scope: scope === "SCOPE_UNSPECIFIED" ? undefined : scope,
    groupBy,
    filter,
    asOf,
    pageSize,
    pageStart,
  };
}

function checkGroupBy(check: QueryChecker, names: readonly string[]): CostDimension[] {
  if (names.length > COST_GROUP_BY_MAX) {
    check.add("too_many", "groupBy", { count: names.length, max: COST_GROUP_BY_MAX });
  }
  const found = new Set<CostDimension>();
  for (const name of names.slice(0, COST_GROUP_BY_MAX)) {
    const dimension = COST_DIMENSIONS.find((one) => one === name);
    if (!dimension) check.add("unknown_dimension", "groupBy", { value: name, allowed: COST_DIMENSIONS });
    else if (found.has(dimension)) check.add("repeated_dimension", "groupBy", { value: name });
    else found.add(dimension);
  }
  if (found.has("HOUR") && found.has("DAY")) {
    check.add("exclusive_dimensions", "groupBy", { value: "HOUR", other: "DAY" });
  }
  return COST_DIMENSIONS.filter((dimension) => found.has(dimension));
}

function checkFilter(check: QueryChecker, filter: unknown): UsageCostsQuery["filter"] {
  if (filter === undefined || filter === null) return {};
  if (!isRecord(filter)) {
    check.add("wrong_type", "filter", { value: filter, allowed: 'an object such as {"model":"m"}' });
    return {};
  }
  check.names(filter, COST_FILTERS, "filter.");
  const kept: Partial<Record<CostFilter, string>> = {};
  for (const name of COST_FILTERS) {
    // An empty value asks for nothing, as in protobuf.
    const value = check.text(filter, name, `filter.${name}`);
    if (value === undefined) continue;
    if (isPlainText(value)) kept[name] = value;
    else check.add("bad_string", `filter.${name}`, { value, min: 1, max: TEXT_CHARACTERS_MAX });
  }
  return kept;
}

/** usageCosts: what serverless usage cost, by hour or day, model, user and key, in pages (contract, section 4). */

import type { Caller } from "../accounts/records.ts";
import { Fault, problem } from "../domain/fault.ts";
import { writePageToken } from "../domain/page-token.ts";
import { dayEdges, formatInstant, hourEdges, type Instant } from "../domain/time.ts";
import { type SeriesField, usageTypesOf } from "../domain/usage.ts";
import {
  COST_DIMENSION_FIELD,
  COST_FILTERS,
  type CostDimension,
  type CostFilter,
  type UsageCostsQuery,
} from "../domain/usage-costs-query.ts";
import type { SumQuestion } from "../ledger/ledger.ts";
import { RATE_FIELDS } from "../rating/price.ts";
import { priceEdges } from "../rating/rate.ts";
import {
  addCost,
  type Cost,
  forEachPriced,
  type OpenCost,
  openCost,
  type ReportSources,
  rateBoth,
  readSums,
  valueReader,
} from "./priced-sums.ts";
import { type Bucket, segmentsOf } from "./segments.ts";

export interface CostRow extends Cost {
  /** One for each of the answer's dimensions: the start of the UTC hour or day, or a label, "" where usage has none. */
  readonly values: readonly string[];
}

/** Whether all usage has a value in every dimension that is asked for; UNKNOWN when none is. */
type Attribution = "COMPLETE" | "INCOMPLETE" | "UNKNOWN";

export interface UsageCosts {
  readonly dimensions: readonly CostDimension[];
  /** One page, by values (by code unit); none without dimensions. */
  readonly rows: readonly CostRow[];
  /** Of all pages. */
  readonly total: Cost;
  readonly evaluationTime: Instant;
  /** The state of the ledger that all of it is from. */
  readonly position: number;
  readonly attribution: Attribution;
  /** Undefined on the last page. */
  readonly nextPageToken: string | undefined;
}

/**
 * Answers a question for one account, in the scope that the caller has.
 * @throws Fault `role_too_low` for a scope above the caller's role, `foreign_page_token` for another question's token.
 */
export async function usageCosts(
  sources: ReportSources,
  { account, caller }: { readonly account: string; readonly caller: Caller },
  query: UsageCostsQuery,
  now: Instant,
): Promise<UsageCosts> {
  const scope = scopeOf(caller, query.scope);
  const question = questionText(account, scope === "ACCOUNT" ? scope : `SELF ${caller.account} ${caller.user}`, query);
  const after = placeOf(query, question);
  const keyIds = scope === "ACCOUNT" ? undefined : await ownKeyIds(sources, account, caller);
  const costs = await costsOf(sources, account, { query, keyIds }, now);
  const rows = query.groupBy.length === 0 ? [] : costs.rows;
  const start = after === undefined ? 0 : rows.findIndex((row) => compareValues(row.values, after) > 0);
  const page = start < 0 ? [] : rows.slice(start, start + query.pageSize);
  const last = start >= 0 && start + page.length < rows.length ? page.at(-1) : undefined;
  return {
    dimensions: query.groupBy,
    rows: page,
    total: costs.total,
    evaluationTime: now,
    position: costs.position,
    attribution: attributionOf(query.groupBy, rows),
    nextPageToken: last && writePageToken({ question, values: last.values }),
  };
}

/** Roles that see what the whole account spends. */
const ACCOUNT_SCOPE_ROLES: readonly Caller["role"][] = ["ADMIN", "OPERATOR"];

function scopeOf(caller: Caller, asked: UsageCostsQuery["scope"]): "ACCOUNT" | "SELF" {
  const mayAll = ACCOUNT_SCOPE_ROLES.includes(caller.role);
  if (asked === "ACCOUNT" && !mayAll) {
    throw new Fault(problem("role_too_low", "role", { value: caller.role, allowed: ACCOUNT_SCOPE_ROLES }));
  }
  return asked ?? (mayAll ? "ACCOUNT" : "SELF");
}

/** The keys of the caller's own user; none in an account that is not the caller's. */
async function ownKeyIds({ accounts }: ReportSources, account: string, caller: Caller): Promise<readonly string[]> {
  return caller.account === account ? accounts.keyIdsOf(account, caller.user) : [];
}

/** What a page token is bound to: all of the question but the size of its pages. */
function questionText(account: string, scope: string, { range, groupBy, filter, asOf }: UsageCostsQuery): string {
  const filters = COST_FILTERS.map((name) => filter[name] ?? "");
  return JSON.stringify([account, scope, range.start, range.end, asOf ?? "", groupBy, ...filters]);
}

/** The values that the page begins after. */
function placeOf({ pageStart, groupBy }: UsageCostsQuery, question: string): readonly string[] | undefined {
  if (pageStart === undefined) return undefined;
  const value = writePageToken(pageStart);
  if (pageStart.question !== question) throw new Fault(problem("foreign_page_token", "pageToken", { value }));
  if (pageStart.values.length === groupBy.length) return pageStart.values;
  throw new Fault(problem("bad_page_token", "pageToken", { value }));
}

interface CostsAsk {
  readonly query: UsageCostsQuery;
  /** Only usage of these keys; of all when undefined. */
  readonly keyIds: readonly string[] | undefined;
}

/** Every row, in order, their total, and the state of the ledger that they are from. */
async function costsOf(
  sources: ReportSources,
  account: string,
  { query, keyIds }: CostsAsk,
  now: Instant,
): Promise<{ readonly rows: readonly CostRow[]; readonly total: Cost; readonly position: number }> {
  const { tariff } = sources;
  const { range, groupBy } = query;
  const { buckets, bucketOf, edges } = segmentsOf(range, bucketEdges(query), priceEdges(tariff, range));
  const filters = filtersOf(query.filter, keyIds);
  // A key's or a session's usage that cannot be there needs no summing.
  const impossible = filters.some(({ values }) => values.length === 0);
  const own = groupBy.flatMap((dimension) => (isTimed(dimension) ? [] : [COST_DIMENSION_FIELD[dimension]]));
  const fields: readonly SeriesField[] = [...new Set<SeriesField>([...RATE_FIELDS, ...own])];
  const question = { usageTypes: usageTypesOf("SERVERLESS"), edges, fields, filters };
  const read = await readSums(sources, account, impossible ? [] : [question], now);
  const [sums = []] = read.rows;
  const starts = groupBy.some(isTimed) ? buckets.map(({ start }: Bucket) => formatInstant(start)) : undefined;
  const rows = new Map<string, OpenRow>();
  const total = openCost();
  const labelsOf = (values: readonly string[]): readonly string[] => own.map(valueReader(fields, values));
  forEachPriced(sums, { fields, edges, tariff }, labelsOf, (labels, sum, rates) => {
    const values = starts ? [starts[bucketOf[sum.segment]!]!, ...labels] : labels;
    const key = values.join("\u0000");
    const row = rows.get(key) ?? { values, ...openCost() };
    rows.set(key, row);
    const rated = rateBoth(sum, rates);
    addCost(row, rated);
    addCost(total, rated);
  });
  const ordered = [...rows.values()].sort((a, b) => compareValues(a.values, b.values));
  return { rows: ordered, total, position: read.position };
}

interface OpenRow extends OpenCost {
  readonly values: readonly string[];
}

function isTimed(dimension: CostDimension): dimension is "HOUR" | "DAY" {
  return dimension === "HOUR" || dimension === "DAY";
}

function bucketEdges({ range, groupBy }: UsageCostsQuery): readonly Instant[] {
  if (groupBy.includes("HOUR")) return hourEdges(range, "UTC");
  return groupBy.includes("DAY") ? dayEdges(range, "UTC") : [range.start, range.end];
}

/** A filter without values leaves nothing: usage events carry no session. */
function filtersOf(
  filter: Readonly<Partial<Record<CostFilter, string>>>,
  keyIds: readonly string[] | undefined,
): SumQuestion["filters"] {
  const { apiKeyId, model, sessionId, user } = filter;
  const keys = apiKeyId === undefined ? keyIds : [apiKeyId].filter((one) => keyIds?.includes(one) ?? true);
  return [
    ...(keys === undefined ? [] : [{ field: "apiKeyId" as const, values: keys }]),
    ...(model === undefined ? [] : [{ field: "model" as const, values: [model] }]),
    ...(user === undefined ? [] : [{ field: "user" as const, values: [user] }]),
    ...(sessionId === undefined ? [] : [{ field: "model" as const, values: [] }]),
  ];
}

function compareValues(a: readonly string[], b: readonly string[]): number {
  for (const [at, value] of a.entries()) {
    const other = b[at]!;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}

function attributionOf(groupBy: readonly CostDimension[], rows: readonly CostRow[]): Attribution {
  if (groupBy.length === 0) return "UNKNOWN";
  return rows.every(({ values }) => values.every((value) => value !== "")) ? "COMPLETE" : "INCOMPLETE";
}

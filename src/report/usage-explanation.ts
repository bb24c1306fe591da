/** Why one row of billingUsage is the number that it is: its quantities, their prices, and its events. */

import { DIMENSION_FIELD } from "../domain/dimension.ts";
import { Fault, type Problem, problem } from "../domain/fault.ts";
import { formatInZone, type Instant, type TimeRange } from "../domain/time.ts";
import { METERS } from "../domain/usage.ts";
import type { DescribedField, RowIdentity, UsageExplainQuery } from "../domain/usage-explain-query.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import type { SumRow } from "../ledger/ledger.ts";
import { readUsage, type UsageReading } from "./billing-usage.ts";
import { partsOf, type RowParts } from "./explained-parts.ts";
import type { ReportSources } from "./priced-sums.ts";
import { type EventsPage, type EventsTold, eventsPage, eventsTold, type RowEvents } from "./row-events.ts";
import type { KnownTariff } from "./tariffs.ts";
import { bareDeployment, DESCRIPTIVE_FIELDS, type StreamPlan } from "./usage-plan.ts";
import { foldRows, groupKey, rowGroupOf, type UsageRow } from "./usage-rows.ts";

export interface ExplainSources extends ReportSources {
  readonly tariff: KnownTariff;
}

export interface UsageExplanation extends RowParts {
  readonly question: UsageQuery;
  readonly account: string;
  readonly tariff: KnownTariff;
  readonly stream: StreamPlan["stream"];
  readonly row: UsageRow;
  /** Accelerator time of running deployments, counted from their timeline: it has no events. */
  readonly deploymentMs: bigint;
  /** Left out on the pages after the first. */
  readonly events: EventsTold | undefined;
  /** The events themselves, where they are asked for. */
  readonly page: EventsPage | undefined;
  readonly position: number;
}

/** Reads of one answer while its row is written to: each read is of one state, and they should be of the same. */
const ATTEMPTS_MAX = 3;

/**
 * Explains one row. Deployments that run are counted up to `now`.
 * @throws Fault `row_not_found`, or `row_ambiguous` with each field that would tell the rows apart.
 */
export async function usageExplanation(
  sources: ExplainSources,
  account: string,
  query: UsageExplainQuery,
  now: Instant,
): Promise<UsageExplanation> {
  for (let attempt = 1; ; attempt += 1) {
    const reading = await readUsage(sources, account, query.usage, now);
    const found = findRow(reading, query, account);
    const events = rowEvents(found, query.usage, account);
    const { pageStart } = query.events ?? {};
    const told = pageStart ? undefined : await eventsTold(sources.ledger, account, events);
    // The row was written to between the two reads.
    const isWhole = !told || told.keptFrom !== undefined || told.count === found.row.events;
    if (!isWhole && attempt < ATTEMPTS_MAX) continue;
    const { row, sums, stream } = found;
    return {
      question: query.usage,
      account,
      tariff: sources.tariff,
      stream: stream.stream,
      row,
      ...partsOf(sums, { bucket: row.bucket, fields: stream.question.fields, plan: reading.plan }, sources.tariff),
      deploymentMs: deploymentMs(sums),
      events: told,
      page: query.events && (await eventsPage(sources.ledger, account, events, query.events)),
      position: reading.position,
    };
  }
}

interface FoundRow {
  readonly stream: StreamPlan;
  readonly row: UsageRow;
  /** What the row is made of. */
  readonly sums: readonly SumRow[];
  readonly reading: UsageReading;
}

function findRow(reading: UsageReading, { usage, row: asked }: UsageExplainQuery, account: string): FoundRow {
  const { plan, facts } = reading;
  const rows = plan.streams.flatMap((stream, at) =>
    [...foldRows(reading.sums[at]!, plan, stream, facts)]
      .filter((row) => isAsked(row, stream, asked, account))
      .map((row) => ({ row, stream, at })),
  );
  const [found, ...others] = rows;
  if (!found) throw new Fault(problem("row_not_found", "row", { asked: askedText(asked, usage.timezone) }));
  const { row, stream, at } = found;
  if (others.length > 0) throw new Fault(ambiguities(rows, usage.timezone));
  const bucket = plan.buckets.indexOf(row.bucket);
  const key = groupKey(row.group);
  const keys = new Map<readonly string[], string | undefined>();
  const keyOf = (values: readonly string[]): string | undefined => {
    if (!keys.has(values)) {
      const group = rowGroupOf(values, stream, facts);
      keys.set(values, group && groupKey(group));
    }
    return keys.get(values);
  };
  const own = (sum: SumRow): boolean => plan.bucketOf[sum.segment] === bucket && keyOf(sum.values) === key;
  return { stream, row, sums: [...reading.sums[at]!].filter(own), reading };
}

function isAsked(row: UsageRow, stream: StreamPlan, asked: RowIdentity, account: string): boolean {
  if (asked.start !== undefined && asked.start !== row.bucket.start) return false;
  if (asked.usageType !== undefined && asked.usageType !== row.group.usageType) return false;
  const described = Object.entries(asked.described) as [DescribedField, string][];
  if (!described.every(([field, value]) => describedAs(row, stream, field) === value)) return false;
  return asked.group.every(([dimension, value]) => {
    const own = row.group.values.find(([name]) => name === dimension)?.[1];
    if (dimension !== "deployment_name" || own === undefined) return own === value;
    return bareDeployment(own, account) === bareDeployment(value, account);
  });
}

/** What the row tells in a field beside its group, or in its group. */
function describedAs(row: UsageRow, { stream }: StreamPlan, field: DescribedField): string {
  const grouped = row.group.values.find(([dimension]) => DIMENSION_FIELD[dimension] === field);
  return grouped ? grouped[1] : DESCRIPTIVE_FIELDS[stream].includes(field) ? row.shared(field) : "";
}

function askedText({ start, usageType, described, group }: RowIdentity, zone: string): string {
  const parts = [
    ...(start === undefined ? [] : [`startTime ${formatInZone(start, zone)}`]),
    ...(usageType === undefined ? [] : [`usageType ${usageType}`]),
    ...[...Object.entries(described), ...group].map(([name, value]) => `${name} ${JSON.stringify(value)}`),
  ];
  return parts.length === 0 ? "any usage" : parts.join(", ");
}

/** Values that are told of one field. */
const VALUES_MAX = 5;

/** A problem for each field in which the rows differ. */
function ambiguities(rows: readonly { readonly row: UsageRow }[], zone: string): Problem[] {
  const values = new Map<string, Set<string>>();
  const add = (field: string, value: string): void => {
    values.set(field, (values.get(field) ?? new Set()).add(value));
  };
  for (const { row } of rows) {
    add("row[startTime]", formatInZone(row.bucket.start, zone));
    add("row[usageType]", row.group.usageType);
    for (const [dimension, value] of row.group.values) add(`group[${dimension}]`, JSON.stringify(value));
  }
  return [...values]
    .filter(([, own]) => own.size > 1)
    .map(([field, own]) => {
      const more = own.size > VALUES_MAX ? [`and ${own.size - VALUES_MAX} more`] : [];
      const allowed = [...[...own].slice(0, VALUES_MAX), ...more];
      return problem("row_ambiguous", field, { count: rows.length, allowed });
    });
}

/** Exactly the events that the row counts. */
function rowEvents({ row, stream, reading }: FoundRow, { range }: UsageQuery, account: string): RowEvents {
  const { bucket, group } = row;
  const within: TimeRange = { start: Math.max(bucket.start, range.start), end: Math.min(bucket.end, range.end) };
  const keptFrom = within.start < (reading.keptFrom ?? within.start) ? reading.keptFrom : undefined;
  const kept: TimeRange = { ...within, start: keptFrom ?? within.start };
  const filters = group.values.flatMap(([dimension, value]) => {
    if (dimension === "api_key_name") return [];
    const bare = dimension === "deployment_name" ? bareDeployment(value, account) : value;
    return [{ field: DIMENSION_FIELD[dimension], values: [bare] }];
  });
  const name = group.values.find(([dimension]) => dimension === "api_key_name")?.[1];
  return {
    bucket,
    // A row is named by its stream, start, usage type and group.
    id: JSON.stringify([account, within.start, within.end, group.usageType, group.values]),
    keptFrom,
    question: { range: kept, usageTypes: [group.usageType], filters: [...stream.question.filters, ...filters] },
    keyNames: reading.facts.keyNames,
    names: name === undefined ? stream.nameFilters : [...stream.nameFilters, new Set([name])],
  };
}

const ACCELERATOR_MS = METERS.indexOf("acceleratorMs");

/** Sums of the ledger count events; those of a timeline count none. */
function deploymentMs(sums: readonly SumRow[]): bigint {
  return sums.reduce(
    (total, { events, quantities }) => (events === 0n ? total + quantities[ACCELERATOR_MS]! : total),
    0n,
  );
}

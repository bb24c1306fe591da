/** From a checked question to what is read: buckets, segments and one ledger question a stream. Pure. */

import { DIMENSION_FIELD, type Dimension, groupingOf, STREAM_DIMENSIONS } from "../domain/dimension.ts";
import { dayEdges, hourEdges, type Instant } from "../domain/time.ts";
import { type SeriesField, type Stream, usageTypesOf } from "../domain/usage.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import type { SumQuestion } from "../ledger/ledger.ts";
import { RATE_FIELDS } from "../rating/price.ts";
import { type Segments, segmentsOf } from "./segments.ts";

export interface StreamPlan {
  readonly stream: Stream;
  /** The dimensions of a row's group, in order. */
  readonly grouping: readonly Dimension[];
  /** Filters on a looked-up name, which no engine knows: rows are kept by them after the reading. */
  readonly nameFilters: readonly ReadonlySet<string>[];
  readonly question: SumQuestion;
}

export interface UsagePlan extends Segments {
  readonly streams: readonly StreamPlan[];
}

/** What every row tells beside its group. */
export const DESCRIPTIVE_FIELDS: Readonly<Record<Stream, readonly SeriesField[]>> = {
  SERVERLESS: [],
  DEDICATED_DEPLOYMENT: ["placement", "baseModel"],
  TRAINING: ["trainingSessionId", "team", "project", "environment"],
};

/**
 * Plans a question. `priceEdges` are the instants inside the range at which a price starts or ends: they cut the
 * buckets into segments of one price each.
 */
export function planUsage(question: UsageQuery, account: string, priceEdges: readonly Instant[]): UsagePlan {
  const { range, timezone } = question;
  const cuts = question.granularity === "HOURLY" ? hourEdges(range, timezone) : dayEdges(range, timezone);
  const segments = segmentsOf(range, cuts, priceEdges);
  const streams = question.streams.map((stream) => planStream(question, account, stream, segments.edges));
  return { ...segments, streams };
}

function planStream(question: UsageQuery, account: string, stream: Stream, edges: readonly Instant[]): StreamPlan {
  const own = STREAM_DIMENSIONS[stream];
  const grouping = groupingOf(stream, question.groupBy);
  const filters = question.filters.filter(({ dimension }) => own.includes(dimension));
  const nameFilters = filters.filter(({ dimension }) => dimension === "api_key_name");
  const fieldFilters = filters.filter(({ dimension }) => dimension !== "api_key_name");
  const fields = new Set<SeriesField>([
    ...RATE_FIELDS,
    ...DESCRIPTIVE_FIELDS[stream],
    ...grouping.map((dimension) => DIMENSION_FIELD[dimension]),
    ...nameFilters.map(({ dimension }) => DIMENSION_FIELD[dimension]),
  ]);
  return {
    stream,
    grouping,
    nameFilters: nameFilters.map(({ values }) => new Set(values)),
    question: {
      usageTypes: usageTypesOf(stream),
      edges,
      fields: [...fields],
      filters: fieldFilters.map(({ dimension, values }) => ({
        field: DIMENSION_FIELD[dimension],
        values: dimension === "deployment_name" ? values.map((name) => bareDeployment(name, account)) : values,
      })),
    },
  };
}

/** Filters take a deployment's full or short name; another account's full name matches nothing. */
export function bareDeployment(name: string, account: string): string {
  const prefix = `accounts/${account}/deployments/`;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}

/** The dimensions that a usage question can group and filter by, stream by stream (contract, section 2). */

import { type SeriesField, STREAMS, type Stream } from "./usage.ts";

/** A dimension's name on the wire, and the series field it is read from. */
export const DIMENSION_FIELD = {
  model_name: "model",
  api_key_id: "apiKeyId",
  // The key's name is looked up by its id when a report is made.
  api_key_name: "apiKeyId",
  deployment_name: "deployment",
  accelerator_type: "acceleratorType",
  job_id: "jobId",
  job_type: "jobType",
  usage_type: "usageType",
  base_model: "baseModel",
  "annotations.team": "team",
  "annotations.project": "project",
  "annotations.environment": "environment",
} as const satisfies Record<string, SeriesField>;
export type Dimension = keyof typeof DIMENSION_FIELD;

const TAGS = ["annotations.team", "annotations.project", "annotations.environment"] as const;

export const STREAM_DIMENSIONS: Readonly<Record<Stream, readonly Dimension[]>> = {
  SERVERLESS: ["model_name", "api_key_id", "api_key_name", ...TAGS],
  DEDICATED_DEPLOYMENT: ["deployment_name", "accelerator_type", ...TAGS],
  TRAINING: ["job_id", "job_type", "usage_type", "accelerator_type", "base_model", ...TAGS],
};

/** What an empty groupBy means. */
const DEFAULT_GROUPING: Readonly<Record<Stream, readonly Dimension[]>> = {
  SERVERLESS: ["model_name"],
  DEDICATED_DEPLOYMENT: ["deployment_name", "accelerator_type"],
  TRAINING: ["job_id", "job_type", "usage_type", "accelerator_type", "base_model"],
};

/**
 * The dimensions of a stream's groups. A dimension of another stream is ignored on this one, as if it had not been sent
 * (contract, section 2).
 */
export function groupingOf(stream: Stream, groupBy: readonly Dimension[]): readonly Dimension[] {
  const asked = groupBy.filter((dimension) => STREAM_DIMENSIONS[stream].includes(dimension));
  return asked.length === 0 ? DEFAULT_GROUPING[stream] : asked;
}

export const DIMENSIONS = Object.keys(DIMENSION_FIELD) as readonly Dimension[];

/** True when `name` is a dimension of at least one stream. */
export function isDimension(name: string): name is Dimension {
  return Object.hasOwn(DIMENSION_FIELD, name);
}

/** The dimensions of one stream, or of all. */
export function dimensionsOf(stream: Stream | undefined): readonly Dimension[] {
  const streams = stream ? [stream] : STREAMS;
  return DIMENSIONS.filter((name) => streams.some((one) => STREAM_DIMENSIONS[one].includes(name)));
}

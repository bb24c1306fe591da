/** A range cut into segments, each within one bucket and one period of prices. Pure. */

import type { Instant, TimeRange } from "../domain/time.ts";

/** A local day or hour, where it truly begins and ends, or the whole range. */
export type Bucket = TimeRange;

export interface Segments {
  readonly buckets: readonly Bucket[];
  /** For each segment the place of its bucket. */
  readonly bucketOf: readonly number[];
  /** Segment `i` is `[edges[i], edges[i + 1])`. */
  readonly edges: readonly Instant[];
}

/**
 * Cuts a range. `cuts` are the edges of its buckets, the first at or before its start and the last at or after its end.
 * `priceEdges` are the instants inside the range at which a price starts or ends.
 */
export function segmentsOf(range: TimeRange, cuts: readonly Instant[], priceEdges: readonly Instant[]): Segments {
  const buckets = cuts.slice(0, -1).map((start, at) => ({ start, end: cuts[at + 1]! }));
  const inside = [...cuts, ...priceEdges].filter((edge) => edge > range.start && edge < range.end);
  const edges = [...new Set([range.start, ...inside, range.end])].sort((a, b) => a - b);
  const bucketOf: number[] = [];
  let bucket = 0;
  for (const edge of edges.slice(0, -1)) {
    while (buckets[bucket]!.end <= edge) bucket += 1;
    bucketOf.push(bucket);
  }
  return { buckets, bucketOf, edges };
}

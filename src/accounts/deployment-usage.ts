/** What a deployment used: replicas x accelerators x time, exactly, in any segments of time. Pure. */

import type { Annotations } from "../domain/annotations.ts";
import type { Instant } from "../domain/time.ts";
import type { AttributeChange, Deployment } from "./records.ts";

/** Accelerator time within one segment under one set of attributes. */
export interface SegmentUsage {
  /** The segment `edges[segment] <= t < edges[segment + 1]`. */
  readonly segment: number;
  readonly acceleratorType: string;
  readonly placement: string;
  readonly baseModel: string;
  readonly annotations: Annotations;
  /** Milliseconds of one accelerator. */
  readonly acceleratorMs: bigint;
}

/** Walks a timeline forward: `at(t)` for ascending `t` is the last item with `time <= t`. */
function cursor<T extends { readonly time: Instant }>(items: readonly T[]): (time: Instant) => T | undefined {
  let next = 0;
  return (time) => {
    while (next < items.length && items[next]!.time <= time) next += 1;
    return items[next - 1];
  };
}

/**
 * The usage in each segment between ascending `edges`, counted up to `now` and the deployment's deletion. Segments
 * without usage are left out; a change of attributes within a segment gives a row for each.
 */
export function deploymentUsage(deployment: Deployment, edges: readonly Instant[], now: Instant): SegmentUsage[] {
  const { replicaChanges, attributeChanges } = deployment;
  const end = Math.min(now, deployment.deleteTime ?? now, edges.at(-1) ?? now);
  const start = edges[0] ?? end;
  const changes = [...replicaChanges, ...attributeChanges].map((change) => change.time);
  const cuts = [...new Set([...changes, ...edges, end])].filter((time) => time >= start && time <= end);
  cuts.sort((a, b) => a - b);
  const replicasAt = cursor(replicaChanges);
  const attributesAt = cursor(attributeChanges);
  const rows: SegmentUsage[] = [];
  /** What the last row is of. */
  let open: { segment: number; attributes: AttributeChange } | undefined;
  let segment = 0;
  // Between two cuts nothing changes.
  for (const [at, from] of cuts.slice(0, -1).entries()) {
    while (edges[segment + 1]! <= from) segment += 1;
    const replicas = replicasAt(from)?.replicaCount ?? 0;
    // Usage from before the creation has the attributes that the deployment began with.
    const attributes = attributesAt(from) ?? attributeChanges[0];
    if (replicas === 0 || attributes === undefined) continue;
    const acceleratorMs = BigInt(replicas) * BigInt(attributes.acceleratorCount) * BigInt(cuts[at + 1]! - from);
    if (open?.segment === segment && open.attributes === attributes) {
      const last = rows.pop()!;
      rows.push({ ...last, acceleratorMs: last.acceleratorMs + acceleratorMs });
      continue;
    }
    open = { segment, attributes };
    const { acceleratorType, placement, baseModel, annotations } = attributes;
    rows.push({ segment, acceleratorType, placement, baseModel, annotations, acceleratorMs });
  }
  return rows;
}

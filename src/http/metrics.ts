/** What an operator watches, in Prometheus' text form. */

import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";

export interface Metrics {
  readonly registry: Registry;
  readonly requests: Histogram<"method" | "route" | "status">;
  readonly events: Counter<"outcome">;
  readonly droppedAnnotations: Counter;
}

const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function makeMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: new Histogram({
      name: "daybook_http_request_seconds",
      help: "Time from a request's arrival to its answer, by method, route and status.",
      labelNames: ["method", "route", "status"],
      buckets: SECONDS_BUCKETS,
      registers,
    }),
    events: new Counter({
      name: "daybook_usage_events_total",
      help: "Usage events that were sent, by outcome: created, duplicate, conflict, rejected, voided.",
      labelNames: ["outcome"],
      registers,
    }),
    droppedAnnotations: new Counter({
      name: "daybook_dropped_annotations_total",
      help: "Annotations that were dropped: names other than team, project and environment, and bad values.",
      registers,
    }),
  };
}

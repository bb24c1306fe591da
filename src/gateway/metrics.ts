/** What the gateway counts. Labels are names of the gateway's file and of fixed lists, so their number is bounded. */

import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Of the way from the spool to the ledger. */
export interface DrainMetrics {
  readonly events: Counter<"outcome">;
  readonly spoolDamaged: Counter;
}

export interface GatewayMetrics extends DrainMetrics {
  readonly requests: Counter<"upstream" | "model" | "route" | "status">;
  readonly tokens: Counter<"upstream" | "model" | "kind">;
  /** Billionths of a dollar: a counter's double, and nothing is billed by it. */
  readonly cost: Counter<"upstream" | "model">;
  readonly unpriced: Counter<"upstream" | "model">;
  readonly errors: Counter<"upstream" | "model" | "reason">;
  readonly cut: Counter<"upstream" | "model" | "reason">;
  readonly estimated: Counter<"upstream" | "model" | "reason">;
  readonly unmetered: Counter<"upstream" | "model" | "reason">;
  readonly refused: Counter<"reason">;
  readonly answerSeconds: Histogram<"upstream" | "model">;
  readonly addedSeconds: Histogram;
}

const ANSWER_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const ADDED_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

type MakeCounter = <L extends string>(name: string, help: string, labelNames?: readonly L[]) => Counter<L>;

function counters(registry: Registry): MakeCounter {
  return (name, help, labelNames = []) =>
    new Counter({ name: `daybook_gateway_${name}`, help, labelNames, registers: [registry] });
}

export function makeDrainMetrics(registry: Registry, spoolBytes: () => number): DrainMetrics {
  const counter = counters(registry);
  new Gauge({
    name: "daybook_gateway_spool_bytes",
    help: "Bytes of usage events on disk that the ledger does not have yet.",
    registers: [registry],
    collect() {
      this.set(spoolBytes());
    },
  });
  return {
    events: counter("events_total", "Events that came to the ledger: created, duplicate, conflict, rejected.", [
      "outcome",
    ]),
    spoolDamaged: counter("spool_damaged_lines_total", "Lines of the spool that were torn or damaged."),
  };
}

export function makeGatewayMetrics(registry: Registry, spoolBytes: () => number): GatewayMetrics {
  const registers = [registry];
  const counter = counters(registry);
  return {
    ...makeDrainMetrics(registry, spoolBytes),
    requests: counter("requests_total", "Answers of upstreams, by the model's rule, route and HTTP status.", [
      "upstream",
      "model",
      "route",
      "status",
    ]),
    tokens: counter(
      "tokens_total",
      "Tokens of recorded events, by kind: prompt, in it cached and cache_written; completion, in it reasoning.",
      ["upstream", "model", "kind"],
    ),
    cost: counter("cost_nano_usd_total", "What recorded events cost, in billionths of a dollar.", [
      "upstream",
      "model",
    ]),
    unpriced: counter("unpriced_total", "Recorded events of which something has no price.", ["upstream", "model"]),
    errors: counter("upstream_errors_total", "Calls that got no answer of their upstream, by the refusal's code.", [
      "upstream",
      "model",
      "reason",
    ]),
    cut: counter("cut_total", "Answers that did not come to their end, by reason.", ["upstream", "model", "reason"]),
    estimated: counter("estimated_total", "Recorded events whose quantities are an estimate, by reason.", [
      "upstream",
      "model",
      "reason",
    ]),
    unmetered: counter("unmetered_total", "Answered calls without an event, by reason.", [
      "upstream",
      "model",
      "reason",
    ]),
    refused: counter("refused_total", "Calls that the gateway refused, by the refusal's code.", ["reason"]),
    answerSeconds: new Histogram({
      name: "daybook_gateway_answer_seconds",
      help: "Time from a request to the end of its answer, by upstream and the model's rule.",
      labelNames: ["upstream", "model"],
      buckets: ANSWER_BUCKETS,
      registers,
    }),
    addedSeconds: new Histogram({
      name: "daybook_gateway_added_seconds",
      help: "Time that the gateway itself added: before the upstream was called, and for the event to be on disk.",
      buckets: ADDED_BUCKETS,
      registers,
    }),
  };
}

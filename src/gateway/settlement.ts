/** The end of a metered call: its event on disk, or the reason why there is none, counted and logged. */

import type { Reservation } from "../budgets/budgets.ts";
import { nanosOfAtto } from "../domain/money.ts";
import type { Quote, Service } from "../service.ts";
import type { AnswerMeter } from "./answer-meter.ts";
import type { RawHeaders } from "./headers.ts";
import type { GatewayMetrics } from "./metrics.ts";
import type { Route } from "./routes-table.ts";
import type { Spool } from "./spool.ts";
import type { Log } from "./surroundings.ts";
import { type Asker, type Ending, eventOf, type Measured, measure } from "./usage-event.ts";

/** What is known of a call before its answer ends. */
export interface SettledCall {
  readonly call: { readonly log: Log };
  readonly account: string;
  readonly asker: Asker;
  /** What budgets keep for the call; undefined where none holds it. */
  readonly reservation: Reservation | undefined;
  readonly labels: { readonly upstream: string; readonly model: string };
  readonly answer: { readonly headers: RawHeaders };
  /** The spool keeps room for the event. */
  readonly hasRoom: boolean;
  /** What becomes of an answer whose usage cannot be put on disk. */
  readonly whenFull: "open" | "closed";
  /** When the call came, and when its body had been read; milliseconds of performance.now(). */
  readonly arrived: number;
  readonly read: number;
}

export interface EndedCall extends SettledCall {
  readonly route: Route;
  readonly meter: AnswerMeter | undefined;
  readonly ending: Ending;
  readonly eventId: string;
}

export interface Settler {
  readonly spool: Spool;
  readonly metrics: GatewayMetrics;
  readonly service: Pick<Service, "budgets" | "quote">;
}

export interface Settlement {
  /** False when the answer must not be whole without its usage on disk. */
  readonly mayLeave: boolean;
  /** Billionths of a dollar; undefined when not all of the usage is known and priced. */
  readonly costNanoUsd?: bigint;
}

/** Resolves when the event is on disk, if there is one. */
export async function settleCall({ spool, metrics, service }: Settler, ended: EndedCall): Promise<Settlement> {
  const { call, account, asker, labels, answer, route, meter, ending, eventId, whenFull } = ended;
  const started = performance.now();
  const told = meter?.told;
  const lacksLastEvent = meter?.isComplete === false;
  const measured = measure({ route, told, headers: answer.headers, ending, lacksLastEvent });
  const facts = { eventId, account, ...labels };
  const unmetered = (reason: string): void => {
    metrics.unmetered.inc({ ...labels, reason });
    call.log.warn({ ...facts, reason }, "answered without metering");
  };
  if (measured.kind === "unknown" || !ended.hasRoom) {
    unmetered(measured.kind === "unknown" ? measured.reason : "spool_full");
    return { mayLeave: true };
  }
  const { quantities } = measured;
  const estimate = measured.kind === "estimate" ? { estimated: measured.reason } : {};
  const event = eventOf(eventId, asker, { route, told, quantities, ...estimate });
  const quote = await service.quote(account, event).catch((error: Error) => {
    call.log.error({ ...facts, err: error }, "the usage cannot be priced");
    return undefined;
  });
  // What cannot be priced now counts as the worst case, until the ledger has it.
  const counted = quote ?? ended.reservation;
  if (counted) {
    const { atto, annotations } = counted;
    const { apiKeyId, time } = asker;
    // Before it is on disk: from there the ledger may have it at any moment.
    await service.budgets.settle({ account, eventId, apiKeyId, annotations, time, atto }, ended.reservation);
  }
  try {
    await spool.append({ account, event });
  } catch (error) {
    service.budgets.unsettle(account, eventId);
    call.log.error({ ...facts, err: error }, "the usage could not be put on disk");
    if (whenFull === "open") unmetered("spool_failed");
    return { mayLeave: whenFull === "open" };
  }
  if (measured.kind === "estimate") {
    metrics.estimated.inc({ ...labels, reason: measured.reason });
    call.log.warn({ ...facts, reason: measured.reason, ...quantities }, "the usage is an estimate");
  }
  countTokens(metrics, labels, measured);
  metrics.addedSeconds.observe((ended.read - ended.arrived + performance.now() - started) / 1000);
  return { mayLeave: true, ...costOf(metrics, labels, quote) };
}

function countTokens(
  metrics: GatewayMetrics,
  labels: SettledCall["labels"],
  { quantities, aside }: Exclude<Measured, { readonly kind: "unknown" }>,
): void {
  const tokens = {
    prompt: quantities.promptTokens,
    cached: quantities.cachedPromptTokens,
    cache_written: aside.cacheWrittenTokens,
    completion: quantities.completionTokens,
    reasoning: aside.reasoningTokens,
  };
  for (const [kind, count = 0] of Object.entries(tokens)) {
    if (count > 0) metrics.tokens.inc({ ...labels, kind }, count);
  }
}

/** Counts what the call cost; what has no price is in no cost, and counted apart. */
function costOf(
  metrics: GatewayMetrics,
  labels: SettledCall["labels"],
  quote: Quote | undefined,
): Pick<Settlement, "costNanoUsd"> {
  if (!quote) return {};
  const costNanoUsd = nanosOfAtto(quote.atto);
  metrics.cost.inc(labels, Number(costNanoUsd));
  if (quote.unpriced === "none") return { costNanoUsd };
  metrics.unpriced.inc(labels);
  return {};
}

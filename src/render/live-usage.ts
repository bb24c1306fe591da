/** Live usage on the wire: one JSON line each. */

import { moneyOfAtto, nanosOfAtto } from "../domain/money.ts";
import { FIELD_AT } from "../domain/usage.ts";
import type { LiveItem } from "../report/live-usage.ts";
import { eventWire } from "./usage-event.ts";

/** The item as a line; costs as far as there are prices. */
export function liveLine(item: LiveItem): string {
  if (item.kind === "dropped") return `${JSON.stringify({ dropped: item.count })}\n`;
  const { event, quote } = item;
  // The class is made when an event is written; no event is sent with one.
  const sent = event.series.with(FIELD_AT.contextClass, "");
  const { atto, unpriced } = quote;
  const wire = eventWire({ ...event, sent, receivedAt: undefined, voidedAt: undefined });
  const cost = { costNanoUsd: Number(nanosOfAtto(atto)), cost: moneyOfAtto(atto) };
  return `${JSON.stringify({ ...wire, ...cost, ...(unpriced !== "none" && { isUnpriced: true }) })}\n`;
}

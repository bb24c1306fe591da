/** Invoices: what an account owes, one for each UTC month with usage. */

import { type Page, type PageAsk, readPage } from "../accounts/paging.ts";
import { EVENT_TIME_MIN, formatInstant, type Instant, monthEdges } from "../domain/time.ts";
import { BILLING_ZONE, type MonthCost, monthCosts, monthOf } from "./month-costs.ts";
import type { ReportSources } from "./priced-sums.ts";

export interface Invoice extends MonthCost {
  readonly account: string;
  /** The month, such as "2026-10". */
  readonly id: string;
  /** PENDING while the month runs. */
  readonly state: "CLOSED" | "PENDING";
}

export interface InvoicesAsk extends PageAsk {
  /** Whether the running month is shown too; it then is, with or without usage. */
  readonly showPending: boolean;
}

/** One page of the invoices, newest first: a month that has ended and has usage has one. */
export async function listInvoices(
  sources: ReportSources,
  account: string,
  ask: InvoicesAsk,
  now: Instant,
): Promise<Page<Invoice>> {
  const running = monthOf(now);
  const edges = monthEdges({ start: EVENT_TIME_MIN, end: ask.showPending ? running.end : running.start }, BILLING_ZONE);
  const costs = await monthCosts(sources, account, edges, now);
  if (ask.showPending && costs.at(-1)?.month.start !== running.start) {
    costs.push({ month: running, atto: 0n, unpriced: new Map() });
  }
  const invoices = costs.reverse().map((cost): Invoice => {
    const { start } = cost.month;
    const state = start === running.start ? "PENDING" : "CLOSED";
    return { account, id: formatInstant(start).slice(0, "2026-10".length), state, ...cost };
  });
  return readPage(ask, {
    read: async (after, limit) => invoices.filter(({ id }) => after === "" || id < after).slice(0, limit),
    count: async () => invoices.length,
    keyOf: ({ id }) => id,
  });
}

/** Invoices: what an account owes, one for each UTC month with usage. */

import { type Page, type PageAsk, readPage } from "../accounts/paging.ts";
import { EVENT_TIME_MIN, formatInstant, type Instant, monthAround, monthEdges } from "../domain/time.ts";
import { BILLING_ZONE, type BilledMonth, type MonthCost, monthCosts } from "./month-costs.ts";
import { openCost, type ReportSources } from "./priced-sums.ts";
import type { KnownTariff, Tariffs } from "./tariffs.ts";

export interface Invoice extends MonthCost<KnownTariff> {
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

export interface InvoiceSources extends Pick<ReportSources, "ledger" | "accounts"> {
  readonly tariffs: Pick<Tariffs, "at" | "issued">;
}

/** One page, and what all invoices were made of. */
export interface InvoicePage extends Page<Invoice> {
  /** The prices of the running month. */
  readonly tariff: KnownTariff;
  readonly position: number;
}

/**
 * One page of the invoices, newest first: a month that has ended and has usage has one. It is billed by the prices that
 * were known when it ended, for ever; the running month by the newest.
 */
export async function listInvoices(
  sources: InvoiceSources,
  account: string,
  ask: InvoicesAsk,
  now: Instant,
): Promise<InvoicePage> {
  const running = monthAround(now, BILLING_ZONE);
  const pending: BilledMonth<KnownTariff> = { month: running, tariff: await sources.tariffs.at(account) };
  const closed = await closedMonths(sources.tariffs, account, running.start);
  const months = ask.showPending ? [...closed, pending] : closed;
  const { costs, position } = await monthCosts(sources, account, months, now);
  const unused = ask.showPending && costs.at(-1)?.month !== running ? [{ ...pending, ...openCost() }] : [];
  const invoices = [...costs, ...unused].reverse().map((cost): Invoice => {
    const state = cost.month === running ? "PENDING" : "CLOSED";
    return { account, id: formatInstant(cost.month.start).slice(0, "2026-10".length), state, ...cost };
  });
  const page = await readPage(ask, {
    read: async (after, limit) => invoices.filter(({ id }) => after === "" || id < after).slice(0, limit),
    count: async () => invoices.length,
    keyOf: ({ id }) => id,
  });
  return { ...page, tariff: pending.tariff, position };
}

/** Every month that has ended, from the first that can have usage. */
async function closedMonths(
  tariffs: InvoiceSources["tariffs"],
  account: string,
  end: Instant,
): Promise<BilledMonth<KnownTariff>[]> {
  const edges = monthEdges({ start: EVENT_TIME_MIN, end }, BILLING_ZONE);
  const months = edges.slice(0, -1).map((start, at) => ({ start, end: edges[at + 1]! }));
  return Promise.all(months.map(async (month) => ({ month, tariff: await tariffs.issued(account, month.end) })));
}

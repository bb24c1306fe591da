/** Invoices on the wire. Their form is Daybook's own: the public surface names the call, not the fields. */

import { moneyOfAtto } from "../domain/money.ts";
import { formatInstant } from "../domain/time.ts";
import type { Invoice } from "../report/invoices.ts";
import { unpricedQuantities } from "./unpriced.ts";

export function invoiceJson(invoice: Invoice): object {
  const { book, contractBook } = invoice.tariff;
  return {
    name: `accounts/${invoice.account}/invoices/${invoice.id}`,
    state: invoice.state,
    startTime: formatInstant(invoice.month.start),
    endTime: formatInstant(invoice.month.end),
    amount: moneyOfAtto(invoice.atto),
    subtotal: moneyOfAtto(invoice.listAtto),
    total: moneyOfAtto(invoice.atto),
    unpricedQuantities: unpricedQuantities(invoice.unpriced),
    priceBookVersion: String(book.version),
    ...(contractBook && { contractVersion: String(contractBook.version) }),
  };
}

/** The billing summary on the wire (contract, section 3). Money is rounded here, each amount once from attodollars. */

import { moneyOfAtto } from "../domain/money.ts";
import { formatInstant } from "../domain/time.ts";
import { STREAMS } from "../domain/usage.ts";
import type { BillingSummary, PricedLine, SummaryLines, UnpricedLine } from "../report/billing-summary.ts";
import { secondsText } from "./unpriced.ts";

/** The summary as the JSON text of the response. Quantities are exact: they may have more digits than a double holds. */
export function summaryJson(summary: BillingSummary): string {
  const totals = STREAMS.map((series) => {
    const { atto, listAtto } = summary.bySeries[series];
    return { series, totalCost: moneyOfAtto(atto), ...(listAtto !== atto && { listCost: moneyOfAtto(listAtto) }) };
  });
  const days = summary.days?.map(({ bucket, ...lines }) => {
    const [startTime, endTime] = [formatInstant(bucket.start), formatInstant(bucket.end)];
    return `{"startTime":"${startTime}","endTime":"${endTime}",${linesJson(lines)}}`;
  });
  const buckets = days ? `,"usageBuckets":[${days.join(",")}]` : "";
  return `{${linesJson(summary)},"seriesTotals":${JSON.stringify(totals)}${buckets}}`;
}

function linesJson({ priced, unpriced, atto, listAtto }: SummaryLines): string {
  const [subtotal, total] = [moneyJson(listAtto), moneyJson(atto)];
  return (
    `"lineItems":${list(priced, pricedJson)},"unpricedLineItems":${list(unpriced, unpricedJson)},` +
    `"totalCost":${total},"subtotal":${subtotal},"total":${total}`
  );
}

function moneyJson(atto: bigint): string {
  return JSON.stringify(moneyOfAtto(atto));
}

function list<T>(items: readonly T[], itemJson: (item: T) => string): string {
  return `[${items.map((item) => `{${itemJson(item)}}`).join(",")}]`;
}

function pricedJson(line: PricedLine): string {
  // Time is counted and priced by the second on the wire, by the millisecond within.
  const scale = isTime(line) ? 1000n : 1n;
  const { unitAtto, atto, listUnitAtto, listAtto } = line;
  const listed =
    listUnitAtto === unitAtto
      ? ""
      : `,"listUnitAmount":${moneyJson(listUnitAtto * scale)},"listCost":${moneyJson(listAtto)}`;
  return `${unpricedJson(line)},"unitAmount":${moneyJson(unitAtto * scale)},"totalCost":${moneyJson(atto)}${listed}`;
}

function unpricedJson(line: UnpricedLine): string {
  const { category, series, groupingKey, groupingValue, secondaryGroupingKey, secondaryGroupingValue } = line;
  const words = { category, series, groupingKey, groupingValue, secondaryGroupingKey, secondaryGroupingValue };
  const quantity = isTime(line) ? secondsText(line.quantity) : line.quantity;
  return `${JSON.stringify(words).slice(1, -1)},"quantity":${quantity}`;
}

function isTime({ component }: UnpricedLine): boolean {
  return component === "audioInputMs" || component === "acceleratorMs";
}

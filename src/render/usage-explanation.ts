/** The reason for one row of billingUsage on the wire. Every amount is there exactly, and as Money rounded once. */

import { moneyOfAtto, usdTextOfAtto } from "../domain/money.ts";
import { formatInstant, formatInZone } from "../domain/time.ts";
import type { UsageExplanation } from "../report/usage-explanation.ts";
import { rowJson } from "./billing-usage.ts";
import { lineJson } from "./price-explanation.ts";
import { secondsText } from "./unpriced.ts";
import { eventWire } from "./usage-event.ts";

type Priced = UsageExplanation["priced"][number];
type Unpriced = UsageExplanation["unpriced"][number];
type Reason = Priced["net"];
type Books = UsageExplanation["tariff"];
type Told = NonNullable<UsageExplanation["events"]>;
type Page = NonNullable<UsageExplanation["page"]>;

/** What one of each component is. */
export const COMPONENT_UNIT = {
  uncachedPromptTokens: "token",
  cachedPromptTokens: "token",
  completionTokens: "token",
  audioInputMs: "millisecond",
  imageCount: "image",
  acceleratorMs: "millisecond",
  tokens: "token",
} as const satisfies Record<Priced["component"], string>;

const LATE = "received after the row's bucket had ended";

/** The response's body as JSON text. The row has the bytes that it has in the report. */
export function usageExplanationJson(explanation: UsageExplanation): string {
  const { row, stream, question, tariff, priced, unpriced, deploymentMs, events, page } = explanation;
  const { timezone } = question;
  const rowText = rowJson(row, stream, { timezone, contracted: tariff.contract !== undefined });
  const rest = {
    stream,
    components: priced.map((part) => pricedJson(part, timezone, tariff)),
    unpricedComponents: unpriced.map((part) => unpricedJson(part, timezone, tariff)),
    costExact: usdTextOfAtto(row.atto),
    ...(row.listAtto !== row.atto && { listCostExact: usdTextOfAtto(row.listAtto) }),
    ...(events && { events: eventsJson(events) }),
    deploymentSeconds: secondsText(deploymentMs),
    ...(page && pageJson(page)),
  };
  return `{"row":${rowText},${JSON.stringify(rest).slice(1)}`;
}

function partJson({ component, quantity, attributes, span }: Priced | Unpriced, zone: string): object {
  const { usageType: _, batch, ...words } = attributes;
  const stated = Object.entries(words).filter(([, value]) => value !== "");
  return {
    component,
    unit: COMPONENT_UNIT[component],
    quantity: quantity.toString(),
    ...(span && { from: formatInZone(span.start, zone), to: formatInZone(span.end, zone) }),
    attributes: { ...Object.fromEntries(stated), ...(batch === "true" && { batch: true }) },
  };
}

function pricedJson(part: Priced, zone: string, books: Books): object {
  const { net, list, atto, listAtto } = part;
  return {
    ...partJson(part, zone),
    unitPrice: usdTextOfAtto(net.atto),
    unitAmount: moneyOfAtto(net.atto),
    cost: moneyOfAtto(atto),
    costExact: usdTextOfAtto(atto),
    entry: entryJson(net, books),
    ...(list.atto !== net.atto && {
      listUnitPrice: usdTextOfAtto(list.atto),
      listUnitAmount: moneyOfAtto(list.atto),
      listCost: moneyOfAtto(listAtto),
      listCostExact: usdTextOfAtto(listAtto),
      listEntry: entryJson(list, books),
    }),
  };
}

function entryJson({ entry, stated, per, multipliers, discount }: Reason, books: Books): object {
  return {
    ...bookJson(entry.book, books),
    ...lineJson(entry, books),
    kind: entry.kind,
    price: stated,
    perUnits: per.toString(),
    multipliers,
    ...(discount && {
      discount: { percent: discount.percent, ...bookJson("contract", books), ...lineJson(discount, books) },
    }),
  };
}

function bookJson(book: Reason["entry"]["book"], { book: list, contractBook }: Books): object {
  const { version, hash } = book === "list" ? list : contractBook!;
  return { book, version: String(version), hash };
}

function unpricedJson(part: Unpriced, zone: string, books: Books): object {
  const [nearest] = part.nearest;
  const needs = nearest && `the nearest, ${placeOf(nearest, books)}, needs ${nearest.needs.join(" and ")}`;
  return {
    ...partJson(part, zone),
    reason: `no entry prices it${needs ? `; ${needs}` : ""}`,
    nearestEntries: part.nearest.map((entry) => ({
      ...bookJson(entry.book, books),
      ...lineJson(entry, books),
      kind: entry.kind,
      needs: entry.needs,
    })),
  };
}

function placeOf({ book, line, match }: Unpriced["nearest"][number], { book: list, contractBook }: Books): string {
  const { version } = book === "list" ? list : contractBook!;
  return `line ${line} of price book ${version} (${match})`;
}

function eventsJson(told: Told): object {
  const { count, voided, firstTime, lastTime, late, unknownArrival, estimated, keptFrom } = told;
  const reasons = [...estimated].sort(([a], [b]) => (a < b ? -1 : 1)).map(([reason, events]) => [reason, `${events}`]);
  return {
    count: count.toString(),
    voided: voided.toString(),
    firstEventTime: firstTime === undefined ? null : formatInstant(firstTime),
    lastEventTime: lastTime === undefined ? null : formatInstant(lastTime),
    late: late.toString(),
    lateDefinition: LATE,
    unknownArrival: unknownArrival.toString(),
    estimated: [...estimated.values()].reduce((sum, one) => sum + one, 0n).toString(),
    ...(reasons.length > 0 && { estimatedReasons: Object.fromEntries(reasons) }),
    ...(keptFrom !== undefined && { keptFrom: formatInstant(keptFrom) }),
  };
}

function pageJson({ events, nextPageToken }: Page): object {
  return {
    usageEvents: events.map(({ event, late }) => ({
      ...eventWire(event),
      ...(event.receivedAt !== undefined && { receivedAt: formatInstant(event.receivedAt) }),
      ...(late !== undefined && { late }),
    })),
    ...(nextPageToken !== undefined && { nextPageToken }),
  };
}

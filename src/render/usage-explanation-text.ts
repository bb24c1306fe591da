/** The reason for one row as text that a person can check with a pocket calculator. */

import type { WireRow } from "./usage-answer.ts";
import { grouped } from "./usage-text.ts";

interface WireLine {
  readonly book: string;
  readonly version: string;
  readonly hash: string;
  readonly line: number;
  readonly match: string;
  readonly effectiveFrom: string;
  readonly effectiveTo: string | null;
  readonly source: string;
}

interface WireEntry extends WireLine {
  readonly price: string;
  readonly perUnits: string;
  readonly multipliers: readonly { readonly name: string; readonly factor: string }[];
  readonly discount?: WireLine & { readonly percent: string };
}

interface WirePart {
  readonly component: string;
  readonly unit: string;
  readonly quantity: string;
  readonly from?: string;
  readonly to?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface WirePriced extends WirePart {
  readonly unitPrice: string;
  readonly costExact: string;
  readonly entry: WireEntry;
  readonly listUnitPrice?: string;
  readonly listCostExact?: string;
  readonly listEntry?: WireEntry;
}

interface WireEvent {
  readonly id: string;
  readonly time: string;
  readonly receivedAt?: string;
  readonly late?: boolean;
  readonly voidTime?: string;
  readonly estimated?: string;
  readonly [field: string]: unknown;
}

/** An explanation as a client reads it. */
export interface WireExplanation {
  readonly row: WireRow;
  readonly stream: string;
  readonly components: readonly WirePriced[];
  readonly unpricedComponents: readonly (WirePart & { readonly reason: string })[];
  readonly costExact: string;
  readonly listCostExact?: string;
  readonly events?: {
    readonly count: string;
    readonly voided: string;
    readonly firstEventTime: string | null;
    readonly lastEventTime: string | null;
    readonly late: string;
    readonly lateDefinition: string;
    readonly unknownArrival: string;
    readonly estimated: string;
    readonly estimatedReasons?: Readonly<Record<string, string>>;
    readonly keptFrom?: string;
  };
  readonly deploymentSeconds: string;
  readonly usageEvents?: readonly WireEvent[];
  readonly nextPageToken?: string;
}

interface ExplanationStyle {
  readonly emphasize: (text: string) => string;
}

const HASH_SHOWN = 12;

/** Everything but the events themselves. */
export function explanationText(explanation: WireExplanation, { emphasize }: ExplanationStyle): string {
  const { row, components, unpricedComponents, costExact, listCostExact, deploymentSeconds } = explanation;
  const lines = [emphasize(`${row.usageType}, ${row.startTime} to ${row.endTime}`), ...groupLines(row), ""];
  let attributes = "";
  for (const part of components) {
    const own = attributesText(part);
    if (own !== attributes) lines.push(emphasize(own));
    attributes = own;
    lines.push(...pricedLines(part), "");
  }
  lines.push(emphasize(`TOTAL  ${dollars(costExact)}`));
  if (listCostExact !== undefined) lines.push(`By list prices ${dollars(listCostExact)}`);
  for (const part of unpricedComponents) lines.push("", ...unpricedLines(part));
  const events = eventsLine(explanation);
  if (events) lines.push("", events);
  if (deploymentSeconds !== "0") {
    lines.push(
      "",
      `${grouped(deploymentSeconds)} accelerator seconds are from the deployments' timelines, without events.`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function groupLines({ group = {} }: WireRow): string[] {
  const width = Math.max(0, ...Object.keys(group).map((name) => name.length));
  return Object.entries(group).map(([name, value]) => `${name.padEnd(width)}  ${plain(value)}`);
}

function attributesText({ attributes }: WirePart): string {
  const parts = Object.entries(attributes).map(([name, value]) =>
    value === true ? name : `${name} ${plain(`${value}`)}`,
  );
  return parts.join(", ") || "Usage that names nothing";
}

function pricedLines(part: WirePriced): string[] {
  const { component, entry, unitPrice, costExact, listUnitPrice, listCostExact, listEntry } = part;
  const by = (price: string, cost: string): string => `${quantityText(part)} x ${dollars(price)} = ${dollars(cost)}`;
  return [
    `${component}: ${by(unitPrice, costExact)}`,
    ...entryLines(entry, part.unit),
    ...spanLines(part),
    ...(listUnitPrice === undefined ? [] : [`  by list prices: ${by(listUnitPrice, listCostExact ?? "")}`]),
    ...(listEntry && listEntry.book !== entry.book ? entryLines(listEntry, part.unit) : []),
  ];
}

function quantityText({ quantity, unit }: WirePart): string {
  return `${grouped(quantity)} ${unit}${quantity === "1" ? "" : "s"}`;
}

function dollars(exact: string): string {
  return exact.startsWith("-") ? `-$${grouped(exact.slice(1))}` : `$${grouped(exact)}`;
}

function entryLines(entry: WireEntry, unit: string): string[] {
  const { price, perUnits, multipliers, discount } = entry;
  const per = perUnits === "1" ? unit : `${grouped(perUnits)} ${unit}s`;
  const factors = multipliers.map(({ name, factor }) => ` x ${factor} (${name})`).join("");
  const less = discount ? `, less ${discount.percent} %` : "";
  return [
    `  ${dollars(price)} for ${per}${factors}${less}`,
    `  ${lineText(entry)}`,
    ...(discount ? [`  discount: ${lineText(discount)}`] : []),
  ];
}

function lineText({ book, version, hash, line, match, effectiveFrom, effectiveTo, source }: WireLine): string {
  const name = book === "contract" ? "contract" : "price book";
  const until = effectiveTo === null ? "" : ` to ${effectiveTo}`;
  return (
    `line ${line} of ${name} ${version} (sha256 ${hash.slice(0, HASH_SHOWN)}): ${plain(match)}; ` +
    `from ${effectiveFrom}${until}; source: ${plain(source)}`
  );
}

function spanLines({ from, to }: WirePart): string[] {
  return from === undefined || to === undefined ? [] : [`  of the usage from ${from} to ${to}`];
}

function unpricedLines(part: WirePart & { readonly reason: string }): string[] {
  return [
    `No price: ${quantityText(part)} of ${part.component} (${attributesText(part)})`,
    ...spanLines(part),
    `  ${plain(part.reason)}`,
  ];
}

function eventsLine({ events }: WireExplanation): string {
  if (!events) return "";
  const { count, voided, firstEventTime, lastEventTime, late, lateDefinition, unknownArrival, keptFrom } = events;
  const range = firstEventTime === null ? "" : `, from ${firstEventTime} to ${lastEventTime}`;
  const unknown = unknownArrival === "0" ? "" : `; when ${grouped(unknownArrival)} arrived is not known`;
  const name = count === "1" ? "event" : "events";
  const dropped = keptFrom === undefined ? "" : `Raw events before ${keptFrom} were dropped; since then `;
  return (
    `${dropped}${grouped(count)} ${name}${range}; ${grouped(late)} late (${lateDefinition})${unknown}; ` +
    `${grouped(voided)} voided${estimatesText(events)}`
  );
}

function estimatesText({ estimated, estimatedReasons = {} }: NonNullable<WireExplanation["events"]>): string {
  if (estimated === "0") return "";
  const reasons = Object.entries(estimatedReasons).map(([reason, count]) => `${grouped(count)} ${plain(reason)}`);
  return `; ${grouped(estimated)} estimated (${reasons.join(", ")})`;
}

const TIME_WIDTH = "2026-05-28T09:30:00.250Z".length;

/** The head of the events' lines. */
export const EVENTS_HEAD = `${"TIME".padEnd(TIME_WIDTH)}  ${"RECEIVED".padEnd(TIME_WIDTH)}  ${"STATE".padEnd(6)}  EVENT`;

const QUANTITIES = [
  "promptTokens", "cachedPromptTokens", "completionTokens", "audioInputSeconds", "imageCount", "acceleratorSeconds", "tokens",
] as const; // biome-ignore format: a list

/** One line for each event, of the same columns on every page. */
export function eventLines(events: readonly WireEvent[]): string {
  const lines = events.map((event) => {
    const state = event.voidTime !== undefined ? "voided" : event.late ? "late" : "";
    const quantities = QUANTITIES.flatMap((name) =>
      event[name] === undefined ? [] : [`${name} ${numberText(event[name])}`],
    );
    if (event.estimated !== undefined) quantities.push(`estimated (${plain(event.estimated)})`);
    const times = [event.time, event.receivedAt ?? "not known"].map((time) => time.padEnd(TIME_WIDTH));
    return `${times.join("  ")}  ${state.padEnd(6)}  ${plain(event.id)}  ${quantities.join(", ")}`.trimEnd();
  });
  return lines.map((line) => `${line}\n`).join("");
}

function numberText(value: unknown): string {
  const raw = typeof value === "object" && value !== null && "rawJSON" in value ? value.rawJSON : value;
  return grouped(String(raw));
}

/** A value without what could steer the terminal. */
function plain(value: string): string {
  return value.replace(/\p{Cc}/gu, "\ufffd");
}

/** Every report of the service, asked by chance and held against the oracle's own answer. */

import { METERS, SERIES_FIELDS } from "../../../src/domain/usage.ts";
import type { Service } from "../../../src/service.ts";
import { assertEqual, assertLines, assertOrdered, text } from "../lines.ts";
import { localDate } from "../local-days.ts";
import type { Random } from "../random.ts";
import { ZONES } from "../zones.ts";
import {
  bucketOf,
  costLine,
  costLines,
  costText,
  DIMENSIONS,
  hasDimension,
  STREAMS,
  streamOf,
  summaryLines,
  type UsageAsk,
  usageLine,
  usageLines,
} from "./answers.ts";
import { drawRange } from "./draw.ts";
import { type KeptEvent, METER_NAMES, type Oracle } from "./oracle.ts";

const DAY = 86_400_000;

/** What questions are asked of. */
export interface Asked {
  readonly service: Service;
  readonly oracle: Oracle;
  readonly account: string;
  readonly now: number;
  readonly note: (line: string) => void;
}

export async function askUsage(random: Random, asked: Asked): Promise<void> {
  const { service, oracle, account, now } = asked;
  const ask = drawUsageAsk(random, asked);
  const asOf = drawAsOf(random, asked);
  const { range, streams, zone, hourly, groupBy, filters } = ask;
  const raw = {
    startTime: new Date(range.start).toISOString(),
    endTime: new Date(range.end).toISOString(),
    timezone: zone,
    granularity: hourly ? "HOURLY" : "DAILY",
    ...(streams.length === 1 ? { usageType: streams[0] } : {}),
    groupBy,
    filter: Object.fromEntries(Object.entries(filters).map(([name, values]) => [name, { values }])),
    ...asOfText(asOf),
  };
  asked.note(`billingUsage ${account} ${text(raw)}`);
  const { report, basis } = await service.billingUsage(account, raw, "body");
  const lines = STREAMS.flatMap((stream) =>
    Array.from(report.rows[stream], (row) => {
      const bucket = bucketName(row.bucket, ask);
      const values = row.group.values.map(([, value]) => value);
      const { events, quantities, group } = row;
      return usageLine({ stream, bucket, usageType: group.usageType, values, events, quantities }, row);
    }),
  );
  const { book, contractBook } = basis;
  const versions = { list: book.version, contract: contractBook?.version };
  assertEqual("the versions of the price books", versions, oracle.versions(account, asOf));
  const want = usageLines(oracle, account, ask, now, oracle.tariff(account, asOf));
  assertOrdered(`billingUsage ${account} ${text(raw)}`, lines, want);
}

/** An instant at or beside which a book came to be known; it is over, and not before the first book. */
function drawAsOf(random: Random, { oracle, now }: Asked): number | undefined {
  const earliest = oracle.books[0]!.knownFrom;
  if (random.chance(0.7) || earliest >= now) return undefined;
  const beside = random.pick(oracle.books).knownFrom + random.int(-1, 1);
  return Math.max(earliest, Math.min(now - 1, random.chance(0.7) ? beside : random.int(earliest, now - 1)));
}

function asOfText(asOf: number | undefined): { asOf?: string } {
  return asOf === undefined ? {} : { asOf: new Date(asOf).toISOString() };
}

/** The bucket by its local name, after a look at whether it is one, from its first instant to its last. */
function bucketName({ start, end }: { readonly start: number; readonly end: number }, ask: UsageAsk): string {
  const name = bucketOf(start, ask);
  const whole = bucketOf(start - 1, ask) !== name && bucketOf(end - 1, ask) === name && bucketOf(end, ask) !== name;
  if (!whole) throw new Error(`${start} to ${end} is not ${name} of ${ask.zone}`);
  return name;
}

function drawUsageAsk(random: Random, { oracle, account, now }: Asked): UsageAsk {
  const streams = random.chance(0.7) ? STREAMS : [random.pick(STREAMS)];
  const allowed = DIMENSIONS.filter((name) => streams.length > 1 || hasDimension(streams[0]!, name));
  const filters: Record<string, string[]> = {};
  const events = oracle.events(account);
  for (const name of random.some(allowed, 0.08)) filters[name] = drawFilterValues(random, name, events);
  return {
    range: drawRange(random, now, oracle.priceEdges()),
    streams,
    zone: random.pick(ZONES),
    hourly: random.chance(0.25),
    groupBy: random.some(allowed, 0.2).slice(0, 5),
    filters,
  };
}

const FILTER_VALUES: Readonly<Record<string, readonly string[]>> = {
  model_name: ["model-a", "model-b", ""],
  api_key_name: ["prod", "dev", ""],
  deployment_name: ["d-1", "d-2", "unheard", ""],
  accelerator_type: ["NVIDIA_H100_80GB", ""],
  job_id: ["job-1"],
  job_type: ["SFT", "DPO"],
  usage_type: ["TRAINING_TOKEN_USAGE"],
  base_model: ["model-a", ""],
};

function drawFilterValues(random: Random, name: string, events: readonly KeptEvent[]): string[] {
  if (name === "api_key_id") {
    const known = events.length > 0 ? (random.pick(events).counted.apiKeyId ?? "") : "";
    return [known, "key_unheard"];
  }
  const values = FILTER_VALUES[name] ?? ["search", "ads", ""];
  return [random.pick(values), random.pick(values)];
}

export async function askSummary(random: Random, asked: Asked): Promise<void> {
  const { service, oracle, account, now, note } = asked;
  const asOf = drawAsOf(random, asked);
  const drawn = drawRange(random, now, oracle.priceEdges());
  const start = Math.floor(drawn.start / DAY) * DAY;
  const end = Math.max(start + DAY, Math.floor(drawn.end / DAY) * DAY);
  const daily = random.chance(0.5);
  const raw = {
    startTime: localDate(start, "UTC"),
    endTime: localDate(end, "UTC"),
    ...(daily ? { granularity: "DAILY" } : {}),
    ...asOfText(asOf),
  };
  note(`billingSummary ${account} ${text(raw)}`);
  const { report: summary } = await service.billingSummary(account, raw);
  const tariff = oracle.tariff(account, asOf);
  const uses = oracle.uses(account, { start, end }, now);
  assertLines(`billingSummary ${account} ${text(raw)}`, billLines(summary), summaryLines(uses, tariff));
  for (const [at, day] of (summary.days ?? []).entries()) {
    const from = start + at * DAY;
    assertEqual("a day of the summary", day.bucket, { start: from, end: from + DAY });
    const own = uses.filter((use) => use.at >= from && use.at < from + DAY);
    assertLines(`billingSummary ${account} ${localDate(from, "UTC")}`, billLines(day), summaryLines(own, tariff));
  }
}

interface Bill {
  readonly priced: readonly (BillLine & {
    readonly unitAtto: bigint;
    readonly listUnitAtto: bigint;
    readonly atto: bigint;
  })[];
  readonly unpriced: readonly BillLine[];
  readonly atto: bigint;
}

interface BillLine {
  readonly series: string;
  readonly groupingValue: string;
  readonly secondaryGroupingValue: string;
  readonly component: string;
  readonly quantity: bigint;
}

/** Lines of one series, price and grouping together: their category is a matter of words. */
function billLines({ priced, unpriced, atto }: Bill): string[] {
  const sums = new Map<string, bigint>();
  const add = ({ quantity, ...line }: BillLine, unit: string): void => {
    const key = JSON.stringify([line.series, line.groupingValue, line.secondaryGroupingValue, line.component, unit]);
    sums.set(key, (sums.get(key) ?? 0n) + quantity);
  };
  let total = 0n;
  for (const line of priced) {
    assertEqual("a line of the summary", line.atto, line.quantity * line.unitAtto);
    total += line.atto;
    add(line, `${line.unitAtto} of ${line.listUnitAtto}`);
  }
  for (const line of unpriced) add(line, " of ");
  assertEqual("the total of the summary", atto, total);
  return [...sums].map(([key, quantity]) => `${key} ${quantity}`);
}

const GROUPINGS = [
  [], ["HOUR"], ["DAY"], ["MODEL"], ["USER"], ["API_KEY"], ["HOUR", "MODEL"], ["DAY", "USER"], ["MODEL", "MODEL_TIER"],
  ["USER", "API_KEY"],
]; // biome-ignore format: a list

export async function askCosts(random: Random, asked: Asked): Promise<void> {
  const { service, oracle, account, now, note } = asked;
  const asOf = drawAsOf(random, asked);
  const range = drawRange(random, now, oracle.priceEdges());
  const groupBy = random.pick(GROUPINGS);
  const own = oracle.keys.filter((key) => key.account === account);
  const self = own.length > 0 && random.chance(0.3) ? random.pick(own).user : undefined;
  const caller = { account, user: self ?? "any", keyId: "key_asking", role: self ? "USER" : "ADMIN" } as const;
  const filter = random.chance(0.3) ? { model: random.pick(["model-a", "model-b"]) } : {};
  const raw = {
    startTime: new Date(range.start).toISOString(),
    endTime: new Date(range.end).toISOString(),
    groupBy,
    filter,
    pageSize: random.pick([1, 3, 1_000]),
    ...asOfText(asOf),
  };
  note(`usageCosts ${account} ${self ?? ""} ${text(raw)}`);
  const keyIds = own.filter(({ user }) => user === self).map(({ keyId }) => keyId);
  const uses = oracle.uses(account, range, now).filter(({ labels }) => {
    if (streamOf(labels.usageType!) !== "SERVERLESS") return false;
    if (self && !keyIds.includes(labels.apiKeyId ?? "")) return false;
    return !("model" in filter) || labels.model === filter.model;
  });
  const want = costLines(uses, groupBy, oracle.tariff(account, asOf));
  const rows: string[] = [];
  let pageToken: string | undefined;
  do {
    const { report: page } = await service.usageCosts(account, caller, pageToken ? { ...raw, pageToken } : raw);
    rows.push(...page.rows.map((row) => costLine(row.values, row)));
    assertEqual(`total of usageCosts ${account} ${text(raw)}`, costText(page.total), want.total);
    pageToken = page.nextPageToken;
  } while (pageToken);
  if (groupBy.length > 0) assertOrdered(`usageCosts ${account} ${text(raw)}`, rows, want.rows);
}

export async function askInvoices(random: Random, { service, oracle, account, now, note }: Asked): Promise<void> {
  const showPending = random.chance(0.5);
  note(`invoices ${account} ${showPending ? "with the pending one" : ""}`);
  const { report: page } = await service.listInvoices(account, { pageSize: 200, showPending });
  const running = localDate(now, "UTC").slice(0, 7);
  const months = new Map<string, ReturnType<Oracle["uses"]>>();
  if (showPending) months.set(running, []);
  for (const use of oracle.uses(account, { start: Date.UTC(2000, 0, 1), end: Date.UTC(2100, 0, 1) }, now)) {
    const month = new Date(use.at).toISOString().slice(0, 7);
    if (month < running || (showPending && month === running)) months.set(month, [...(months.get(month) ?? []), use]);
  }
  const want = [...months].map(([month, uses]) => {
    const pending = month === running;
    const tariff = pending ? oracle.tariff(account) : oracle.issued(account, monthEnd(month));
    return `${month} ${pending ? "PENDING" : "CLOSED"} ${costLines(uses, [], tariff).total}`;
  });
  const got = page.items.map((invoice) => `${invoice.id} ${invoice.state} ${costText(invoice)}`);
  assertOrdered(`invoices of ${account}`, got, want.sort().reverse());
}

function monthEnd(month: string): number {
  return Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 1);
}

const LONG_PROMPTS = [32_000, 64_000, 128_000, 200_000, 256_000, 272_000, 512_000];

/** The event as it is read back: what was sent, and what it counts under. */
export async function askEvent(id: string, { service, oracle, account }: Asked): Promise<void> {
  const found = await service.findUsage(account, id);
  const kept = oracle.find(account, id);
  const got = found && [
    found.time,
    recordOf(found.sent),
    recordOf(found.series),
    METERS.map((_, at) => `${found.quantities[at]}`),
    found.voidedAt !== undefined,
  ];
  assertEqual(`event ${account} ${id}`, got, kept && eventParts(kept));
}

function eventParts({ time, labels, counted, quantities, voided }: KeptEvent): unknown[] {
  const prompt = quantities.promptTokens ?? 0n;
  const long = LONG_PROMPTS.findLast((edge) => prompt > BigInt(edge));
  const serverless = streamOf(labels.usageType!) === "SERVERLESS";
  const contextClass = serverless && long !== undefined ? `${long}` : "";
  const amounts = METER_NAMES.map((meter) => `${quantities[meter] ?? 0n}`);
  return [time, filled(labels), filled({ ...counted, contextClass }), amounts, voided];
}

function recordOf(labels: readonly string[]): object {
  return filled(Object.fromEntries(SERIES_FIELDS.map((field, at) => [field, labels[at]!])));
}

/** The fields that have a value, in the order of their names. */
function filled(record: Readonly<Record<string, string>>): object {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== "")
      .sort(),
  );
}

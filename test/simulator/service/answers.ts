/** What reports must answer, by looking at each use one after the other. Shares no code with src/report or src/rating. */

import { localDate, localHour } from "../local-days.ts";
import { type Labels, METER_NAMES, type Oracle, type Use } from "./oracle.ts";
import { pricesAt, type Tariff } from "./price-list.ts";

export const STREAMS = ["SERVERLESS", "DEDICATED_DEPLOYMENT", "TRAINING"] as const;
type Stream = (typeof STREAMS)[number];

const COMPONENTS = [
  "uncachedPromptTokens", "cachedPromptTokens", "completionTokens", "audioInputMs", "imageCount", "acceleratorMs", "tokens",
]; // biome-ignore format: a list of names

export function streamOf(usageType: string): Stream {
  if (usageType.startsWith("DEDICATED")) return "DEDICATED_DEPLOYMENT";
  return usageType.startsWith("TRAINING") ? "TRAINING" : "SERVERLESS";
}

function quantityOf({ quantities }: Use, component: string): bigint {
  if (component !== "uncachedPromptTokens") return quantities[component] ?? 0n;
  return (quantities.promptTokens ?? 0n) - (quantities.cachedPromptTokens ?? 0n);
}

/** A part of a use at one price. */
interface Part {
  readonly component: string;
  readonly quantity: bigint;
  /** What is paid for one, and what the list asks for it; undefined where there is no price. */
  readonly net: bigint | undefined;
  readonly list: bigint | undefined;
}

function partsOf(use: Use, tariff: Tariff): Part[] {
  return COMPONENTS.map((component) => ({ component, quantity: quantityOf(use, component) }))
    .filter(({ quantity }) => quantity !== 0n)
    .map((part) => ({ ...part, ...pricesAt(tariff, use.labels, part.component, use.at) }));
}

/** Sums of uses. */
export class Cost {
  /** When the first of them was. */
  first = Number.POSITIVE_INFINITY;
  events = 0n;
  atto = 0n;
  listAtto = 0n;
  readonly quantities = new Map<string, bigint>();
  readonly unpriced = new Map<string, bigint>();

  add(use: Use, tariff: Tariff): void {
    this.first = Math.min(this.first, use.at);
    this.events += use.events;
    for (const meter of METER_NAMES) plus(this.quantities, meter, use.quantities[meter] ?? 0n);
    for (const { component, quantity, net, list } of partsOf(use, tariff)) {
      if (net === undefined || list === undefined) {
        plus(this.unpriced, component, quantity);
        continue;
      }
      this.atto += net * quantity;
      this.listAtto += list * quantity;
    }
  }
}

function plus(sums: Map<string, bigint>, name: string, amount: bigint): void {
  sums.set(name, (sums.get(name) ?? 0n) + amount);
}

/** What is owed, what the list asks, and what has no price. */
export interface Owed {
  readonly atto: bigint;
  readonly listAtto: bigint;
  readonly unpriced: ReadonlyMap<string, bigint>;
}

export function costText({ atto, listAtto, unpriced }: Owed): string {
  const left = [...unpriced].filter(([, quantity]) => quantity !== 0n).sort();
  return `${atto} of ${listAtto} ${left.map(([component, quantity]) => `${component}:${quantity}`).join(",")}`;
}

/** A question of billingUsage. */
export interface UsageAsk {
  readonly range: { readonly start: number; readonly end: number };
  readonly streams: readonly Stream[];
  readonly zone: string;
  readonly hourly: boolean;
  readonly groupBy: readonly string[];
  readonly filters: Readonly<Record<string, readonly string[]>>;
}

const TAGS = ["annotations.team", "annotations.project", "annotations.environment"];
const OWN: Readonly<Record<Stream, readonly string[]>> = {
  SERVERLESS: ["model_name", "api_key_id", "api_key_name", ...TAGS],
  DEDICATED_DEPLOYMENT: ["deployment_name", "accelerator_type", ...TAGS],
  TRAINING: ["job_id", "job_type", "usage_type", "accelerator_type", "base_model", ...TAGS],
};
const USUAL: Readonly<Record<Stream, readonly string[]>> = {
  SERVERLESS: ["model_name"],
  DEDICATED_DEPLOYMENT: ["deployment_name", "accelerator_type"],
  TRAINING: ["job_id", "job_type", "usage_type", "accelerator_type", "base_model"],
};

/** Whether usage of the stream can be grouped and filtered by the dimension. */
export function hasDimension(stream: Stream, dimension: string): boolean {
  return OWN[stream].includes(dimension);
}

export const DIMENSIONS = [...new Set(STREAMS.flatMap((stream) => OWN[stream]))];

const FIELD_OF: Readonly<Record<string, string>> = {
  model_name: "model",
  api_key_id: "apiKeyId",
  api_key_name: "apiKeyId",
  deployment_name: "deployment",
  accelerator_type: "acceleratorType",
  job_id: "jobId",
  job_type: "jobType",
  usage_type: "usageType",
  base_model: "baseModel",
  "annotations.team": "team",
  "annotations.project": "project",
  "annotations.environment": "environment",
};

/** The lines of each stream's rows, in their order. */
export function usageLines(oracle: Oracle, account: string, ask: UsageAsk, now: number, tariff: Tariff): string[] {
  const names = new Map(oracle.keys.filter((key) => key.account === account).map(({ keyId, name }) => [keyId, name]));
  const groupValue = (labels: Labels, dimension: string): string => {
    const value = labels[FIELD_OF[dimension]!] ?? "";
    if (dimension === "api_key_name") return names.get(value) ?? "";
    return dimension === "deployment_name" && value !== "" ? `accounts/${account}/deployments/${value}` : value;
  };
  const rows = new Map<string, { stream: Stream; usageType: string; values: string[]; bucket: string; cost: Cost }>();
  for (const use of oracle.uses(account, ask.range, now)) {
    const usageType = use.labels.usageType!;
    const stream = streamOf(usageType);
    if (!ask.streams.includes(stream)) continue;
    const fits = Object.entries(ask.filters).every(([dimension, values]) => {
      if (!OWN[stream].includes(dimension)) return true;
      const value = groupValue(use.labels, dimension);
      const short = dimension === "deployment_name" ? (use.labels.deployment ?? "") : value;
      return values.includes(value) || values.includes(short);
    });
    if (!fits) continue;
    const asked = ask.groupBy.filter((dimension) => OWN[stream].includes(dimension));
    const grouping = asked.length > 0 ? asked : USUAL[stream];
    const values = grouping.map((dimension) => groupValue(use.labels, dimension));
    const bucket = bucketOf(use.at, ask);
    const key = JSON.stringify([stream, bucket, usageType, values]);
    const row = rows.get(key) ?? { stream, usageType, values, bucket, cost: new Cost() };
    rows.set(key, row);
    row.cost.add(use, tariff);
  }
  // Rows of one bucket begin where their first use does, so buckets are ordered by any of them.
  const starts = new Map<string, number>();
  for (const { bucket, cost } of rows.values()) {
    starts.set(bucket, Math.min(starts.get(bucket) ?? Number.POSITIVE_INFINITY, cost.first));
  }
  const ordered = [...rows.values()].sort(
    (a, b) =>
      STREAMS.indexOf(a.stream) - STREAMS.indexOf(b.stream) ||
      starts.get(a.bucket)! - starts.get(b.bucket)! ||
      byCodeUnit([...a.values, a.usageType], [...b.values, b.usageType]),
  );
  return ordered.map(({ stream, usageType, values, bucket, cost }) => {
    const quantities = METER_NAMES.map((meter) => cost.quantities.get(meter)!);
    return usageLine({ stream, bucket, usageType, values, events: cost.events, quantities }, cost);
  });
}

export function usageLine(
  row: {
    readonly stream: string;
    readonly bucket: string;
    readonly usageType: string;
    readonly values: readonly string[];
    readonly events: bigint;
    readonly quantities: readonly bigint[];
  },
  owed: Owed,
): string {
  const { stream, bucket, usageType, values, events, quantities } = row;
  return `${JSON.stringify([stream, bucket, usageType, values])} ${[events, ...quantities].join(" ")} ${costText(owed)}`;
}

/** The local date or hour of an instant. */
export function bucketOf(instant: number, { zone, hourly }: Pick<UsageAsk, "zone" | "hourly">): string {
  return hourly ? localHour(instant, zone) : localDate(instant, zone);
}

export function byCodeUnit(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((value, place) => value !== b[place]);
  if (at < 0) return 0;
  return a[at]! < b[at]! ? -1 : 1;
}

/** A bill's lines of a range: by series, what is grouped by, component and unit price. */
export function summaryLines(uses: readonly Use[], tariff: Tariff): string[] {
  const sums = new Map<string, bigint>();
  for (const use of uses) {
    const stream = streamOf(use.labels.usageType!);
    for (const { component, quantity, net = "", list = "" } of partsOf(use, tariff)) {
      const { model = "", baseModel = "", acceleratorType = "", batch = "", jobType = "" } = use.labels;
      const first = stream === "SERVERLESS" ? model : component === "acceleratorMs" ? acceleratorType : baseModel;
      const second =
        stream === "SERVERLESS" ? (batch === "true" ? "true" : "false") : stream === "TRAINING" ? jobType : "";
      plus(sums, JSON.stringify([stream, first, second, component, `${net} of ${list}`]), quantity);
    }
  }
  return [...sums].map(([key, quantity]) => `${key} ${quantity}`);
}

const COST_FIELD: Readonly<Record<string, string>> = {
  MODEL: "model",
  MODEL_TIER: "serviceTier",
  USER: "user",
  API_KEY: "apiKeyId",
};

/** Rows of usageCosts in their order, and the total of all. */
export function costLines(
  uses: readonly Use[],
  groupBy: readonly string[],
  tariff: Tariff,
): { rows: string[]; total: string } {
  const rows = new Map<string, { values: string[]; cost: Cost }>();
  const total = new Cost();
  for (const use of uses) {
    const values = groupBy.map((dimension) => {
      if (dimension === "HOUR") return instantText(Math.floor(use.at / 3_600_000) * 3_600_000);
      if (dimension === "DAY") return instantText(Math.floor(use.at / 86_400_000) * 86_400_000);
      return use.labels[COST_FIELD[dimension]!] ?? "";
    });
    const key = values.join("\u0000");
    const row = rows.get(key) ?? { values, cost: new Cost() };
    rows.set(key, row);
    for (const cost of [row.cost, total]) cost.add(use, tariff);
  }
  const ordered = [...rows.values()].sort((a, b) => byCodeUnit(a.values, b.values));
  return {
    rows: ordered.map(({ values, cost }) => costLine(values, cost)),
    total: costText(total),
  };
}

export function costLine(values: readonly string[], owed: Owed): string {
  return `${JSON.stringify(values)} ${costText(owed)}`;
}

function instantText(instant: number): string {
  return new Date(instant).toISOString().replace(".000Z", "Z");
}

/** Chance made into what clients send: usage events in all spellings, some of them wrong, and questions. */

import type { Random } from "../random.ts";
import { METER_FIELDS, type SentEvent } from "./oracle.ts";
import { ACCELERATORS, JOB_TYPES, MODELS, PLACEMENTS } from "./price-list.ts";

const SLOT = 900_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;
const OLDEST = Date.UTC(2000, 0, 1);

/** An event on its way: as it is sent, and what must be understood or refused of it. */
export interface Draft {
  readonly wire: Readonly<Record<string, unknown>>;
  readonly sent: SentEvent;
  /** The field that it is refused for. */
  readonly refused: string | undefined;
  /** Annotations that are dropped. */
  readonly dropped: number;
}

export interface Around {
  readonly account: string;
  readonly now: number;
  readonly keyIds: readonly string[];
  readonly deployments: readonly string[];
  /** Instants at which some price changes. */
  readonly priceEdges: readonly number[];
  /** A number of its own for each event. */
  readonly made: number;
}

type Usage = readonly [usageType: string, fields: readonly string[], meters: readonly string[]];
const SERVERLESS = ["model", "apiKeyId", "user", "serviceTier", "batch"];
const USAGES: readonly (readonly [weight: number, usage: Usage])[] = [
  [8, ["TEXT_COMPLETION_INFERENCE_USAGE", SERVERLESS, ["promptTokens", "cachedPromptTokens", "completionTokens"]]],
  [1, ["TEXT_COMPLETION_INFERENCE_USAGE", SERVERLESS, ["promptTokens", "audioInputMs"]]],
  [1, ["AUDIO_INFERENCE_USAGE", SERVERLESS, ["audioInputMs"]]],
  [1, ["EMBEDDING_INFERENCE_USAGE", SERVERLESS, ["promptTokens"]]],
  [1, ["IMAGE_GENERATION_USAGE", SERVERLESS, ["imageCount"]]],
  [2, ["DEDICATED_DEPLOYMENT_USAGE", ["deployment", "acceleratorType", "placement", "baseModel"], ["acceleratorMs"]]],
  [1, ["TRAINING_TOKEN_USAGE", ["jobId", "jobType", "baseModel", "apiKeyId"], ["tokens"]]],
  [1, ["TRAINING_ACCELERATOR_USAGE", ["jobId", "jobType", "acceleratorType", "placement"], ["acceleratorMs"]]],
];

export function drawDraft(random: Random, around: Around): Draft {
  const [usageType, fields, meters] = random.weighted(USAGES);
  const labels: Record<string, string> = { usageType };
  for (const field of fields) {
    const value = random.pick(valuesOf(field, around));
    if (value !== "") labels[field] = value;
  }
  for (const tag of random.some(["team", "project", "environment"], 0.25)) labels[tag] = random.pick(["search", "ads"]);
  const quantities: Record<string, bigint> = {};
  for (const meter of meters) quantities[meter] = BigInt(drawQuantity(random));
  const { promptTokens = 0n, cachedPromptTokens = 0n } = quantities;
  if (cachedPromptTokens > promptTokens) quantities.cachedPromptTokens = promptTokens;
  return draftOf(random, { id: `event-${around.made}`, time: drawTime(random, around), labels, quantities }, around);
}

function valuesOf(field: string, { keyIds, deployments }: Around): readonly string[] {
  const values: Readonly<Record<string, readonly string[]>> = {
    model: MODELS,
    baseModel: MODELS,
    apiKeyId: ["", ...keyIds, "key_unheard"],
    user: ["", "ada", "bob"],
    serviceTier: ["", "STANDARD", "FAST", "PRIORITY"],
    batch: ["", "", "true"],
    deployment: ["", ...deployments, "unheard"],
    acceleratorType: ["", ...ACCELERATORS],
    placement: PLACEMENTS,
    jobId: ["job-1", "job-2"],
    jobType: JOB_TYPES,
  };
  return values[field] ?? [""];
}

function drawQuantity(random: Random): number {
  if (random.chance(0.02)) return Number.MAX_SAFE_INTEGER;
  return random.chance(0.2) ? random.pick([0, 1, 32_000, 32_001]) : random.int(0, 2_000_000);
}

function drawTime(random: Random, { now, priceEdges }: Around): number {
  if (priceEdges.length > 0 && random.chance(0.25)) return besideEdge(random, priceEdges);
  const far = random.weighted([
    [5, random.int(0, 3 * HOUR)],
    [3, random.int(0, 3 * DAY)],
    [2, random.int(0, 40 * DAY)],
    [1, -random.int(0, DAY)],
  ]);
  const time = now - far;
  return random.chance(0.4) ? Math.floor(time / SLOT) * SLOT + random.pick([-1, 0, 1]) : time;
}

/** An instant within a slot of a price's change. */
function besideEdge(random: Random, edges: readonly number[]): number {
  return random.pick(edges) + random.pick([-SLOT, -1, 0, 1, SLOT - 1, random.int(-SLOT, SLOT)]);
}

/** The event in one of its spellings; sometimes with a mistake. */
export function draftOf(random: Random, sent: SentEvent, { account, now }: Around): Draft {
  const { id, time, labels, quantities } = sent;
  const wire: Record<string, unknown> = { id, time: spelled(random, time) };
  const annotations: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(labels)) {
    if (field === "batch") wire.batch = true;
    else if (["team", "project", "environment"].includes(field)) annotations[field] = value;
    else if (field === "deployment" && random.chance(0.5)) wire[field] = `accounts/${account}/deployments/${value}`;
    else wire[field] = value;
  }
  for (const [meter, quantity] of Object.entries(quantities)) {
    const value = Number(quantity) / (meter.endsWith("Ms") ? 1_000 : 1);
    // Where no number holds the milliseconds, text does.
    const seconds = `${quantity / 1_000n}.${String(quantity % 1_000n).padStart(3, "0")}`;
    const asText = meter.endsWith("Ms") ? seconds : String(quantity);
    wire[METER_FIELDS[meter]!] = quantity > 2n ** 43n || random.chance(0.1) ? asText : value;
  }
  const dropped = random.chance(0.05) ? 1 : 0;
  if (dropped) annotations[random.pick(["team2", "cost center"])] = "x";
  if (Object.keys(annotations).length > 0) wire.annotations = annotations;
  const tier = labels.serviceTier ?? (SERVERLESS_TYPE.test(labels.usageType!) ? "STANDARD" : "");
  const understood = { ...sent, labels: tier === "" ? labels : { ...labels, serviceTier: tier } };
  const outside = time < OLDEST || time > now + DAY ? "time" : undefined;
  const refused = outside ?? (random.chance(0.03) ? spoil(random, wire) : undefined);
  return { wire, sent: understood, refused, dropped: refused ? 0 : dropped };
}

const SERVERLESS_TYPE = /^(TEXT_COMPLETION|AUDIO|EMBEDDING|IMAGE)_/;

/** Puts one mistake in, and tells the field it is in. */
function spoil(random: Random, wire: Record<string, unknown>): string {
  const field = random.pick(["promptToken", "usageType", "time", "tokens", "batch"]);
  wire[field] = field === "tokens" ? -1 : "wrong";
  return field;
}

function spelled(random: Random, time: number): string {
  const text = new Date(time).toISOString();
  if (random.chance(0.6)) return text;
  if (random.chance(0.3)) return `${text.slice(0, -1)}${random.pick(["0", "999", "000001"])}Z`;
  const [offset, far] = random.pick([
    ["+05:45", 345],
    ["-03:30", -210],
    ["+14:00", 840],
  ] as const);
  return `${new Date(time + far * 60_000).toISOString().slice(0, -1)}${offset}`;
}

/** A range of at most 31 days: days, slots, any millisecond, around now or a price's change. */
export function drawRange(random: Random, now: number, edges: readonly number[]): { start: number; end: number } {
  if (edges.length > 0 && random.chance(0.25)) {
    const start = besideEdge(random, edges);
    return { start, end: start + random.pick([1, SLOT, HOUR, DAY, 20 * DAY]) };
  }
  const unit = random.pick([1, SLOT, HOUR, DAY]);
  const end = Math.ceil((now + random.int(-3 * DAY, DAY)) / unit) * unit + random.pick([0, 0, 1]);
  const length = random.weighted([
    [2, random.int(1, HOUR)],
    [3, random.int(1, 3 * DAY)],
    [3, random.int(1, 31) * DAY],
  ]);
  return { start: end - length, end };
}

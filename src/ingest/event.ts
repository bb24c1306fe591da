/**
 * One untrusted record -> one row of columns, or the first thing that is wrong with it (contract, section 7). The path of
 * a good event makes no objects and no problems; a value that equals the one of the event before was checked already.
 */

import { keepGoodAnnotations, TAG_NAMES } from "../domain/annotations.ts";
import { type Problem, problem } from "../domain/fault.ts";
import { isPlainText, TEXT_CHARACTERS_MAX } from "../domain/text.ts";
import { EVENT_TIME_AHEAD_MAX_MS, EVENT_TIME_MIN, formatInstant, type Instant } from "../domain/time.ts";
import {
  ACCELERATOR_TYPES,
  ESTIMATE_REASONS,
  FIELD_AT,
  type Labels,
  labelsKey,
  METER_WIRE_FIELD,
  METERS,
  type Meter,
  SERIES_FIELDS,
  SERVICE_TIERS,
  USAGE_TYPE_NAMES,
  USAGE_TYPES,
  type UsageBatch,
  type UsageType,
} from "../domain/usage.ts";
import { type DayCache, emptyDayCache, instantOf } from "./instant-cache.ts";
import { msOfSeconds, wholeOf } from "./quantity.ts";
import { shortName, shownValue } from "./shown.ts";

/** Every field that an event may have, in the contract's order. */
const EVENT_FIELDS = [
  "id",
  "time",
  "usageType",
  "model",
  "apiKeyId",
  "user",
  "serviceTier",
  "batch",
  "promptTokens",
  "cachedPromptTokens",
  "completionTokens",
  "audioInputSeconds",
  "imageCount",
  "deployment",
  "acceleratorType",
  "acceleratorSeconds",
  "placement",
  "jobId",
  "jobType",
  "trainingSessionId",
  "tokens",
  "baseModel",
  "estimated",
  "annotations",
] as const;
type EventField = (typeof EVENT_FIELDS)[number];

/** Where a value that was sent waits in {@link EventColumns.sent}. A Map, so that `__proto__` is a name like others. */
const SENT_AT: ReadonlyMap<string, number> = new Map(EVENT_FIELDS.map((field, at) => [field, at]));
const at = Object.fromEntries(SENT_AT) as Readonly<Record<EventField, number>>;

/** The fields that are any plain text. */
const TEXTS = (
  ["model", "apiKeyId", "user", "placement", "jobId", "jobType", "trainingSessionId", "baseModel"] as const
).map((field) => ({ field, sentAt: at[field], labelAt: FIELD_AT[field] }));

const QUANTITIES = METERS.map((meter) => {
  const field = METER_WIRE_FIELD[meter] as EventField;
  return { field, sentAt: at[field], seconds: meter.endsWith("Ms") };
});
const PROMPT_AT = METERS.indexOf("promptTokens");
const CACHED_AT = METERS.indexOf("cachedPromptTokens");

interface UsageRule {
  /** For each of METERS, whether an event of the type may carry it. */
  readonly metered: readonly boolean[];
  /** The service tier of an event that names none. */
  readonly tier: string;
}

const RULES: ReadonlyMap<unknown, UsageRule> = new Map(
  USAGE_TYPE_NAMES.map((name) => {
    const meters: readonly Meter[] = USAGE_TYPES[name].meters;
    const tier = USAGE_TYPES[name].stream === "SERVERLESS" ? "STANDARD" : "";
    return [name, { metered: METERS.map((meter) => meters.includes(meter)), tier }];
  }),
);

/** What a CloudEvent's envelope gives to an event whose data names no id or no time of its own. */
export interface Envelope {
  readonly id: string;
  readonly time: unknown;
}

/** Accepted events in columns, and the scratch of the one being read. Made by {@link emptyColumns}. */
export interface EventColumns {
  readonly account: string;
  readonly latest: Instant;
  /** Stands before a field's name in problems: "" or "data.". */
  readonly prefix: string;

  readonly ids: string[];
  readonly times: Float64Array;
  readonly quantities: Float64Array;
  readonly labels: Labels[];
  readonly series: Uint32Array;
  droppedAnnotations: number;

  /** The values of the record being read, by the place of their field in EVENT_FIELDS. */
  readonly sent: unknown[];
  /** The id being read. */
  id: string;
  /** Labels being read. Each value in it was checked, so one that is sent again needs no check. */
  readonly row: string[];
  /** False while `row` is the label set number `rowAt`. */
  rowChanged: boolean;
  rowAt: number;
  /** Annotations of the record being read that were dropped. */
  dropped: number;
  readonly places: Map<string, number>;
  readonly day: DayCache;
}

/** Columns for at most `capacity` events of `account`; `now` bounds their times. */
export function emptyColumns(capacity: number, account: string, now: Instant, prefix: "" | "data." = ""): EventColumns {
  return {
    account,
    latest: now + EVENT_TIME_AHEAD_MAX_MS,
    prefix,
    ids: [],
    times: new Float64Array(capacity),
    quantities: new Float64Array(capacity * METERS.length),
    labels: [],
    series: new Uint32Array(capacity),
    droppedAnnotations: 0,
    sent: new Array(EVENT_FIELDS.length).fill(undefined),
    id: "",
    row: new Array(SERIES_FIELDS.length).fill(""),
    rowChanged: true,
    rowAt: 0,
    dropped: 0,
    places: new Map(),
    day: emptyDayCache(),
  };
}

/** The events in the columns. `sent` and `series` are the same array: no facts of keys or deployments were added yet. */
export function batchOfColumns(columns: EventColumns): UsageBatch {
  const count = columns.ids.length;
  const series = columns.series.subarray(0, count);
  return {
    ids: columns.ids,
    times: columns.times.subarray(0, count),
    quantities: columns.quantities.subarray(0, count * METERS.length),
    labels: columns.labels,
    sent: series,
    series,
  };
}

/**
 * Adds the event that `record` (a parsed JSON value) holds to the columns, or returns the first problem it has, unknown
 * fields before all others, and adds nothing. A field that is null counts as absent.
 */
export function addEvent(columns: EventColumns, record: unknown, envelope?: Envelope): Problem | undefined {
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    const field = columns.prefix === "" ? "event" : columns.prefix.slice(0, -1);
    return problem("wrong_type", field, { value: shownValue(record), allowed: "an object" });
  }
  const found =
    gather(columns, record as Readonly<Record<string, unknown>>) ??
    readId(columns, envelope) ??
    readTime(columns, envelope) ??
    readUsageType(columns) ??
    readTexts(columns) ??
    readChoices(columns) ??
    readDeployment(columns) ??
    readAnnotations(columns) ??
    readQuantities(columns);
  if (found) return found;
  columns.series[columns.ids.length] = placeOfRow(columns);
  columns.ids.push(columns.id);
  columns.droppedAnnotations += columns.dropped;
  return undefined;
}

/** Takes the record's values out by name, so that it is walked once and every unknown field is seen. */
function gather(columns: EventColumns, record: Readonly<Record<string, unknown>>): Problem | undefined {
  const sent = columns.sent;
  for (let i = 0; i < sent.length; i += 1) sent[i] = undefined;
  for (const name in record) {
    const place = SENT_AT.get(name);
    if (place === undefined) {
      return problem("unknown_field", columns.prefix + shortName(name), { allowed: EVENT_FIELDS });
    }
    const value = record[name];
    if (value !== null) sent[place] = value;
  }
  return undefined;
}

function readId(columns: EventColumns, envelope: Envelope | undefined): Problem | undefined {
  const sent = columns.sent[at.id];
  const id = sent === undefined ? envelope?.id : sent;
  if (isPlainText(id)) {
    columns.id = id;
    return undefined;
  }
  const field = sent === undefined && envelope ? "id" : `${columns.prefix}id`;
  if (id === undefined) return problem("required", field, { mend: "send a text that no other event has" });
  return problem("bad_string", field, { value: shownValue(id), min: 1, max: TEXT_CHARACTERS_MAX });
}

function readTime(columns: EventColumns, envelope: Envelope | undefined): Problem | undefined {
  const sent = columns.sent[at.time];
  const text = sent === undefined ? (envelope?.time ?? undefined) : sent;
  const time = typeof text === "string" ? instantOf(text, columns.day) : undefined;
  if (time !== undefined && time >= EVENT_TIME_MIN && time <= columns.latest) {
    columns.times[columns.ids.length] = time;
    return undefined;
  }
  const field = sent === undefined && text !== undefined ? "time" : `${columns.prefix}time`;
  if (text === undefined) return problem("required", field, { mend: "send one such as 2026-05-28T00:00:00Z" });
  if (time === undefined) return problem("bad_time", field, { value: shownValue(text) });
  return problem("time_out_of_bounds", field, { value: shownValue(text), latest: formatInstant(columns.latest) });
}

function readUsageType(columns: EventColumns): Problem | undefined {
  const sent = columns.sent[at.usageType];
  if (typeof sent === "string" && RULES.has(sent)) return setLabel(columns, FIELD_AT.usageType, sent);
  const field = `${columns.prefix}usageType`;
  if (sent === undefined) return problem("required", field, { mend: `send one of ${USAGE_TYPE_NAMES.join(", ")}` });
  return problem("not_allowed", field, { value: shownValue(sent), allowed: USAGE_TYPE_NAMES });
}

/** Returns undefined, so that a reader can end with it. */
function setLabel(columns: EventColumns, labelAt: number, value: string): undefined {
  if (columns.row[labelAt] === value) return;
  columns.row[labelAt] = value;
  columns.rowChanged = true;
}

function readTexts(columns: EventColumns): Problem | undefined {
  for (const { field, sentAt, labelAt } of TEXTS) {
    const sent = columns.sent[sentAt] ?? "";
    if (sent === columns.row[labelAt]) continue;
    if (sent !== "" && !isPlainText(sent)) {
      return problem("bad_string", columns.prefix + field, {
        value: shownValue(sent),
        min: 0,
        max: TEXT_CHARACTERS_MAX,
      });
    }
    setLabel(columns, labelAt, sent);
  }
  return undefined;
}

/** The service tier, batch, the accelerator type and the reason of an estimate: the labels with few values. */
function readChoices(columns: EventColumns): Problem | undefined {
  const tier = columns.sent[at.serviceTier] ?? "";
  if (tier !== "" && !(SERVICE_TIERS as readonly unknown[]).includes(tier)) {
    return problem("not_allowed", `${columns.prefix}serviceTier`, { value: shownValue(tier), allowed: SERVICE_TIERS });
  }
  setLabel(columns, FIELD_AT.serviceTier, tier === "" ? ruleOfRow(columns).tier : (tier as string));

  const batch = columns.sent[at.batch] ?? false;
  if (typeof batch !== "boolean") {
    return problem("wrong_type", `${columns.prefix}batch`, { value: shownValue(batch), allowed: "true or false" });
  }
  setLabel(columns, FIELD_AT.batch, batch ? "true" : "");

  const accelerator = columns.sent[at.acceleratorType] ?? "";
  if (accelerator !== "" && !(ACCELERATOR_TYPES as readonly unknown[]).includes(accelerator)) {
    const field = `${columns.prefix}acceleratorType`;
    return problem("not_allowed", field, { value: shownValue(accelerator), allowed: ACCELERATOR_TYPES });
  }
  setLabel(columns, FIELD_AT.acceleratorType, accelerator as string);

  const estimated = columns.sent[at.estimated] ?? "";
  if (estimated !== "" && !(ESTIMATE_REASONS as readonly unknown[]).includes(estimated)) {
    const field = `${columns.prefix}estimated`;
    return problem("not_allowed", field, { value: shownValue(estimated), allowed: ESTIMATE_REASONS });
  }
  return setLabel(columns, FIELD_AT.estimated, estimated as string);
}

/** The rule of the usage type that {@link readUsageType} put into the row. */
function ruleOfRow(columns: EventColumns): UsageRule {
  return RULES.get(columns.row[FIELD_AT.usageType])!;
}

/** A deployment is kept by its bare id; its full name must be of the caller's account. */
function readDeployment(columns: EventColumns): Problem | undefined {
  const sent = columns.sent[at.deployment] ?? "";
  if (sent === columns.row[FIELD_AT.deployment]) return undefined;
  const home = `accounts/${columns.account}/deployments/`;
  const bare = typeof sent === "string" && sent.startsWith(home) ? sent.slice(home.length) : sent;
  if (sent === "" || (isPlainText(bare) && !bare.includes("/"))) {
    return setLabel(columns, FIELD_AT.deployment, bare as string);
  }
  const field = `${columns.prefix}deployment`;
  if (typeof bare === "string" && isPlainText(bare)) {
    return problem("not_allowed", field, { value: shownValue(sent), allowed: `a deployment's id and ${home}{id}` });
  }
  return problem("bad_string", field, { value: shownValue(sent), min: 0, max: TEXT_CHARACTERS_MAX });
}

const TAGS = TAG_NAMES.map((name) => ({ name, labelAt: FIELD_AT[name] }));
const TAG_LABEL_AT: ReadonlyMap<string, number> = new Map(TAGS.map(({ name, labelAt }) => [name, labelAt]));

function readAnnotations(columns: EventColumns): Problem | undefined {
  const sent = columns.sent[at.annotations];
  if (sent !== undefined && (typeof sent !== "object" || Array.isArray(sent))) {
    const allowed = 'an object of texts, such as {"team":"search"}';
    return problem("wrong_type", `${columns.prefix}annotations`, { value: shownValue(sent), allowed });
  }
  columns.dropped = 0;
  if (sent && sameTags(columns.row, sent as Readonly<Record<string, unknown>>)) return undefined;
  const { kept, dropped } = sent ? keepGoodAnnotations(sent as Readonly<Record<string, unknown>>) : NO_ANNOTATIONS;
  columns.dropped = dropped;
  for (const { name, labelAt } of TAGS) setLabel(columns, labelAt, kept[name] ?? "");
  return undefined;
}

/** True when the map holds the tags of the row, all of them and nothing else: they were checked when they came there. */
function sameTags(row: readonly string[], map: Readonly<Record<string, unknown>>): boolean {
  let tags = 0;
  for (const { labelAt } of TAGS) if (row[labelAt] !== "") tags += 1;
  for (const name in map) {
    const labelAt = TAG_LABEL_AT.get(name);
    if (labelAt === undefined || map[name] === "" || map[name] !== row[labelAt]) return false;
    tags -= 1;
  }
  return tags === 0;
}

const NO_ANNOTATIONS: ReturnType<typeof keepGoodAnnotations> = { kept: {}, dropped: 0 };

/** Writes all quantities of the row, zeros too: a row that was refused half-way may have left some behind. */
function readQuantities(columns: EventColumns): Problem | undefined {
  const { sent, quantities, prefix } = columns;
  const { metered } = ruleOfRow(columns);
  const first = columns.ids.length * METERS.length;
  for (let i = 0; i < QUANTITIES.length; i += 1) {
    const { field, sentAt, seconds } = QUANTITIES[i]!;
    const value = sent[sentAt];
    const quantity = value === undefined ? 0 : seconds ? msOfSeconds(value) : wholeOf(value);
    if (quantity === undefined) {
      return problem(seconds ? "bad_seconds" : "bad_quantity", prefix + field, { value: shownValue(value) });
    }
    if (quantity !== 0 && !metered[i]) return notMetered(columns, field, value);
    quantities[first + i] = quantity;
  }
  const prompt = quantities[first + PROMPT_AT]!;
  if (quantities[first + CACHED_AT]! <= prompt) return undefined;
  return problem("cached_over_prompt", `${prefix}cachedPromptTokens`, { value: sent[at.cachedPromptTokens], prompt });
}

function notMetered(columns: EventColumns, field: string, value: unknown): Problem {
  const usageType = columns.row[FIELD_AT.usageType] as UsageType;
  const allowed = USAGE_TYPES[usageType].meters.map((meter) => METER_WIRE_FIELD[meter]);
  return problem("quantity_not_metered", columns.prefix + field, { value, usageType, allowed });
}

/** The number of the label set in the row; a new one is kept. */
function placeOfRow(columns: EventColumns): number {
  if (!columns.rowChanged) return columns.rowAt;
  const key = labelsKey(columns.row);
  let place = columns.places.get(key);
  if (place === undefined) {
    place = columns.labels.length;
    columns.places.set(key, place);
    columns.labels.push(columns.row.slice());
  }
  columns.rowAt = place;
  columns.rowChanged = false;
  return place;
}

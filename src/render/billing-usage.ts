/**
 * billingUsage on the wire: JSON exactly as the contract's section 2 says. An answer has thousands of rows:
 * what is of the group or the bucket is encoded once, and the rest is digits.
 */

import { divideHalfEven, NANO_PER_USD, nanosOfAtto } from "../domain/money.ts";
import { formatInZone } from "../domain/time.ts";
import { METERS, type Meter, STREAMS, type Stream } from "../domain/usage.ts";
import { difference, type Whole, wholeOf } from "../domain/whole.ts";
import type { UsageReport } from "../report/billing-usage.ts";
import type { RowGroup, UsageRow } from "../report/usage-rows.ts";
import { JsonBytes } from "./json-bytes.ts";
import { isTime, secondsText, UNPRICED_NAMES } from "./unpriced.ts";

/** Milliseconds as a whole number of seconds, rounded half-even. */
function wholeSeconds(ms: bigint): bigint {
  return ms === 0n ? 0n : divideHalfEven(ms, 1000n);
}

const METER_AT = Object.fromEntries(METERS.map((meter, at) => [meter, at])) as Readonly<Record<Meter, number>>;
/** What a row takes, about: room for all rows is made at once. */
const ROW_BYTES = 640;

/** Writes the fields of a row between its times and its cost. */
type Fields = (row: UsageRow, out: JsonBytes) => void;

/**
 * The report as the JSON of the response. Numbers are exact: they may have more digits than a double holds. It is
 * written into `room` where that is large enough.
 */
export function usageJson({ rows, question, contracted }: UsageReport, room?: Buffer): Buffer {
  const form = { timezone: question.timezone, contracted };
  const all = STREAMS.reduce((sum, stream) => sum + rows[stream].length, 0);
  const out = new JsonBytes((all + 1) * ROW_BYTES, room);
  out.text('{"serverlessCosts":[');
  writeRows(rows.SERVERLESS, "SERVERLESS", form, out);
  out.text('],"dedicatedCosts":[');
  writeRows(rows.DEDICATED_DEPLOYMENT, "DEDICATED_DEPLOYMENT", form, out);
  out.text('],"trainingCosts":[');
  writeRows(rows.TRAINING, "TRAINING", form, out);
  return out.text("]}").end();
}

/** One row as JSON text. */
export function rowJson(row: UsageRow, stream: Stream, form: RowForm): string {
  const out = new JsonBytes();
  writeRows([row], stream, form, out);
  return out.end().toString();
}

interface RowForm {
  readonly timezone: string;
  /** Whether list costs are told too. */
  readonly contracted: boolean;
}

/** What the rows of a group have in common. */
interface GroupForm {
  readonly fields: Fields;
  /** From the end of the cost on, of a row without and with unpriced usage. */
  readonly afterPriced: Buffer;
  readonly afterUnpriced: Buffer;
}

const EMPTY = Buffer.alloc(0);

function writeRows(rows: Iterable<UsageRow>, stream: Stream, form: RowForm, out: JsonBytes): void {
  const writer = new RowWriter(stream, form, out);
  for (const row of rows) writer.write(row);
}

/** Writes rows one after the other; those of a bucket should follow each other. */
class RowWriter {
  readonly #stream: Stream;
  readonly #form: RowForm;
  readonly #out: JsonBytes;
  readonly #groups = new Map<RowGroup, GroupForm>();
  #bucket: UsageRow["bucket"] | undefined;
  #isFirst = true;
  /** From the comma before a row to its fields. */
  #times = EMPTY;
  #end = "";

  constructor(stream: Stream, form: RowForm, out: JsonBytes) {
    this.#stream = stream;
    this.#form = form;
    this.#out = out;
  }

  write(row: UsageRow): void {
    const out = this.#out;
    if (row.bucket !== this.#bucket) this.#begin(row.bucket);
    const group = this.#groups.get(row.group) ?? this.#groupForm(row.group);
    out.bytes(this.#isFirst ? this.#times.subarray(1) : this.#times);
    this.#isFirst = false;
    group.fields(row, out);
    const { atto, listAtto, unpriced } = row.cost();
    const nanos = wholeOf(nanosOfAtto(atto));
    out.integer(nanos).bytes(COST);
    writeMoney(nanos, out);
    if (this.#form.contracted) {
      out.bytes(LIST_COST);
      writeMoney(wholeOf(nanosOfAtto(listAtto)), out);
    }
    if (unpriced.size === 0) out.bytes(group.afterPriced);
    else {
      writeUnpriced(unpriced, out);
      out.bytes(group.afterUnpriced);
    }
  }

  #begin(bucket: UsageRow["bucket"]): void {
    const { timezone } = this.#form;
    // Most often a bucket begins where the one before ends.
    const start = this.#bucket?.end === bucket.start ? this.#end : formatInZone(bucket.start, timezone);
    this.#end = formatInZone(bucket.end, timezone);
    this.#bucket = bucket;
    this.#times = Buffer.from(`,{"startTime":"${start}","endTime":"${this.#end}",`);
  }

  #groupForm(group: RowGroup): GroupForm {
    const words = JSON.stringify(Object.fromEntries(group.values));
    const afterPriced = Buffer.from(`${NOTHING_UNPRICED},"group":${words}}`);
    const form = {
      fields: STREAM_FIELDS[this.#stream](group, `,"usageType":"${group.usageType}","costNanoUsd":`),
      afterPriced,
      afterUnpriced: afterPriced.subarray(NOTHING_UNPRICED.length),
    };
    this.#groups.set(group, form);
    return form;
  }
}

// Each money stays open for what comes after it, so that a row is made of few pieces.
const COST = Buffer.from(',"cost":{"currencyCode":"USD","units":"');
const LIST_COST = Buffer.from('},"listCost":{"currencyCode":"USD","units":"');
const UNPRICED = Buffer.from('},"unpricedQuantities":[');
const NOTHING_UNPRICED = '},"unpricedQuantities":[]';
const NANOS = Buffer.from('","nanos":');
const PLAIN_NANO_PER_USD = Number(NANO_PER_USD);

/** What is written before the amount of each component, with a comma before it, in the order they are told. */
const BEFORE_AMOUNT = UNPRICED_NAMES.map(
  ([component, name]) => [component, Buffer.from(`,{"quantity":"${name}","amount":"`)] as const,
);
const AFTER_AMOUNT = Buffer.from('"}');
const CLOSE = Buffer.from("]");

/** Writes what {@link unpricedQuantities} tells. */
function writeUnpriced(unpriced: UsageRow["unpriced"], out: JsonBytes): void {
  out.bytes(UNPRICED);
  let isFirst = true;
  for (const [component, before] of BEFORE_AMOUNT) {
    const quantity = unpriced.get(component);
    if (quantity === undefined) continue;
    out.bytes(isFirst ? before.subarray(1) : before);
    isFirst = false;
    if (isTime(component)) out.text(secondsText(quantity));
    else out.integer(quantity);
    out.bytes(AFTER_AMOUNT);
  }
  out.bytes(CLOSE);
}

/** Writes nanodollars that were rounded. Both parts are exact in plain numbers too: a remainder is, and so is what is left. */
function writeMoney(nanos: Whole, out: JsonBytes): void {
  if (typeof nanos === "bigint") {
    out
      .integer(nanos / NANO_PER_USD)
      .bytes(NANOS)
      .integer(nanos % NANO_PER_USD);
    return;
  }
  const rest = nanos % PLAIN_NANO_PER_USD;
  out
    .integer((nanos - rest) / PLAIN_NANO_PER_USD)
    .bytes(NANOS)
    .integer(rest);
}

/** The value of a dimension when the group has it, "" otherwise. */
function grouped(group: RowGroup, dimension: string): string {
  return group.values.find(([name]) => name === dimension)?.[1] ?? "";
}

function isGrouped(group: RowGroup, dimension: string): boolean {
  return group.values.some(([name]) => name === dimension);
}

const BEFORE_CACHED = Buffer.from('","cachedPromptTokens":"');
const BEFORE_UNCACHED = Buffer.from('","uncachedPromptTokens":"');
const BEFORE_COMPLETION = Buffer.from('","completionTokens":"');
const BEFORE_AUDIO = Buffer.from('","audioInputSeconds":');
const BEFORE_IMAGES = Buffer.from(',"imageCount":"');
const NO_AUDIO_OR_IMAGES = '","audioInputSeconds":0,"imageCount":"0';

function serverlessFields(group: RowGroup, beforeCost: string): Fields {
  const beforePrompt = Buffer.from(`"modelName":${JSON.stringify(grouped(group, "model_name"))},"promptTokens":"`);
  const apiKeyId = JSON.stringify(grouped(group, "api_key_id"));
  // Most usage is of text alone.
  const textOnly = Buffer.from(`${NO_AUDIO_OR_IMAGES}","apiKeyId":${apiKeyId}${beforeCost}`);
  const afterImages = textOnly.subarray(NO_AUDIO_OR_IMAGES.length);
  return (row, out) => {
    const { cells, first } = row.amounts();
    const prompt = cells[first + METER_AT.promptTokens]!;
    const cached = cells[first + METER_AT.cachedPromptTokens]!;
    out.bytes(beforePrompt).integer(prompt).bytes(BEFORE_CACHED).integer(cached);
    out.bytes(BEFORE_UNCACHED).integer(difference(prompt, cached));
    out.bytes(BEFORE_COMPLETION).integer(cells[first + METER_AT.completionTokens]!);
    const audioMs = cells[first + METER_AT.audioInputMs]!;
    const images = cells[first + METER_AT.imageCount]!;
    if (!audioMs && !images) out.bytes(textOnly);
    else
      out
        .bytes(BEFORE_AUDIO)
        .text(secondsText(BigInt(audioMs)))
        .bytes(BEFORE_IMAGES)
        .integer(images)
        .bytes(afterImages);
  };
}

function dedicatedFields(group: RowGroup, beforeCost: string): Fields {
  const deploymentId = JSON.stringify(grouped(group, "deployment_name").split("/").at(-1));
  const acceleratorType = JSON.stringify(grouped(group, "accelerator_type"));
  // What is true of a deployment is told only where the grouping fixes the deployment.
  const fixed = isGrouped(group, "deployment_name");
  return (row, out) =>
    out.text(
      `"deploymentId":${deploymentId},"acceleratorType":${acceleratorType},` +
        `"acceleratorSeconds":"${wholeSeconds(row.quantities[METER_AT.acceleratorMs]!)}",` +
        `"baseModel":${JSON.stringify(fixed ? row.shared("baseModel") : "")},` +
        `"placement":${JSON.stringify(fixed ? row.shared("placement") : "")}${beforeCost}`,
    );
}

function trainingFields(group: RowGroup, beforeCost: string): Fields {
  const [jobId, jobType, acceleratorType, baseModel] = ["job_id", "job_type", "accelerator_type", "base_model"].map(
    (dimension) => JSON.stringify(grouped(group, dimension)),
  );
  const fixed = isGrouped(group, "job_id");
  return (row, out) => {
    const tags = (["team", "project", "environment"] as const).map(
      (tag) => [tag, fixed ? row.shared(tag) : grouped(group, `annotations.${tag}`)] as const,
    );
    const annotations = Object.fromEntries(tags.filter(([, value]) => value !== ""));
    out.text(
      `"jobId":${jobId},"jobType":${jobType},"tokens":"${row.quantities[METER_AT.tokens]}",` +
        `"acceleratorType":${acceleratorType},` +
        `"acceleratorSeconds":"${wholeSeconds(row.quantities[METER_AT.acceleratorMs]!)}","baseModel":${baseModel},` +
        `"trainingSessionId":${JSON.stringify(fixed ? row.shared("trainingSessionId") : "")},` +
        `"annotations":${JSON.stringify(annotations)}${beforeCost}`,
    );
  };
}

const STREAM_FIELDS: Readonly<Record<Stream, (group: RowGroup, beforeCost: string) => Fields>> = {
  SERVERLESS: serverlessFields,
  DEDICATED_DEPLOYMENT: dedicatedFields,
  TRAINING: trainingFields,
};

/**
 * billingUsage on the wire: JSON exactly as the contract's section 2 says. An answer has thousands of rows:
 * what is of the group or the bucket is encoded once, and the rest is digits.
 */

import { divideHalfEven, NANO_PER_USD, nanosOfAtto } from "../domain/money.ts";
import { formatInZone } from "../domain/time.ts";
import { METERS, type Meter, STREAMS, type Stream } from "../domain/usage.ts";
import { difference } from "../domain/whole.ts";
import type { RowGroup, UsageReport, UsageRow } from "../report/billing-usage.ts";
import { JsonBytes } from "./json-bytes.ts";
import { secondsText, unpricedQuantities } from "./unpriced.ts";

/** Milliseconds as a whole number of seconds, rounded half-even. */
function wholeSeconds(ms: bigint): bigint {
  return ms === 0n ? 0n : divideHalfEven(ms, 1000n);
}

const METER_AT = Object.fromEntries(METERS.map((meter, at) => [meter, at])) as Readonly<Record<Meter, number>>;
/** What a row takes, about: room for all rows is made at once. */
const ROW_BYTES = 640;

/** Writes the fields of a row between its times and its usage type. */
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
  readonly beforeCost: Buffer;
  /** From the end of the cost on, of a row without and with unpriced usage. */
  readonly afterPriced: Buffer;
  readonly afterUnpriced: Buffer;
}

const COMMA = Buffer.from(",");

function writeRows(rows: readonly UsageRow[], stream: Stream, { timezone, contracted }: RowForm, out: JsonBytes): void {
  const groups = new Map<RowGroup, GroupForm>();
  let bucket: UsageRow["bucket"] | undefined;
  let times = COMMA;
  for (const [at, row] of rows.entries()) {
    if (row.bucket !== bucket) {
      bucket = row.bucket;
      const [start, end] = [formatInZone(bucket.start, timezone), formatInZone(bucket.end, timezone)];
      times = Buffer.from(`{"startTime":"${start}","endTime":"${end}",`);
    }
    let group = groups.get(row.group);
    if (!group) {
      group = groupForm(row.group, stream);
      groups.set(row.group, group);
    }
    if (at > 0) out.bytes(COMMA);
    out.bytes(times);
    group.fields(row, out);
    const nanos = nanosOfAtto(row.atto);
    out.bytes(group.beforeCost).integer(nanos).bytes(COST);
    writeMoney(nanos, out);
    if (contracted) {
      out.bytes(LIST_COST);
      writeMoney(nanosOfAtto(row.listAtto), out);
    }
    if (row.unpriced.size === 0) out.bytes(group.afterPriced);
    else
      out
        .bytes(UNPRICED)
        .text(JSON.stringify(unpricedQuantities(row.unpriced)).slice(1))
        .bytes(group.afterUnpriced);
  }
}

function groupForm(group: RowGroup, stream: Stream): GroupForm {
  const afterUnpriced = `,"group":${JSON.stringify(Object.fromEntries(group.values))}}`;
  return {
    fields: STREAM_FIELDS[stream](group),
    beforeCost: Buffer.from(`,"usageType":"${group.usageType}","costNanoUsd":`),
    afterPriced: Buffer.from(`},"unpricedQuantities":[]${afterUnpriced}`),
    afterUnpriced: Buffer.from(afterUnpriced),
  };
}

// Each money stays open for what comes after it, so that a row is made of few pieces.
const COST = Buffer.from(',"cost":{"currencyCode":"USD","units":"');
const LIST_COST = Buffer.from('},"listCost":{"currencyCode":"USD","units":"');
const UNPRICED = Buffer.from('},"unpricedQuantities":[');
const NANOS = Buffer.from('","nanos":');

function writeMoney(nanos: bigint, out: JsonBytes): void {
  out
    .integer(nanos / NANO_PER_USD)
    .bytes(NANOS)
    .integer(nanos % NANO_PER_USD);
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
const ZERO = Buffer.from("0");

function serverlessFields(group: RowGroup): Fields {
  const beforePrompt = Buffer.from(`"modelName":${JSON.stringify(grouped(group, "model_name"))},"promptTokens":"`);
  const afterImages = Buffer.from(`","apiKeyId":${JSON.stringify(grouped(group, "api_key_id"))}`);
  // Most usage is of text alone.
  const textOnly = Buffer.concat([BEFORE_AUDIO, ZERO, BEFORE_IMAGES, ZERO, afterImages]);
  return (row, out) => {
    const prompt = row.quantity(METER_AT.promptTokens);
    const cached = row.quantity(METER_AT.cachedPromptTokens);
    out.bytes(beforePrompt).integer(prompt).bytes(BEFORE_CACHED).integer(cached);
    out.bytes(BEFORE_UNCACHED).integer(difference(prompt, cached));
    out.bytes(BEFORE_COMPLETION).integer(row.quantity(METER_AT.completionTokens));
    const [audioMs, images] = [row.quantity(METER_AT.audioInputMs), row.quantity(METER_AT.imageCount)];
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

function dedicatedFields(group: RowGroup): Fields {
  const deploymentId = JSON.stringify(grouped(group, "deployment_name").split("/").at(-1));
  const acceleratorType = JSON.stringify(grouped(group, "accelerator_type"));
  // What is true of a deployment is told only where the grouping fixes the deployment.
  const fixed = isGrouped(group, "deployment_name");
  return (row, out) =>
    out.text(
      `"deploymentId":${deploymentId},"acceleratorType":${acceleratorType},` +
        `"acceleratorSeconds":"${wholeSeconds(BigInt(row.quantity(METER_AT.acceleratorMs)))}",` +
        `"baseModel":${JSON.stringify(fixed ? row.shared("baseModel") : "")},` +
        `"placement":${JSON.stringify(fixed ? row.shared("placement") : "")}`,
    );
}

function trainingFields(group: RowGroup): Fields {
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
      `"jobId":${jobId},"jobType":${jobType},"tokens":"${row.quantity(METER_AT.tokens)}",` +
        `"acceleratorType":${acceleratorType},` +
        `"acceleratorSeconds":"${wholeSeconds(BigInt(row.quantity(METER_AT.acceleratorMs)))}","baseModel":${baseModel},` +
        `"trainingSessionId":${JSON.stringify(fixed ? row.shared("trainingSessionId") : "")},` +
        `"annotations":${JSON.stringify(annotations)}`,
    );
  };
}

const STREAM_FIELDS: Readonly<Record<Stream, (group: RowGroup) => Fields>> = {
  SERVERLESS: serverlessFields,
  DEDICATED_DEPLOYMENT: dedicatedFields,
  TRAINING: trainingFields,
};

/**
 * billingUsage on the wire: JSON exactly as the contract's section 2 says. Rows are written as text, since an answer has
 * thousands of them: what is of the group or the bucket is quoted once, and the rest is digits.
 */

import { divideHalfEven, moneyOfAtto, nanosOfAtto } from "../domain/money.ts";
import { formatInZone } from "../domain/time.ts";
import { METERS, type Meter, type Stream } from "../domain/usage.ts";
import type { RowGroup, UsageReport, UsageRow } from "../report/billing-usage.ts";
import { secondsText, unpricedQuantities } from "./unpriced.ts";

/** Milliseconds as a whole number of seconds, rounded half-even. */
function wholeSeconds(ms: bigint): bigint {
  return ms === 0n ? 0n : divideHalfEven(ms, 1000n);
}

const METER_AT = Object.fromEntries(METERS.map((meter, at) => [meter, at])) as Readonly<Record<Meter, number>>;

/** Fields of a row between its times and its money, as JSON text. */
type Fields = (row: UsageRow) => string;

/** The report as the JSON text of the response. Numbers are exact: they may have more digits than a double holds. */
export function usageJson({ rows, question, contracted }: UsageReport): string {
  const { timezone } = question;
  const listOf = (stream: Stream): string => `[${rowTexts(rows[stream], stream, { timezone, contracted }).join(",")}]`;
  return (
    `{"serverlessCosts":${listOf("SERVERLESS")},"dedicatedCosts":${listOf("DEDICATED_DEPLOYMENT")},` +
    `"trainingCosts":${listOf("TRAINING")}}`
  );
}

interface RowForm {
  readonly timezone: string;
  /** Whether list costs are told too. */
  readonly contracted: boolean;
}

/** The JSON text of each row. */
export function rowTexts(rows: readonly UsageRow[], stream: Stream, { timezone, contracted }: RowForm): string[] {
  const fieldsOf = STREAM_FIELDS[stream];
  const groups = new Map<RowGroup, { readonly fields: Fields; readonly json: string }>();
  const texts: string[] = [];
  let bucket: UsageRow["bucket"] | undefined;
  let times = "";
  for (const row of rows) {
    if (row.bucket !== bucket) {
      bucket = row.bucket;
      const [start, end] = [formatInZone(bucket.start, timezone), formatInZone(bucket.end, timezone)];
      times = `"startTime":"${start}","endTime":"${end}"`;
    }
    let group = groups.get(row.group);
    if (!group) {
      group = { fields: fieldsOf(row.group), json: JSON.stringify(Object.fromEntries(row.group.values)) };
      groups.set(row.group, group);
    }
    const listed = contracted ? `"listCost":${moneyText(row.listAtto)},` : "";
    texts.push(
      `{${times},${group.fields(row)},"usageType":"${row.group.usageType}","costNanoUsd":${nanosOfAtto(row.atto)},` +
        `"cost":${moneyText(row.atto)},${listed}` +
        `"unpricedQuantities":${unpricedJson(row)},"group":${group.json}}`,
    );
  }
  return texts;
}

function moneyText(atto: bigint): string {
  const { units, nanos } = moneyOfAtto(atto);
  return `{"currencyCode":"USD","units":"${units}","nanos":${nanos}}`;
}

function unpricedJson(row: UsageRow): string {
  return row.unpriced.size === 0 ? "[]" : JSON.stringify(unpricedQuantities(row.unpriced));
}

/** The value of a dimension when the group has it, "" otherwise. */
function grouped(group: RowGroup, dimension: string): string {
  return group.values.find(([name]) => name === dimension)?.[1] ?? "";
}

function isGrouped(group: RowGroup, dimension: string): boolean {
  return group.values.some(([name]) => name === dimension);
}

function serverlessFields(group: RowGroup): Fields {
  const modelName = JSON.stringify(grouped(group, "model_name"));
  const apiKeyId = JSON.stringify(grouped(group, "api_key_id"));
  return ({ quantities }) => {
    const prompt = quantities[METER_AT.promptTokens]!;
    const cached = quantities[METER_AT.cachedPromptTokens]!;
    return (
      `"modelName":${modelName},"promptTokens":"${prompt}","cachedPromptTokens":"${cached}",` +
      `"uncachedPromptTokens":"${prompt - cached}","completionTokens":"${quantities[METER_AT.completionTokens]}",` +
      `"audioInputSeconds":${secondsText(quantities[METER_AT.audioInputMs]!)},` +
      `"imageCount":"${quantities[METER_AT.imageCount]}","apiKeyId":${apiKeyId}`
    );
  };
}

function dedicatedFields(group: RowGroup): Fields {
  const deploymentId = JSON.stringify(grouped(group, "deployment_name").split("/").at(-1));
  const acceleratorType = JSON.stringify(grouped(group, "accelerator_type"));
  // What is true of a deployment is told only where the grouping fixes the deployment.
  const fixed = isGrouped(group, "deployment_name");
  return (row) =>
    `"deploymentId":${deploymentId},"acceleratorType":${acceleratorType},` +
    `"acceleratorSeconds":"${wholeSeconds(row.quantities[METER_AT.acceleratorMs]!)}",` +
    `"baseModel":${JSON.stringify(fixed ? row.shared("baseModel") : "")},` +
    `"placement":${JSON.stringify(fixed ? row.shared("placement") : "")}`;
}

function trainingFields(group: RowGroup): Fields {
  const [jobId, jobType, acceleratorType, baseModel] = ["job_id", "job_type", "accelerator_type", "base_model"].map(
    (dimension) => JSON.stringify(grouped(group, dimension)),
  );
  const fixed = isGrouped(group, "job_id");
  return (row) => {
    const tags = (["team", "project", "environment"] as const).map(
      (tag) => [tag, fixed ? row.shared(tag) : grouped(group, `annotations.${tag}`)] as const,
    );
    const annotations = Object.fromEntries(tags.filter(([, value]) => value !== ""));
    return (
      `"jobId":${jobId},"jobType":${jobType},"tokens":"${row.quantities[METER_AT.tokens]}",` +
      `"acceleratorType":${acceleratorType},` +
      `"acceleratorSeconds":"${wholeSeconds(row.quantities[METER_AT.acceleratorMs]!)}","baseModel":${baseModel},` +
      `"trainingSessionId":${JSON.stringify(fixed ? row.shared("trainingSessionId") : "")},` +
      `"annotations":${JSON.stringify(annotations)}`
    );
  };
}

const STREAM_FIELDS: Readonly<Record<Stream, (group: RowGroup) => Fields>> = {
  SERVERLESS: serverlessFields,
  DEDICATED_DEPLOYMENT: dedicatedFields,
  TRAINING: trainingFields,
};

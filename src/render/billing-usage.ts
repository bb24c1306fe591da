/** billingUsage on the wire: JSON exactly as the contract's section 2 says. */

import { divideHalfEven, type Money, moneyOfAtto, nanosOfAtto } from "../domain/money.ts";
import { formatInZone } from "../domain/time.ts";
import type { UsageReport, UsageRow } from "../report/billing-usage.ts";

/** A number of the wire that may be larger or finer than a double: its digits, exactly. */
export type ExactNumber = ReturnType<typeof JSON.rawJSON>;

declare global {
  interface JSON {
    rawJSON(text: string): { readonly rawJSON: string };
  }
}

/** Milliseconds as seconds, in a number with up to three decimals. */
export function secondsNumber(ms: bigint): ExactNumber {
  return JSON.rawJSON(secondsText(ms));
}

/** Milliseconds as seconds, exactly, without needless zeros: 1500n is "1.5". */
export function secondsText(ms: bigint): string {
  const fraction = (ms % 1000n).toString().padStart(3, "0").replace(/0+$/, "");
  return fraction === "" ? `${ms / 1000n}` : `${ms / 1000n}.${fraction}`;
}

/** Milliseconds as a whole number of seconds, rounded half-even. */
function wholeSeconds(ms: bigint): string {
  return divideHalfEven(ms, 1000n).toString();
}

interface UnpricedQuantity {
  readonly quantity: string;
  readonly amount: string;
}

/** What every row begins and ends with. */
interface CommonRow {
  readonly startTime: string;
  readonly endTime: string;
  readonly usageType: string;
  readonly costNanoUsd: ExactNumber;
  readonly cost: Money;
  readonly unpricedQuantities: readonly UnpricedQuantity[];
  readonly group: Readonly<Record<string, string>>;
}

/** The report as the JSON text of the response. */
export function usageJson(report: UsageReport): string {
  const edges = new Map<number, string>();
  const time = (instant: number): string => {
    const known = edges.get(instant);
    if (known) return known;
    const text = formatInZone(instant, report.question.timezone);
    edges.set(instant, text);
    return text;
  };
  return JSON.stringify({
    serverlessCosts: report.rows.SERVERLESS.map((row) => serverlessRow(row, commonRow(row, time))),
    dedicatedCosts: report.rows.DEDICATED_DEPLOYMENT.map((row) => dedicatedRow(row, commonRow(row, time))),
    trainingCosts: report.rows.TRAINING.map((row) => trainingRow(row, commonRow(row, time))),
  });
}

function commonRow(row: UsageRow, time: (instant: number) => string): CommonRow {
  return {
    startTime: time(row.bucket.start),
    endTime: time(row.bucket.end),
    usageType: row.usageType,
    costNanoUsd: JSON.rawJSON(nanosOfAtto(row.atto).toString()),
    cost: moneyOfAtto(row.atto),
    unpricedQuantities: unpricedQuantities(row),
    group: Object.fromEntries(row.group),
  };
}

/** Each component that no price covers: tokens and images as whole numbers, time in seconds. */
function unpricedQuantities(row: UsageRow): UnpricedQuantity[] {
  return [...row.unpriced].map(([component, quantity]) => {
    if (component === "audioInputMs") return { quantity: "audioInputSeconds", amount: secondsText(quantity) };
    if (component === "acceleratorMs") return { quantity: "acceleratorSeconds", amount: secondsText(quantity) };
    return { quantity: component, amount: quantity.toString() };
  });
}

/** The value of a dimension when the row is grouped by it, "" otherwise. */
function grouped(row: UsageRow, dimension: string): string {
  return row.group.find(([name]) => name === dimension)?.[1] ?? "";
}

function isGrouped(row: UsageRow, dimension: string): boolean {
  return row.group.some(([name]) => name === dimension);
}

function serverlessRow(row: UsageRow, common: CommonRow) {
  const { promptTokens, cachedPromptTokens, completionTokens, audioInputMs, imageCount } = row.quantities;
  const { startTime, endTime, usageType, ...rest } = common;
  return {
    startTime,
    endTime,
    modelName: grouped(row, "model_name"),
    promptTokens: promptTokens.toString(),
    cachedPromptTokens: cachedPromptTokens.toString(),
    uncachedPromptTokens: (promptTokens - cachedPromptTokens).toString(),
    completionTokens: completionTokens.toString(),
    audioInputSeconds: secondsNumber(audioInputMs),
    imageCount: imageCount.toString(),
    usageType,
    apiKeyId: grouped(row, "api_key_id"),
    ...rest,
  };
}

function dedicatedRow(row: UsageRow, common: CommonRow) {
  const { startTime, endTime, usageType, ...rest } = common;
  const byDeployment = isGrouped(row, "deployment_name");
  return {
    startTime,
    endTime,
    deploymentId: grouped(row, "deployment_name").split("/").at(-1)!,
    acceleratorType: grouped(row, "accelerator_type"),
    acceleratorSeconds: wholeSeconds(row.quantities.acceleratorMs),
    baseModel: byDeployment ? row.shared("baseModel") : "",
    usageType,
    placement: byDeployment ? row.shared("placement") : "",
    ...rest,
  };
}

function trainingRow(row: UsageRow, common: CommonRow) {
  const { startTime, endTime, usageType, ...rest } = common;
  const byJob = isGrouped(row, "job_id");
  const annotations: Record<string, string> = {};
  for (const tag of ["team", "project", "environment"] as const) {
    const value = byJob ? row.shared(tag) : grouped(row, `annotations.${tag}`);
    if (value !== "") annotations[tag] = value;
  }
  return {
    startTime,
    endTime,
    jobId: grouped(row, "job_id"),
    jobType: grouped(row, "job_type"),
    usageType,
    tokens: row.quantities.tokens.toString(),
    acceleratorType: grouped(row, "accelerator_type"),
    acceleratorSeconds: wholeSeconds(row.quantities.acceleratorMs),
    baseModel: grouped(row, "base_model"),
    trainingSessionId: byJob ? row.shared("trainingSessionId") : "",
    annotations,
    ...rest,
  };
}

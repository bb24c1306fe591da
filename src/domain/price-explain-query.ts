/** The question why a unit of usage costs what it costs: from untrusted words to a checked {@link PriceExplainQuery}. */

import { QueryChecker, type RawQuery } from "./query-checker.ts";
import { isPlainText, TEXT_CHARACTERS_MAX } from "./text.ts";
import type { Instant } from "./time.ts";
import { ACCELERATOR_TYPES, SERVICE_TIERS, USAGE_TYPE_NAMES, type UsageType } from "./usage.ts";

export interface PriceExplainQuery {
  /** Undefined for now. */
  readonly at: Instant | undefined;
  /** Undefined for the first usage type that has a price. */
  readonly usageType: UsageType | undefined;
  /** The model that is called, or trained or deployed where no baseModel is named. "" for none, here and below. */
  readonly model: string;
  readonly serviceTier: string;
  readonly batch: boolean;
  readonly acceleratorType: string;
  readonly placement: string;
  readonly jobType: string;
  readonly baseModel: string;
  /** The length of the prompt, in tokens. */
  readonly promptTokens: number;
  /** By the prices that were known then; the newest when undefined. */
  readonly asOf: Instant | undefined;
}

const TEXTS = ["model", "placement", "jobType", "baseModel"] as const;
const EXPLAIN_PARAMETERS = [
  ...TEXTS,
  "at",
  "usageType",
  "serviceTier",
  "batch",
  "acceleratorType",
  "promptTokens",
  "asOf",
] as const;

/**
 * Checks a question. All that is wrong is reported at once.
 * @throws Fault with a problem for each mistake.
 */
export function parsePriceExplainQuery(raw: RawQuery): PriceExplainQuery {
  const check = new QueryChecker("query");
  check.names(raw, EXPLAIN_PARAMETERS);
  const [model, placement, jobType, baseModel] = TEXTS.map((name) => checkText(check, raw, name));
  const acceleratorType = check.oneOf(raw, "acceleratorType", ACCELERATOR_TYPES);
  if (check.problems.length === 0 && !model && !baseModel && !acceleratorType) {
    check.add("required", "model", { mend: "send model, baseModel or acceleratorType" });
  }
  const query = {
    at: check.optionalTime(raw, "at"),
    usageType: check.oneOf(raw, "usageType", USAGE_TYPE_NAMES),
    model: model!,
    serviceTier: check.oneOf(raw, "serviceTier", SERVICE_TIERS) ?? "",
    batch: check.flag(raw, "batch"),
    acceleratorType: acceleratorType ?? "",
    placement: placement!,
    jobType: jobType!,
    baseModel: baseModel!,
    promptTokens: checkCount(check, raw, "promptTokens"),
    asOf: check.optionalTime(raw, "asOf"),
  };
  check.finish();
  return query;
}

function checkText(check: QueryChecker, raw: RawQuery, name: string): string {
  const text = check.text(raw, name) ?? "";
  if (text !== "" && !isPlainText(text)) {
    check.add("bad_string", name, { value: text, min: 0, max: TEXT_CHARACTERS_MAX });
  }
  return text;
}

function checkCount(check: QueryChecker, raw: RawQuery, name: string): number {
  const text = check.text(raw, name) ?? "0";
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  check.add("bad_quantity", name, { value: text });
  return 0;
}

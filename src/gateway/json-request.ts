/** What a JSON request asks for, and the few bytes of it that are changed on the way. */

import { Fault, problem } from "../domain/fault.ts";
import { isPlainText } from "../domain/text.ts";
import { type FoundValue, JsonScan } from "./json-scan.ts";
import type { RequestSize } from "./worst-case.ts";

/** What of a request the gateway looks at. */
interface Asked {
  readonly model: string;
  readonly isStream: boolean;
  readonly serviceTier: string | undefined;
  /** The client itself asked for the usage of its stream. */
  readonly wantsUsage: boolean;
  readonly size: RequestSize;
}

export interface JsonRequest {
  readonly asked: Asked;
  /** The body with another model name, and with the usage of its stream asked for, where that is wished. */
  edited(changes: { readonly model: string; readonly asksForUsage: boolean }): Buffer;
}

/** The names under which clients bound an answer. */
const OUTPUT_LIMITS = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
const ANSWER_COUNTS = ["n", "best_of"];
const LOOKED_AT = ["model", "stream", "stream_options", "service_tier", ...OUTPUT_LIMITS, ...ANSWER_COUNTS];
/** Names of what a request points to instead of holding it. */
const ELSEWHERE = ["image_url", "file_id", "file_url", "previous_response_id", "conversation"].map(
  (name) => `"${name}"`,
);
const TEXT_BYTES_MAX = 4 * 1024;

/**
 * Looks through a request's JSON.
 * @throws Fault `bad_json`, `required`, `repeated_field` (two values of one name are read differently by different
 * upstreams) or `bad_string`.
 */
export function readJsonRequest(bytes: Buffer): JsonRequest {
  const scan = new JsonScan(LOOKED_AT, TEXT_BYTES_MAX);
  scan.feed(bytes);
  if (!scan.isWhole) throw new Fault(problem("bad_json", "body", { reason: "it is not one JSON object" }));
  const [twice] = scan.repeated;
  if (twice !== undefined) throw new Fault(problem("repeated_field", twice));
  const options = scan.value("stream_options");
  const tier = scan.value("service_tier");
  const asked = {
    model: checkedModel(scan.found.has("model") ? (scan.value("model") ?? null) : undefined),
    isStream: scan.value("stream") === true,
    serviceTier: typeof tier === "string" ? tier : undefined,
    wantsUsage: isRecord(options) && options.include_usage === true,
    size: {
      bytes: bytes.length,
      outputTokensMax: largest(OUTPUT_LIMITS.map((name) => scan.value(name))),
      answers: largest(ANSWER_COUNTS.map((name) => scan.value(name))) ?? 1,
      get refersElsewhere() {
        return ELSEWHERE.some((name) => bytes.includes(name));
      },
    },
  };
  return {
    asked,
    edited({ model, asksForUsage }) {
      const edits: Edit[] = [];
      if (model !== asked.model) edits.push({ ...placeOf(scan.found.get("model")!), text: JSON.stringify(model) });
      if (asksForUsage && !asked.wantsUsage) edits.push(...usageEdit(scan, options));
      return withEdits(bytes, edits);
    },
  };
}

/** The largest of the counts among some values; the upstream may go by any. */
function largest(values: readonly unknown[]): number | undefined {
  const counts = values.filter((value): value is number => Number.isSafeInteger(value) && (value as number) >= 0);
  return counts.length === 0 ? undefined : Math.max(...counts);
}

/** @param value undefined when none was sent. @throws Fault */
export function checkedModel(value: unknown): string {
  if (value === undefined) throw new Fault(problem("required", "model", { mend: "name a model" }));
  if (isPlainText(value)) return value;
  throw new Fault(problem("bad_string", "model", { value, min: 1, max: 256 }));
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function placeOf({ start, end }: FoundValue): { start: number; end: number } {
  return { start, end };
}

/** Adds `include_usage`; options that are no object are left for the upstream to refuse. */
function usageEdit(scan: JsonScan, options: unknown): Edit[] {
  const found = scan.found.get("stream_options");
  const wish = { include_usage: true };
  // A request has a model, so a comma fits before one more member.
  if (!found) return [{ start: scan.closedAt, end: scan.closedAt, text: `,"stream_options":${JSON.stringify(wish)}` }];
  if (options !== null && !isRecord(options)) return [];
  return [{ ...placeOf(found), text: JSON.stringify({ ...options, ...wish }) }];
}

function withEdits(bytes: Buffer, edits: readonly Edit[]): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const { start, end, text } of [...edits].sort((a, b) => a.start - b.start)) {
    parts.push(bytes.subarray(at, start), Buffer.from(text));
    at = end;
  }
  return at === 0 ? bytes : Buffer.concat([...parts, bytes.subarray(at)]);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

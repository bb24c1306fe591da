/** What a JSON request asks for, and the few bytes of it that are changed on the way. */

import { Fault, problem } from "../domain/fault.ts";
import { isPlainText } from "../domain/text.ts";
import type { FoundValue } from "./found-value.ts";
import { JsonScan } from "./json-scan.ts";
import type { RequestSize } from "./worst-case.ts";

/** What of a request the gateway looks at. */
interface Asked {
  readonly model: string;
  readonly isStream: boolean;
  readonly serviceTier: string | undefined;
  /** The client itself asked for the usage of its stream. */
  readonly wantsUsage: boolean;
  readonly size: RequestSize;
  /** Names that the client gives the call. */
  readonly requestIds: readonly string[];
}

export interface JsonRequest {
  readonly asked: Asked;
  /** The body with another model name, and with the usage of its stream asked for, where that is wished. */
  edited(changes: { readonly model: string; readonly asksForUsage: boolean }): Buffer;
}

/** The names under which clients bound an answer. */
const OUTPUT_LIMITS = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
const ANSWER_COUNTS = ["n", "best_of"];
/** vLLM's and SGLang's: the id of the answer is made of it. */
const REQUEST_IDS = ["request_id", "rid"];
const LOOKED_AT = [
  ...["model", "stream", "stream_options", "service_tier", "prompt"],
  ...OUTPUT_LIMITS,
  ...ANSWER_COUNTS,
  ...REQUEST_IDS,
];
/** Names of what a request points to instead of holding it. */
const ELSEWHERE = ["image_url", "file_id", "file_url", "previous_response_id", "conversation"].map(
  (name) => `"${name}"`,
);
const TEXT_BYTES_MAX = 4 * 1024;

/**
 * Looks through a request's JSON.
 * @throws Fault `bad_json`, `required`, `repeated_field` (two values of one name are read differently by different
 * upstreams), `bad_string` or `wrong_type`.
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
    isStream: checkedStream(scan),
    serviceTier: typeof tier === "string" ? tier : undefined,
    wantsUsage: isRecord(options) && options.include_usage === true,
    size: {
      bytes: bytes.length,
      outputTokensMax: largest(OUTPUT_LIMITS.map((name) => scan.value(name))),
      answers:
        (largest(ANSWER_COUNTS.map((name) => scan.value(name))) ?? 1) * promptsOf(bytes, scan.found.get("prompt")),
      get refersElsewhere() {
        return ELSEWHERE.some((name) => bytes.includes(name));
      },
    },
    requestIds: REQUEST_IDS.map((name) => scan.value(name)).filter((id) => typeof id === "string"),
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

/** Some upstreams take 1 or "true" for true, and would stream without the usage that nobody asked for. */
function checkedStream(scan: JsonScan): boolean {
  const stream = scan.found.has("stream") ? (scan.value("stream") ?? null) : null;
  if (stream === null || typeof stream === "boolean") return stream === true;
  throw new Fault(problem("wrong_type", "stream", { value: stream, allowed: "true or false" }));
}

const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;

/** A list of prompts gets as many answers; a list of numbers is one prompt in tokens. */
function promptsOf(bytes: Buffer, prompt: FoundValue | undefined): number {
  if (!prompt || prompt.items === 0) return 1;
  let at = prompt.start + 1;
  while (bytes[at]! <= SPACE) at += 1;
  return bytes[at] === QUOTE || bytes[at] === OPEN_ARRAY ? prompt.items : 1;
}

/** The largest of the counts among some values; the upstream may go by any, and some read a text as a number. */
function largest(values: readonly unknown[]): number | undefined {
  const counts = values
    .map((value) => (typeof value === "string" ? Number(value) : value))
    .filter((value): value is number => Number.isSafeInteger(value) && (value as number) >= 0);
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

/**
 * Adds `include_usage`; options that are no object are left for the upstream to refuse. vLLM tells usage all along when
 * both are asked for, so what a client asked for alone, in vain, is taken out.
 */
function usageEdit(scan: JsonScan, options: unknown): Edit[] {
  const found = scan.found.get("stream_options");
  const wish = { include_usage: true };
  // A request has a model, so a comma fits before one more member.
  if (!found) return [{ start: scan.closedAt, end: scan.closedAt, text: `,"stream_options":${JSON.stringify(wish)}` }];
  if (options !== null && !isRecord(options)) return [];
  const { continuous_usage_stats: _, ...others } = options ?? {};
  return [{ ...placeOf(found), text: JSON.stringify({ ...others, ...wish }) }];
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

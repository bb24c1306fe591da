/** Matches and sizes in words. Pure. */

import { CONTEXT_CLASS_EDGES } from "../domain/usage.ts";
import { MATCH_ORDER } from "./match.ts";
import type { Match, MatchField, SizeRange } from "./price.ts";

/** Names listed whole; of a longer list the rest is counted. */
const NAMES_MAX = 3;

/** What a book calls a field of a match. */
export function bookField(field: MatchField): string {
  if (field === "parameters") return "parametersBillions";
  return field === "contextClass" ? "contextTokens" : field;
}

/** What a line is for, such as `model kimi-k3; serviceTier FAST`; `any usage` where it asks for nothing. */
export function describeMatch(match: Match): string {
  const parts = MATCH_ORDER.flatMap((field) => (match[field] === undefined ? [] : [describeField(field, match)]));
  return parts.length === 0 ? "any usage" : parts.join("; ");
}

function describeField(field: MatchField, match: Match): string {
  switch (field) {
    case "parameters":
      return rangeText(match.parameters!);
    case "contextClass":
      return `prompt ${lengthText(match.contextClass!)} tokens`;
    case "batch":
      return match.batch!.includes("true") ? "batch" : "not batch";
    case "architecture":
      return match.architecture!.join(" or ");
    default:
      return `${field} ${namesText(match[field]!)}`;
  }
}

function namesText(names: readonly string[]): string {
  if (names.length > NAMES_MAX) return `${names.slice(0, NAMES_MAX).join(", ")} and ${names.length - NAMES_MAX} more`;
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** Classes lie side by side: each begins above its own edge and ends at the next. */
function lengthText(classes: readonly string[]): string {
  const last = Number(classes.at(-1));
  const end = CONTEXT_CLASS_EDGES.find((edge) => edge > last);
  const limits = [...(classes[0] ? [`above ${classes[0]}`] : []), ...(end ? [`of at most ${end}`] : [])];
  return limits.length === 0 ? "of any number of" : limits.join(" and ");
}

/** Such as `4B - 16B` or `above 16B`. */
export function rangeText({ start, end }: SizeRange): string {
  if (end === undefined) return `above ${billions(start)}`;
  return start === 0n ? `up to ${billions(end)}` : `${billions(start)} - ${billions(end)}`;
}

/** To the million, so that a limit of "above 16" reads as 16 and not as one parameter more. */
function billions(parameters: bigint): string {
  return `${Number(parameters / 1_000_000n) / 1_000}B`;
}

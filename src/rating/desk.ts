/** A book made ready for questions: its lines filed by what they name, and the one that wins. Pure. */

import type { Instant } from "../domain/time.ts";
import { ANY, PATTERNED, prefixOf, specificity } from "./match.ts";
import type { BookLine, RateAttributes } from "./price.ts";

/** The fields that lines are looked up by; a line is filed under the first that it states and takes not just any of. */
const FILED_BY = ["model", "acceleratorType", "baseModel", "jobType"] as const;
type FiledBy = (typeof FILED_BY)[number];
const UNFILED = "";

/** Lines by what they name, and the lengths of the prefixes among them. */
export interface Desk<L extends BookLine> {
  readonly filed: ReadonlyMap<string, readonly L[]>;
  readonly prefixes: readonly (readonly [FiledBy, readonly number[]])[];
}

export function deskOf<L extends BookLine>(lines: readonly L[]): Desk<L> {
  const filed = new Map<string, L[]>();
  const lengths = new Map<FiledBy, Set<number>>(PATTERNED.map((field) => [field, new Set()]));
  for (const line of lines) {
    for (const { name, field, length } of namesOf(line)) {
      const alike = filed.get(name);
      if (alike) alike.push(line);
      else filed.set(name, [line]);
      if (length !== undefined) lengths.get(field)!.add(length);
    }
  }
  return { filed, prefixes: [...lengths].map(([field, set]) => [field, [...set]]) };
}

interface FiledName {
  readonly name: string;
  readonly field: FiledBy;
  /** Of a prefix. */
  readonly length: number | undefined;
}

function namesOf({ match }: BookLine): FiledName[] {
  const field = FILED_BY.find((one) => match[one] !== undefined && !match[one].includes(ANY));
  if (!field) return [{ name: UNFILED, field: "model", length: undefined }];
  return [...new Set(match[field]!)].map((value) => {
    const prefix = isPatterned(field) ? prefixOf(value) : undefined;
    const name = prefix === undefined ? nameOf(field, value) : prefixName(field, prefix);
    return { name, field, length: prefix?.length };
  });
}

function isPatterned(field: FiledBy): boolean {
  return (PATTERNED as readonly FiledBy[]).includes(field);
}

function nameOf(field: FiledBy, value: string): string {
  return `${field} ${value}`;
}

function prefixName(field: FiledBy, prefix: string): string {
  return `${field}* ${prefix}`;
}

/** Lines that may be for usage with these attributes; every line that is for it is among them, some more than once. */
export function* candidates<L extends BookLine>(
  { filed, prefixes }: Desk<L>,
  attributes: RateAttributes,
): Generator<L> {
  for (const field of FILED_BY) yield* filed.get(nameOf(field, attributes[field])) ?? [];
  for (const [field, lengths] of prefixes) {
    const value = attributes[field];
    for (const length of lengths) {
      if (length <= value.length) yield* filed.get(prefixName(field, value.slice(0, length))) ?? [];
    }
  }
  yield* filed.get(UNFILED) ?? [];
}

export function inForce({ effectiveFrom, effectiveTo }: BookLine, at: Instant): boolean {
  return effectiveFrom <= at && (effectiveTo === undefined || at < effectiveTo);
}

/** The one of two lines that says more about this usage; a loaded book has no two that say the same. */
export function moreSpecific<L extends BookLine>(line: L, other: L | undefined, attributes: RateAttributes): L {
  if (!other) return line;
  return specificity(line.match, attributes) > specificity(other.match, attributes) ? line : other;
}

/** Times in which a book that prices something before or after does not price it. Pure. */

import type { Instant } from "../domain/time.ts";
import { describeMatch } from "./describe.ts";
import { MATCH_ORDER } from "./match.ts";
import type { Kind, PriceBook, PriceEntry } from "./price.ts";

/** Allowed, and worth a look: usage in it is priced by a less specific entry, or not at all. */
export interface PriceGap {
  readonly kind: Kind;
  /** What is not priced, in words. */
  readonly match: string;
  /** The lines of the entry that ends and, where there is one, of the entry that begins. */
  readonly lines: readonly number[];
  readonly from: Instant;
  /** Exclusive; undefined where no entry begins again. */
  readonly to: Instant | undefined;
}

/**
 * For every kind of price and match, each model of a list by itself, the intervals from where its entries end to where
 * the next begins. Ordered by line, then time; models that share their lines and times are one gap.
 */
export function gapsOf(book: PriceBook): PriceGap[] {
  const gaps = new Map<string, { before: PriceEntry; after: PriceEntry | undefined; models: string[] }>();
  for (const [model, alike] of alikeEntries(book)) {
    for (const { before, after } of breaksIn(alike)) {
      const key = `${before.line} ${after?.line}`;
      const gap = gaps.get(key) ?? { before, after, models: [] };
      gap.models.push(model);
      gaps.set(key, gap);
    }
  }
  const ordered = [...gaps.values()].sort((a, b) => a.before.line - b.before.line);
  return ordered.map(({ before, after, models }) => ({
    kind: before.kind,
    match: describeMatch({ ...before.match, ...(before.match.model && { model: models }) }),
    lines: [before.line, ...(after ? [after.line] : [])],
    from: before.effectiveTo!,
    to: after?.effectiveFrom,
  }));
}

/** Entries by kind, one model ("" where they ask for none) and all else that they ask for, by start. */
function alikeEntries(book: PriceBook): Iterable<readonly [model: string, readonly PriceEntry[]]> {
  const groups = new Map<string, [string, PriceEntry[]]>();
  for (const entry of book.entries.toSorted((a, b) => a.effectiveFrom - b.effectiveFrom)) {
    const rest = restText(entry);
    for (const model of new Set(entry.match.model ?? [""])) {
      const key = `${entry.kind}\n${model}\n${rest}`;
      const group = groups.get(key);
      if (group) group[1].push(entry);
      else groups.set(key, [model, [entry]]);
    }
  }
  return groups.values();
}

function restText({ match }: PriceEntry): string {
  const asked = MATCH_ORDER.map((field) => {
    if (field === "model") return null;
    if (field !== "parameters") return match[field]?.toSorted() ?? null;
    return match.parameters ? [`${match.parameters.start}`, `${match.parameters.end}`] : null;
  });
  return JSON.stringify(asked);
}

/** Where an entry ends and none of its like goes on. Entries that are alike never overlap in a book that loads. */
function breaksIn(alike: readonly PriceEntry[]): { before: PriceEntry; after: PriceEntry | undefined }[] {
  return alike.flatMap((before, at) => {
    const after = alike[at + 1];
    const goesOn = before.effectiveTo === undefined || after?.effectiveFrom === before.effectiveTo;
    return goesOn ? [] : [{ before, after }];
  });
}

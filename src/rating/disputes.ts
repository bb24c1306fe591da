/** Finds the lines of a book that could both win. */

import type { BookReader } from "./book-reader.ts";
import { dispute, disputeGroup, type KindLine, SHARED_FIELDS, sharedValues } from "./match.ts";

/** Places of one group of lines; a field whose lists would make more is not told apart by. */
const PLACES_MAX = 100_000;

/** Refuses each line of a list that would dispute usage with an earlier one. */
export function refuseDisputes(reader: BookReader, path: "prices" | "discounts", lines: readonly KindLine[]): void {
  // By start, so that only lines that have not ended need be looked at again.
  const sorted = lines.toSorted((a, b) => a.effectiveFrom - b.effectiveFrom || a.line - b.line);
  for (const group of Map.groupBy(sorted, disputeGroup).values()) refuseInGroup(reader, path, group);
}

function refuseInGroup(reader: BookReader, path: "prices" | "discounts", group: readonly KindLine[]): void {
  const open = new Map<string, KindLine[]>();
  const fields = tellingFields(group);
  for (const line of group) {
    let other: KindLine | undefined;
    for (const place of placesOf(line, fields)) {
      const alike = (open.get(place) ?? []).filter((one) => (one.effectiveTo ?? Infinity) > line.effectiveFrom);
      other ??= alike.find((one) => dispute(one, line));
      alike.push(line);
      open.set(place, alike);
    }
    if (!other) continue;
    const [first, second] = other.line < line.line ? [other, line] : [line, other];
    const what = path === "prices" ? "this entry" : "this discount";
    const does = path === "prices" ? "price" : "lower the price of";
    reader.refuse(
      { node: null, line: second.line, path },
      `${what} and the one on line ${first.line} could both ${does} the same usage at the same time; ` +
        "end the earlier one with effectiveTo, or let one state a field more",
    );
  }
}

/** The fields that lines of a group are told apart by, so that few need be compared; the same for all of them. */
function tellingFields(group: readonly KindLine[]): (typeof SHARED_FIELDS)[number][] {
  let counts = group.map(() => 1);
  const telling: (typeof SHARED_FIELDS)[number][] = [];
  for (const field of SHARED_FIELDS) {
    const more = counts.map((count, at) => count * sharedValues(group[at]!, field).length);
    if (more.reduce((sum, count) => sum + count, 0) > PLACES_MAX) continue;
    counts = more;
    telling.push(field);
  }
  return telling;
}

/** Two lines that dispute share a place: one value of each field. */
function placesOf(line: KindLine, fields: readonly (typeof SHARED_FIELDS)[number][]): Set<string> {
  let places = [""];
  for (const field of fields) {
    places = places.flatMap((place) => sharedValues(line, field).map((value) => `${place}\n${value}`));
  }
  return new Set(places);
}

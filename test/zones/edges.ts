/**
 * Edges of local days, hours and months by plain arithmetic on the stretches of a zone. It knows nothing of Temporal:
 * a local day begins at the first instant that bears its date.
 */

import type { Stretch } from "./source.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The stretches of the range, each cut to it. */
function* within(stretches: readonly Stretch[], { start, end }: Range): Generator<Range & { readonly offset: number }> {
  for (const [at, { from, offset }] of stretches.entries()) {
    const next = stretches[at + 1]?.from ?? Number.POSITIVE_INFINITY;
    if (next > start && from < end) yield { start: Math.max(from, start), end: Math.min(next, end), offset };
  }
}

/** Every instant of the range at which a local day begins, with the day's number since 1970-01-01. */
export function daysOf(stretches: readonly Stretch[], range: Range): { readonly at: number; readonly day: number }[] {
  const days: { at: number; day: number }[] = [];
  let latest = Number.NEGATIVE_INFINITY;
  for (const { start, end, offset } of within(stretches, range)) {
    for (let at = start; at < end; at = (Math.floor((at + offset) / DAY_MS) + 1) * DAY_MS - offset) {
      const day = Math.floor((at + offset) / DAY_MS);
      if (day > latest) days.push({ at, day });
      latest = Math.max(latest, day);
    }
  }
  return days;
}

/** Every instant of the range at which the local clock shows a full hour, or the offset changes. */
export function hoursOf(stretches: readonly Stretch[], range: Range): number[] {
  const hours: number[] = [];
  for (const { start, end, offset } of within(stretches, range)) {
    for (let at = start; at < end; at = (Math.floor((at + offset) / HOUR_MS) + 1) * HOUR_MS - offset) hours.push(at);
  }
  return hours;
}

/** The days of {@link daysOf} that are the first of their month. */
export function monthsOf(days: ReturnType<typeof daysOf>): number[] {
  const month = (day: number): number => new Date(day * DAY_MS).getUTCMonth();
  return days.filter(({ day }, at) => month(day) !== month(days[at - 1]?.day ?? day - 1)).map(({ at }) => at);
}

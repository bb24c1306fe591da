/** The times of a command line: read in a zone, and cut into the pieces that one call may ask for. */

import {
  addLocalDays,
  DAY_MS,
  dayStart,
  formatInstant,
  type Instant,
  parseInstant,
  parseZone,
  type TimeRange,
} from "../domain/time.ts";
import { RANGE_DAYS_MAX } from "../domain/usage-query.ts";
import { quoted, wrongWords } from "./refusal.ts";

const RANGE_DAYS_DEFAULT = 30;
/** Usage begins in the year 2000, so that no range needs more. */
const RANGE_YEARS_MAX = 50;
const LOCAL_TIME = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}:\d{2}))?$/;

/** The zone of --timezone. @throws Refusal when it is none. */
export function readZone(text: string): string {
  const zone = parseZone(text);
  if (zone !== undefined) return zone;
  throw wrongWords(`--timezone: ${quoted(text)} is not an IANA time zone; use one such as America/Los_Angeles or UTC`);
}

/**
 * The instant of a flag: YYYY-MM-DD (the start of that day) or 'YYYY-MM-DD hh:mm:ss' in `zone`, or RFC 3339.
 * A time that the zone skips is the one after the gap; of one that it repeats, the first is meant.
 */
export function readTime(text: string, flag: string, zone: string): Instant {
  const [, date, time] = LOCAL_TIME.exec(text) ?? [];
  try {
    if (date !== undefined && time === undefined)
      return Temporal.PlainDate.from(date).toZonedDateTime(zone).epochMilliseconds;
    if (date !== undefined)
      return Temporal.PlainDateTime.from(`${date}T${time}`).toZonedDateTime(zone).epochMilliseconds;
  } catch {
    // No such day or hour.
  }
  const instant = parseInstant(text);
  if (instant !== undefined) return instant;
  throw wrongWords(`${flag}: ${quoted(text)} is not a time; use YYYY-MM-DD or 'YYYY-MM-DD hh:mm:ss'`);
}

export interface RangeFlags {
  readonly startTime?: string;
  readonly endTime?: string;
}

/** The range of the flags; what is left out is filled so that it holds the last 30 local days, today included. */
export function readRange(flags: RangeFlags, zone: string, now: Instant): TimeRange {
  const given = flags.endTime === undefined ? undefined : readTime(flags.endTime, "--end-time", zone);
  const end = given ?? addLocalDays(dayStart(now, zone), zone, 1);
  const start =
    flags.startTime === undefined
      ? addLocalDays(end, zone, -RANGE_DAYS_DEFAULT)
      : readTime(flags.startTime, "--start-time", zone);
  checkRange(flags, { start, end });
  return { start, end };
}

/** The parameter of --as-of, if it was given. @throws Refusal when it is no time. */
export function asOfParameters(text: string | undefined, zone: string): readonly (readonly ["asOf", string])[] {
  return text === undefined ? [] : [["asOf", formatInstant(readTime(text, "--as-of", zone))]];
}

/** @throws Refusal when the range is empty or absurdly long. */
export function checkRange(flags: RangeFlags, { start, end }: TimeRange): void {
  if (end <= start) {
    const ends = flags.endTime === undefined ? "today's end" : flags.endTime;
    throw wrongWords(
      `--end-time: ${quoted(ends)} is not after --start-time ${quoted(flags.startTime ?? "")}; the end is exclusive and must be later`,
    );
  }
  if (end - start > RANGE_YEARS_MAX * 366 * DAY_MS) {
    throw wrongWords(`--start-time: the range is longer than ${RANGE_YEARS_MAX} years; ask for a shorter one`);
  }
}

/**
 * The range in pieces that a server answers in one call: whole local days but for the first start and the last end, so
 * that no bucket is in two of them; none longer than 31 x 24 hours, which every server takes.
 */
export function piecesOf(range: TimeRange, zone: string): TimeRange[] {
  const pieces: TimeRange[] = [];
  for (let start = range.start; start < range.end; ) {
    const day = dayStart(start, zone);
    // A day may begin at 01:00, where midnight is skipped; the days after it do not.
    const dayAfter = (days: number): number => dayStart(addLocalDays(day, zone, days), zone);
    let end = dayAfter(RANGE_DAYS_MAX);
    if (end - start > RANGE_DAYS_MAX * DAY_MS) end = dayAfter(RANGE_DAYS_MAX - 1);
    // What a whole call can hold is not cut.
    if (range.end - start <= RANGE_DAYS_MAX * DAY_MS) end = range.end;
    end = Math.min(end, range.end);
    pieces.push({ start, end });
    start = end;
  }
  return pieces;
}

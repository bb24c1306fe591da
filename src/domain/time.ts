/**
 * Instants, half-open ranges and the edges of local days and hours. An instant is a whole number of milliseconds since
 * 1970-01-01T00:00Z. Zones are known here and nowhere deeper: an engine sees only instants (house, law 5).
 */

/** Milliseconds since the epoch. */
export type Instant = number;

/** `start <= t < end`. */
export interface TimeRange {
  readonly start: Instant;
  readonly end: Instant;
}

export const SECOND_MS = 1000;
export const SLOT_MS = 15 * 60 * 1000;
export const HOUR_MS = 60 * 60 * 1000;
export const DAY_MS = 24 * HOUR_MS;
export const EVENT_TIME_MIN: Instant = Date.UTC(2000, 0, 1);
export const EVENT_TIME_AHEAD_MAX_MS = 24 * HOUR_MS;

/** The version of the time zone database that all edges are made from. */
export const TZDB_VERSION: string = process.versions.tz ?? "unknown";

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/;
const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOfMonth(year: number, month: number): number {
  if (month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)) return 29;
  return DAYS_OF_MONTH[month - 1] ?? 0;
}

/**
 * Reads an RFC 3339 time (0 to 9 fractional digits, any offset) to the millisecond, digits below it cut off, so that
 * an instant never moves into a later bucket. Undefined when the text is no such time or names no real date. Leap
 * seconds (`:60`) are refused.
 */
export function parseInstant(text: string): Instant | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const year = Number(match[1]);
  const month = Number(match[2]);
  const day = Number(match[3]);
  const hour = Number(match[4]);
  const minute = Number(match[5]);
  const second = Number(match[6]);
  if (day < 1 || day > daysOfMonth(year, month) || hour > 23 || minute > 59 || second > 59) return undefined;
  const ms = match[7] ? Number(match[7].padEnd(3, "0").slice(0, 3)) : 0;
  let offset = 0;
  if (match[9]) {
    const offsetHours = Number(match[10]);
    const offsetMinutes = Number(match[11]);
    if (offsetHours > 23 || offsetMinutes > 59) return undefined;
    offset = (offsetHours * 60 + offsetMinutes) * 60_000 * (match[9] === "-" ? -1 : 1);
  }
  // Date.UTC reads the years 0 to 99 as 1900 to 1999, so the year is set by itself.
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getTime() + (hour * 60 + minute) * 60_000 + second * 1000 + ms - offset;
}

/** RFC 3339 in UTC; milliseconds only where there are any. */
export function formatInstant(instant: Instant): string {
  const text = new Date(instant).toISOString();
  return text.endsWith(".000Z") ? `${text.slice(0, -5)}Z` : text;
}

/** RFC 3339 with the offset that `zone` has at that instant; `Z` for UTC. The first ten characters are the local date. */
export function formatInZone(instant: Instant, zone: string): string {
  if (zone === "UTC") return formatInstant(instant);
  const { offset, offsetText } = spanAt(instant, zone);
  return `${formatInstant(instant + offset).slice(0, -1)}${offsetText}`;
}

/** The start of the slot (15 minutes of UTC) that holds the instant. */
export function slotStart(instant: Instant): Instant {
  return Math.floor(instant / SLOT_MS) * SLOT_MS;
}

/** The start of the slot at or after the instant. */
export function slotCeil(instant: Instant): Instant {
  return Math.ceil(instant / SLOT_MS) * SLOT_MS;
}

const IANA_NAME = /^[A-Za-z][A-Za-z0-9._+-]*(?:\/[A-Za-z0-9._+-]+)*$/;

/** The zone as it was named, "UTC" for its spellings in any case, or undefined when it is no IANA zone of this runtime. */
export function parseZone(text: string): string | undefined {
  if (text.length > 64 || !IANA_NAME.test(text)) return undefined;
  try {
    const id = Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(text).timeZoneId;
    return /^(etc\/)?(utc|uct|zulu|universal|gmt)$/i.test(id) ? "UTC" : id;
  } catch {
    return undefined;
  }
}

function zoned(instant: Instant, zone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone);
}

/** A time in which a zone keeps one offset. */
interface OffsetSpan extends TimeRange {
  /** Milliseconds. */
  readonly offset: number;
  /** Such as `-07:00`. */
  readonly offsetText: string;
}

/** Spans of each zone that were asked for: a report asks for one over and over. Zones do not change under a process. */
const spans = new Map<string, OffsetSpan[]>();
const SPANS_KEPT_MAX = 16;

function spanAt(instant: Instant, zone: string): OffsetSpan {
  const kept = spans.get(zone) ?? [];
  const known = kept.find(({ start, end }) => instant >= start && instant < end);
  if (known) return known;
  const local = zoned(instant, zone);
  const span = {
    start: zoned(instant + 1, zone).getTimeZoneTransition("previous")?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
    end: local.getTimeZoneTransition("next")?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
    offset: local.offsetNanoseconds / 1e6,
    offsetText: local.offset,
  };
  spans.set(zone, [span, ...kept.slice(0, SPANS_KEPT_MAX - 1)]);
  return span;
}

/** The instant `days` local days after `instant`, at the same local time of day. */
export function addLocalDays(instant: Instant, zone: string, days: number): Instant {
  return zoned(instant, zone).add({ days }).epochMilliseconds;
}

/** The start of the local day that holds the instant. */
export function dayStart(instant: Instant, zone: string): Instant {
  return zoned(instant, zone).startOfDay().epochMilliseconds;
}

/**
 * The edges of all local days of `zone` that touch the range, first edge at or before its start and last at or after
 * its end. A day that the zone skipped (Apia, 30 December 2011) has no length and gives no edge.
 */
export function dayEdges(range: TimeRange, zone: string): Instant[] {
  const edges = [dayStart(range.start, zone)];
  while (edges.at(-1)! < range.end) edges.push(dayAfter(edges.at(-1)!, zone));
  return edges;
}

/** The start of the local day after the one that starts at `start`. */
function dayAfter(start: Instant, zone: string): Instant {
  const { offset, end } = spanAt(start, zone);
  // Within one offset, a day from midnight on is 24 hours.
  if (start + DAY_MS < end && (start + offset) % DAY_MS === 0) return start + DAY_MS;
  let date = zoned(start, zone).toPlainDate();
  let next = start;
  while (next <= start) {
    date = date.add({ days: 1 });
    next = date.toZonedDateTime(zone).epochMilliseconds;
  }
  return next;
}

/** The edges of all local months of `zone` that touch the range, first edge at or before its start. */
export function monthEdges(range: TimeRange, zone: string): Instant[] {
  let date = zoned(range.start, zone).toPlainDate().with({ day: 1 });
  const edges = [date.toZonedDateTime(zone).epochMilliseconds];
  while (edges.at(-1)! < range.end) {
    date = date.add({ months: 1 });
    edges.push(date.toZonedDateTime(zone).epochMilliseconds);
  }
  return edges;
}

/** The whole local month of `zone` that holds the instant. */
export function monthAround(instant: Instant, zone: string): TimeRange {
  const [start, end] = monthEdges({ start: instant, end: instant + 1 }, zone);
  return { start: start!, end: end! };
}

/**
 * The edges of all local hours of `zone` that touch the range: every instant at which the local clock shows a full
 * hour, and every change of the zone's offset. So an hour that daylight saving repeats is two buckets.
 */
export function hourEdges(range: TimeRange, zone: string): Instant[] {
  const edges = [hourStart(range.start, zone)];
  while (edges.at(-1)! < range.end) {
    const from = zoned(edges.at(-1)!, zone);
    const offset = from.offsetNanoseconds / 1e6;
    const change = from.getTimeZoneTransition("next")?.epochMilliseconds ?? Number.POSITIVE_INFINITY;
    // Within one offset, the local clock shows a full hour each time (t + offset) is a multiple of an hour.
    let next = Math.floor((from.epochMilliseconds + offset) / HOUR_MS + 1) * HOUR_MS - offset;
    for (; next < change; next += HOUR_MS) {
      edges.push(next);
      if (next >= range.end) return edges;
    }
    edges.push(change);
  }
  return edges;
}

function hourStart(instant: Instant, zone: string): Instant {
  const local = zoned(instant, zone);
  const offset = local.offsetNanoseconds / 1e6;
  const start = Math.floor((instant + offset) / HOUR_MS) * HOUR_MS - offset;
  // The transition at or before the instant, if the hour began under another offset.
  const change = zoned(instant + 1, zone).getTimeZoneTransition("previous")?.epochMilliseconds;
  return change !== undefined && change > start ? change : start;
}

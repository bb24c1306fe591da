/** Local days by trying: the runtime is asked for the local date of one instant after the other, and for nothing else. */

const HOUR = 3_600_000;
const QUARTER = 900_000;

const formats = new Map<string, Intl.DateTimeFormat>();

function partsOf(instant: number, zone: string): Readonly<Record<string, string>> {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
      minute: "2-digit", timeZoneName: "longOffset",
    }); // biome-ignore format: options
  formats.set(zone, format);
  return Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
}

const slots = new Map<string, { readonly date: string; readonly hour: string }>();
const SLOTS_REMEMBERED_MAX = 200_000;

/** Date and hour of the 15 minutes that hold the instant; since 2023 no zone changes inside them. */
function slotOf(instant: number, zone: string): { readonly date: string; readonly hour: string } {
  const slot = Math.floor(instant / QUARTER);
  const key = `${zone} ${slot}`;
  const known = slots.get(key);
  if (known) return known;
  const { year, month, day, hour, timeZoneName } = partsOf(slot * QUARTER, zone);
  const date = `${year}-${month}-${day}`;
  const made = { date, hour: `${date}T${hour}${timeZoneName!.slice("GMT".length) || "+00:00"}` };
  if (slots.size >= SLOTS_REMEMBERED_MAX) slots.clear();
  slots.set(key, made);
  return made;
}

/** The local date, such as "2026-03-08". Instants from 2023 on. */
export function localDate(instant: number, zone: string): string {
  return slotOf(instant, zone).date;
}

/** The local hour with its offset, such as "2026-03-08T01-08:00": two of them where daylight saving repeats one. */
export function localHour(instant: number, zone: string): string {
  return slotOf(instant, zone).hour;
}

const WINDOW = 6 * HOUR;
const found = new Map<string, readonly number[]>();

/** The ends and, between them, the instants at which a local day begins, found by looking at each quarter of an hour. */
export function localEdges(from: number, to: number, zone: string): number[] {
  const edges: number[] = [];
  for (let window = Math.floor(from / WINDOW) * WINDOW; window < to; window += WINDOW) {
    edges.push(...edgesIn(window, zone).filter((edge) => edge > from && edge < to));
  }
  return [from, ...edges, to];
}

/** The days' beginnings in the hours from `window` on: none where they begin and end on one date. */
function edgesIn(window: number, zone: string): readonly number[] {
  const key = `${zone} ${window}`;
  const known = found.get(key);
  if (known) return known;
  const edges: number[] = [];
  if (localDate(window - QUARTER, zone) !== localDate(window + WINDOW - QUARTER, zone)) {
    for (let instant = window; instant < window + WINDOW; instant += QUARTER) {
      if (localDate(instant, zone) !== localDate(instant - QUARTER, zone)) edges.push(instant);
    }
  }
  if (found.size >= SLOTS_REMEMBERED_MAX) found.clear();
  found.set(key, edges);
  return edges;
}

/**
 * Every time zone that the runtime takes, 2020 to 2030: the edges of its days, hours and months against other databases
 * and other arithmetic, and a report of every zone against sums made by hand. Two databases may differ only where the
 * table of changes.ts says that a release between them changed the zone, and from then on.
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { dayEdges, hourEdges, monthEdges, parseZone, SLOT_MS, TZDB_VERSION } from "../../src/domain/time.ts";
import { Service } from "../../src/service.ts";
import { CHANGES_KNOWN_TO, changesBetween } from "./changes.ts";
import { daysOf, hoursOf, monthsOf } from "./edges.ts";
import { packagedSource, systemSource, type ZoneSource } from "./source.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RANGE = { start: Date.UTC(2020, 0, 1), end: Date.UTC(2031, 0, 1) };
/** A day has so many hours, at the least and at the most: Casey and Troll have moved by two and three hours. */
const DAY_HOURS = [21, 27] as const;

const packaged = packagedSource();
const system = systemSource();
const taken = (name: string): boolean => parseZone(name) !== undefined;
const zones = [...new Set([...Intl.supportedValuesOf("timeZone"), "UTC", ...packaged.zones, ...(system?.zones ?? [])])]
  .filter(taken)
  .sort();

const theirRange = { start: RANGE.start - 2 * DAY_MS, end: RANGE.end };

interface Edges {
  readonly days: readonly number[];
  readonly hours: readonly number[];
  readonly months: readonly number[];
}

/** The edges after the range's first, which lies before it, up to its end. */
function inside(edges: readonly number[]): readonly number[] {
  return edges.slice(
    edges.findIndex((edge) => edge > RANGE.start),
    edges.findLastIndex((edge) => edge < RANGE.end) + 1,
  );
}

function ownEdges(zone: string): Edges {
  return { days: dayEdges(RANGE, zone), hours: hourEdges(RANGE, zone), months: monthEdges(RANGE, zone) };
}

function theirEdges(source: ZoneSource, zone: string): Edges {
  const stretches = source.stretches(zone);
  const days = daysOf(stretches, theirRange);
  return { days: days.map(({ at }) => at), hours: hoursOf(stretches, theirRange), months: monthsOf(days) };
}

/** The first instant at which two lists of edges part; undefined when they never do. */
function parting(ours: readonly number[], theirs: readonly number[]): number | undefined {
  const at = ours.findIndex((edge, place) => edge !== theirs[place]);
  if (at >= 0) return Math.min(ours[at]!, theirs[at] ?? Number.POSITIVE_INFINITY);
  return theirs[ours.length];
}

/** How a zone's edges differ from the other database's, as text; and whether a release explains that. */
function difference(source: ZoneSource, zone: string, own: Edges): { text: string; explained: boolean } | undefined {
  const theirs = theirEdges(source, zone);
  const partings = (["days", "hours", "months"] as const)
    .map((kind) => parting(inside(own[kind]), inside(theirs[kind])))
    .filter((at) => at !== undefined);
  const changes = changesBetween(zone, TZDB_VERSION, source.version);
  const releases = changes.map(({ release }) => release).join(", ");
  // A distribution may carry a change before the release that has it; the package is what its version says.
  if (partings.length === 0 && (changes.length === 0 || source !== packaged)) return undefined;
  if (partings.length === 0) return { text: `${zone} does not differ, and ${releases} changed it`, explained: false };
  const first = Math.min(...partings);
  // Edges part at the first one that the change moves, never before the change itself.
  const explained = changes.some(({ from }) => first >= from);
  return { text: `${zone} from ${new Date(first).toISOString()} (${releases || "unknown"})`, explained };
}

function isSubset(some: readonly number[], all: readonly number[]): boolean {
  let at = 0;
  for (const edge of some) {
    while (at < all.length && all[at]! < edge) at += 1;
    if (all[at] !== edge) return false;
  }
  return true;
}

/** Hours make the days, days the months, and no day is longer or shorter than clocks move. */
function checkParts(zone: string, { days, hours, months }: Edges): void {
  assert.ok(days[0]! <= RANGE.start && days.at(-1)! >= RANGE.end, zone);
  const lengths = days.slice(1).map((edge, at) => edge - days[at]!);
  assert.ok(Math.min(...lengths) >= DAY_HOURS[0] * HOUR_MS, `${zone}: a day of ${Math.min(...lengths)} ms`);
  assert.ok(Math.max(...lengths) <= DAY_HOURS[1] * HOUR_MS, `${zone}: a day of ${Math.max(...lengths)} ms`);
  assert.ok(isSubset(inside(days), hours), `${zone}: a day begins within an hour`);
  assert.ok(isSubset(inside(months), days), `${zone}: a month begins within a day`);
}

test("the days, hours and months of every zone are those of other databases and other arithmetic", (context) => {
  assert.ok(zones.length > 550, `${zones.length} zones`);
  const sources = [packaged, ...(system ? [system] : [])];
  const found = new Map(sources.map((source) => [source, { zones: 0, explained: [] as string[], others: [] as string[] }])); // biome-ignore format: one line
  const offSlot: string[] = [];
  for (const zone of zones) {
    const own = ownEdges(zone);
    checkParts(zone, own);
    if (own.hours.some((edge) => edge % SLOT_MS !== 0)) offSlot.push(zone);
    for (const source of sources.filter((one) => one.zones.includes(zone))) {
      const notes = found.get(source)!;
      notes.zones += 1;
      const differs = difference(source, zone, own);
      if (differs) (differs.explained ? notes.explained : notes.others).push(differs.text);
    }
  }
  for (const [source, { zones: count, explained, others }] of found) {
    const told = [...explained, ...others].join("; ") || "no difference";
    context.diagnostic(
      `figure zones: ${count} zones, runtime ${TZDB_VERSION}, ${source.name} ${source.version}: ${told}`,
    );
    // A machine may carry a release that the table has not met: then its differences are told, not judged.
    if (source.version <= CHANGES_KNOWN_TO) assert.deepEqual(others, [], `${source.name} ${source.version}`);
  }
  if (!system) context.diagnostic("no /usr/share/zoneinfo here: compared with moment-timezone's database alone");
  // Casey moved at 00:01 until 2022: its edges off the slots are answered from raw events.
  assert.deepEqual(offSlot, ["Antarctica/Casey"]);
});

const USAGE_TYPE = "TEXT_COMPLETION_INFERENCE_USAGE";

/** What the event of a slot carries: no two spans of slots of one length add up to the same by chance. */
function tokensAt(slot: number): number {
  return 1 + ((slot * 7_919) % 104_729);
}

function expected(start: number, end: number): bigint {
  let sum = 0;
  for (let slot = start; slot < end; slot += SLOT_MS) sum += tokensAt(slot / SLOT_MS);
  return BigInt(sum);
}

test("a month's report in every zone: each day is what its slots add up to, and the days are the range", async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), "daybook-zones-"));
  const service = await Service.open({ dataFolder, now: () => Date.UTC(2027, 0, 1) });
  try {
    // The clocks of North America, Europe, Chile and others change within these weeks, and at both their ends.
    for (const [start, days] of [
      [Date.UTC(2026, 2, 7, 5), 30],
      [Date.UTC(2026, 9, 9, 20), 30],
    ] as const) {
      // biome-ignore format: two ranges
      const end = start + days * DAY_MS + 30 * 60_000;
      await fill(service, start, end);
      for (const zone of zones) await checkReport(service, zone, start, end);
    }
  } finally {
    await service.close();
    rmSync(dataFolder, { recursive: true });
  }
});

/** One event in each slot of the range. */
async function fill(service: Service, start: number, end: number): Promise<void> {
  const lines: string[] = [];
  for (let time = start; time < end; time += SLOT_MS) {
    const slot = time / SLOT_MS;
    lines.push(JSON.stringify({ id: `${slot}`, time: new Date(time).toISOString(), usageType: USAGE_TYPE, promptTokens: tokensAt(slot) })); // biome-ignore format: one line
  }
  const bytes = Buffer.from(lines.join("\n"));
  const outcome = await service.writeUsage("acme", { bytes, contentType: "application/x-ndjson", contentEncoding: "" });
  assert.equal(outcome.created, lines.length);
}

async function checkReport(service: Service, zone: string, start: number, end: number): Promise<void> {
  const question = { startTime: new Date(start).toISOString(), endTime: new Date(end).toISOString(), timezone: zone };
  const { rows } = (await service.billingUsage("acme", question, "query")).report;
  // What a release changed is compared above; here the runtime's own days must hold their slots.
  const changed = !packaged.zones.includes(zone) || changesBetween(zone, TZDB_VERSION, packaged.version).length > 0;
  const edges = changed
    ? dayEdges({ start, end }, zone)
    : daysOf(packaged.stretches(zone), { start: start - 2 * DAY_MS, end: end + 2 * DAY_MS }).map(({ at }) => at);
  let total = 0n;
  const days = [...rows.SERVERLESS];
  for (const [at, { bucket, quantities }] of days.entries()) {
    const place = edges.indexOf(bucket.start);
    assert.ok(place >= 0, `${zone}: a day begins at ${new Date(bucket.start).toISOString()}`);
    if (at > 0) assert.equal(bucket.start, days[at - 1]!.bucket.end, zone);
    assert.equal(bucket.end, edges[place + 1], zone);
    const own = expected(Math.max(bucket.start, start), Math.min(bucket.end, end));
    assert.equal(quantities[0], own, `${zone} ${new Date(bucket.start).toISOString()}`);
    total += quantities[0]!;
  }
  assert.equal(total, expected(start, end), `${zone}: the days are the range`);
}

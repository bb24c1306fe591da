import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  dayEdges,
  formatInstant,
  formatInZone,
  hourEdges,
  monthAround,
  monthEdges,
  parseInstant,
  parseZone,
  type TimeRange,
} from "./time.ts";

const at = (text: string): number => parseInstant(text)!;

test("RFC 3339 times are read to the millisecond, digits below it cut off", () => {
  const table: [sent: string, instant: string | undefined][] = [
    ["2026-05-28T00:00:00Z", "2026-05-28T00:00:00Z"],
    ["2026-05-28t00:00:00z", "2026-05-28T00:00:00Z"],
    ["2026-05-28T02:00:00+02:00", "2026-05-28T00:00:00Z"],
    ["2026-05-27T18:15:00-05:45", "2026-05-28T00:00:00Z"],
    ["2026-05-28T00:00:00.5Z", "2026-05-28T00:00:00.500Z"],
    ["2026-05-28T00:00:00.123999999Z", "2026-05-28T00:00:00.123Z"],
    ["2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"],
    ["0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"],
    ["2026-02-29T00:00:00Z", undefined],
    ["2026-13-01T00:00:00Z", undefined],
    ["2026-05-00T00:00:00Z", undefined],
    ["2026-05-28T24:00:00Z", undefined],
    ["2026-05-28T23:59:60Z", undefined],
    ["2026-05-28T00:00:00", undefined],
    ["2026-05-28", undefined],
    ["2026-05-28T00:00:00.1234567890Z", undefined],
    ["2026-05-28T00:00:00+25:00", undefined],
    ["2026-05-28 00:00:00Z", undefined],
    [" 2026-05-28T00:00:00Z", undefined],
    ["2026-05-28T00:00:00Z\n", undefined],
    ["", undefined],
  ];
  for (const [sent, instant] of table) {
    const read = parseInstant(sent);
    assert.equal(read === undefined ? undefined : formatInstant(read), instant, sent);
  }
});

test("zones are IANA names, nothing else", () => {
  const table: [sent: string, zone: string | undefined][] = [
    ["UTC", "UTC"],
    ["utc", "UTC"],
    ["Etc/UTC", "UTC"],
    ["America/Los_Angeles", "America/Los_Angeles"],
    ["america/los_angeles", "America/Los_Angeles"],
    ["Asia/Calcutta", "Asia/Calcutta"],
    ["Etc/GMT+5", "Etc/GMT+5"],
    ["+05:30", undefined],
    ["Mars/Olympus", undefined],
    ["2026-01-01[UTC]", undefined],
    ["UTC'; DROP TABLE sums; --", undefined],
    ["", undefined],
  ];
  for (const [sent, zone] of table) assert.equal(parseZone(sent), zone, sent);
});

function days(zone: string, start: string, end: string): string[] {
  return dayEdges({ start: at(start), end: at(end) }, zone).map((edge) => formatInZone(edge, zone));
}

test("local days begin where the zone says", () => {
  const table: [zone: string, start: string, end: string, edges: string[]][] = [
    [
      "America/Los_Angeles",
      "2026-03-08T09:00:00Z",
      "2026-03-09T08:00:00Z",
      ["2026-03-08T00:00:00-08:00", "2026-03-09T00:00:00-07:00", "2026-03-10T00:00:00-07:00"],
    ],
    [
      "America/Havana",
      "2026-03-08T06:00:00Z",
      "2026-03-08T07:00:00Z",
      ["2026-03-08T01:00:00-04:00", "2026-03-09T00:00:00-04:00"],
    ],
    [
      "Antarctica/Troll",
      "2026-03-29T00:00:00Z",
      "2026-03-29T22:00:00Z",
      ["2026-03-29T00:00:00+00:00", "2026-03-30T00:00:00+02:00"],
    ],
    [
      "Pacific/Apia",
      "2011-12-29T10:00:00Z",
      "2011-12-30T11:00:00Z",
      ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"],
    ],
    [
      "Asia/Kathmandu",
      "2026-01-01T00:00:00Z",
      "2026-01-01T18:15:00Z",
      ["2026-01-01T00:00:00+05:45", "2026-01-02T00:00:00+05:45"],
    ],
    ["UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.001Z", ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]],
  ];
  for (const [zone, start, end, edges] of table) assert.deepEqual(days(zone, start, end), edges, zone);
});

test("local hours: daylight saving repeats an hour as two buckets, half-hour changes cut one", () => {
  const table: [zone: string, start: string, end: string, edges: string[]][] = [
    [
      "America/New_York",
      "2026-11-01T05:00:00Z",
      "2026-11-01T07:00:00Z",
      ["2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"],
    ],
    [
      "America/New_York",
      "2026-03-08T06:30:00Z",
      "2026-03-08T07:30:00Z",
      ["2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"],
    ],
    [
      "Australia/Lord_Howe",
      "2026-04-04T14:00:00Z",
      "2026-04-04T16:30:00Z",
      [
        "2026-04-05T01:00:00+11:00",
        "2026-04-05T01:30:00+10:30",
        "2026-04-05T02:00:00+10:30",
        "2026-04-05T03:00:00+10:30",
      ],
    ],
    [
      "Australia/Lord_Howe",
      "2026-10-03T15:00:00Z",
      "2026-10-03T16:30:00Z",
      [
        "2026-10-04T01:00:00+10:30",
        "2026-10-04T02:30:00+11:00",
        "2026-10-04T03:00:00+11:00",
        "2026-10-04T04:00:00+11:00",
      ],
    ],
    [
      "Australia/Lord_Howe",
      "2026-04-04T15:00:00Z",
      "2026-04-04T15:10:00Z",
      ["2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"],
    ],
    [
      "Asia/Kathmandu",
      "2026-01-01T00:00:00Z",
      "2026-01-01T01:00:00Z",
      ["2026-01-01T05:00:00+05:45", "2026-01-01T06:00:00+05:45", "2026-01-01T07:00:00+05:45"],
    ],
  ];
  for (const [zone, start, end, edges] of table) {
    const found = hourEdges({ start: at(start), end: at(end) }, zone).map((edge) => formatInZone(edge, zone));
    assert.deepEqual(found, edges, `${zone} ${start}`);
  }
});

test("local months begin where the zone says", () => {
  // biome-ignore format: a ledger
  const table: [zone: string, start: string, end: string, edges: string[]][] = [
    ["UTC", "2026-10-20T12:00:00Z", "2026-10-20T12:00:00.001Z", ["2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"]],
    ["UTC", "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]],
    ["UTC", "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00.001Z", ["2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]],
    ["America/Los_Angeles", "2026-03-01T07:59:59Z", "2026-03-31T00:00:00Z", ["2026-02-01T00:00:00-08:00", "2026-03-01T00:00:00-08:00", "2026-04-01T00:00:00-07:00"]],
    ["Africa/Cairo", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", ["2026-05-01T00:00:00+03:00", "2026-06-01T00:00:00+03:00"]],
  ];
  for (const [zone, start, end, edges] of table) {
    const got = monthEdges({ start: at(start), end: at(end) }, zone).map((edge) => formatInZone(edge, zone));
    assert.deepEqual(got, edges, `${zone} ${start}`);
  }
});

test("the month around an instant is whole, of 28 to 31 days", () => {
  const table: [instant: string, start: string, end: string][] = [
    ["2026-10-20T12:00:00Z", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"],
    ["2026-10-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"],
    ["2026-09-30T23:59:59.999Z", "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"],
    ["2026-02-15T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"],
    ["2028-02-29T23:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"],
    ["2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"],
  ];
  for (const [instant, ...expected] of table) {
    const { start, end } = monthAround(at(instant), "UTC");
    assert.deepEqual([start, end].map(formatInstant), expected, instant);
  }
});

test("the days of any zone are those of its calendar, and edges are written as the zone's own clock shows them", () => {
  const edgesByCalendar = (range: TimeRange, zone: string): number[] => {
    let date = Temporal.Instant.fromEpochMilliseconds(range.start).toZonedDateTimeISO(zone).toPlainDate();
    const edges: number[] = [];
    while ((edges.at(-1) ?? range.start) < range.end || edges.length === 0) {
      const edge = date.toZonedDateTime(zone).epochMilliseconds;
      if (edge !== edges.at(-1)) edges.push(edge);
      date = date.add({ days: 1 });
    }
    return edges;
  };
  const zones = Intl.supportedValuesOf("timeZone");
  const property = fc.property(
    fc.constantFrom(...zones),
    fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2040, 0) }),
    fc.integer({ min: 1, max: 200 * 86_400_000 }),
    (zone, start, length) => {
      const range = { start, end: start + length };
      const edges = dayEdges(range, zone);
      assert.deepEqual(edges, edgesByCalendar(range, zone), zone);
      for (const instant of [start, ...edges.flatMap((edge) => [edge - 1, edge])]) {
        const clock = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(zone);
        const seconds = { smallestUnit: clock.millisecond === 0 ? "second" : "millisecond" } as const;
        const own = clock.toString({ timeZoneName: "never", ...seconds });
        if (zone !== "UTC") assert.equal(formatInZone(instant, zone), own, zone);
      }
    },
  );
  fc.assert(property, { numRuns: 150 });
});

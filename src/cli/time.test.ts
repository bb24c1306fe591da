/** Times of the command line, and the pieces of a range. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DAY_MS, dayStart, formatInZone } from "../domain/time.ts";
import { piecesOf, readRange, readTime } from "./time.ts";

test("times are read in the zone", () => {
  // text | zone | instant
  const cases = `
    2026-05-28                | UTC                 | 2026-05-28T00:00:00Z
    2026-05-28                | America/Los_Angeles | 2026-05-28T00:00:00-07:00
    2026-05-28 13:45:01       | Asia/Kathmandu      | 2026-05-28T13:45:01+05:45
    2026-05-28T13:45:01       | UTC                 | 2026-05-28T13:45:01Z
    2026-05-28T13:45:01+02:00 | Asia/Kathmandu      | 2026-05-28T17:30:01+05:45
    2026-03-08 02:30:00       | America/New_York    | 2026-03-08T03:30:00-04:00
    2026-11-01 01:30:00       | America/New_York    | 2026-11-01T01:30:00-04:00`;
  for (const line of cases.trim().split("\n")) {
    const [text = "", zone = "", instant = ""] = line.split("|").map((cell) => cell.trim());
    assert.equal(formatInZone(readTime(text, "--start-time", zone), zone), instant, line);
  }
});

test("without times the range is the last 30 local days, today included", () => {
  const now = Date.parse("2026-06-15T03:00:00Z");
  const { start, end } = readRange({}, "America/Los_Angeles", now);
  assert.equal(formatInZone(start, "America/Los_Angeles"), "2026-05-16T00:00:00-07:00");
  assert.equal(formatInZone(end, "America/Los_Angeles"), "2026-06-15T00:00:00-07:00");
});

test("pieces join into the range, meet at local midnights, and each is short enough for any server", () => {
  const zones = fc.constantFrom("UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo");
  const instants = fc.integer({ min: Date.UTC(2015, 0), max: Date.UTC(2030, 0) });
  const lengths = fc.integer({ min: 1, max: 800 * DAY_MS });
  fc.assert(
    fc.property(zones, instants, lengths, (zone, start, length) => {
      const range = { start, end: start + length };
      const pieces = piecesOf(range, zone);
      assert.equal(pieces[0]!.start, range.start);
      assert.equal(pieces.at(-1)!.end, range.end);
      for (const [at, piece] of pieces.entries()) {
        assert.ok(piece.end > piece.start && piece.end - piece.start <= 31 * DAY_MS);
        if (at === 0) continue;
        assert.equal(piece.start, pieces[at - 1]!.end);
        assert.equal(piece.start, dayStart(piece.start, zone), "cut at a midnight");
      }
    }),
    { numRuns: 1_000 },
  );
});

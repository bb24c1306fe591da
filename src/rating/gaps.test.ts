import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { loadPriceBook } from "./book.ts";
import { gapsOf } from "./gaps.ts";

/** Entries on lines 3, 4, ...: match, first month, and the month that it ends with. */
function gaps(rows: readonly [match: string, from: number, to?: number][]): unknown[] {
  const month = (at: number): string => `2026-0${at}-01T00:00:00Z`;
  const entries = rows.map(([match, from, to]) => {
    const end = to === undefined ? "" : `, effectiveTo: ${month(to)}`;
    return `  - { match: ${match}, perMillionTokens: { input: "1" }, effectiveFrom: ${month(from)}${end}, source: s }\n`;
  });
  const book = loadPriceBook("trial", `currency: USD\nprices:\n${entries.join("")}`);
  return gapsOf(book).map((gap) => {
    const at = (instant: number | undefined): number | undefined => instant && new Date(instant).getUTCMonth() + 1;
    return [gap.match, gap.lines, at(gap.from), at(gap.to)];
  });
}

test("a gap lies between two entries that are alike, and behind the last that ends", () => {
  assert.deepEqual(gaps([["{ model: m }", 1]]), []);
  assert.deepEqual(
    gaps([
      ["{ model: m }", 1, 3],
      ["{ model: m }", 3],
    ]),
    [],
  );
  assert.deepEqual(
    gaps([
      ["{ model: m }", 5],
      ["{ model: m }", 1, 3],
    ]),
    [["model m", [4, 3], 3, 5]],
  );
  assert.deepEqual(
    gaps([
      ["{ model: m }", 1, 3],
      ["{ model: n }", 3],
    ]),
    [["model m", [3], 3, undefined]],
  );
  assert.deepEqual(
    gaps([
      ["{ model: m }", 1, 2],
      ["{ model: m }", 3, 4],
    ]),
    [
      ["model m", [3, 4], 2, 3],
      ["model m", [4], 4, undefined],
    ],
  );
});

test("each model of a list is looked at by itself, and all else must be the same", () => {
  assert.deepEqual(
    gaps([
      ["{ model: [a, b] }", 1, 3],
      ["{ model: a }", 3],
      ["{ model: b }", 3],
    ]),
    [],
  );
  assert.deepEqual(
    gaps([
      ["{ model: [a, b] }", 1, 3],
      ["{ model: a }", 3],
    ]),
    [["model b", [3], 3, undefined]],
  );
  assert.deepEqual(
    gaps([
      ["{ model: a }", 1, 3],
      ["{ model: a, serviceTier: FAST }", 3],
    ]),
    [["model a", [3], 3, undefined]],
  );
  assert.deepEqual(
    gaps([
      ["{ model: a, serviceTier: [STANDARD, FAST] }", 1, 3],
      ["{ model: a, serviceTier: [FAST, STANDARD] }", 3],
    ]),
    [],
  );
});

test("the default book has one gap: the A100, which the lists of 2026 no longer name", () => {
  const book = loadPriceBook("default", readFileSync(new URL("../../prices/default.yaml", import.meta.url), "utf8"));
  assert.deepEqual(
    gapsOf(book).map(({ match, from, to }) => [match, from, to]),
    [["acceleratorType NVIDIA_A100_40GB or NVIDIA_A100_80GB", Date.UTC(2026, 0, 1), undefined]],
  );
});

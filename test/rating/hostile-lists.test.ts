/** Published lists with anything in any place: a book that loads, or one refusal; never a book with mistakes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "../../src/domain/fault.ts";
import { importPriceList, type ListKind } from "../../src/rating/import/import.ts";

const SAMPLE = readFileSync(join(import.meta.dirname, "litellm-sample.json"), "utf8");
const GENAI = `[{"id": "p", "name": "P", "pricing_urls": ["https://p.test"], "models": [
  {"id": "m", "match": {"or": [{"equals": "m"}, {"starts_with": "m-"}, {"contains": "mm"}]}, "prices": [
    {"prices": {"input_mtok": 1, "output_mtok": {"base": 2, "tiers": [{"start": 200000, "price": 3}]}}},
    {"constraint": {"type": "start_date", "start_date": "2026-01-01"}, "prices": {"input_mtok": 1, "audio_hours": 0.4}}]},
  {"id": "n", "match": {"equals": "m-n"}, "prices": {"cache_read_mtok": 0.1, "requests_kcount": 5}}]}]`;
const LISTS: Readonly<Record<ListKind, string>> = { litellm: SAMPLE, "genai-prices": GENAI };

/** What may stand where a list has something else; a name or a price among them is no mistake. */
const anything = fc.oneof(
  fc.json({ maxDepth: 2 }),
  fc.constantFrom(
    "null",
    "1e-30",
    "1e400",
    "-0",
    "-1",
    "0.1e-13",
    "1e29",
    "12345678901234567890e10",
    '"__proto__"',
    '"*"',
  ),
  fc.constantFrom('"#"', '"a\\nb"', '"\\u2028"', '"{ x: y }"', '"2026-13-45"', '"9999-12-31"', "[[0, 1]]", "{}", "[]"),
);

/** The text with one value, or one name, replaced. */
function changed(text: string, place: number, put: string): string {
  const values = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|\{\}|\[\]/g)];
  const { 0: old, index } = values[place % values.length]!;
  const isName = /^\s*:/.test(text.slice(index + old.length));
  if (isName && !put.startsWith('"')) return changed(text, place + 1, put);
  return text.slice(0, index) + put + text.slice(index + old.length);
}

test("whatever stands in a list, it makes a book that loads or one refusal that names the list", () => {
  const changes = fc.array(fc.tuple(fc.nat(), anything), { minLength: 1, maxLength: 5 });
  let books = 0;
  fc.assert(
    fc.property(
      fc.constantFrom<ListKind>("litellm", "genai-prices"),
      changes,
      fc.constantFrom("", "{provider}/", "*"),
      (from, all, prefix) => {
        const text = all.reduce((before, [place, put]) => changed(before, place, put), LISTS[from]);
        const options = { from, name: "list.json", effectiveFrom: Date.UTC(2020, 0, 1), modelPrefix: prefix };
        try {
          importPriceList(text, options);
          books += 1;
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          assert.deepEqual(
            error.problems.map(({ code }) => code),
            ["bad_price_list"],
          );
        }
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(books > 200, `${books} books`);
});

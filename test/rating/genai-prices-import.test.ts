/** The form of genai-prices' data into a book: conditions, tiers, names, and what a book cannot say. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attoPerUnit, parseDecimal } from "../../src/domain/money.ts";
import { CONTEXT_CLASS_EDGES } from "../../src/domain/usage.ts";
import { loadPriceBook } from "../../src/rating/book.ts";
import { importPriceList } from "../../src/rating/import/import.ts";
import type { PriceBook } from "../../src/rating/price.ts";
import { attoIn } from "./book-prices.ts";

const OPTIONS = { from: "genai-prices", name: "data.json", effectiveFrom: Date.UTC(2020, 0, 1) } as const;

function made(models: readonly string[], options: object = {}) {
  const list = `[{"id": "acme", "name": "Acme", "api_pattern": "x", "pricing_urls": ["https://acme.test"], "models": [${models}]}]`;
  const { yaml, report } = importPriceList(list, { ...OPTIONS, ...options });
  return { book: loadPriceBook("made", yaml), report, yaml };
}

function inputOf(book: PriceBook, model: string, at = "2026-01-01", promptTokens = 1): string | undefined {
  const atto = attoIn(book, "uncachedPromptTokens", { model, promptTokens, at: Date.parse(at) });
  return atto === undefined ? undefined : String(Number(atto) / 1e12);
}

test("prices by date hold from their day; the first until then; a price by the hour is told and left out", () => {
  const { book, report } = made([
    `{"id": "m", "match": {"equals": "m"}, "prices": [
      {"prices": {"input_mtok": 1}},
      {"constraint": {"type": "start_date", "start_date": "2026-03-01"}, "prices": {"input_mtok": 3}},
      {"constraint": {"start_date": "2026-02-01"}, "prices": {"input_mtok": 2}},
      {"constraint": {"type": "time_of_date", "start_time": "01:00:00Z", "end_time": "02:00:00Z"}, "prices": {"input_mtok": 9}}
    ]}`,
    `{"id": "old", "match": {"equals": "old"}, "prices": [
      {"prices": {"input_mtok": 1}},
      {"constraint": {"type": "start_date", "start_date": "2019-03-01"}, "prices": {"input_mtok": 2}},
      {"constraint": {"type": "start_date", "start_date": "2026-02-30"}, "prices": {"input_mtok": 4}},
      {"constraint": {"type": "full_moon"}, "prices": {"input_mtok": 5}}
    ]}`,
  ]);
  const days = ["2020-01-01", "2026-01-31T23:59:59Z", "2026-02-01", "2026-02-28T01:30:00Z", "2026-03-01", "2027-01-01"];
  // Of prices that hold, the list's last one counts: what begins in February stands behind what begins in March.
  assert.deepEqual(
    days.map((day) => inputOf(book, "m", day)),
    ["1", "1", "2", "2", "2", "2"],
  );
  assert.deepEqual([inputOf(book, "m", "2019-12-31"), inputOf(book, "old", "2026-06-01")], [undefined, "2"]);
  const told = report.findings.map(({ kind, key, count }) => `${kind} ${key} ${count}`);
  assert.deepEqual(told, ["not_understood constraint 2", "not_expressible constraint.time_of_date 1"]);
  assert.deepEqual(report.partly, [{ model: "m", keys: ["constraint.time_of_date"] }]);
});

test("tiers by length of prompt: a limit that counts one more is taken, one inside a class leaves it without a price", () => {
  const tiered = (...tiers: [number, number][]) =>
    `{"base": 1, "tiers": [${tiers.map(([start, price]) => `{"start": ${start}, "price": ${price}}`)}]}`;
  const { book, report } = made([
    `{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": ${tiered([272000, 3], [199999, 2])}, "output_mtok": 5}}`,
    `{"id": "odd", "match": {"equals": "odd"}, "prices": {"input_mtok": ${tiered([100000, 2])}}}`,
  ]);
  const lengths = [1, 200_000, 200_001, 272_000, 272_001];
  assert.deepEqual(
    lengths.map((length) => inputOf(book, "m", undefined, length)),
    ["1", "1", "2", "2", "3"],
  );
  assert.deepEqual(
    [64_000, 64_001, 128_000, 128_001].map((length) => inputOf(book, "odd", undefined, length)),
    ["1", undefined, undefined, "2"],
  );
  const told = report.findings.map(({ kind, key }) => `${kind} ${key}`);
  assert.deepEqual(told, ["not_expressible above 100000 tokens", "approximated above 199999 tokens"]);
});

test("names: whole ones and beginnings; the list's first model keeps a name; other clauses leave the id", () => {
  const model = (id: string, match: string, price: number) =>
    `{"id": "${id}", "match": ${match}, "prices": {"input_mtok": ${price}}}`;
  const { book, report } = made([
    model("a", '{"or": [{"equals": "A-one"}, {"starts_with": "a-"}]}', 1),
    model("b", '{"or": [{"equals": "a-two"}, {"starts_with": "a-three-"}, {"starts_with": "b"}]}', 2),
    model(
      "c",
      '{"or": [{"contains": "sea"}, {"regex": "^c+$"}, {"ends_with": "cc"}, {"and": []}, {"sounds_like": "c"}]}',
      3,
    ),
  ]);
  const asked = ["a", "A-one", "a-zzz", "a-two", "a-three-x", "b", "bzz", "c", "sea", "ab"];
  assert.deepEqual(
    asked.map((name) => inputOf(book, name)),
    ["1", "1", "1", "1", "1", "2", "2", "3", undefined, undefined],
  );
  assert.deepEqual(
    report.findings.map(({ kind, key, example }) => `${kind} ${key} ${example}`),
    [
      "not_understood match.sounds_like c",
      "not_expressible match.and c",
      "not_expressible match.contains c",
      "not_expressible match.ends_with c",
      "not_expressible match.regex c",
      "approximated match a",
      "conflict match b",
      "conflict match b",
    ],
  );
});

test("sound by the hour is priced by the minute, what is counted among others is told unless it costs the same", () => {
  const { book, report } = made([
    '{"id": "w", "match": {"equals": "w"}, "prices": {"audio_hours": 0.5, "input_audio_hours": 0.04}}',
    `{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": 1, "cache_write_mtok": 1.0, "input_audio_mtok": 4,
      "output_mtok": 2, "output_reasoning_mtok": 2, "web_searches_kcount": 0, "tomorrow_mtok": 1}}`,
    '{"id": "free", "match": {"equals": "free"}, "prices": {}}',
    '{"id": "pages", "match": {"equals": "pages"}, "prices": {"input_mtok": 0, "input_document_kpages": 2}}',
  ]);
  assert.equal(attoIn(book, "audioInputMs", { model: "w" }), attoPerUnit(parseDecimal("0.04")!, 3_600_000n));
  assert.deepEqual(report.partly, [{ model: "m", keys: ["input_audio_mtok"] }]);
  assert.deepEqual(report.unpriced, [
    { model: "free", reason: "the list states no price" },
    { model: "pages", reason: "not expressible: input_document_kpages, prices of 0" },
  ]);
  assert.deepEqual(
    report.findings.filter(({ kind }) => kind === "not_understood").map(({ key }) => key),
    ["tomorrow_mtok"],
  );
});

test("two providers' models of one name: the same is merged, the first stands, and a prefix keeps them apart", () => {
  const model = (id: string, price: number) =>
    `{"id": "${id}", "match": {"equals": "${id}"}, "prices": {"input_mtok": ${price}}}`;
  const provider = (id: string, ...models: string[]) => `{"id": "${id}", "models": [${models}]}`;
  const list = `{"units": {}, "later": 1, "providers": [${provider("one", model("same", 1), model("other", 2))},
    ${provider("two", model("same", 1), model("other", 3))}]}`;
  const { yaml, report } = importPriceList(list, OPTIONS);
  assert.equal(inputOf(loadPriceBook("first", yaml), "other"), "2");
  assert.deepEqual(
    report.findings.map(({ kind, key, example }) => [kind, key, example]),
    [
      ["not_understood", "later", "the whole list"],
      ["conflict", "other", "other (one) and other (two)"],
      ["merged", "name", "same (one) and same (two)"],
    ],
  );
  const apart = importPriceList(list, { ...OPTIONS, modelPrefix: "{provider}/" });
  assert.equal(inputOf(loadPriceBook("apart", apart.yaml), "two/other"), "3");
  const second = importPriceList(list, { ...OPTIONS, provider: "two" });
  assert.equal(inputOf(loadPriceBook("second", second.yaml), "other"), "3");
});

test("every price of any list is found again in the book, at its date and length of prompt", () => {
  const price = fc.integer({ min: 0, max: 10_000 }).map((cents) => `${cents / 100}`);
  const steps = fc.dictionary(fc.constantFrom(...CONTEXT_CLASS_EDGES).map(String), price, { maxKeys: 3 });
  const parts = {
    input_mtok: "uncachedPromptTokens",
    cache_read_mtok: "cachedPromptTokens",
    output_mtok: "completionTokens",
  } as const;
  const prices = fc.dictionary(
    fc.constantFrom(...(Object.keys(parts) as (keyof typeof parts)[])),
    fc.tuple(price, steps),
    {
      minKeys: 1,
    },
  );
  const dated = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 27 }), prices), {
    selector: ([day]) => day,
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(dated, (list) => {
      const sorted = list.toSorted(([a], [b]) => a - b);
      const conditional = sorted.map(([day, stated]) => {
        const keys = Object.entries(stated).map(([key, [base, above]]) => {
          const tiers = Object.entries(above).map(([start, one]) => `{"start": ${start}, "price": ${one}}`);
          return `"${key}": ${tiers.length > 0 ? `{"base": ${base}, "tiers": [${tiers}]}` : base}`;
        });
        return `{"constraint": {"start_date": "2026-01-${String(day).padStart(2, "0")}"}, "prices": {${keys}}}`;
      });
      const { book } = made([`{"id": "m", "match": {"equals": "m"}, "prices": [${conditional}]}`]);
      for (const [day, stated] of sorted) {
        for (const [key, [base, above]] of Object.entries(stated)) {
          for (const [start, one] of [["0", base] as const, ...Object.entries(above)]) {
            const use = { model: "m", at: Date.UTC(2026, 0, day), promptTokens: Number(start) + 1 };
            const atto = attoPerUnit(parseDecimal(one)!, 1_000_000n);
            assert.equal(attoIn(book, parts[key as keyof typeof parts], use), atto, `${key} above ${start} on ${day}`);
          }
        }
      }
    }),
  );
});

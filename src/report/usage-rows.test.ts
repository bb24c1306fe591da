/** Sums in plain numbers make the same rows, cost and JSON as the same sums in bigints. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { moneyOfAtto } from "../domain/money.ts";
import { METERS, type SeriesField } from "../domain/usage.ts";
import type { UsageQuery } from "../domain/usage-query.ts";
import type { SumRow } from "../ledger/ledger.ts";
import { loadPriceBook } from "../rating/book.ts";
import { rowJson } from "../render/billing-usage.ts";
import { unpricedQuantities } from "../render/unpriced.ts";
import { planUsage } from "./usage-plan.ts";
import { foldRows } from "./usage-rows.ts";

const START = Date.parse("2026-03-01T00:00:00Z");
const BOOK = loadPriceBook(
  "plain.yaml",
  `currency: USD
prices:
  - { match: { model: priced }, perMillionTokens: { input: "0.123456", cachedInput: "0.01", output: "7" },
      effectiveFrom: 2000-01-01T00:00:00Z, source: test }
`,
);
const FACTS = { account: "acme", keyNames: new Map<string, string>(), tariff: { list: BOOK, contract: undefined } };
const QUESTION: UsageQuery = {
  range: { start: START, end: START + 2 * 86_400_000 },
  streams: ["SERVERLESS"],
  timezone: "UTC",
  granularity: "DAILY",
  groupBy: ["model_name"],
  filters: [],
};
const PLAN = planUsage(QUESTION, "acme", []);
const STREAM = PLAN.streams[0]!;

/** So large that two of them may pass the safe integers. */
const amount = fc.oneof(fc.constantFrom(0, 0, 1, Number.MAX_SAFE_INTEGER), fc.nat(), fc.maxSafeNat());
const drawnSum = fc.record({
  segment: fc.constantFrom(0, 1),
  model: fc.constantFrom("priced", "other"),
  isPlain: fc.boolean(),
  /** Events, then the meters. */
  amounts: fc.array(amount, { minLength: METERS.length + 1, maxLength: METERS.length + 1 }),
});

const FIXED: Partial<Record<SeriesField, string>> = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE" };

test("rows of plain numbers, of bigints and of both are the same, past the safe integers too", () => {
  const property = fc.property(fc.array(drawnSum, { minLength: 1, maxLength: 12 }), (drawn) => {
    const sums = drawn.map(({ segment, model, isPlain, amounts }) => {
      const cached = METERS.indexOf("cachedPromptTokens") + 1;
      const prompt = METERS.indexOf("promptTokens") + 1;
      const cells = Float64Array.from(amounts).with(cached, Math.min(amounts[cached]!, amounts[prompt]!));
      const [events, ...quantities] = Array.from(cells, BigInt);
      const values = STREAM.question.fields.map((field) => (field === "model" ? model : (FIXED[field] ?? "")));
      const exact: SumRow = { segment, values, events: events!, quantities };
      return { exact, mixed: isPlain ? { ...exact, plain: { cells, first: 1 } } : exact };
    });
    const text = (rows: readonly SumRow[]) =>
      Array.from(foldRows(rows, PLAN, STREAM, FACTS), (row) => {
        const json = rowJson(row, "SERVERLESS", { timezone: "UTC", contracted: true });
        const wire = JSON.parse(json) as { unpricedQuantities: unknown; cost: unknown };
        assert.deepEqual(wire.unpricedQuantities, unpricedQuantities(row.unpriced));
        assert.deepEqual(wire.cost, moneyOfAtto(row.atto));
        return [json, `${row.events} ${row.quantities} ${row.atto} ${[...row.unpriced]}`];
      });
    assert.deepEqual(text(sums.map(({ mixed }) => mixed)), text(sums.map(({ exact }) => exact)));
  });
  fc.assert(property);
});

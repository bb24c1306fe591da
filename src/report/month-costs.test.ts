import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Deployment } from "../accounts/records.ts";
import { nanosOfAtto } from "../domain/money.ts";
import { DAY_MS, HOUR_MS, type Instant, monthEdges, parseInstant } from "../domain/time.ts";
import { batchOf, METERS, type Meter, SERIES_FIELDS, STREAMS } from "../domain/usage.ts";
import { MemoryLedger } from "../ledger/memory.ts";
import { loadPriceBook } from "../rating/book.ts";
import { billingUsage } from "./billing-usage.ts";
import { listInvoices } from "./invoices.ts";
import { monthCosts } from "./month-costs.ts";
import type { ReportSources } from "./priced-sums.ts";

const RUNS = Number(process.env.DAYBOOK_LAW_RUNS ?? 150);
const at = (text: string): Instant => parseInstant(text)!;
const ACCOUNT = "acme";
const START = at("2024-11-01T00:00:00Z");
const NOW = at("2026-10-20T12:34:56.789Z");
const EDGES = monthEdges({ start: START, end: NOW }, "UTC");
/** A price that changes inside a month, one that is finer than a nano, and no price for the rest. */
const BOOK = loadPriceBook(
  "months.yaml",
  `currency: USD
prices:
  - { match: { model: m }, perMillionTokens: { input: "0.0375", cachedInput: "0.01", output: "3" },
      effectiveFrom: 2000-01-01T00:00:00Z, effectiveTo: 2026-03-17T09:15:00Z, source: test }
  - { match: { model: m }, perMillionTokens: { input: "1", cachedInput: "0.145", output: "3.33" },
      effectiveFrom: 2026-03-17T09:15:00Z, source: test }
  - { match: { acceleratorType: NVIDIA_L4_24GB }, perAcceleratorHour: "7", effectiveFrom: 2000-01-01T00:00:00Z,
      source: test }
`,
);

const KNOWN = { list: BOOK, contract: undefined, book: { version: 1, hash: "" }, contractBook: undefined };

interface Sent {
  readonly time: Instant;
  readonly labels: Readonly<Record<string, string>>;
  readonly quantities: Partial<Record<Meter, number>>;
}

async function sourcesOf(events: readonly Sent[], deployments: readonly Deployment[]): Promise<ReportSources> {
  const ledger = new MemoryLedger();
  const kept = events.map(({ time, labels, quantities }, id) => {
    const values = SERIES_FIELDS.map((field) => labels[field] ?? "");
    const meters = METERS.map((meter) => quantities[meter] ?? 0);
    return { id: `${id}`, time, sent: values, series: values, quantities: meters };
  });
  await ledger.append(ACCOUNT, batchOf(kept), 0);
  const accounts = {
    keyNames: async () => new Map(),
    keyIdsOf: async () => [],
    deploymentsForUsage: async () => [...deployments],
  };
  return { ledger, accounts, tariff: { list: BOOK, contract: undefined } };
}

function deployment(acceleratorType: string, replicaChanges: Deployment["replicaChanges"]): Deployment {
  const attributes = { baseModel: "", acceleratorType, acceleratorCount: 2, placement: "", annotations: {} };
  const attributeChanges = [{ time: START, ...attributes }];
  const times = { createTime: START, updateTime: START };
  return { account: ACCOUNT, id: "d", displayName: "", ...times, ...attributes, replicaChanges, attributeChanges };
}

const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";
const tokens = fc.nat(2_000_000_000);
const event: fc.Arbitrary<Sent> = fc
  .record({
    time: fc.oneof(
      fc.integer({ min: START, max: NOW + DAY_MS }),
      fc.constantFrom(...EDGES).chain((edge) => fc.integer({ min: edge - 2, max: edge + 1 })),
    ),
    kind: fc.constantFrom("m", "m", "nobody-knows", "training", "L4", "L4"),
    amount: tokens,
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .filter(({ time }) => time >= START)
  .map(({ time, kind, amount, part }) => {
    if (kind === "training")
      return { time, labels: { usageType: "TRAINING_TOKEN_USAGE" }, quantities: { tokens: amount } };
    if (kind === "L4") {
      const labels = { usageType: "DEDICATED_DEPLOYMENT_USAGE", acceleratorType: "NVIDIA_L4_24GB" };
      return { time, labels, quantities: { acceleratorMs: amount } };
    }
    const quantities = {
      promptTokens: amount,
      cachedPromptTokens: Math.floor(amount * part),
      completionTokens: amount,
    };
    return { time, labels: { usageType: TEXT, model: kind }, quantities };
  });

test("each month costs what the days of billingUsage cost, and what has no price is the same", async () => {
  const change = fc.record({ time: fc.integer({ min: START, max: NOW + DAY_MS }), replicaCount: fc.nat(3) });
  const running = fc.array(change, { maxLength: 4 }).map((changes) =>
    deployment(
      "NVIDIA_L4_24GB",
      changes.sort((a, b) => a.time - b.time),
    ),
  );
  const property = fc.asyncProperty(fc.array(event, { maxLength: 30 }), running, async (events, made) => {
    const sources = await sourcesOf(events, [made]);
    const months = EDGES.slice(0, -1).map((start, index) => ({
      month: { start, end: EDGES[index + 1]! },
      tariff: sources.tariff,
    }));
    const { costs } = await monthCosts(sources, ACCOUNT, months, NOW);
    const expected: (typeof costs)[number][] = [];
    for (const [index, start] of EDGES.slice(0, -1).entries()) {
      const month = { start, end: EDGES[index + 1]! };
      const question = {
        range: month,
        streams: STREAMS,
        timezone: "UTC",
        granularity: "DAILY" as const,
        groupBy: [],
        filters: [],
      };
      const report = await billingUsage(sources, ACCOUNT, question, NOW);
      const rows = STREAMS.flatMap((stream) => [...report.rows[stream]]);
      if (rows.length === 0) continue;
      const unpriced = new Map<never, bigint>();
      for (const row of rows) {
        for (const [component, amount] of row.unpriced as ReadonlyMap<never, bigint>) {
          unpriced.set(component, (unpriced.get(component) ?? 0n) + amount);
        }
      }
      const atto = rows.reduce((sum, row) => sum + row.atto, 0n);
      expected.push({ month, tariff: sources.tariff, atto, listAtto: atto, unpriced });
    }
    assert.deepEqual(costs, expected);
  });
  await fc.assert(property, { numRuns: Math.ceil(RUNS / 5) });
});

test("a deployment alone makes invoices, for every month that it ran in, up to now", async () => {
  const from = at("2026-08-31T23:00:00Z");
  const ran = deployment("NVIDIA_L4_24GB", [
    { time: from, replicaCount: 1 },
    { time: from + 2 * HOUR_MS, replicaCount: 0 },
    { time: NOW - HOUR_MS, replicaCount: 1 },
    { time: NOW + HOUR_MS, replicaCount: 9 },
  ]);
  const { ledger, accounts } = await sourcesOf([], [ran]);
  const tariff = async () => KNOWN;
  const sources = { ledger, accounts, tariffs: { at: tariff, issued: tariff } };
  const { items } = await listInvoices(sources, ACCOUNT, { pageSize: 50, showPending: true }, NOW);
  // Two accelerators at $7 an hour.
  assert.deepEqual(
    items.map(({ id, state, atto }) => `${id} ${state} ${nanosOfAtto(atto)}`),
    ["2026-10 PENDING 14000000000", "2026-09 CLOSED 14000000000", "2026-08 CLOSED 14000000000"],
  );
});

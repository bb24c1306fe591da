/**
 * Laws 3, 4 and 7 in explanations: for random usage, books, contracts, zones and groupings, the parts of every row add up
 * to the row's exact cost and quantities, and its events are those that were summed. And: list and net costs come to the
 * same whatever the grouping, and a range costs what its parts cost.
 */

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import type { Caller, Deployment } from "../src/accounts/records.ts";
import { type Dimension, groupingOf } from "../src/domain/dimension.ts";
import { type PageStart, readPageToken } from "../src/domain/page-token.ts";
import { formatInstant, SLOT_MS } from "../src/domain/time.ts";
import { batchOf, METERS, SERIES_FIELDS, STREAMS } from "../src/domain/usage.ts";
import { parseUsageCostsQuery } from "../src/domain/usage-costs-query.ts";
import type { UsageExplainQuery } from "../src/domain/usage-explain-query.ts";
import type { UsageQuery } from "../src/domain/usage-query.ts";
import type { Ledger } from "../src/ledger/ledger.ts";
import { MemoryLedger } from "../src/ledger/memory.ts";
import { loadPriceBook } from "../src/rating/book.ts";
import { quantitiesOf } from "../src/rating/rate.ts";
import { billingSummary } from "../src/report/billing-summary.ts";
import { billingUsage, type UsageReport } from "../src/report/billing-usage.ts";
import { monthCosts } from "../src/report/month-costs.ts";
import type { RowEvent } from "../src/report/row-events.ts";
import type { KnownTariff } from "../src/report/tariffs.ts";
import { usageCosts } from "../src/report/usage-costs.ts";
import { type UsageExplanation, usageExplanation } from "../src/report/usage-explanation.ts";
import type { UsageRow } from "../src/report/usage-rows.ts";

const RUNS = Number(process.env.DAYBOOK_LAW_RUNS ?? 150);
const DAY = 86_400_000;
const FIRST = Date.UTC(2026, 2, 27);
const DAYS = 3;
const NOW = FIRST + 2 * DAY + 3_600_000;
const ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles", "Australia/Lord_Howe"] as const;

const decimal = fc.nat(99_999).map((digits) => `0.${String(digits).padStart(5, "0")}`);
const slot = fc.integer({ min: 0, max: (DAYS * DAY) / SLOT_MS - 1 }).map((at) => formatInstant(FIRST + at * SLOT_MS));

/** A list whose prices change once at some slot, with entries by tier, batch and length of prompt on one line of text. */
const listBook = fc.tuple(slot, fc.array(decimal, { minLength: 8, maxLength: 8 })).map(
  ([change, [a, b, c, d, e, f, g, h]]) => `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.1", restrictedPlacement: "1.5", source: s }
prices:
  - { match: { model: a }, perMillionTokens: { input: "${a}", output: "${b}" }, effectiveFrom: 2026-01-01T00:00:00Z, effectiveTo: ${change}, source: s }
  - { match: { model: a }, perMillionTokens: { input: "${c}", cachedInput: "${d}" }, effectiveFrom: ${change}, source: s }
  - { match: { model: a, serviceTier: FAST }, perMillionTokens: { input: "${e}", output: "${f}" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }
  - { match: { model: a, contextTokens: { above: 32000 } }, perMillionTokens: { input: "${g}", output: "${h}" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }
  - { match: { model: b, contextTokens: { atMost: 32000 } }, perMillionTokens: { input: "${f}", output: "${g}" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }
  - { match: { model: b }, perMillionTokens: { input: "${h}", output: "${a}" }, effectiveFrom: 2026-01-01T00:00:00Z, source: s }
  - { match: { acceleratorType: NVIDIA_H100_80GB }, perAcceleratorHour: "${a}", effectiveFrom: 2026-01-01T00:00:00Z, source: s }
`,
); // biome-ignore format: a book
const contractBook = fc.option(
  fc.tuple(slot, decimal, fc.integer({ min: 1, max: 100 })).map(
    ([from, price, percent]) => `currency: USD
prices:
  - { match: { model: a, batch: true }, perMillionTokens: { input: "${price}" }, effectiveFrom: ${from}, source: c }
discounts:
  - { percent: "${percent}", effectiveFrom: ${from}, source: c }
`,
  ),
  { nil: undefined },
); // biome-ignore format: a book

const event = fc
  .record({
    time: fc.noBias(fc.integer({ min: FIRST, max: FIRST + DAYS * DAY - 1 })),
    received: fc.oneof(fc.constantFrom(0, 12 * 3_600_000), fc.integer({ min: -DAY, max: 3 * DAY })),
    kind: fc.constantFrom("text", "text", "text", "gpu", "training"),
    model: fc.constantFrom("a", "a", "b", "b", "c"),
    apiKeyId: fc.constantFrom("k1", "k2", "k3", ""),
    team: fc.constantFrom("search", ""),
    serviceTier: fc.constantFrom("STANDARD", "STANDARD", "STANDARD", "FAST", "PRIORITY"),
    batch: fc.constantFrom("", "true"),
    contextClass: fc.constantFrom("", "32000", "64000"),
    amount: fc.nat(1_000_000),
    share: fc.integer({ min: 0, max: 4 }),
    voided: fc.constantFrom(false, false, false, true),
  })
  .map(({ time, received, voided, kind, amount, share, ...labels }) => {
    if (kind === "gpu") {
      const gpu = { usageType: "DEDICATED_DEPLOYMENT_USAGE", deployment: "chat", acceleratorType: "NVIDIA_H100_80GB", placement: labels.team && "US", team: labels.team }; // biome-ignore format: one line
      return { time, received, voided, labels: gpu, quantities: { acceleratorMs: amount } };
    }
    if (kind === "training") {
      const job = { usageType: "TRAINING_TOKEN_USAGE", jobId: `job-${labels.apiKeyId}`, jobType: "SFT", baseModel: labels.model }; // biome-ignore format: one line
      return { time, received, voided, labels: job, quantities: { tokens: amount } };
    }
    const quantities = { promptTokens: amount, cachedPromptTokens: Math.floor((amount * share) / 4), completionTokens: amount % 997 }; // biome-ignore format: one line
    return { time, received, voided, labels: { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", ...labels }, quantities };
  });
type Sent = typeof event extends fc.Arbitrary<infer T> ? T : never;

const story = fc.record({
  events: fc.array(event, { minLength: 25, maxLength: 45 }),
  list: listBook,
  contract: contractBook,
  zone: fc.constantFrom(...ZONES),
  hourly: fc.boolean(),
  start: fc.nat(DAY).map((offset) => FIRST + offset),
  length: fc.oneof(fc.integer({ min: 1, max: DAYS * DAY }), fc.constant(3 * DAY)),
  groupBy: fc.subarray<Dimension>(["model_name", "api_key_id", "api_key_name", "deployment_name", "annotations.team", "job_id"]),
  filter: fc.constantFrom<UsageQuery["filters"]>(
    [],
    [{ dimension: "api_key_name", values: ["prod", ""] }],
    [{ dimension: "annotations.team", values: ["search"] }],
  ),
  runs: fc.boolean(),
}); // biome-ignore format: a record
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

/** Two keys of one name, one of another; the third id is of no key. */
const KEY_NAMES = new Map([["k1", "prod"], ["k2", "prod"], ["k3", "dev"]]); // biome-ignore format: one line

const ATTRIBUTES = {
  baseModel: "",
  acceleratorType: "NVIDIA_H100_80GB",
  acceleratorCount: 2,
  placement: "US",
  annotations: {},
};
const RUNNING: Deployment = {
  account: "acme", id: "chat", displayName: "", createTime: FIRST, updateTime: FIRST, ...ATTRIBUTES,
  replicaChanges: [{ time: FIRST + 12_345, replicaCount: 1 }, { time: FIRST + DAY + 7, replicaCount: 3 }],
  attributeChanges: [{ time: FIRST, ...ATTRIBUTES }],
}; // biome-ignore format: a record

function tariffOf({ list, contract }: Story): KnownTariff {
  return {
    list: loadPriceBook("list", list, "list"),
    contract: contract === undefined ? undefined : loadPriceBook("contract", contract, "contract"),
    book: { version: 1, hash: "h" },
    contractBook: contract === undefined ? undefined : { version: 2, hash: "c" },
  };
}

async function ledgerOf(events: readonly Sent[]): Promise<Ledger> {
  const ledger = new MemoryLedger();
  for (const [at, { time, received, voided, labels, quantities }] of events.entries()) {
    const values = SERIES_FIELDS.map((field) => (labels as Record<string, string>)[field] ?? "");
    const meters = METERS.map((meter) => (quantities as Record<string, number>)[meter] ?? 0);
    const batch = batchOf([{ id: `e${at}`, time, sent: values, series: values, quantities: meters }]);
    await ledger.append("acme", batch, time + received);
    if (voided) await ledger.void("acme", [`e${at}`], NOW);
  }
  return ledger;
}

type Sources = Parameters<typeof usageExplanation>[0];

async function sourcesOf(one: Story): Promise<Sources> {
  return {
    ledger: await ledgerOf(one.events),
    accounts: {
      keyNames: async () => KEY_NAMES,
      keyIdsOf: async () => [],
      deploymentsForUsage: async () => (one.runs ? [RUNNING] : []),
    },
    tariff: tariffOf(one),
  };
}

function queryOf({ start, length, zone, hourly, groupBy, filter }: Story): UsageQuery {
  const range = { start, end: start + length };
  return {
    range,
    streams: STREAMS,
    timezone: zone,
    granularity: hourly ? "HOURLY" : "DAILY",
    groupBy,
    filters: filter,
  };
}

const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);

type ListAndNet = Pick<UsageRow, "atto" | "listAtto">;

function costOf(parts: readonly ListAndNet[]): ListAndNet {
  return { atto: sum(parts.map(({ atto }) => atto)), listAtto: sum(parts.map(({ listAtto }) => listAtto)) };
}

function totals({ rows }: UsageReport): ListAndNet {
  return costOf(STREAMS.flatMap((stream) => [...rows[stream]]));
}

const OPERATOR: Caller = { account: "home", user: "owner", keyId: "key_0", role: "OPERATOR" };

suite("laws of explanations", () => {
  test("every row's parts come to its exact cost and quantities; its events are those that were summed", async () => {
    let explained = 0;
    const property = fc.asyncProperty(story, async (one) => {
      const sources = await sourcesOf(one);
      const usage = queryOf(one);
      const report = await billingUsage(sources, "acme", usage, NOW);
      for (const stream of STREAMS) {
        for (const row of report.rows[stream]) {
          const { usageType, values } = row.group;
          assert.deepEqual(values.map(([name]) => name), groupingOf(stream, usage.groupBy)); // biome-ignore format: one line
          const asked = { start: row.bucket.start, usageType, described: {}, group: values };
          const ask = { usage, row: asked, events: { pageSize: 2, pageStart: undefined } };
          const answer = await usageExplanation(sources, "acme", ask, NOW);
          explained += 1;
          assert.deepEqual({ ...answer.row, shared: "" }, { ...row, shared: "" });
          assert.equal(sum(answer.priced.map(({ atto }) => atto)), row.atto);
          assert.equal(sum(answer.priced.map(({ listAtto }) => listAtto)), row.listAtto);
          for (const { quantity, net, list, atto, listAtto } of answer.priced) {
            assert.deepEqual([quantity * net.atto, quantity * list.atto], [atto, listAtto]);
          }
          const parts = [...answer.priced, ...answer.unpriced];
          for (const { component, quantity } of quantitiesOf(row.quantities)) {
            assert.equal(sum(parts.filter((part) => part.component === component).map((part) => part.quantity)), quantity); // biome-ignore format: one line
            const unpriced = answer.unpriced.filter((part) => part.component === component);
            assert.equal(sum(unpriced.map((part) => part.quantity)), row.unpriced.get(component) ?? 0n);
          }
          // No line is there twice.
          const seen = parts.map((part) => [part.component, ...Object.entries(part.attributes), part.span?.start, "net" in part && [part.net.entry.line, part.list.entry.line]].join("|")); // biome-ignore format: one line
          assert.equal(new Set(seen).size, seen.length);
          assert.equal(answer.events!.count, row.events);
          const timeline = answer.stream === "DEDICATED_DEPLOYMENT" ? answer.deploymentMs : 0n;
          assert.equal(answer.deploymentMs, timeline);
          await checkPages(sources, ask, answer);
        }
      }
    });
    await fc.assert(property, { numRuns: RUNS });
    assert.ok(explained > RUNS, `${explained} rows`);
  });

  /** Page by page each event of the row is there once, and what is told of them all is what they are. */
  async function checkPages(
    sources: Sources,
    ask: UsageExplainQuery,
    { row, events }: UsageExplanation,
  ): Promise<void> {
    const seen: RowEvent[] = [];
    let pageStart: PageStart | undefined;
    do {
      const { page } = await usageExplanation(sources, "acme", { ...ask, events: { pageSize: 2, pageStart } }, NOW);
      assert.ok(page!.events.length <= 2);
      seen.push(...page!.events);
      pageStart = page!.nextPageToken === undefined ? undefined : readPageToken(page!.nextPageToken);
    } while (pageStart);
    assert.equal(new Set(seen.map(({ event }) => event.id)).size, seen.length);
    const counted = seen.filter(({ event }) => event.voidedAt === undefined);
    const times = counted.map(({ event }) => event.time);
    assert.deepEqual(events, {
      count: BigInt(counted.length),
      voided: BigInt(seen.length - counted.length),
      late: BigInt(counted.filter(({ event }) => event.receivedAt! >= row.bucket.end).length),
      unknownArrival: 0n,
      estimated: new Map(),
      firstTime: times.length === 0 ? undefined : Math.min(...times),
      lastTime: times.length === 0 ? undefined : Math.max(...times),
      keptFrom: undefined,
    });
    // Quantities of the ledger's events, with the timeline's, are the row's.
    const acceleratorMs = METERS.indexOf("acceleratorMs");
    for (const [at, quantity] of row.quantities.entries()) {
      const summed = sum(counted.map(({ event }) => BigInt(event.quantities[at]!)));
      if (at !== acceleratorMs) assert.equal(summed, quantity);
      else assert.ok(summed <= quantity);
    }
  }

  test("list and net come to the same in any grouping; a range costs what its parts cost; asked twice it is the same", async () => {
    const property = fc.asyncProperty(story, fc.double({ min: 0, max: 1, noNaN: true }), async (one, part) => {
      const sources = await sourcesOf(one);
      const query = { ...queryOf(one), filters: [] };
      const ask = (asked: UsageQuery) => billingUsage(sources, "acme", asked, NOW);
      const whole = totals(await ask(query));
      assert.deepEqual(totals(await ask(query)), whole);
      for (const groupBy of [[], ["annotations.team"], ["api_key_name", "job_type"], ["model_name", "accelerator_type"]]) {
        assert.deepEqual(totals(await ask({ ...query, groupBy: groupBy as Dimension[] })), whole);
      } // biome-ignore format: a list
      const { start, end } = query.range;
      const cut = start + Math.floor((end - start) * part);
      if (cut === start) return;
      const first = totals(await ask({ ...query, range: { start, end: cut } }));
      const rest = totals(await ask({ ...query, range: { start: cut, end } }));
      assert.deepEqual({ atto: first.atto + rest.atto, listAtto: first.listAtto + rest.listAtto }, whole);
    });
    await fc.assert(property, { numRuns: RUNS });
  });

  test("list and net are the same in billingUsage, the summary, usageCosts in any grouping, and the month's bill", async () => {
    const property = fc.asyncProperty(story, async (one) => {
      const sources = await sourcesOf(one);
      const range = { start: FIRST, end: FIRST + DAYS * DAY };
      const query = { ...queryOf(one), range, timezone: "UTC", filters: [] };
      const report = await billingUsage(sources, "acme", query, NOW);
      const summary = await billingSummary(sources, "acme", { range, daily: true }, NOW);
      assert.deepEqual(costOf([summary]), totals(report));
      assert.deepEqual(costOf(Object.values(summary.bySeries)), totals(report));
      assert.deepEqual(costOf(summary.days!), totals(report));
      for (const line of summary.priced) {
        assert.deepEqual(
          [line.atto, line.listAtto],
          [line.quantity * line.unitAtto, line.quantity * line.listUnitAtto],
        );
      }
      const serverless = costOf([...report.rows.SERVERLESS]);
      const [startTime, endTime] = [formatInstant(range.start), formatInstant(range.end)];
      for (const groupBy of [[], ["HOUR"], ["DAY", "API_KEY"], ["HOUR", "MODEL"], ["MODEL_TIER", "USER"]]) {
        const ask = parseUsageCostsQuery({ startTime, endTime, groupBy });
        const costs = await usageCosts(sources, { account: "acme", caller: OPERATOR }, ask, NOW);
        assert.deepEqual(costOf([costs.total]), serverless);
        if (groupBy.length > 0) assert.deepEqual(costOf(costs.rows), serverless);
        const whole = costs.rows.every(({ values }) => values.every((value) => value !== ""));
        const told = groupBy.length === 0 ? "UNKNOWN" : whole ? "COMPLETE" : "INCOMPLETE";
        assert.equal(costs.attribution, told);
      }
      const months = [{ month: range, tariff: sources.tariff }];
      assert.deepEqual(costOf((await monthCosts(sources, "acme", months, NOW)).costs), totals(report));
    });
    await fc.assert(property, { numRuns: RUNS });
  });
});

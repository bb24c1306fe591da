/**
 * Laws 3, 4, 7 and 8 in the billing summary and in usageCosts: both come to billingUsage's attodollars, and to those of a
 * plain fold over the events, on every engine.
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import fc from "fast-check";
import type { Caller } from "../src/accounts/records.ts";
import { Accounts } from "../src/accounts/store.ts";
import { formatInstant } from "../src/domain/time.ts";
import { batchOf, METERS, SERIES_FIELDS, STREAMS, type UsageEvent } from "../src/domain/usage.ts";
import { COST_DIMENSIONS, type CostDimension, parseUsageCostsQuery } from "../src/domain/usage-costs-query.ts";
import type { Ledger } from "../src/ledger/ledger.ts";
import { MemoryLedger } from "../src/ledger/memory.ts";
import { SqliteLedger } from "../src/ledger/sqlite/ledger.ts";
import { loadPriceBook } from "../src/rating/book.ts";
import { type BillingSummary, billingSummary, type SummaryLines } from "../src/report/billing-summary.ts";
import { billingUsage, type UsageReport } from "../src/report/billing-usage.ts";
import { type UsageCosts, usageCosts } from "../src/report/usage-costs.ts";

const RUNS = Number(process.env.DAYBOOK_LAW_RUNS ?? 100);
const DAY = 86_400_000;
const HOUR = 3_600_000;
const FIRST = Date.UTC(2026, 2, 20);
const DAYS = 12;
/** Inside a day, on a slot's edge. */
const PRICE_CHANGE = FIRST + 5 * DAY + 4.5 * HOUR;

const BOOK = loadPriceBook(
  "bills.yaml",
  `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.5", restrictedPlacement: "1.5", source: test }
prices:
  - { match: { model: a }, perMillionTokens: { input: "0.0375", output: "3" }, effectiveFrom: 2000-01-01T00:00:00Z,
      effectiveTo: ${formatInstant(PRICE_CHANGE)}, source: test }
  - { match: { model: a }, perMillionTokens: { input: "1", cachedInput: "0.333", output: "7.77" },
      effectiveFrom: ${formatInstant(PRICE_CHANGE)}, source: test }
  - { match: { model: a, serviceTier: FAST }, perMillionTokens: { input: "2", output: "9" },
      effectiveFrom: 2000-01-01T00:00:00Z, source: test }
  - { match: { model: w }, perAudioMinute: "0.0015", effectiveFrom: 2000-01-01T00:00:00Z, source: test }
  - { match: { acceleratorType: NVIDIA_H100_80GB }, perAcceleratorHour: "7", effectiveFrom: 2000-01-01T00:00:00Z, source: test }
`,
);

type Draft = Readonly<Record<string, string | number>>;

/** Attodollars of one event, from prices written down by hand; 0 where there is none. */
function plainAtto(event: Draft): bigint {
  const amount = (name: string): bigint => BigInt(event[name] ?? 0);
  if (event.usageType === "DEDICATED_DEPLOYMENT_USAGE") {
    // $7 an hour is 1,944,444,444,444.4... attodollars a millisecond, and half as much again in a region.
    if (event.acceleratorType !== "NVIDIA_H100_80GB") return 0n;
    return amount("acceleratorMs") * (event.placement === "US" ? 2_916_666_666_667n : 1_944_444_444_444n);
  }
  if (event.model === "w") return amount("audioInputMs") * 25_000_000_000n;
  if (event.model !== "a" || event.serviceTier === "PRIORITY") return 0n;
  const [input, cached, output] =
    event.serviceTier === "FAST"
      ? [2_000_000_000_000n, 1_000_000_000_000n, 9_000_000_000_000n]
      : Number(event.time) < PRICE_CHANGE
        ? [37_500_000_000n, 18_750_000_000n, 3_000_000_000_000n]
        : [1_000_000_000_000n, 333_000_000_000n, 7_770_000_000_000n];
  const uncached = amount("promptTokens") - amount("cachedPromptTokens");
  const full = uncached * input + amount("cachedPromptTokens") * cached + amount("completionTokens") * output;
  return event.batch === "true" ? full / 2n : full;
}

const tokens = fc.integer({ min: 0, max: 1_000_000 });
const draft = fc
  .record({
    time: fc.oneof(
      fc.integer({ min: FIRST, max: FIRST + DAYS * DAY - 1 }),
      fc.constantFrom(PRICE_CHANGE - 1, PRICE_CHANGE, FIRST + DAY - 1, FIRST + DAY),
    ),
    kind: fc.constantFrom("text", "text", "text", "audio", "gpu", "training"),
    model: fc.constantFrom("a", "a", "b", ""),
    apiKeyId: fc.constantFrom("k1", "k2", ""),
    user: fc.constantFrom("ada", "bob", ""),
    serviceTier: fc.constantFrom("", "STANDARD", "FAST", "PRIORITY"),
    batch: fc.constantFrom("", "", "true"),
    acceleratorType: fc.constantFrom("NVIDIA_H100_80GB", "NVIDIA_L4_24GB"),
    placement: fc.constantFrom("", "US"),
    amount: tokens,
    cachedShare: fc.integer({ min: 0, max: 4 }),
    output: tokens,
  })
  .map(({ time, kind, amount, ...event }): Draft => {
    const { apiKeyId, user, serviceTier, batch, acceleratorType, placement } = event;
    const called = { time, apiKeyId, user, serviceTier, batch };
    switch (kind) {
      case "audio":
        return { ...called, usageType: "AUDIO_INFERENCE_USAGE", model: "w", serviceTier: "", audioInputMs: amount };
      case "gpu":
        return { time, usageType: "DEDICATED_DEPLOYMENT_USAGE", acceleratorType, placement, acceleratorMs: amount };
      case "training":
        return { time, usageType: "TRAINING_TOKEN_USAGE", baseModel: event.model, jobType: "SFT", tokens: amount };
      default: {
        const cachedPromptTokens = Math.floor((amount * event.cachedShare) / 4);
        const text = { promptTokens: amount, cachedPromptTokens, completionTokens: event.output };
        return { ...called, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: event.model, ...text };
      }
    }
  });

function eventOf(event: Draft, at: number): UsageEvent {
  const labels = SERIES_FIELDS.map((field) => String(event[field] ?? ""));
  const quantities = METERS.map((meter) => Number(event[meter] ?? 0));
  return { id: `e${at}`, time: Number(event.time), sent: labels, series: labels, quantities };
}

const drafts = fc.array(draft, { maxLength: 50 });
const story = fc.record({
  events: drafts,
  from: fc.integer({ min: 0, max: DAYS - 1 }),
  days: fc.integer({ min: 1, max: DAYS }),
});

function plus(sums: Map<string, bigint>, name: string, amount: bigint): void {
  if (amount !== 0n) sums.set(name, (sums.get(name) ?? 0n) + amount);
}

const sorted = (sums: Map<string, bigint>): [string, bigint][] => [...sums].sort(([a], [b]) => (a < b ? -1 : 1));

/** Attodollars of each series and day, and quantities without a price, as billingUsage tells them. */
function usageSums(report: UsageReport): [string, bigint][] {
  const sums = new Map<string, bigint>();
  for (const stream of STREAMS) {
    for (const { bucket, atto, unpriced } of report.rows[stream]) {
      plus(sums, `${stream} ${bucket.start} atto`, atto);
      for (const [component, quantity] of unpriced) plus(sums, `${stream} ${bucket.start} ${component}`, quantity);
    }
  }
  return sorted(sums);
}

/** The same, made of line items. */
function summarySums({ days = [] }: BillingSummary): [string, bigint][] {
  const sums = new Map<string, bigint>();
  for (const { bucket, priced, unpriced } of days) {
    for (const line of priced) plus(sums, `${line.series} ${bucket.start} atto`, line.atto);
    for (const line of unpriced) plus(sums, `${line.series} ${bucket.start} ${line.component}`, line.quantity);
  }
  return sorted(sums);
}

/** Each line's quantity and money under all of its words and its price. */
function lineSums(parts: readonly SummaryLines[]): [string, bigint][] {
  const sums = new Map<string, bigint>();
  for (const { priced, unpriced } of parts) {
    for (const { quantity, atto, listAtto, ...words } of priced) {
      const key = Object.values(words).join("|");
      plus(sums, key, quantity);
      plus(sums, `${key} atto`, atto);
      plus(sums, `${key} listAtto`, listAtto);
    }
    for (const { quantity, ...words } of unpriced) plus(sums, Object.values(words).join("|"), quantity);
  }
  return sorted(sums);
}

const COST_FIELD = { MODEL: "model", MODEL_TIER: "serviceTier", USER: "user", API_KEY: "apiKeyId" } as const;
const GROUPINGS: CostDimension[][] = [
  [], ["HOUR"], ["DAY"], ["MODEL"], ["USER"], ["API_KEY"], ["HOUR", "MODEL"], ["DAY", "USER"], ["HOUR", "API_KEY"],
  ["MODEL", "USER"], ["MODEL", "MODEL_TIER"], ["USER", "API_KEY"], ["MODEL", "API_KEY"],
]; // biome-ignore format: a list

/** Attodollars by the values of the dimensions, in their order, event by event. */
function plainRows(events: readonly Draft[], groupBy: readonly CostDimension[]): Map<string, bigint> {
  const rows = new Map<string, bigint>();
  for (const event of events) {
    const values = COST_DIMENSIONS.filter((one) => groupBy.includes(one)).map((dimension) => {
      if (dimension !== "HOUR" && dimension !== "DAY") return String(event[COST_FIELD[dimension]]);
      const bucket = dimension === "HOUR" ? HOUR : DAY;
      return formatInstant(Math.floor(Number(event.time) / bucket) * bucket);
    });
    const key = values.join("\u0000");
    rows.set(key, (rows.get(key) ?? 0n) + plainAtto(event));
  }
  return rows;
}

/** Attodollars and quantities without a price, over rows of any report. */
function costSums(rows: readonly { atto: bigint; unpriced: ReadonlyMap<string, bigint> }[]): [string, bigint][] {
  const sums = new Map<string, bigint>();
  for (const { atto, unpriced } of rows) {
    plus(sums, "atto", atto);
    for (const [component, quantity] of unpriced) plus(sums, component, quantity);
  }
  return sorted(sums);
}

const OPERATOR: Caller = { account: "home", user: "owner", keyId: "key_0", role: "OPERATOR" };

suite("laws of bills", () => {
  let folder: string;
  let accounts: Accounts;
  let ledgers: Record<string, Ledger>;
  let fresh = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "daybook-"));
    accounts = await Accounts.open({ place: { path: join(folder, "accounts.db") }, now: Date.now, randomBytes });
    const sqlite = await SqliteLedger.open({ path: join(folder, "ledger.db"), readerThreads: 1 });
    ledgers = { memory: new MemoryLedger(), sqlite };
  });
  after(async () => {
    for (const ledger of Object.values(ledgers)) await ledger.close();
    await accounts.close();
    await rm(folder, { recursive: true });
  });

  /** Writes the events to a new account on every engine. */
  async function write(events: readonly Draft[]): Promise<string> {
    fresh += 1;
    const batch = () => batchOf(events.map(eventOf));
    for (const ledger of Object.values(ledgers)) await ledger.append(`bills-${fresh}`, batch(), now);
    return `bills-${fresh}`;
  }

  const sources = (ledger: Ledger) => ({ ledger, accounts, tariff: { list: BOOK, contract: undefined } });
  const now = FIRST + 30 * DAY;

  test("summary: lines come to billingUsage's attodollars, day by day and series by series, and to a plain fold's", async () => {
    const property = fc.asyncProperty(story, async ({ events, from, days }) => {
      const account = await write(events);
      const range = { start: FIRST + from * DAY, end: FIRST + (from + days) * DAY };
      const inside = events.filter(({ time }) => Number(time) >= range.start && Number(time) < range.end);
      const question = { range, streams: STREAMS, timezone: "UTC", granularity: "DAILY", groupBy: [], filters: [] } as const; // biome-ignore format: one line
      const answers: BillingSummary[] = [];
      for (const ledger of Object.values(ledgers)) {
        const usage = usageSums(await billingUsage(sources(ledger), account, question, now));
        const daily = await billingSummary(sources(ledger), account, { range, daily: true }, now);
        const { days: buckets = [], ...whole } = daily;
        assert.deepEqual(summarySums(daily), usage);
        assert.deepEqual(await billingSummary(sources(ledger), account, { range, daily: false }, now), {
          ...whole,
          days: undefined,
        });
        // Days add up to the range, line by line; lines to the totals.
        assert.deepEqual(lineSums(buckets), lineSums([whole]));
        for (const part of [whole, ...buckets]) {
          assert.equal(part.atto, part.priced.reduce((sum, line) => sum + line.quantity * line.unitAtto, 0n));
        } // biome-ignore format: one line
        const bySeries = STREAMS.map((series) => whole.bySeries[series].atto);
        assert.equal(bySeries.reduce((sum, atto) => sum + atto, 0n), whole.atto); // biome-ignore format: one line
        assert.equal(whole.atto, inside.reduce((sum, event) => sum + plainAtto(event), 0n)); // biome-ignore format: one line
        answers.push(daily);
      }
      for (const answer of answers) assert.deepEqual(answer, answers[0]);
      // No two lines are the same in words and price.
      const keys = answers[0]!.priced.map(({ quantity: _, atto: __, listAtto: ___, ...words }) =>
        Object.values(words).join("|"),
      );
      assert.equal(new Set(keys).size, keys.length);
    });
    await fc.assert(property, { numRuns: RUNS });
  });

  /** Every row, page by page, and the last page. */
  async function allPages(ledger: Ledger, account: string, body: object) {
    const rows: UsageCosts["rows"][number][] = [];
    let page: UsageCosts | undefined;
    do {
      const query = parseUsageCostsQuery({ ...body, pageToken: page?.nextPageToken });
      page = await usageCosts(sources(ledger), { account, caller: OPERATOR }, query, now);
      rows.push(...page.rows);
    } while (page.nextPageToken !== undefined);
    return { rows, page };
  }

  test("usageCosts: rows are a plain fold's in any grouping, in pages of any size, and come to billingUsage's", async () => {
    const asked = fc.record({
      events: drafts,
      start: fc.integer({ min: FIRST, max: FIRST + (DAYS - 1) * DAY }),
      length: fc.integer({ min: 1, max: DAYS * DAY }),
      groupBy: fc.constantFrom(...GROUPINGS),
      filter: fc.constantFrom<Record<string, string>>(
        {},
        { model: "a" },
        { user: "ada" },
        { apiKeyId: "k1", model: "a" },
      ),
      pageSize: fc.integer({ min: 1, max: 20 }),
    });
    const property = fc.asyncProperty(asked, async ({ events, start, length, groupBy, filter, pageSize }) => {
      const account = await write(events);
      const range = { start, end: start + length };
      const inside = events.filter(
        ({ time, apiKeyId, ...event }) =>
          apiKeyId !== undefined &&
          Object.entries(filter).every(([name, value]) => ({ ...event, apiKeyId })[name] === value) &&
          Number(time) >= range.start &&
          Number(time) < range.end,
      );
      const expected = groupBy.length === 0 ? [] : sorted(plainRows(inside, groupBy));
      const total = inside.reduce((sum, event) => sum + plainAtto(event), 0n);
      const [startTime, endTime] = [formatInstant(range.start), formatInstant(range.end)];
      for (const ledger of Object.values(ledgers)) {
        const body = { startTime, endTime, groupBy, filter, pageSize };
        const { rows, page } = await allPages(ledger, account, body);
        assert.deepEqual(
          rows.map(({ values, atto }) => [values.join("\u0000"), atto]),
          expected,
        );
        assert.equal(page.total.atto, total);
        if (filter.user !== undefined) continue;

        const filters = [
          { dimension: "model_name" as const, value: filter.model },
          { dimension: "api_key_id" as const, value: filter.apiKeyId },
        ].flatMap(({ dimension, value }) => (value === undefined ? [] : [{ dimension, values: [value] }]));
        const question = { range, streams: ["SERVERLESS"], timezone: "UTC", granularity: "DAILY", groupBy: [], filters } as const; // biome-ignore format: one line
        const usage = [...(await billingUsage(sources(ledger), account, question, now)).rows.SERVERLESS];
        assert.deepEqual(costSums([page.total]), costSums(usage));
        if (groupBy.length > 0) assert.deepEqual(costSums(rows), costSums(usage));
      }
    });
    await fc.assert(property, { numRuns: RUNS });
  });
});

/**
 * Laws 3, 4, 5, 7 and 8 where a user meets them: in the report, in any zone. The expected rows come from a plain fold over
 * the events that knows local dates only from Intl and prices only from a table in this file.
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import fc from "fast-check";
import { Accounts } from "../src/accounts/store.ts";
import { DIMENSION_FIELD, type Dimension, STREAM_DIMENSIONS } from "../src/domain/dimension.ts";
import { formatInZone } from "../src/domain/time.ts";
import { batchOf, METERS, SERIES_FIELDS, STREAMS } from "../src/domain/usage.ts";
import type { UsageQuery } from "../src/domain/usage-query.ts";
import type { Ledger } from "../src/ledger/ledger.ts";
import { MemoryLedger } from "../src/ledger/memory.ts";
import { SqliteLedger } from "../src/ledger/sqlite/ledger.ts";
import { loadPriceBook } from "../src/rating/book.ts";
import { billingUsage, type UsageReport } from "../src/report/billing-usage.ts";
import type { UsageRow } from "../src/report/usage-rows.ts";

const RUNS = Number(process.env.DAYBOOK_LAW_RUNS ?? 150);
const DAY = 86_400_000;

/** Zones with the odd days: half and quarter hours, DST by 30 minutes and by 2 hours, at midnight, skipped dates. */
const ZONES = [
  "UTC", "America/Los_Angeles", "America/New_York", "Europe/Berlin", "Europe/London", "Asia/Kolkata", "Asia/Kathmandu",
  "Pacific/Chatham", "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia", "Pacific/Kiritimati", "America/Vancouver",
  "Africa/Casablanca", "Atlantic/Azores", "America/Havana", "America/St_Johns", "Asia/Tehran", "Asia/Beirut",
  "Africa/Cairo", "America/Santiago", "America/Asuncion", "America/Nuuk", "America/Scoresbysund", "Asia/Gaza",
  "Australia/Eucla", "Australia/Adelaide", "Pacific/Auckland", "Pacific/Easter", "Pacific/Marquesas", "Asia/Yangon",
  "Asia/Kabul", "Asia/Pyongyang", "America/Caracas", "Antarctica/Casey", "Europe/Chisinau", "Asia/Amman",
  "America/Sao_Paulo", "America/Mexico_City", "America/Edmonton", "Africa/El_Aaiun", "Europe/Dublin", "Asia/Tokyo",
  "Pacific/Norfolk", "Asia/Almaty", "Africa/Juba", "Europe/Volgograd", "America/Punta_Arenas",
] as const; // biome-ignore format: a list of names

const PRICE_CHANGE = Date.UTC(2026, 2, 29, 4, 30);
const BOOK = loadPriceBook(
  "laws.yaml",
  `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.5", restrictedPlacement: "1.5", source: test }
prices:
  - { match: { model: a }, perMillionTokens: { input: "0.0375", output: "3" }, effectiveFrom: 2000-01-01T00:00:00Z,
      effectiveTo: 2026-03-29T04:30:00Z, source: test }
  - { match: { model: a }, perMillionTokens: { input: "1", cachedInput: "0.333", output: "7.77" },
      effectiveFrom: 2026-03-29T04:30:00Z, source: test }
  - { match: { acceleratorType: NVIDIA_H100_80GB }, perAcceleratorHour: "7", effectiveFrom: 2000-01-01T00:00:00Z,
      source: test }
`,
);

/** Attodollars a token of model "a", by hand: 37.5 nanos are 37,500,000,000. */
const TOKEN_ATTO = {
  before: { input: 37_500_000_000n, cached: 18_750_000_000n, output: 3_000_000_000_000n },
  after: { input: 1_000_000_000_000n, cached: 333_000_000_000n, output: 7_770_000_000_000n },
};

interface PlainEvent {
  readonly id: string;
  readonly time: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly quantities: Readonly<Record<string, number>>;
}

/** The plain cost of one event and what of it has no price. */
function plainCost(event: PlainEvent): { atto: bigint; unpriced: Record<string, bigint> } {
  const quantity = (meter: string): bigint => BigInt(event.quantities[meter] ?? 0);
  const cached = quantity("cachedPromptTokens");
  const pools = { uncached: quantity("promptTokens") - cached, cached, completion: quantity("completionTokens") };
  const text = event.labels.usageType === "TEXT_COMPLETION_INFERENCE_USAGE";
  if (text && event.labels.model === "a") {
    const price = event.time < PRICE_CHANGE ? TOKEN_ATTO.before : TOKEN_ATTO.after;
    const full = pools.uncached * price.input + pools.cached * price.cached + pools.completion * price.output;
    return { atto: event.labels.batch === "true" ? full / 2n : full, unpriced: {} };
  }
  const unpriced: Record<string, bigint> = {
    uncachedPromptTokens: pools.uncached,
    cachedPromptTokens: cached,
    completionTokens: pools.completion,
    tokens: quantity("tokens"),
  };
  return { atto: 0n, unpriced: Object.fromEntries(Object.entries(unpriced).filter(([, amount]) => amount > 0n)) };
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The local date, or date and hour with the offset, as Intl tells it. */
function plainBucket(time: number, zone: string, hourly: boolean): string {
  const known = formats.get(zone);
  const format =
    known ??
    new Intl.DateTimeFormat("en-US", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
      timeZoneName: "longOffset",
    }); // biome-ignore format: options
  formats.set(zone, format);
  const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]));
  const date = `${parts.year}-${parts.month}-${parts.day}`;
  return hourly ? `${date}T${parts.hour}${parts.timeZoneName!.slice(3) || "+00:00"}` : date;
}

function rowBucket(row: UsageRow, zone: string, hourly: boolean): string {
  const text = formatInZone(row.bucket.start, zone);
  if (!hourly) return text.slice(0, 10);
  return `${text.slice(0, 13)}${text.endsWith("Z") ? "+00:00" : text.slice(-6)}`;
}

const eventArbitrary = (center: number) =>
  fc
    .record({
      offset: fc.oneof(fc.integer({ min: -3 * DAY, max: 3 * DAY }), fc.integer({ min: -20 * DAY, max: 20 * DAY })),
      model: fc.constantFrom("a", "a", "b"),
      key: fc.constantFrom("key_1", "key_2", ""),
      team: fc.constantFrom("search", "ads", ""),
      batch: fc.constantFrom("", "", "true"),
      type: fc.constantFrom(
        "TEXT_COMPLETION_INFERENCE_USAGE",
        "TEXT_COMPLETION_INFERENCE_USAGE",
        "TRAINING_TOKEN_USAGE",
      ),
      prompt: fc.integer({ min: 0, max: 1_000_000 }),
      cachedShare: fc.integer({ min: 0, max: 4 }),
      completion: fc.integer({ min: 0, max: 100_000 }),
    })
    .map((event): Omit<PlainEvent, "id"> => {
      const training = event.type === "TRAINING_TOKEN_USAGE";
      const text = {
        promptTokens: event.prompt,
        cachedPromptTokens: Math.floor((event.prompt * event.cachedShare) / 4),
        completionTokens: event.completion,
      };
      return {
        time: center + event.offset,
        labels: {
          usageType: event.type,
          team: event.team,
          ...(training
            ? { jobId: `job-${event.key}`, jobType: "SFT", baseModel: event.model }
            : { model: event.model, apiKeyId: event.key, batch: event.batch, serviceTier: "STANDARD" }),
        },
        quantities: training ? { tokens: event.prompt } : text,
      };
    });

/** A zone, an instant at or near one of its changes, events around it and a question about them. */
const storyArbitrary = fc
  .record({
    zone: fc.constantFrom(...ZONES),
    near: fc.integer({ min: Date.UTC(2005, 0, 10), max: Date.UTC(2027, 0, 1) }),
    atPriceChange: fc.boolean(),
  })
  .chain(({ zone, near, atPriceChange }) => {
    const change = Temporal.Instant.fromEpochMilliseconds(near).toZonedDateTimeISO(zone).getTimeZoneTransition("next");
    const center = atPriceChange ? PRICE_CHANGE : (change?.epochMilliseconds ?? near);
    return fc.record({
      zone: fc.constant(zone),
      events: fc.array(eventArbitrary(center), { maxLength: 60 }),
      start: fc.integer({ min: -15 * DAY, max: 0 }).map((offset) => center + offset),
      length: fc.oneof(fc.integer({ min: 1, max: DAY }), fc.integer({ min: 1, max: 30 * DAY })),
      hourly: fc.boolean(),
      groupBy: fc.subarray<Dimension>(["model_name", "api_key_id", "annotations.team", "job_id", "usage_type"]),
      filterTeam: fc.constantFrom(undefined, "search", ""),
    });
  });

type Story = typeof storyArbitrary extends fc.Arbitrary<infer T> ? T : never;

function queryOf(story: Story): UsageQuery {
  return {
    range: { start: story.start, end: story.start + story.length },
    streams: STREAMS,
    timezone: story.zone,
    granularity: story.hourly ? "HOURLY" : "DAILY",
    groupBy: story.groupBy,
    filters: story.filterTeam === undefined ? [] : [{ dimension: "annotations.team", values: [story.filterTeam] }],
  };
}

/** What the report must say, folded event by event. */
function plainReport(events: readonly PlainEvent[], story: Story, query: UsageQuery): string[] {
  const rows = new Map<string, { sums: bigint[]; atto: bigint; unpriced: Map<string, bigint> }>();
  for (const event of events) {
    if (event.time < query.range.start || event.time >= query.range.end) continue;
    if (story.filterTeam !== undefined && event.labels.team !== story.filterTeam) continue;
    const stream = event.labels.usageType === "TRAINING_TOKEN_USAGE" ? "TRAINING" : "SERVERLESS";
    const asked = story.groupBy.filter((name) => STREAM_DIMENSIONS[stream].includes(name));
    const defaults: Dimension[] =
      stream === "TRAINING" ? ["job_id", "job_type", "usage_type", "accelerator_type", "base_model"] : ["model_name"];
    const group = (asked.length > 0 ? asked : defaults).map((name) => [
      name,
      event.labels[DIMENSION_FIELD[name]] ?? "",
    ]);
    const key = JSON.stringify([
      stream,
      plainBucket(event.time, story.zone, story.hourly),
      event.labels.usageType,
      group,
    ]);
    const row = rows.get(key) ?? { sums: METERS.map(() => 0n), atto: 0n, unpriced: new Map() };
    rows.set(key, row);
    row.sums = row.sums.map((sum, at) => sum + BigInt(event.quantities[METERS[at]!] ?? 0));
    const cost = plainCost(event);
    row.atto += cost.atto;
    for (const [name, amount] of Object.entries(cost.unpriced))
      row.unpriced.set(name, (row.unpriced.get(name) ?? 0n) + amount);
  }
  return [...rows].map(([key, row]) => `${key} ${row.sums} ${row.atto} ${[...row.unpriced].sort()}`).sort();
}

function reportLines(report: UsageReport, story: Story): string[] {
  return STREAMS.flatMap((stream) =>
    Array.from(report.rows[stream], (row) => {
      const { usageType, values } = row.group;
      const key = JSON.stringify([stream, rowBucket(row, story.zone, story.hourly), usageType, values]);
      return `${key} ${row.quantities} ${row.atto} ${[...row.unpriced].sort()}`;
    }),
  ).sort();
}

function totals(report: UsageReport): string {
  const sums = new Map<string, bigint>();
  const add = (name: string, amount: bigint): void => void sums.set(name, (sums.get(name) ?? 0n) + amount);
  for (const row of STREAMS.flatMap((stream) => [...report.rows[stream]])) {
    for (const [at, meter] of METERS.entries()) add(`${row.group.usageType} ${meter}`, row.quantities[at]!);
    add("atto", row.atto);
    for (const [component, amount] of row.unpriced) add(`unpriced ${component}`, amount);
  }
  return JSON.stringify([...sums].filter(([, sum]) => sum > 0n).sort(), (_, value) => `${value}`);
}

suite("laws of the report", () => {
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

  async function write(account: string, drafts: readonly Omit<PlainEvent, "id">[]): Promise<PlainEvent[]> {
    const events = drafts.map((draft, at) => ({ ...draft, id: `e${at}` }));
    for (const ledger of Object.values(ledgers)) {
      const batch = batchOf(
        events.map(({ id, time, labels, quantities }) => {
          const own = SERIES_FIELDS.map((field) => labels[field] ?? "");
          return { id, time, sent: own, series: own, quantities: METERS.map((meter) => quantities[meter] ?? 0) };
        }),
      );
      await ledger.append(account, batch, Date.now());
    }
    return events;
  }

  const ask = (ledger: Ledger, account: string, query: UsageQuery): Promise<UsageReport> =>
    billingUsage(
      { ledger, accounts, tariff: { list: BOOK, contract: undefined } },
      account,
      query,
      Date.UTC(2027, 5, 1),
    );

  test("laws 3, 4, 5, 7, 8: every engine's rows are the plain fold's, in quantities, dollars and what has no price", async () => {
    const property = fc.asyncProperty(storyArbitrary, async (story) => {
      fresh += 1;
      const account = `story-${fresh}`;
      const events = await write(account, story.events);
      const query = queryOf(story);
      const expected = plainReport(events, story, query);
      for (const ledger of Object.values(ledgers)) {
        assert.deepEqual(reportLines(await ask(ledger, account, query), story), expected);
      }
    });
    await fc.assert(property, { numRuns: RUNS });
  });

  test("law 3: hours add up to days, days to the range, groups to the total, in quantities and attodollars", async () => {
    const property = fc.asyncProperty(storyArbitrary, async (story) => {
      fresh += 1;
      const account = `adds-${fresh}`;
      await write(account, story.events);
      const query = { ...queryOf(story), groupBy: ["annotations.project"] as const };
      const ledger = ledgers.sqlite!;
      const whole = totals(await ask(ledger, account, query));
      const variants: UsageQuery[] = [
        { ...query, granularity: "HOURLY" },
        { ...query, granularity: "DAILY", timezone: "UTC" },
        { ...query, groupBy: ["model_name", "api_key_id", "annotations.team", "base_model"] },
        { ...query, granularity: "HOURLY", groupBy: story.groupBy },
      ];
      for (const variant of variants) assert.equal(totals(await ask(ledger, account, variant)), whole);
    });
    await fc.assert(property, { numRuns: RUNS });
  });

  test("law 5: local days are 21 (Casey, 2020) to 27 hours long, touch without gap, and hold the range", async () => {
    const property = fc.asyncProperty(storyArbitrary, async (story) => {
      const { dayEdges, hourEdges } = await import("../src/domain/time.ts");
      const { range } = queryOf(story);
      const days = dayEdges(range, story.zone);
      assert.ok(
        days[0]! <= range.start && days[1]! > range.start && days.at(-1)! >= range.end && days.at(-2)! < range.end,
      );
      for (const [at, start] of days.slice(0, -1).entries()) {
        const hours = (days[at + 1]! - start) / 3_600_000;
        assert.ok(hours >= 21 && hours <= 27, `${story.zone} ${formatInZone(start, story.zone)}: ${hours} h`);
        assert.notEqual(plainBucket(start, story.zone, false), plainBucket(start - 1, story.zone, false));
      }
      const hourly = new Set(hourEdges({ start: days[0]!, end: days.at(-1)! }, story.zone));
      for (const edge of days) assert.ok(hourly.has(edge), "a day begins where an hour begins");
    });
    await fc.assert(property, { numRuns: RUNS });
  });
});

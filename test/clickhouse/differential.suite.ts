/**
 * Law 8: random questions about one random history, put to sqlite and to clickhouse: sums equal row for row, and reports
 * in dollars equal to the byte. DAYBOOK_QUESTIONS says how many of each.
 */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type Dimension, STREAM_DIMENSIONS } from "../../src/domain/dimension.ts";
import { DAY_MS, formatInstant } from "../../src/domain/time.ts";
import { METERS } from "../../src/domain/usage.ts";
import { parseUsageQuery, USAGE_TYPE_PARAMETERS } from "../../src/domain/usage-query.ts";
import { ClickHouseLedger } from "../../src/ledger/clickhouse/ledger.ts";
import { SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { loadPriceBook } from "../../src/rating/book.ts";
import { usageJson } from "../../src/render/billing-usage.ts";
import { billingUsage } from "../../src/report/billing-usage.ts";
import { plainRows } from "../ledger/conformance.ts";
import {
  BASE,
  edgeArbitrary,
  eventArbitrary,
  type PlainEvent,
  questionArbitrary,
  toBatch,
} from "../ledger/plain-usage.ts";
import { ZONES } from "../simulator/zones.ts";
import { overHttp } from "./over-http.ts";

const QUESTIONS = Number(process.env.DAYBOOK_QUESTIONS ?? 1_000);
const SEED = Number(process.env.DAYBOOK_SEED ?? Date.now() % 2 ** 31);
const EVENTS = 5_000;
const EVENTS_PER_CALL = 500;
const QUESTIONS_PER_CALL = 20;

/** Prices that change within a day, finer than a nanodollar, and one model without any. */
const CHANGE = formatInstant(BASE + 2 * DAY_MS + 4.5 * 3_600_000);
const LIST = loadPriceBook(
  "list.yaml",
  `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.5", restrictedPlacement: "1.5", source: test }
prices:
  - { match: { model: a }, perMillionTokens: { input: "0.0375", output: "3" }, effectiveFrom: 2000-01-01T00:00:00Z,
      effectiveTo: ${CHANGE}, source: test }
  - { match: { model: a }, perMillionTokens: { input: "1", cachedInput: "0.333", output: "7.77" },
      effectiveFrom: ${CHANGE}, source: test }
  - { match: { model: b }, perMillionTokens: { input: "2", output: "9" }, effectiveFrom: 2000-01-01T00:00:00Z, source: test }
  - { match: { model: b }, perAudioMinute: "0.0015", effectiveFrom: 2000-01-01T00:00:00Z, source: test }
`,
);
/** No tag is looked up: keys and deployments are the same for both. */
const RECORDS = { keyNames: async () => new Map(), keyIdsOf: async () => [], deploymentsForUsage: async () => [] };

const DIMENSIONS = [...STREAM_DIMENSIONS.SERVERLESS, ...STREAM_DIMENSIONS.TRAINING] as const;
const reportArbitrary = fc
  .record({
    ends: fc.tuple(edgeArbitrary, edgeArbitrary).filter(([one, other]) => one !== other),
    usageType: fc.constantFrom(...USAGE_TYPE_PARAMETERS),
    timezone: fc.constantFrom(...ZONES),
    granularity: fc.constantFrom("DAILY", "DAILY", "HOURLY"),
    groupBy: fc.subarray<Dimension>([...new Set(DIMENSIONS)], { maxLength: 5 }),
    models: fc.constantFrom<readonly string[]>([], [], ["a"], ["b", "constructor"], ["none"]),
  })
  .map(({ ends, usageType, groupBy, models, ...question }) => {
    const asked = USAGE_TYPE_PARAMETERS.indexOf(usageType) === 0 ? undefined : usageType;
    const known = asked ? STREAM_DIMENSIONS[asked as keyof typeof STREAM_DIMENSIONS] : DIMENSIONS;
    const filter = models.length > 0 && known.includes("model_name") ? { model_name: { values: models } } : undefined;
    return {
      ...{ ...question, usageType, groupBy: groupBy.filter((dimension) => known.includes(dimension)) },
      ...{ startTime: formatInstant(Math.min(...ends)), endTime: formatInstant(Math.max(...ends)) },
      ...(filter && { filter }),
    };
  });

/** Cached tokens are part of the prompt's, as ingest sees to. */
function possible(event: PlainEvent): PlainEvent {
  const [prompt, cached] = [METERS.indexOf("promptTokens"), METERS.indexOf("cachedPromptTokens")];
  const { quantities } = event;
  return { ...event, quantities: quantities.with(cached, Math.min(quantities[cached]!, quantities[prompt]!)) };
}

test(`law 8: ${QUESTIONS} random questions and as many reports in dollars, sqlite and clickhouse answer alike (DAYBOOK_SEED=${SEED})`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "daybook-"));
  const engine = await overHttp();
  const sqlite = await SqliteLedger.open({ path: join(folder, "ledger.db"), readerThreads: 1 });
  const clickhouse = await ClickHouseLedger.open(engine.connection);
  t.after(async () => {
    await Promise.all([sqlite.close(), clickhouse.close()]);
    await engine.close();
    await rm(folder, { recursive: true });
  });
  const both = async <T>(asked: (ledger: SqliteLedger | ClickHouseLedger) => Promise<T>): Promise<T> => {
    const [one, other] = await Promise.all([asked(sqlite), asked(clickhouse)]);
    assert.deepEqual(other, one);
    return one;
  };
  // Ids of their own, and one in twenty from before.
  const random = fc.sample(eventArbitrary, { numRuns: EVENTS, seed: SEED });
  const events = random.map((event, n): PlainEvent => ({ ...possible(event), id: `e-${n % 20 === 7 ? n >> 1 : n}` }));
  for (let at = 0; at < EVENTS; at += EVENTS_PER_CALL) {
    await both((ledger) => ledger.append("acme", toBatch(events.slice(at, at + EVENTS_PER_CALL)), BASE + at));
    await both((ledger) => ledger.void("acme", [`e-${at}`, `e-${at + 7}`, "none"], BASE));
  }
  const questions = fc.sample(questionArbitrary, { numRuns: QUESTIONS, seed: SEED });
  let rows = 0;
  for (let at = 0; at < QUESTIONS; at += QUESTIONS_PER_CALL) {
    const some = questions.slice(at, at + QUESTIONS_PER_CALL);
    const answers = await both(async (ledger) => (await ledger.sum("acme", some)).rows.map(plainRows));
    rows += answers.flat().length;
  }
  assert.ok(rows > QUESTIONS, `${rows} rows`);
  const reports = fc.sample(reportArbitrary, { numRuns: QUESTIONS, seed: SEED });
  const tariff = { list: LIST, contract: undefined };
  let priced = 0;
  let bytes = 0;
  for (let at = 0; at < QUESTIONS; at += QUESTIONS_PER_CALL) {
    const some = reports.slice(at, at + QUESTIONS_PER_CALL).map((raw) => parseUsageQuery(raw, "body"));
    const answers = await both((ledger) =>
      Promise.all(
        some.map(async (question) => {
          const report = await billingUsage({ ledger, accounts: RECORDS, tariff }, "acme", question, BASE);
          return usageJson(report).toString();
        }),
      ),
    );
    priced += answers.filter((text) => /"costNanoUsd":[1-9]/.test(text)).length;
    bytes += answers.join("").length;
  }
  assert.ok(priced > QUESTIONS / 10, `${priced} reports have costs`);
  t.diagnostic(`${rows} rows of sums, ${priced} reports with costs, ${bytes} bytes of reports`);
});

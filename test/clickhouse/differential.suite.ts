/** Law 8: random questions about one random history, put to sqlite and to clickhouse: equal row for row. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { ClickHouseLedger } from "../../src/ledger/clickhouse/ledger.ts";
import { SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { plainRows } from "../ledger/conformance.ts";
import { BASE, eventArbitrary, type PlainEvent, questionArbitrary, toBatch } from "../ledger/plain-usage.ts";
import { overHttp } from "./over-http.ts";

const QUESTIONS = Number(process.env.DAYBOOK_QUESTIONS ?? 1_000);
const SEED = Number(process.env.DAYBOOK_SEED ?? Date.now() % 2 ** 31);
const EVENTS = 5_000;
const EVENTS_PER_CALL = 500;
const QUESTIONS_PER_CALL = 20;

test(`law 8: ${QUESTIONS} random questions, sqlite and clickhouse answer alike (DAYBOOK_SEED=${SEED})`, async (t) => {
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
    const [one, other] = [await asked(sqlite), await asked(clickhouse)];
    assert.deepEqual(other, one);
    return one;
  };
  // Ids of their own, and one in twenty from before.
  const random = fc.sample(eventArbitrary, { numRuns: EVENTS, seed: SEED });
  const events = random.map((event, n): PlainEvent => ({ ...event, id: `e-${n % 20 === 7 ? n >> 1 : n}` }));
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
});

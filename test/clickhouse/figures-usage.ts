/** The usage that the figures of ClickHouse are made of: batches for a ledger, and the same rows made by the engine. */

import { HISTORY_DAYS, idOf, quantitiesOf, SERIES, seriesOf, timeOf, type UsageShape } from "../../bench/usage.ts";
import { DAY_MS, SLOT_MS } from "../../src/domain/time.ts";
import { METERS, SERIES_FIELDS, type UsageBatch } from "../../src/domain/usage.ts";
import { seriesName } from "../../src/ledger/clickhouse/labels.ts";
import { laneOf, PLACES_PER_COMMIT } from "../../src/ledger/clickhouse/schema.ts";
import type { Ledger, SumQuestion } from "../../src/ledger/ledger.ts";

export const ACCOUNT = "acme";
/** The end of all usage, on a slot. */
export const NOW = Math.floor(Date.now() / SLOT_MS) * SLOT_MS;
const MODELS = 5;
const TEAMS = 20;
/** Entries of a commit that the engine fills in. */
const FILLED_PER_COMMIT = 50_000;
const COPIED_COMMITS = 40;
/** Rows that one statement fills in. */
const FILLED_AT_ONCE = 1_000_000;

const LABELS = Array.from({ length: SERIES }, (_, series) =>
  SERIES_FIELDS.map((field) => {
    if (field === "usageType") return "TEXT_COMPLETION_INFERENCE_USAGE";
    if (field === "model") return `accounts/fireworks/models/m-${series % MODELS}`;
    if (field === "apiKeyId") return `key_bench${series % 10}`;
    return field === "team" ? `team-${series % TEAMS}` : "";
  }),
);

export const MONTH: SumQuestion = {
  usageTypes: ["TEXT_COMPLETION_INFERENCE_USAGE"],
  edges: Array.from({ length: 32 }, (_, day) => NOW - (31 - day) * DAY_MS),
  fields: ["model", "team"],
  filters: [],
};

/** Batches of events `from` up to `to`, so many a call. */
export function batchesOf(shape: UsageShape, [from, to]: readonly [number, number], perCall: number): UsageBatch[] {
  const batches: UsageBatch[] = [];
  for (let first = from; first < to; first += perCall) {
    const events = Array.from({ length: Math.min(perCall, to - first) }, (_, n) => first + n);
    const quantities = new Float64Array(events.length * METERS.length);
    for (const [at, event] of events.entries()) quantities.set(quantitiesOf(event), at * METERS.length);
    batches.push({
      ids: events.map((event) => idOf(event, timeOf(event, shape), shape.ids)),
      times: Float64Array.from(events, (event) => timeOf(event, shape)),
      quantities,
      labels: LABELS,
      sent: Uint32Array.from(events, seriesOf),
      series: Uint32Array.from(events, seriesOf),
    });
  }
  return batches;
}

export async function append(ledger: Ledger, batches: readonly UsageBatch[], account = ACCOUNT): Promise<void> {
  const waiting = [...batches];
  const client = async (): Promise<void> => {
    for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
      const { created } = await ledger.append(account, batch, NOW);
      if (created !== batch.ids.length) throw new Error(`${created} of ${batch.ids.length} events were new`);
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, client));
}

/** Calls that wait at once, as from several clients. */
export const CALLS_AT_ONCE = 4;

/**
 * Statements that fill the journal with events `from` up to `to`, as the ledger would have written them: spread over the
 * whole history, in commits after `head`.
 */
export function fillStatements([from, to]: readonly [number, number], head: number): string[] {
  const lane = laneOf(ACCOUNT);
  const span = HISTORY_DAYS * DAY_MS;
  const names = LABELS.map((labels) => `toUUID('${seriesName(ACCOUNT, labels)}')`).join(", ");
  const statements: string[] = [];
  for (let first = from; first < to; first += FILLED_AT_ONCE) {
    const count = Math.min(FILLED_AT_ONCE, to - first);
    const commits = head + 1 + (first - from) / FILLED_PER_COMMIT;
    statements.push(`INSERT INTO entries SETTINGS insert_deduplicate = 0
      SELECT ${lane}, '${ACCOUNT}', intDiv(time, ${SLOT_MS}), commit * ${PLACES_PER_COMMIT} + n % ${FILLED_PER_COMMIT}, 1,
        concat(substring(stamp, 1, 8), '-', substring(stamp, 9), '-7000-8000-', lpad(lower(hex(toUInt64(event))), 12, '0')),
        time, name, name, prompt, bitShiftRight(mixed, 13) % (prompt + 1), 20 + bitShiftRight(mixed, 20) % 900, 0, 0, 0, 0,
        ${NOW}, commit, toUUID('00000000-0000-4000-8000-000000000000')
      FROM (SELECT number AS n, number + ${first} AS event, ${commits} + intDiv(number, ${FILLED_PER_COMMIT}) AS commit,
          toInt64(${NOW - span} + intDiv(toInt64(event - ${from}) * ${span}, ${to - from})) AS time,
          lpad(lower(hex(toUInt64(time))), 12, '0') AS stamp,
          bitAnd(event * 2246822507, 4294967295) AS mixed, 200 + mixed % 8000 AS prompt,
          [${names}][1 + bitShiftRight(bitAnd(event * 2654435761, 4294967295), 8) % ${SERIES}] AS name
        FROM numbers(${count}))`);
  }
  return statements;
}

/** What one would write by hand: a table of raw rows, and the question as SQL. */
export const PLAIN_TABLE = `CREATE TABLE plain (account LowCardinality(String), id String, time Int64,
  ${SERIES_FIELDS.map((field) => `\`${field}\` LowCardinality(String)`).join(", ")},
  ${METERS.map((meter) => `${meter} Int64`).join(", ")}) ENGINE = MergeTree ORDER BY (account, time)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

export function plainQuestion(): string {
  const [start, end] = [MONTH.edges[0]!, MONTH.edges.at(-1)!];
  const sums = METERS.map((meter) => `sum(toInt128(${meter}))`).join(", ");
  return `SELECT intDiv(time - ${start}, ${DAY_MS}) AS day, model, team, count(), ${sums} FROM plain
    WHERE account = '${ACCOUNT}' AND time >= ${start} AND time < ${end}
      AND usageType = 'TEXT_COMPLETION_INFERENCE_USAGE' GROUP BY day, model, team`;
}

/** The rows of a batch for the plain table, one JSON array each. */
export function plainLines(batch: UsageBatch): string[] {
  return batch.ids.map((id, at) => {
    const quantities = batch.quantities.subarray(at * METERS.length, (at + 1) * METERS.length);
    return JSON.stringify([ACCOUNT, id, batch.times[at], ...batch.labels[batch.sent[at]!]!, ...quantities]);
  });
}

/** Copies the entries of commits after one up to another into the plain table. */
export function copyStatements(after: number, upTo: number): string[] {
  const fields = SERIES_FIELDS.map((field) => `s.\`${field}\``).join(", ");
  const meters = METERS.map((meter) => `e.${meter}`).join(", ");
  const statements: string[] = [];
  for (let from = after; from < upTo; from += COPIED_COMMITS) {
    const to = Math.min(upTo, from + COPIED_COMMITS);
    statements.push(`INSERT INTO plain SELECT e.account, e.id, e.time, ${fields}, ${meters} FROM entries AS e
      INNER JOIN (SELECT DISTINCT * FROM series) AS s ON e.series = s.series
      WHERE e.lane = ${laneOf(ACCOUNT)} AND e.\`commit\` > ${from} AND e.\`commit\` <= ${to}`);
  }
  return statements;
}

/** The tables of the ClickHouse ledger, and the ordered steps to today's. Columns are named as in domain/usage.ts. */

import { hash } from "node:crypto";
import { METERS, SERIES_FIELDS } from "../../domain/usage.ts";
import type { Engine } from "./engine.ts";
import { raw, sql } from "./statement.ts";

/**
 * Accounts are spread over this many lanes. A lane is one partition and one sequence of commits: calls for accounts of
 * one lane share an insert, and lanes do not wait for each other. It never changes: an account's lane follows from it.
 */
export const LANES = 8;

export function laneOf(account: string): number {
  return Number.parseInt(hash("sha256", account, "hex").slice(0, 8), 16) % LANES;
}

/** Room for the place of an event in its commit, in the number of its arrival. */
export const PLACES_PER_COMMIT = 2 ** 17;

const quoted = (names: readonly string[]): string[] => names.map((name) => `\`${name}\``);
export const METER_COLUMNS = quoted(METERS);
export const LABEL_COLUMNS = quoted(SERIES_FIELDS);
/** The first ones, up to the last that the first step made; each later step adds one. */
const FIRST_LABEL_COLUMNS = LABEL_COLUMNS.slice(0, -1);

/** The columns of an entry, in the order they are inserted. */
export const ENTRY_COLUMNS = [
  ...["lane", "account", "slot", "arrival", "counted", "id", "time", "series", "sent"],
  ...METER_COLUMNS,
  ...["at", "`commit`", "batch"],
];

/** The last commit that a writer's insert can still be told from: see README.md. */
const COMMITS_REMEMBERED = 100_000;

/**
 * `{engine:X}` is X, or its replicated form with a cluster; `{on cluster}` is empty without one.
 *
 * - `entries`: the journal. An event is one entry with `counted` 1; a void is a second one with `counted` -1 and the
 *   quantities negative, under the slot and arrival of its event; a drop of raw events is one with 0. No entry is ever changed. `commit` numbers the inserts
 *   of a lane from 1 without two alike; `batch` is the writer's mark of its insert. `at` is when an event was received,
 *   or voided. Its projections are written and merged with the rows, in one step: `identities` finds ids, `slots` are
 *   the sums of each slot and series, `positions` the last commit of each account.
 * - `series`: the labels behind a series. The name of a series is made from account and labels, so writers agree on it;
 *   the same row may be there several times.
 * - `migrations`: the steps that were taken.
 *
 * Sums are Int128: a quantity is below 2^53, so they cannot wrap before 2^74 entries. No column is a DateTime: an engine
 * has its own time zone database, and is never asked.
 */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE IF NOT EXISTS entries {on cluster} (
       lane UInt8, account LowCardinality(String), slot Int32 CODEC(Delta, LZ4), arrival UInt64 CODEC(Delta, LZ4),
       counted Int8, id String, time Int64 CODEC(Delta, LZ4), series UUID, sent UUID,
       ${METER_COLUMNS.map((name) => `${name} Int64 CODEC(T64, LZ4)`).join(", ")},
       at Int64 CODEC(Delta, LZ4), \`commit\` UInt64 CODEC(Delta, LZ4), batch UUID,
       PROJECTION identities (SELECT lane, account, id, slot, arrival, counted ORDER BY (lane, account, id)),
       PROJECTION slots (SELECT lane, account, slot, series, sum(counted),
         ${METER_COLUMNS.map((name) => `sum(toInt128(${name}))`).join(", ")} GROUP BY lane, account, slot, series),
       PROJECTION positions (SELECT lane, account, max(\`commit\`), maxIf(\`commit\`, counted != 0) GROUP BY lane, account)
     ) ENGINE = {engine:MergeTree} PARTITION BY lane ORDER BY (lane, account, slot, arrival, counted)
     SETTINGS non_replicated_deduplication_window = ${COMMITS_REMEMBERED},
       replicated_deduplication_window = ${COMMITS_REMEMBERED}, replicated_deduplication_window_seconds = 86400,
       fsync_after_insert = 1, fsync_part_directory = 1`,
    `CREATE TABLE IF NOT EXISTS series {on cluster} (
       account LowCardinality(String), series UUID,
       ${FIRST_LABEL_COLUMNS.map((name) => `${name} LowCardinality(String)`).join(", ")}
     ) ENGINE = {engine:ReplacingMergeTree} ORDER BY (account, series)
     SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  ],
  ["ALTER TABLE series {on cluster} ADD COLUMN IF NOT EXISTS `estimated` LowCardinality(String)"],
];

const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS migrations {on cluster} (number UInt32)
  ENGINE = {engine:MergeTree} ORDER BY number`;

/** Fills in the placeholders: for one node, or for the cluster of this name. */
export function placed(statement: string, cluster: string | undefined): string {
  const onCluster = cluster === undefined ? "" : `ON CLUSTER ${sql`${cluster}`.text}`;
  return statement
    .replaceAll("{on cluster}", onCluster)
    .replaceAll(/\{engine:(\w+)\}/g, cluster === undefined ? "$1" : "Replicated$1");
}

/**
 * Takes the steps that are missing. Several processes may do so at once: each step may be repeated.
 * @returns The numbers of steps that this code does not know, taken by a newer one: 0 when there are none.
 */
export async function migrate(engine: Engine, cluster: string | undefined): Promise<number> {
  await engine.command(raw(placed(MIGRATIONS_TABLE, cluster)));
  const [[taken] = ["0"]] = await engine.rows(sql`SELECT max(number) FROM migrations`);
  for (const [at, statements] of MIGRATIONS.entries()) {
    if (at < Number(taken)) continue;
    for (const statement of statements) await engine.command(raw(placed(statement, cluster)));
    await engine.command(sql`INSERT INTO migrations VALUES (${at + 1})`);
  }
  return Math.max(Number(taken) - MIGRATIONS.length, 0);
}

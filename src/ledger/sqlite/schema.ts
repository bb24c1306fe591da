/** The tables of ledger.db. Names and order of columns follow domain/usage.ts. */

import type { FileKind } from "../../sqlite/file.ts";
import { moveIdentities } from "./identity-migration.ts";

/** The columns of a series, in the order of SERIES_FIELDS. */
export const LABEL_COLUMNS = [
  "usage_type",
  "model",
  "api_key_id",
  "user",
  "service_tier",
  "batch",
  "deployment",
  "accelerator_type",
  "placement",
  "job_id",
  "job_type",
  "training_session_id",
  "base_model",
  "team",
  "project",
  "environment",
  "context_class",
  "estimated",
] as const;

/** The columns of a quantity, in the order of METERS. */
export const METER_COLUMNS = [
  "prompt_tokens",
  "cached_prompt_tokens",
  "completion_tokens",
  "audio_input_ms",
  "image_count",
  "accelerator_ms",
  "tokens",
] as const;

/** The table of series that has these columns. */
function seriesTable(name: string, columns: readonly string[]): string {
  return `CREATE TABLE ${name} (series INTEGER PRIMARY KEY, account INTEGER NOT NULL,
     ${columns.map((column) => `"${column}" TEXT NOT NULL`).join(", ")},
     UNIQUE (account, ${quoted(columns)})) STRICT;`;
}

function quoted(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(", ");
}

/** The columns of a series before there were context classes. */
const CLASSLESS_COLUMNS = LABEL_COLUMNS.slice(0, -2);
/** The same before it was kept whether an event is an estimate. */
const CLASSED_COLUMNS = LABEL_COLUMNS.slice(0, -1);
const meterColumns = METER_COLUMNS.map((name) => `${name} INTEGER NOT NULL`).join(", ");

/**
 * - `series`: one row for each combination of account and labels; a small integer names it for ever. Version 2 added the
 *   context class: series from before keep the class "", since their sums no longer tell long prompts from short ones.
 *   Version 7 added why an event is an estimate; series from before are of events that told no reason.
 * - `events`: what was written, in the order (slot of its time, arrival). `sent` is NULL when it equals `series`.
 * - `identity_log`, `identity_parts`, `identity_pages`: the hash of the (account, id) of every event ever accepted, and
 *   where the event stands (identities.ts). Time is no part of it. `identity_key` is the key of the hash. Up to version 4
 *   there was one table of ids, `identities`.
 * - `sums`: quantities by slot and series, made in the transaction that wrote the events. A sum that would pass an
 *   int64 goes on in a further `part`; parts are added when read.
 * - `arrivals`: the events from number `seq` on, up to the next row's, were received in the second `at`. Events of version
 *   2 and before stand before its first row, and nothing is known of them.
 * - `days`: for each account and UTC day the number of the last commit that changed its sums.
 * - `packed_days`: the sums of a day once more, in bytes that are read at once (day-pack.ts). A pack counts only while its
 *   version is the day's; a day without one is read from `sums`.
 * - `horizons`: for each account the slot up to which raw events were dropped. An event that came later for a slot before
 *   it is kept until the next drop.
 * - `dropped_events`: of raw events that were dropped, up to 80 a row, where each stood and a hash of its identity
 *   (dropped-events.ts).
 */
export const LEDGER_FILE: FileKind = {
  applicationId: 0x44_61_79_4c,
  migrations: [
    `CREATE TABLE accounts (account INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
     ${seriesTable("series", CLASSLESS_COLUMNS)}
     CREATE TABLE events (account INTEGER NOT NULL, slot INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL,
       time INTEGER NOT NULL, series INTEGER NOT NULL, sent INTEGER, ${meterColumns}, voided_at INTEGER,
       PRIMARY KEY (account, slot, seq)) STRICT, WITHOUT ROWID;
     CREATE TABLE identities (account INTEGER NOT NULL, id TEXT NOT NULL, slot INTEGER NOT NULL, seq INTEGER NOT NULL,
       PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;
     CREATE TABLE sums (account INTEGER NOT NULL, slot INTEGER NOT NULL, series INTEGER NOT NULL, part INTEGER NOT NULL,
       events INTEGER NOT NULL, ${meterColumns}, PRIMARY KEY (account, slot, series, part)) STRICT, WITHOUT ROWID;
     CREATE TABLE days (account INTEGER NOT NULL, day INTEGER NOT NULL, version INTEGER NOT NULL,
       PRIMARY KEY (account, day)) STRICT, WITHOUT ROWID;
     CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     INSERT INTO counters VALUES ('seq', 0), ('commit', 0);`,
    `${seriesTable("series_classed", CLASSED_COLUMNS)}
     INSERT INTO series_classed SELECT series, account, ${quoted(CLASSLESS_COLUMNS)}, '' FROM series;
     DROP TABLE series;
     ALTER TABLE series_classed RENAME TO series;`,
    "CREATE TABLE arrivals (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT",
    `CREATE TABLE packed_days (pack INTEGER PRIMARY KEY, account INTEGER NOT NULL, day INTEGER NOT NULL,
       version INTEGER NOT NULL, columns BLOB NOT NULL) STRICT;
     CREATE UNIQUE INDEX packed_day ON packed_days (account, day, version)`,
    (database) => {
      database.exec(
        `CREATE TABLE identity_key (low INTEGER NOT NULL, high INTEGER NOT NULL) STRICT;
         INSERT INTO identity_key VALUES (random() & 0xffffffff, random() & 0xffffffff);
         CREATE TABLE identity_log (seq INTEGER PRIMARY KEY, base INTEGER NOT NULL, entries BLOB NOT NULL) STRICT;
         CREATE TABLE identity_parts (part INTEGER PRIMARY KEY, base INTEGER NOT NULL, identities INTEGER NOT NULL,
           page_bits INTEGER NOT NULL, filter BLOB NOT NULL, filter_sum INTEGER NOT NULL) STRICT;
         CREATE TABLE identity_pages (page INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT`,
      );
      moveIdentities(database);
      database.exec("DROP TABLE identities");
    },
    `CREATE TABLE horizons (account INTEGER PRIMARY KEY, kept_from INTEGER NOT NULL) STRICT;
     CREATE TABLE dropped_events (account INTEGER NOT NULL, slot INTEGER NOT NULL, seq INTEGER NOT NULL,
       entries BLOB NOT NULL, PRIMARY KEY (account, slot, seq)) STRICT, WITHOUT ROWID`,
    `${seriesTable("series_estimated", LABEL_COLUMNS)}
     INSERT INTO series_estimated SELECT series, account, ${quoted(CLASSED_COLUMNS)}, '' FROM series;
     DROP TABLE series;
     ALTER TABLE series_estimated RENAME TO series;`,
  ],
};

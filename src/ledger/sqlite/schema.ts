/** The tables of ledger.db. Names and order of columns follow domain/usage.ts. */

import type { FileKind } from "../../sqlite/file.ts";

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

const labelColumns = LABEL_COLUMNS.map((name) => `"${name}" TEXT NOT NULL`).join(", ");
const meterColumns = METER_COLUMNS.map((name) => `${name} INTEGER NOT NULL`).join(", ");

/**
 * - `series`: one row for each combination of account and labels; a small integer names it for ever.
 * - `events`: what was written, in the order (slot of its time, arrival). `sent` is NULL when it equals `series`.
 * - `identities`: (account, id) of every event ever accepted, and where it stands. Time is no part of it.
 * - `sums`: quantities by slot and series, made in the transaction that wrote the events. A sum that would pass an
 *   int64 goes on in a further `part`; parts are added when read.
 * - `days`: for each account and UTC day the number of the last commit that changed its sums.
 */
export const LEDGER_FILE: FileKind = {
  applicationId: 0x44_61_79_4c,
  migrations: [
    `CREATE TABLE accounts (account INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
     CREATE TABLE series (series INTEGER PRIMARY KEY, account INTEGER NOT NULL, ${labelColumns},
       UNIQUE (account, ${LABEL_COLUMNS.map((name) => `"${name}"`).join(", ")})) STRICT;
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
  ],
};

/** Looks into the files of a stopped server with plain SQL; shares no code with what wrote them. */

import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** An event as it stands in the file. */
export interface FiledEvent {
  readonly account: string;
  readonly id: string;
  readonly time: number;
  readonly prompt: number;
  readonly cached: number;
  readonly completion: number;
  readonly tokens: number;
  readonly voided: boolean;
}

export interface Filed {
  /** What contradicts itself in the files; empty when all is well. */
  readonly problems: readonly string[];
  readonly events: readonly FiledEvent[];
}

const METERS =
  "prompt_tokens, cached_prompt_tokens, completion_tokens, audio_input_ms, image_count, accelerator_ms, tokens";
const SUMMED = METERS.split(", ")
  .map((name) => `sum(${name}) AS ${name}`)
  .join(", ");

/** Both ways to the sums, made once; sums that voiding brought back to nothing count as none. */
const FOLDED = `
 CREATE TEMP TABLE from_sums AS SELECT * FROM (
   SELECT account, slot, series, sum(events) AS events, ${SUMMED} FROM sums GROUP BY account, slot, series)
 WHERE events <> 0 OR ${METERS.split(", ").join(" <> 0 OR ")} <> 0;
 CREATE TEMP TABLE from_events AS SELECT account, time / 900000 AS slot, series, count(*) AS events, ${SUMMED}
 FROM events WHERE voided_at IS NULL GROUP BY account, time / 900000, series;`;

/** Where the entries of the identities lead: of the log, and of the pages of each part. */
const PLACES = `
 SELECT base, entries FROM identity_log UNION ALL
 SELECT base, pages.entries FROM identity_parts JOIN identity_pages pages ON pages.page / 16777216 = part`;
const ENTRY_BYTES = 16;

/** Reads the entries of the identities into a table. */
function readPlaces(database: DatabaseSync): void {
  database.exec("CREATE TEMP TABLE places (slot INTEGER, seq INTEGER PRIMARY KEY); BEGIN");
  const insert = database.prepare("INSERT INTO places VALUES (?, ?)");
  for (const row of database.prepare(PLACES).iterate()) {
    const { base, entries } = row as unknown as { base: number; entries: Uint8Array };
    const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
    for (let at = 0; at < view.byteLength; at += ENTRY_BYTES) {
      insert.run(view.getUint32(at + 8, true), base + view.getUint32(at + 12, true));
    }
  }
  database.exec("COMMIT");
}

/** Each query counts rows that must not be. */
const CONTRADICTIONS: Readonly<Record<string, string>> = {
  "sums without their events": "SELECT count(*) FROM (SELECT * FROM from_sums EXCEPT SELECT * FROM from_events)",
  "events without their sums": "SELECT count(*) FROM (SELECT * FROM from_events EXCEPT SELECT * FROM from_sums)",
  "identities without their event":
    "SELECT count(*) FROM places p LEFT JOIN events e USING (slot, seq) WHERE e.id IS NULL",
  "events without their identity":
    "SELECT count(*) FROM events e LEFT JOIN places p USING (slot, seq) WHERE p.seq IS NULL",
  "events beyond one an identity": "SELECT (SELECT count(*) FROM events) <> (SELECT count(*) FROM places)",
  "events of one identity": "SELECT count(*) - count(DISTINCT account || '/' || id) FROM events",
  "events in another slot than their time's": "SELECT count(*) FROM events WHERE slot <> time / 900000",
  "events of a series of another account":
    "SELECT count(*) FROM events e LEFT JOIN series s USING (series) WHERE s.account IS NOT e.account",
  "arrival numbers given twice": "SELECT count(*) - count(DISTINCT seq) FROM events",
  "arrival numbers ahead of the counter":
    "SELECT count(*) FROM events WHERE seq > (SELECT value FROM counters WHERE name = 'seq')",
  "days with sums and no version":
    "SELECT count(*) FROM (SELECT account, slot / 96 FROM sums EXCEPT SELECT account, day FROM days)",
};

/**
 * Reads a copy of the files as they lie there, write-ahead log included, so that the server meets at its next start just
 * what the crash left behind.
 */
export function readFiles(folder: string): Filed {
  const copy = mkdtempSync(join(tmpdir(), "daybook-copy-"));
  try {
    const problems: string[] = [];
    for (const name of ["accounts.db", "ledger.db"]) {
      for (const file of [name, `${name}-wal`]) {
        if (existsSync(join(folder, file))) copyFileSync(join(folder, file), join(copy, file));
      }
      const broken = withDatabase(join(copy, name), (database) =>
        database
          .prepare("PRAGMA integrity_check")
          .all()
          .map((row) => String(row.integrity_check)),
      );
      if (broken.join() !== "ok") problems.push(`${name}: ${broken.join("; ")}`);
    }
    return withDatabase(join(copy, "ledger.db"), (database) => {
      database.exec(FOLDED);
      readPlaces(database);
      for (const [name, sql] of Object.entries(CONTRADICTIONS)) {
        const count = Number(Object.values(database.prepare(sql).get() ?? {})[0]);
        if (count !== 0) problems.push(`${name}: ${count}`);
      }
      return { problems, events: eventsOf(database) };
    });
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function withDatabase<T>(path: string, read: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536");
  try {
    return read(database);
  } finally {
    database.close();
  }
}

function eventsOf(database: DatabaseSync): FiledEvent[] {
  const rows = database.prepare(
    `SELECT name, id, time, prompt_tokens, cached_prompt_tokens, completion_tokens, tokens, voided_at IS NOT NULL
     FROM events JOIN accounts USING (account)`,
  );
  rows.setReturnArrays(true);
  return (rows.all() as unknown as FiledRow[]).map(
    ([account, id, time, prompt, cached, completion, tokens, voided]) => {
      return { account, id, time, prompt, cached, completion, tokens, voided: voided === 1 };
    },
  );
}

type FiledRow = [string, string, number, number, number, number, number, number];

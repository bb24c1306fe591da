/**
 * Checks the journal against itself: every number is one commit's, every identity one event's, and every sum that the
 * engine keeps is what the entries add up to. The engine does the reading; what comes here are the differences. Daybook
 * may run and write meanwhile.
 */

import { ClickHouseError } from "@clickhouse/client";
import { type Instant, SLOT_MS } from "../../domain/time.ts";
import { NO_SERIES } from "./drops.ts";
import { Engine, type EngineConnection } from "./engine.ts";
import { asUnusable } from "./failures.ts";
import { LANES, METER_COLUMNS, PLACES_PER_COMMIT } from "./schema.ts";
import { raw, type Sql, sql } from "./statement.ts";

/** One thing that is not as it must be. */
export type JournalDifference =
  /** Two inserts were taken under one number: calls may be counted twice. */
  | { readonly kind: "commit"; readonly lane: number; readonly commit: number }
  /** Not one event, or more than one void. */
  | { readonly kind: "identity"; readonly account: string; readonly id: string; readonly events: number }
  /** A void that does not take out what its event counts. */
  | { readonly kind: "void"; readonly account: string; readonly id: string }
  /** An entry in another slot than its time's, or out of the order of its commit. */
  | { readonly kind: "place"; readonly account: string; readonly id: string }
  /** A series that entries name and that has no labels: reports leave them out. */
  | { readonly kind: "series"; readonly account: string; readonly series: string }
  /** What is kept of a slot is not what its entries add up to. */
  | { readonly kind: "sums"; readonly account: string; readonly slot: Instant }
  /** The last commit of an account that is kept is not its last one. */
  | { readonly kind: "position"; readonly account: string }
  /** The engine keeps no such sums of a lane: answers are made of entries, right and slow. */
  | { readonly kind: "projection"; readonly lane: number; readonly projection: string };

export interface JournalVerification {
  /** Usage events, voided and dropped ones too. */
  readonly events: number;
  /** Sums by slot and series. */
  readonly sums: number;
  /** Lanes that were written all the time: their sums were not compared. */
  readonly busyLanes: number;
  /** The first ones; `differencesTotal` counts all that were found. */
  readonly differences: readonly JournalDifference[];
  readonly differencesTotal: number;
}

export interface JournalVerifyOptions {
  /** Lanes done of all there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Of each kind, account or lane, at most; what is more is not looked for. */
const DIFFERENCES_MAX = 1_000;
/** How often kept sums are compared with entries while somebody writes the lane. */
const TRIES_MAX = 5;
const SPILL_BYTES = 1_000_000_000;
const BOUNDED = [`max_bytes_before_external_group_by = ${SPILL_BYTES}`];
const KEPT = (projection: string) => [`force_optimize_projection_name = '${projection}'`];
/** What the engine says when it keeps none of them. */
const NOT_KEPT = new Set(["INCORRECT_DATA", "PROJECTION_NOT_USED"]);
const FROM_ENTRIES = ["optimize_use_projections = 0", ...BOUNDED];

const SUMS = raw(["sum(counted)", ...METER_COLUMNS.map((name) => `sum(toInt128(${name}))`)].join(", "));
const ALIASED = raw(
  ["sum(counted) AS events", ...METER_COLUMNS.map((name, at) => `sum(toInt128(${name})) AS sum${at}`)].join(", "),
);
const HASH = raw(`cityHash64(slot, series, events, ${METER_COLUMNS.map((_, at) => `sum${at}`).join(", ")})`);

/** @throws Fault `ledger_unusable` when there is no ledger, `unavailable` when the engine does not answer. */
export async function verifyJournal(
  { cluster, ...connection }: EngineConnection & { readonly cluster?: string },
  { onProgress }: JournalVerifyOptions = {},
): Promise<JournalVerification> {
  const engine = new Engine(connection, { replicated: cluster !== undefined });
  try {
    const check = new JournalCheck(engine);
    for (let lane = 0; lane < LANES; lane += 1) {
      onProgress?.(lane, LANES);
      await check.lane(lane);
    }
    onProgress?.(LANES, LANES);
    return check.found();
  } catch (error) {
    throw asUnusable(error);
  } finally {
    await engine.close();
  }
}

class JournalCheck {
  readonly #engine: Engine;
  readonly #differences: JournalDifference[] = [];
  #differencesTotal = 0;
  #events = 0;
  #sums = 0;
  #busyLanes = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  found(): JournalVerification {
    return {
      events: this.#events,
      sums: this.#sums,
      busyLanes: this.#busyLanes,
      differences: this.#differences,
      differencesTotal: this.#differencesTotal,
    };
  }

  async lane(lane: number): Promise<void> {
    const head = await this.#head(lane);
    if (head === 0) return;
    // Up to a commit that is there, whatever is written meanwhile.
    const upTo = sql`lane = ${lane} AND \`commit\` <= ${head}`;
    const [row] = await this.#engine.rows(sql`SELECT countIf(counted = 1) FROM entries WHERE ${upTo}`);
    this.#events += Number(row![0]);
    await this.#commits(lane, upTo);
    await this.#identities(upTo);
    await this.#places(upTo);
    await this.#series(upTo);
    if (!(await this.#keptSums(lane))) this.#busyLanes += 1;
  }

  #tell(differences: readonly JournalDifference[]): void {
    this.#differencesTotal += differences.length;
    this.#differences.push(...differences.slice(0, Math.max(0, DIFFERENCES_MAX - this.#differences.length)));
  }

  async #head(lane: number): Promise<number> {
    const [[head] = ["0"]] = await this.#engine.rows(sql`SELECT max(\`commit\`) FROM entries WHERE lane = ${lane}`);
    return Number(head);
  }

  async #commits(lane: number, upTo: Sql): Promise<void> {
    const rows = await this.#engine.rows(
      sql`SELECT \`commit\` FROM entries WHERE ${upTo}
          GROUP BY \`commit\` HAVING uniqExact(batch) > 1 LIMIT ${DIFFERENCES_MAX}`,
      BOUNDED,
    );
    this.#tell(rows.map(([commit]) => ({ kind: "commit", lane, commit: Number(commit) })));
  }

  async #identities(upTo: Sql): Promise<void> {
    const left = METER_COLUMNS.map((name) => `sum(toInt128(${name})) != 0`).join(" OR ");
    const rows = await this.#engine.rows(
      sql`SELECT account, id, countIf(counted = 1) AS events, countIf(counted = -1) AS voids FROM entries
          WHERE ${upTo} AND counted != 0 GROUP BY account, id
          HAVING events != 1 OR voids > 1 OR (voids = 1 AND (${raw(left)})) LIMIT ${DIFFERENCES_MAX}`,
      BOUNDED,
    );
    this.#tell(
      rows.map(([account, id, events]) =>
        events === "1"
          ? { kind: "void", account: account!, id: id! }
          : { kind: "identity", account: account!, id: id!, events: Number(events) },
      ),
    );
  }

  async #places(upTo: Sql): Promise<void> {
    const slot = raw(`slot != intDiv(time - positiveModulo(time, ${SLOT_MS}), ${SLOT_MS})`);
    const order = raw(`intDiv(arrival, ${PLACES_PER_COMMIT})`);
    const rows = await this.#engine.rows(
      sql`SELECT account, id FROM entries WHERE ${upTo} AND counted != 0
          AND (${slot} OR (counted = 1 AND ${order} != \`commit\`) OR (counted = -1 AND ${order} > \`commit\`))
          LIMIT ${DIFFERENCES_MAX}`,
    );
    this.#tell(rows.map(([account, id]) => ({ kind: "place", account: account!, id: id! })));
  }

  async #series(upTo: Sql): Promise<void> {
    const rows = await this.#engine.rows(
      sql`SELECT DISTINCT account, arrayJoin([series, sent]) AS name FROM entries
          WHERE ${upTo} AND name != ${NO_SERIES} AND (account, name) NOT IN (SELECT account, series FROM series)
          LIMIT ${DIFFERENCES_MAX}`,
    );
    this.#tell(rows.map(([account, series]) => ({ kind: "series", account: account!, series: series! })));
  }

  /** Compares what the engine keeps with the entries, between two equal heads; false when there never were. */
  async #keptSums(lane: number): Promise<boolean> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const head = await this.#head(lane);
      const differences = await this.#keptDifferences(lane);
      const sums = await this.#count(lane);
      if ((await this.#head(lane)) !== head) continue;
      this.#tell(differences);
      this.#sums += sums;
      return true;
    }
    return false;
  }

  async #count(lane: number): Promise<number> {
    const [row] = await this.#engine.rows(
      sql`SELECT count() FROM (SELECT slot, series, ${SUMS} FROM entries
          WHERE lane = ${lane} GROUP BY lane, account, slot, series HAVING sum(counted) != 0)`,
    );
    return Number(row![0]);
  }

  async #keptDifferences(lane: number): Promise<JournalDifference[]> {
    const byAccount = sql`SELECT account, sum(toUInt256(${HASH})) FROM (
        SELECT account, slot, series, ${ALIASED} FROM entries WHERE lane = ${lane}
        GROUP BY lane, account, slot, series) GROUP BY account`;
    const positions = sql`SELECT account, (max(\`commit\`), maxIf(\`commit\`, counted != 0)) FROM entries
      WHERE lane = ${lane} GROUP BY lane, account`;
    const [unlike, moved] = [await this.#unlike(byAccount, "slots"), await this.#unlike(positions, "positions")];
    const found: JournalDifference[] = [];
    if (unlike === undefined) found.push({ kind: "projection", lane, projection: "slots" });
    if (moved === undefined) found.push({ kind: "projection", lane, projection: "positions" });
    for (const account of unlike ?? []) {
      const bySlot = sql`SELECT slot, sum(toUInt256(${HASH})) FROM (
          SELECT slot, series, ${ALIASED} FROM entries WHERE lane = ${lane} AND account = ${account}
          GROUP BY lane, account, slot, series) GROUP BY slot`;
      const slots = await this.#unlike(bySlot, "slots");
      found.push(...(slots ?? []).map((slot) => ({ kind: "sums" as const, account, slot: Number(slot) * SLOT_MS })));
    }
    return [...found, ...(moved ?? []).map((account) => ({ kind: "position" as const, account }))];
  }

  /** The keys whose value differs between the projection and the entries themselves; undefined without a projection. */
  async #unlike(statement: Sql, projection: string): Promise<string[] | undefined> {
    const kept = await this.#pairs(statement, KEPT(projection)).catch(undefinedIfNotKept);
    if (!kept) return undefined;
    const made = await this.#pairs(statement, FROM_ENTRIES);
    const keys = new Set([...kept.keys(), ...made.keys()]);
    return [...keys].filter((key) => kept.get(key) !== made.get(key)).sort();
  }

  async #pairs(statement: Sql, settings: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.#engine.rows(statement, settings);
    return new Map(rows.map(([key, value]) => [key!, value!]));
  }
}

function undefinedIfNotKept(error: unknown): undefined {
  if (error instanceof ClickHouseError && NOT_KEPT.has(error.type ?? "")) return undefined;
  throw error;
}

/**
 * The days of an account's sums as one connection reads them: from memory where the version still is the file's, else
 * from the pack of that version, else from the rows.
 */

import type { DatabaseSync } from "node:sqlite";
import { DAY_MS, type Instant } from "../../domain/time.ts";
import { columnsOf, DayColumns, type DayParts, type SumEntry } from "./day-columns.ts";
import { packDay, unpackDay } from "./day-pack.ts";
import { METER_COLUMNS } from "./schema.ts";
import type { SeriesList } from "./series-list.ts";
import { arrayStatements } from "./statements.ts";
import { SLOTS_PER_DAY } from "./sum-table.ts";

/** A day of an account, both by their numbers. */
export interface DayRef {
  readonly account: number;
  /** Since the epoch. */
  readonly day: number;
}

/** A day packed, as of one version. */
export interface DayPack extends DayRef {
  readonly version: number;
  readonly columns: Uint8Array;
}

type Row = readonly (number | bigint)[];

/**
 * What the days kept in memory may take, in each reader: 422 days of 100 series with usage in every slot and three meters.
 * A question over more reads all its days from their packs each time.
 */
const DAYS_BYTES_MAX = 128 * 1024 * 1024;

export class Days {
  readonly #statements: ReturnType<typeof prepare>;
  readonly #seriesOf: (account: number) => SeriesList;
  /** By account and day, the one used longest ago first. */
  readonly #kept = new Map<string, DayColumns>();
  #bytes = 0;

  constructor(database: DatabaseSync, seriesOf: (account: number) => SeriesList) {
    this.#statements = prepare(database);
    this.#seriesOf = seriesOf;
  }

  /** The days between the edges that hold sums, by their number. */
  between(account: number, edges: readonly Instant[]): Map<number, DayColumns> {
    const first = Math.floor(edges[0]! / DAY_MS);
    const last = Math.floor(edges.at(-1)! / DAY_MS);
    const days = new Map<number, DayColumns>();
    const versions = this.#statements.versions.all(account, first, last) as unknown as readonly Row[];
    for (const [day, version] of versions as readonly (readonly [number, number])[]) {
      const key = `${account}/${day}`;
      const known = this.#kept.get(key);
      if (known) this.#kept.delete(key);
      if (known && known.version !== version) this.#bytes -= known.bytes;
      const columns = known?.version === version ? known : this.#load({ account, day }, version);
      if (columns !== known) this.#bytes += columns.bytes;
      this.#kept.set(key, columns);
      days.set(day, columns);
    }
    for (const [key, columns] of this.#kept) {
      if (this.#bytes <= DAYS_BYTES_MAX) break;
      this.#kept.delete(key);
      this.#bytes -= columns.bytes;
    }
    return days;
  }

  /** The day as it stands, packed; undefined when it has no sums or sums that cannot be packed. */
  pack({ account, day }: DayRef): DayPack | undefined {
    const [row] = this.#statements.versions.all(account, day, day) as unknown as readonly (readonly [0, number])[];
    if (!row) return undefined;
    const version = row[1];
    const parts = this.#fromRows({ account, day });
    const { numbers } = this.#seriesOf(account);
    const columns = packDay(
      parts,
      parts.series.map((place) => numbers[place]!),
    );
    return columns && { account, day, version, columns };
  }

  /** All days without a pack of their version. */
  unpacked(): DayRef[] {
    const rows = this.#statements.unpacked.all() as unknown as readonly (readonly [number, number])[];
    return rows.map(([account, day]) => ({ account, day }));
  }

  #load(ref: DayRef, version: number): DayColumns {
    return new DayColumns(version, this.#fromPack(ref, version) ?? this.#fromRows(ref));
  }

  #fromPack({ account, day }: DayRef, version: number): DayParts | undefined {
    const row = this.#statements.pack.get(account, day, version) as unknown as readonly [Uint8Array] | undefined;
    const parts = row && unpackDay(row[0]);
    if (!parts) return undefined;
    const { places } = this.#seriesOf(account);
    return { ...parts, series: parts.series.map((number) => places.get(number)!) };
  }

  #fromRows({ account, day }: DayRef): DayParts {
    const { places } = this.#seriesOf(account);
    const entries: SumEntry[] = this.#sumRows(account, day).map((row) => ({
      slotOfDay: Number(row[0]) - day * SLOTS_PER_DAY,
      series: places.get(Number(row[1]))!,
      sums: row.slice(2),
    }));
    entries.sort((a, b) => a.series - b.series || a.slotOfDay - b.slotOfDay);
    return columnsOf(entries);
  }

  #sumRows(account: number, day: number): readonly Row[] {
    const slots = [account, day * SLOTS_PER_DAY, (day + 1) * SLOTS_PER_DAY];
    try {
      return this.#statements.sums.all(...slots) as unknown as readonly Row[];
    } catch (error) {
      // A sum past 2^53 cannot be read as a number: read the day again in bigints.
      if ((error as { code?: string }).code !== "ERR_OUT_OF_RANGE") throw error;
      return this.#statements.bigSums.all(...slots) as unknown as readonly Row[];
    }
  }
}

function prepare(database: DatabaseSync) {
  const arrays = arrayStatements(database);
  const meters = METER_COLUMNS.join(", ");
  const sums = `SELECT slot, series, events, ${meters} FROM sums WHERE account = ? AND slot >= ? AND slot < ?`;
  return {
    versions: arrays("SELECT day, version FROM days WHERE account = ? AND day >= ? AND day <= ?"),
    pack: arrays("SELECT columns FROM packed_days WHERE account = ? AND day = ? AND version = ?"),
    unpacked: arrays(
      `SELECT account, day FROM days d WHERE NOT EXISTS
       (SELECT 1 FROM packed_days p WHERE p.account = d.account AND p.day = d.day AND p.version = d.version)`,
    ),
    sums: arrays(sums),
    bigSums: arrays(sums, true),
  };
}

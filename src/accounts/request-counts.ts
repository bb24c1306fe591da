/**
 * Requests of the last minute, key by key, as several processes count them together in PostgreSQL, by its clock: cells
 * of whole seconds, in one row a key. One statement looks and counts, so no two requests can have the same place.
 */

import { type Kysely, sql } from "kysely";
import type { Instant } from "../domain/time.ts";
import { NOW } from "./book-rows.ts";
import type { Tables } from "./tables.ts";

/** The cells of a key at an instant; those that are too old are empty. */
export interface RequestCount {
  /** Whether the request that asked was counted. */
  readonly isAllowed: boolean;
  /** By the shared clock, in milliseconds. */
  readonly now: Instant;
  /** The second that is counted in now. */
  readonly newest: number;
  /** Cell `second % 61` has the requests of that second. */
  readonly cells: readonly number[];
}

/** Sixty seconds touch at most so many cells. */
const CELLS = 61;
/** Rows of keys that rest are swept out so often. */
const SWEEP_MS = 60_000;
const SECOND = sql`floor(extract(epoch from clock_timestamp()))::bigint`;

export class RequestCounts {
  readonly #database: Kysely<Tables>;
  #sweptAt = performance.now();

  constructor(database: Kysely<Tables>) {
    this.#database = database;
  }

  /** Counts a request of the key, unless the limit is reached. @throws Fault `unavailable`. */
  async take(account: string, keyId: string, limit: bigint): Promise<RequestCount> {
    this.#sweep();
    const first = sql`array(
      select case when ${limit}::bigint > 0 and cell = second % ${CELLS} then 1 else 0 end
      from generate_series(0, ${CELLS - 1}) as cell order by cell)`;
    // Where the row is there it is locked first, and the rest is made of what it holds then, at that time.
    const { rows } = await sql<RequestCount>`
      insert into request_counts as kept (account, key_id, newest, cells, is_allowed)
      select ${account}, ${keyId}, second, ${first}, ${limit}::bigint > 0 from (select ${SECOND} as second) as moment
      on conflict (account, key_id) do update set (newest, cells, is_allowed) = (
        select second,
          array_agg(count + case when is_free and cell = second % ${CELLS} then 1 else 0 end order by cell),
          is_free
        from (
          select second, cell, count, sum(count) over () < ${limit}::bigint as is_free
          from (
            select second, cell, ${countIn(sql`kept`)} as count
            from (select greatest(kept.newest, ${SECOND}) as second) as moment, generate_series(0, ${CELLS - 1}) as cell
          ) as standing
        ) as decided
        group by second, is_free)
      returning newest, cells, is_allowed, ${NOW} as now
    `.execute(this.#database);
    return rows[0]!;
  }

  /** The count of each key of the account that has one. */
  async counts(account: string): Promise<number[]> {
    const { rows } = await sql<{ count: number }>`
      select (select sum(${countIn(sql`kept`)}) from generate_series(0, ${CELLS - 1}) as cell)::bigint as count
      from request_counts as kept, (select ${SECOND} as second) as moment
      where account = ${account}
    `.execute(this.#database);
    return rows.map(({ count }) => count);
  }

  #sweep(): void {
    if (performance.now() - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = performance.now();
    const sweeping = sql`delete from request_counts where newest < ${SECOND} - ${CELLS}`.execute(this.#database);
    // The next one does it.
    sweeping.catch(() => {});
  }
}

/** What the cell counts of the 61 seconds up to `second`. */
function countIn(kept: ReturnType<typeof sql>): ReturnType<typeof sql> {
  const itsSecond = sql`${kept}.newest - (${kept}.newest - cell) % ${CELLS}`;
  return sql`case when ${itsSecond} > second - ${CELLS} then ${kept}.cells[cell + 1] else 0 end`;
}

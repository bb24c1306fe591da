/** Events read back from their entries. */

import type { Instant } from "../../domain/time.ts";
import { type KeptEvent, type Labels, METERS } from "../../domain/usage.ts";
import type { Engine } from "./engine.ts";
import type { SeriesName } from "./labels.ts";
import { METER_COLUMNS, PLACES_PER_COMMIT } from "./schema.ts";
import { raw, type Sql, sql } from "./statement.ts";

/** An event as its entries tell it. */
export interface StoredEvent {
  readonly account: string;
  readonly id: string;
  readonly slot: number;
  readonly arrival: number;
  readonly time: Instant;
  readonly series: SeriesName;
  readonly sent: SeriesName;
  readonly quantities: readonly number[];
  readonly receivedAt: Instant;
  voidedAt: Instant | undefined;
}

/** An entry to be written: an event, its void (-1) or a drop (0). */
export interface Entry extends Omit<StoredEvent, "receivedAt" | "voidedAt"> {
  readonly counted: 1 | 0 | -1;
  readonly at: Instant;
}

/** The number of the commit that an event came in. */
export function commitOf(arrival: number): number {
  return Math.floor(arrival / PLACES_PER_COMMIT);
}

/** What {@link storedEvents} reads, in its order. */
export const STORED_COLUMNS = [
  ...["account", "id", "slot", "arrival", "counted", "at", "time", "series", "sent"],
  ...METER_COLUMNS,
].map(raw);

/** Folds entries, those of one event beside each other, into events, in the order of the rows. */
export function storedEvents(rows: readonly (readonly string[])[]): StoredEvent[] {
  const events: StoredEvent[] = [];
  let voided: { readonly arrival: string; readonly at: Instant } | undefined;
  for (const row of rows) {
    const [account, id, slot, arrival, counted, at, time, series, sent, ...quantities] = row as [string, ...string[]];
    // The order of the table puts the void before its event.
    if (counted === "-1") {
      voided = { arrival: arrival!, at: Number(at) };
      continue;
    }
    events.push({
      account,
      id: id!,
      slot: Number(slot),
      arrival: Number(arrival),
      time: Number(time),
      series: series!,
      sent: sent!,
      quantities: quantities.map(Number),
      receivedAt: Number(at),
      voidedAt: voided?.arrival === arrival ? voided?.at : undefined,
    });
    voided = undefined;
  }
  return events;
}

/** A key that is equal for equal identities and for no others. */
export function identityKey(account: string, id: string): string {
  return `${account}\u0000${id}`;
}

/** The events of these identities that stand in the lane, by {@link identityKey}. */
export async function findEvents(
  engine: Engine,
  lane: number,
  identities: ReadonlyMap<string, { readonly account: string; readonly id: string }>,
): Promise<Map<string, StoredEvent>> {
  // Two lookups in one: places of the ids first, by the projection, then the entries that stand there.
  const rows = await engine.rows(
    sql`SELECT ${STORED_COLUMNS} FROM entries
        WHERE lane = ${lane} AND counted != 0 AND (account, slot, arrival) IN (
          SELECT account, slot, arrival FROM entries WHERE lane = ${lane} AND (account, id) IN (${wanted(identities)}))
        ORDER BY account, slot, arrival, counted`,
  );
  const events = storedEvents(rows);
  return new Map(events.map((event) => [identityKey(event.account, event.id), event]));
}

/** The identities as a table inside the statement: read several times faster than a list of literals. */
function wanted(identities: ReadonlyMap<string, { readonly account: string; readonly id: string }>): Sql {
  const lines: string[] = [];
  for (const { account, id } of identities.values()) lines.push(JSON.stringify([account, id]));
  return sql`SELECT account, id FROM format('JSONCompactEachRow', 'account String, id String', ${lines.join("\n")})`;
}

/** The event as the ledger's callers know it. */
export function keptOf(event: StoredEvent, labels: ReadonlyMap<SeriesName, Labels>): KeptEvent {
  const { id, time, quantities, receivedAt, voidedAt } = event;
  if (quantities.length !== METERS.length) throw new Error(`event ${id} has ${quantities.length} quantities`);
  const [sent, series] = [labels.get(event.sent)!, labels.get(event.series)!];
  return { id, time, sent, series, quantities, receivedAt, voidedAt };
}

/**
 * Raw events that were dropped. A drop is an entry itself, under the slot and arrival of the last event it takes: it holds
 * for what stands up to there and was committed before it. The events' entries stay, for the sums are made of them.
 */

import { type Instant, SLOT_MS, slotStart } from "../../domain/time.ts";
import { METERS } from "../../domain/usage.ts";
import type { DropAsk } from "../ledger.ts";
import type { Engine } from "./engine.ts";
import { commitOf, type Entry, type StoredEvent } from "./entries.ts";
import { raw, sql } from "./statement.ts";

export interface Drop {
  readonly account: string;
  readonly slot: number;
  readonly arrival: number;
  readonly commit: number;
  readonly keptFrom: Instant;
}

/** The id of a drop's entry, that no event has. */
const DROP_ID = "";
/** The series of a drop's entry. */
export const NO_SERIES = "00000000-0000-0000-0000-000000000000";

export async function readDrops(engine: Engine, lane: number, accounts: readonly string[]): Promise<Drop[]> {
  const rows = await engine.rows(
    sql`SELECT account, slot, arrival, \`commit\`, time FROM entries
        WHERE lane = ${lane} AND counted = 0 AND (account, slot, arrival) IN (
          SELECT account, slot, arrival FROM entries
          WHERE lane = ${lane} AND account IN (${accounts}) AND id = ${DROP_ID})`,
  );
  return rows.map(([account, ...numbers]) => {
    const [slot, arrival, commit, keptFrom] = numbers.map(Number) as [number, number, number, number];
    return { account: account!, slot, arrival, commit, keptFrom };
  });
}

/** The instant before which nothing is promised to be there; undefined when nothing was dropped. */
export function keptFromOf(drops: readonly Drop[]): Instant | undefined {
  return drops.length === 0 ? undefined : drops.reduce((latest, { keptFrom }) => Math.max(latest, keptFrom), -Infinity);
}

export function isDropped(drops: readonly Drop[], event: StoredEvent): boolean {
  return drops.some(
    (drop) => drop.account === event.account && commitOf(event.arrival) < drop.commit && !isAfter(event, drop),
  );
}

function isAfter(a: { readonly slot: number; readonly arrival: number }, b: typeof a): boolean {
  return a.slot > b.slot || (a.slot === b.slot && a.arrival > b.arrival);
}

/** The drop of the account's first events, and how many they are; undefined when none are left. */
export async function planDrop(
  engine: Engine,
  lane: number,
  account: string,
  { before, limit }: DropAsk,
): Promise<{ readonly entry: Entry; readonly events: number } | undefined> {
  // A drop that a later one reaches past tells nothing more.
  const drops = await readDrops(engine, lane, [account]);
  const telling = drops.filter((one) => !drops.some((other) => other.commit > one.commit && !isAfter(one, other)));
  const kept = telling.map(
    ({ slot, arrival, commit }) =>
      sql` AND NOT (\`commit\` < ${commit} AND (slot, arrival) <= (${slot}, ${arrival}))`.text,
  );
  const [row] = await engine.rows(
    sql`SELECT count(), max((slot, arrival)).1, max((slot, arrival)).2 FROM (
          SELECT slot, arrival FROM entries
          WHERE lane = ${lane} AND account = ${account} AND slot < ${Math.floor(before / SLOT_MS)}
            AND counted = 1${raw(kept.join(""))}
          ORDER BY slot, arrival LIMIT ${limit})`,
  );
  const [events, slot, arrival] = row!.map(Number) as [number, number, number];
  if (events === 0) return undefined;
  const nothing = { id: DROP_ID, series: NO_SERIES, sent: NO_SERIES, quantities: METERS.map(() => 0) };
  return { events, entry: { ...nothing, account, slot, arrival, time: slotStart(before), counted: 0, at: 0 } };
}

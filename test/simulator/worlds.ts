/** The worlds there are, and how much of the time each of them gets. */

import { ENGINES } from "./ledger/engines.ts";
import { ledgerWorld } from "./ledger/world.ts";
import { SERVICE_WORLD } from "./service/world.ts";
import type { WorldKind } from "./world.ts";

export const WORLDS = {
  sqlite: ledgerWorld(ENGINES.sqlite),
  memory: ledgerWorld(ENGINES.memory),
  threads: ledgerWorld(ENGINES.threads),
  service: SERVICE_WORLD,
  clickhouse: ledgerWorld(ENGINES.clickhouse),
} as const satisfies Record<string, WorldKind>;
export type WorldName = keyof typeof WORLDS;
export const WORLD_NAMES = Object.keys(WORLDS) as readonly WorldName[];

/**
 * Parts of a campaign's time. Where threads start and JSON is read a step takes many times as long, so that seeds by turns
 * would leave little time to the rest. The engine of `clickhouse` is no part of Daybook's own install
 * (test/clickhouse): seeds live there where it is asked for alone.
 */
export const SHARES = { sqlite: 4, memory: 2, threads: 1, service: 1 } as const satisfies Partial<
  Record<WorldName, number>
>;
/** Where a seed lives that names no world. */
export const FIRST_WORLD: WorldName = "sqlite";

/** The worlds there are, and which of them a seed lives in. */

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

/** One seed in so many is of the slow worlds, whose threads take longer to start than most seeds to run. */
const SEEDS_IN_TURN = 24;
const TURNS: Readonly<Record<number, WorldName>> = { 0: "service", 8: "threads", 4: "memory", 16: "memory" };

/** Its engine is no part of Daybook's own install (test/clickhouse): seeds live there where it is asked for alone. */
export const WORLD_APART: WorldName = "clickhouse";

export function worldOf(seed: number): WorldName {
  return TURNS[seed % SEEDS_IN_TURN] ?? "sqlite";
}

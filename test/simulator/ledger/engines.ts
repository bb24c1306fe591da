/** The engines that the simulator drives, and what each of them promises to outlive. */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { MemoryLedger } from "../../../src/ledger/memory.ts";
import { SqliteLedger } from "../../../src/ledger/sqlite/ledger.ts";
import { verifyLedger } from "../../../src/ledger/sqlite/verify.ts";
import type { Random } from "../random.ts";
import { DirectLedger } from "./direct.ts";
import { Processes } from "./processes.ts";

/** A ledger that may have housekeeping of its own to do, a piece at a time; it says what it did. */
export type TendedLedger = Ledger & { tend?(random: Random): string };

export type Engine = EngineKind & (OpenedEngine | SharedEngine);

/** Opened by one ledger. */
interface OpenedEngine {
  /** Opens what lies in the folder, or begins there. `recentMax`: identities that are kept before they are sealed. */
  open(folder: string, recentMax: number): Promise<TendedLedger>;
  readonly begin?: undefined;
}

/** Runs by itself, for several processes. */
interface SharedEngine {
  begin(): Promise<Processes>;
  readonly open?: undefined;
}

interface EngineKind {
  readonly name: string;
  /** The most steps of one seed. */
  readonly stepsMax: number;
  /** True when all of it lies in files of the folder that a power cut may tear (power-cut.ts). */
  readonly filed: boolean;
  /** Moves what was logged into the database, as an engine does at times of its own. */
  checkpoint?(folder: string): void;
  /** What is wrong in a folder that was closed. */
  verify?(folder: string): Promise<readonly unknown[]>;
}

const pathIn = (folder: string): string => join(folder, "ledger.db");

const FILED = {
  filed: true,
  checkpoint(folder: string): void {
    const database = new DatabaseSync(pathIn(folder));
    database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    database.close();
  },
  async verify(folder: string): Promise<readonly unknown[]> {
    return (await verifyLedger(pathIn(folder))).differences;
  },
};

export const ENGINES = {
  memory: { name: "memory", stepsMax: 300, filed: false, open: async () => new MemoryLedger() },
  sqlite: {
    name: "sqlite",
    stepsMax: 600,
    ...FILED,
    open: async (folder, recentMax) => new DirectLedger(pathIn(folder), recentMax),
  },
  threads: {
    name: "threads",
    stepsMax: 300,
    ...FILED,
    open: (folder: string) => SqliteLedger.open({ path: pathIn(folder), readerThreads: 2 }),
  },
  clickhouse: { name: "clickhouse", stepsMax: 160, filed: false, begin: Processes.begin },
} as const satisfies Record<string, Engine>;

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory.ts";
import { SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { conformance } from "./conformance.ts";
import { PackedLedger } from "./packed.ts";

/** Opens a ledger on a file of its own. */
async function inFolder(open: (path: string) => Ledger | Promise<Ledger>) {
  const folder = await mkdtemp(join(tmpdir(), "daybook-"));
  const ledger = await open(join(folder, "ledger.db"));
  const close = async (): Promise<void> => {
    await ledger.close();
    await rm(folder, { recursive: true });
  };
  return { ledger, close };
}

conformance("memory", async () => ({ ledger: new MemoryLedger(), close: async () => {} }));

conformance("sqlite", () => inFolder((path) => SqliteLedger.open({ path, readerThreads: 2 })));

conformance("sqlite, cold and packed", () => inFolder((path) => new PackedLedger(path)));

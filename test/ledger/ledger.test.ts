import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryLedger } from "../../src/ledger/memory.ts";
import { SqliteLedger } from "../../src/ledger/sqlite/ledger.ts";
import { conformance } from "./conformance.ts";

conformance("memory", async () => ({ ledger: new MemoryLedger(), close: async () => {} }));

conformance("sqlite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "daybook-"));
  const ledger = await SqliteLedger.open({ path: join(folder, "ledger.db"), readerThreads: 2 });
  const close = async (): Promise<void> => {
    await ledger.close();
    await rm(folder, { recursive: true });
  };
  return { ledger, close };
});

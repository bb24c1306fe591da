import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory.ts";
import type { IdentityOptions } from "../../src/ledger/sqlite/identities.ts";
import { identityHashes } from "../../src/ledger/sqlite/identity-hash.ts";
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

/** Half of the ids have one of two hashes: what decides then is the id itself. */
const colliding: IdentityOptions["hashes"] = (key, account, ids) => {
  const hashes = identityHashes(key, account, ids);
  for (const [at, id] of ids.entries()) {
    const last = id.charCodeAt(id.length - 1);
    if (last % 2 === 0 && !id.startsWith("far-")) hashes.set([last, last << 31], 2 * at);
  }
  return hashes;
};
/** A part for every few identities; each find by a reader that knows nothing. */
conformance("sqlite, identities in many parts, hashes that collide", () =>
  inFolder((path) => new PackedLedger(path, { recentMax: 3, hashes: colliding })),
);

/** How fast shared records are: `node test/postgres/figures.ts`, on a cluster of its own that syncs what it commits. */

import { randomBytes } from "node:crypto";
import { Accounts } from "../../src/accounts/store.ts";
import { Cluster, whyNoCluster } from "./cluster.ts";

const SECONDS = 3;
const why = whyNoCluster();
if (why) throw new Error(why);
const cluster = await Cluster.make(["fsync=on"]);
const open = () => Accounts.open({ place: { url: cluster.url("postgres") }, now: Date.now, randomBytes });
const stores = [await open(), await open(), await open(), await open()];
const [first] = stores as [Accounts];
const { key } = (await first.bootstrap())!;
await first.putPriceBook({ account: "", document: "a", entryCount: 1, createdBy: "k" });

/** Calls at once, each made again when it is answered. */
async function measure(name: string, atOnce: number, call: (at: number) => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  const end = performance.now() + SECONDS * 1_000;
  const one = async (at: number): Promise<void> => {
    for (;;) {
      const start = performance.now();
      if (start > end) return;
      await call(at);
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, at) => one(at)));
  times.sort((a, b) => a - b);
  const ms = (share: number) => times[Math.floor((times.length - 1) * share)]!.toFixed(3);
  const rate = Math.round(times.length / SECONDS).toLocaleString("en");
  process.stdout.write(`${name}: ${rate}/s, p50 ${ms(0.5)} ms, p99 ${ms(0.99)} ms\n`);
}

try {
  await measure("authenticate, 1 at once", 1, () => first.authenticate(key));
  await measure("authenticate, 32 at once", 32, () => first.authenticate(key));
  await measure("versions of price books, 1 at once", 1, () => first.priceBookVersions(""));
  await measure("versions of price books, 32 at once", 32, () => first.priceBookVersions(""));
  const ask = { role: "USER" } as const;
  await measure("a new key, 1 at once", 1, () => first.createKey("default", "owner", ask));
  await measure("new keys of one account, 8 at once by 4 stores", 8, (at) =>
    stores[at % 4]!.createKey("default", "owner", ask),
  );
  for (let at = 0; at < 8; at += 1) await first.createAccount({ id: `a${at}` });
  await measure("new keys of 8 accounts, 8 at once by 4 stores", 8, (at) =>
    stores[at % 4]!.createKey(`a${at}`, "admin", ask),
  );
} finally {
  for (const store of stores) await store.close();
  await cluster.remove();
}

/** Carrying usage from the spool to the ledger, and telling what became of it. */

import type { Service, UsageBody } from "../service.ts";
import { Drainer, type DrainHooks, type WriteRecords } from "./drainer.ts";
import { type DrainMetrics, makeDrainMetrics } from "./metrics.ts";
import { Spool, type SpoolRecord } from "./spool.ts";
import type { Log, Surroundings } from "./surroundings.ts";

const REPEATED = "ids of answers that are counted already: an upstream repeated an answer, or gives ids twice";

/** Counts and logs what becomes of the events. */
export function drainHooks(metrics: DrainMetrics, log: Log): DrainHooks {
  return {
    onWritten({ created, duplicates, conflicts, rejected }, account) {
      metrics.events.inc({ outcome: "created" }, created);
      metrics.events.inc({ outcome: "duplicate" }, duplicates);
      metrics.events.inc({ outcome: "conflict" }, conflicts.length);
      metrics.events.inc({ outcome: "rejected" }, rejected.length);
      const told = (events: readonly { id: string; field: string }[]) => events.map(({ id, field }) => ({ id, field }));
      if (conflicts.length > 0) log.warn({ account, events: told(conflicts) }, REPEATED);
      if (rejected.length > 0)
        log.error({ account, events: told(rejected) }, "the ledger refused usage of the gateway");
    },
    onDamaged(lines) {
      metrics.spoolDamaged.inc(lines);
      log.warn({ lines }, "lines of the spool were torn or damaged; their answers were never whole");
    },
    onAway(error, retryMs) {
      log.warn({ err: error, retryMs }, "the ledger takes no usage now; it stays on disk");
    },
  };
}

/** Writes records, each account's while none of its budgets is read: so usage is counted once, here or there. */
export function recordWriter(service: Pick<Service, "writeUsage" | "budgets">): WriteRecords {
  return (account, records) => {
    const ids = records.map(({ event }) => String(event.id));
    return service.budgets.carry(account, ids, () => service.writeUsage(account, bodyOf(records)));
  };
}

function bodyOf(records: readonly SpoolRecord[]): UsageBody {
  const lines = records.map(({ event }) => `${JSON.stringify(event)}\n`).join("");
  return { bytes: Buffer.from(lines), contentType: "application/x-ndjson", contentEncoding: "" };
}

/** For a server without a gateway: carries over what an earlier one left on disk. */
export function carryOver(
  spoolFolder: string,
  service: Pick<Service, "writeUsage" | "budgets">,
  { registry, log }: Surroundings,
): { close(): Promise<void> } {
  const spool = Spool.open({ folder: spoolFolder, maxBytes: 0 });
  const metrics = makeDrainMetrics(registry, () => spool.bytes);
  const drainer = new Drainer(spool, recordWriter(service), drainHooks(metrics, log));
  service.budgets.follow(() => drainer.caughtUp());
  return {
    async close() {
      await drainer.close();
      await spool.close();
    },
  };
}

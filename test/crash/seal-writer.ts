/** Writes usage events until it is killed, a few identities a part; a line on stdout for each that is on disk. */

import { writeSync } from "node:fs";
import { batchOf, METERS, SERIES_FIELDS } from "../../src/domain/usage.ts";
import type { AppendOutcome } from "../../src/ledger/ledger.ts";
import { Writer } from "../../src/ledger/sqlite/writer.ts";

const EVENTS_PER_CALL = 7;
const [path = "", from = "0"] = process.argv.slice(2);
const writer = new Writer(path, { recentMax: 50 });
const labels = SERIES_FIELDS.map((field) => (field === "usageType" ? "AUDIO_INFERENCE_USAGE" : ""));
const at = Date.UTC(2026, 4, 28);

for (let first = Number(from); ; first += EVENTS_PER_CALL) {
  const events = Array.from({ length: EVENTS_PER_CALL }, (_, n) => {
    const quantities = METERS.map(() => 1);
    return { id: `id-${first + n}`, time: at + first, sent: labels, series: labels, quantities };
  });
  const [outcome] = writer.run([{ kind: "append", account: "acme", batch: batchOf(events), at }]);
  const { created, duplicates } = outcome as AppendOutcome;
  writeSync(1, `${created} ${duplicates}\n`);
}

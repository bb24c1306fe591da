/** A server that takes large calls for long needs no more memory than for a few of them. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ACCOUNT, Daybook, start } from "./daybook.ts";
import { ask, askJson } from "./http.ts";

const folder = mkdtempSync(join(tmpdir(), "daybook-memory-"));
const EVENTS_PER_CALL = 20_000;
/** Caches and heaps fill up during these. */
const WARM_CALLS = 5;
const CALLS = 5;
/** Each further call holds some 3 MB of JSON: kept by mistake, in any form, five of them would show. */
const GROWTH_MIB_MAX = 100;
/** 400 MB: what a server may take under load on two cores; each further core has a thread that decodes. */
const RESIDENT_MIB_MAX = 381 + 20 * Math.max(0, availableParallelism() - 2);

after(() => {
  Daybook.killAll();
  rmSync(folder, { recursive: true, force: true });
});

async function residentMiB(url: string): Promise<number> {
  const answer = await ask(url, { path: "/metrics" });
  assert.equal(answer.kind, "answered");
  const bytes = answer.kind === "answered" && /^process_resident_memory_bytes (\d+)$/m.exec(answer.body)?.[1];
  return Number(bytes) / 2 ** 20;
}

test("calls of 20,000 events do not pile up in memory", async (context) => {
  const { daybook, url } = await start({ folder });
  const time = new Date(Date.now() - 3_600_000).toISOString();
  let peak = 0;
  let warm = 0;
  for (let call = 0; call < WARM_CALLS + CALLS; call += 1) {
    const events = Array.from({ length: EVENTS_PER_CALL }, (_, at) => {
      const id = `call-${call}-${at}`;
      return { id, time, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: `model-${at % 20}`, promptTokens: at };
    });
    const path = `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`;
    const reply = await askJson<{ created: number }>(url, { path, body: JSON.stringify({ events }) });
    assert.equal(reply.created, EVENTS_PER_CALL);
    peak = Math.max(peak, await residentMiB(url));
    if (call + 1 === WARM_CALLS) warm = peak;
  }
  context.diagnostic(`resident MiB: ${warm.toFixed(0)} after ${WARM_CALLS} calls, ${peak.toFixed(0)} at the most`);
  assert.ok(peak - warm < GROWTH_MIB_MAX, `it grew from ${warm.toFixed(0)} to ${peak.toFixed(0)} MiB`);
  assert.ok(peak < RESIDENT_MIB_MAX, `it took ${peak.toFixed(0)} MiB`);
  assert.equal((await daybook.stop()).code, 0);
});

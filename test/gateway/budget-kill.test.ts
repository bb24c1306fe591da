/** `kill -9` while a budget is spent: after the restart what was used counts, once, and what was reserved is free again. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ACCOUNT, BOOTSTRAP, Daybook, KEY, start } from "../process/daybook.ts";
import { ask, askJson } from "../process/http.ts";
import { until } from "../until.ts";
import { CALL, PRICES, startBillingUpstream } from "./billing-upstream.ts";

const CLIENTS = 20;
const CALLS_PAID = 1_000;
/** A kill comes so many milliseconds after so many answers. */
const KILLS_MS = [0, 70];
const CALLS_A_ROUND = 100;
const NEVER_FAILS = 1_000_000;

let folder: string;

after(async () => {
  Daybook.killAll();
  await rm(folder, { recursive: true });
});

/** Calls until the server is gone or the budget is spent; gives the ids of the answers that came whole. */
async function client(url: string): Promise<string[]> {
  const whole: string[] = [];
  for (;;) {
    const answer = await ask(url, { path: "/inference/v1/chat/completions", body: CALL });
    if (answer.kind !== "answered" || answer.status === 412) return whole;
    if (answer.status === 200 && answer.body.endsWith("}}")) whole.push(/"id":"(call-\d+)"/.exec(answer.body)![1]!);
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("killed in the middle, a budget for 1,000 calls pays for 1,000 calls", async (t) => {
  folder = await mkdtemp(join(tmpdir(), "daybook-budget-kill-"));
  const upstream = await startBillingUpstream(NEVER_FAILS);
  t.after(() => upstream.close());
  const file = join(folder, "gateway.yaml");
  const prices = join(folder, "prices.yaml");
  await writeFile(file, `upstreams:\n  - { name: up, baseUrl: "${upstream.url}/v1", apiKeyEnv: UP_KEY }\n`);
  await writeFile(prices, PRICES);
  const options = {
    folder: join(folder, "data"),
    args: ["--port", "0", "--gateway", file, "--prices", prices],
    env: { ...BOOTSTRAP, UP_KEY: "up" },
  };
  const quota = `/v1/accounts/${ACCOUNT}/quotas/monthly-spend-usd`;
  const whole: string[] = [];
  for (const ms of [...KILLS_MS, undefined]) {
    const { daybook, url } = await start(options);
    const set = await fetch(`${url}${quota}`, {
      method: "PATCH",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ value: "1" }),
    });
    assert.equal(set.status, 200, await set.text());
    const clients = Promise.all(Array.from({ length: CLIENTS }, () => client(url)));
    if (ms !== undefined) {
      const before = upstream.seen.answered;
      await until("a load", () => upstream.seen.answered - before > CALLS_A_ROUND);
      await new Promise((resolve) => setTimeout(resolve, ms));
      daybook.kill();
    }
    whole.push(...(await clients).flat());
    if (ms !== undefined) {
      await daybook.ended;
      continue;
    }
    const usage = await until("the budget is spent", async () => {
      const { usage: usd } = await askJson<{ usage: number }>(url, { path: quota });
      return usd >= 1 && usd;
    });
    assert.equal(usage, 1);
    const path = `/v1/accounts/${ACCOUNT}/usageEvents/`;
    for (const id of whole) await askJson(url, { path: path + encodeURIComponent(`up:${id}`) });
    await daybook.stop();
  }
  t.diagnostic(`${whole.length} whole answers, ${upstream.seen.answered} of the upstream`);
  assert.equal(new Set(whole).size, whole.length);
  // What the upstream did for calls that a kill cut off before their usage was on disk is known to nobody.
  const unknown = upstream.seen.answered - CALLS_PAID;
  assert.ok(unknown >= 0 && unknown <= KILLS_MS.length * CLIENTS, `${unknown} answers were never on disk`);
  assert.ok(whole.length <= CALLS_PAID && whole.length >= CALLS_PAID - KILLS_MS.length * CLIENTS);
});

/**
 * Threads that die under load: any of them, at any instant, in the middle of a transaction too. What was answered 200 is
 * there, once; what was in a thread that died is answered 503, and counts once when it is sent again; nothing else fails.
 */

import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { buildServer } from "../../src/http/server.ts";
import { Service } from "../../src/service.ts";
import { type ThreadDeath, threadDeaths } from "../../src/threads/threads.ts";
import { ACCOUNT, KEY } from "../process/daybook.ts";
import { ask, askJson } from "../process/http.ts";
import { until } from "../until.ts";
import { readFiles } from "./file-check.ts";
import { randomOf } from "./load.ts";

const KILLS = 20;
const CLIENTS = 4;
const SEED = Number(process.env.DAYBOOK_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 32));
const A = `/v1/accounts/${ACCOUNT}`;
const folder = mkdtempSync(join(tmpdir(), "daybook-threads-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const running = new Set<Worker>();
subscribe("worker_threads", (message) => {
  const { worker } = message as { worker: Worker };
  running.add(worker);
  worker.once("exit", () => running.delete(worker));
});
const deaths: ThreadDeath[] = [];
threadDeaths.subscribe((death) => void deaths.push(death as ThreadDeath));

const random = randomOf(SEED);
const time = new Date(Date.now() - 3_600_000).toISOString();

/** Some bodies are decoded in a thread, and some at once. */
function eventsText(call: string, count: number): string {
  const usageType = "TEXT_COMPLETION_INFERENCE_USAGE";
  const events = Array.from({ length: count }, (_, at) => {
    return { id: `${call}/${at}`, time, usageType, model: "m", promptTokens: 1, annotations: { team: `t${at % 3}` } };
  });
  return JSON.stringify({ events });
}

interface Load {
  readonly sent: Map<string, number>;
  readonly answered: Set<string>;
  calls: number;
  isStopped: boolean;
}

/** Writes, each call again until it is taken, and now and then a report and a new key. */
async function client(url: string, name: string, load: Load): Promise<void> {
  for (let at = 0; !load.isStopped; at += 1) {
    const call = `${name}-${at}`;
    const count = random() < 0.5 ? 5 : 600;
    load.sent.set(call, count);
    for (let isTaken = false; !isTaken; load.calls += 1) {
      const answer = await ask(url, { path: `${A}/usageEvents:batchCreate`, body: eventsText(call, count) });
      assert.ok(answer.kind === "answered", JSON.stringify(answer));
      isTaken = answer.status === 200;
      if (!isTaken) assert.equal(answer.status, 503, answer.body);
      else assert.equal(JSON.parse(answer.body).created + JSON.parse(answer.body).duplicates, count);
    }
    load.answered.add(call);
    for (const what of [
      { path: `${A}/billingUsage?startTime=${range[0]}&endTime=${range[1]}` },
      { path: `${A}/users/owner/apiKeys`, body: '{"apiKey":{}}' },
    ]) {
      const answer = await ask(url, what);
      assert.ok(answer.kind === "answered" && [200, 503].includes(answer.status), JSON.stringify(answer));
    }
  }
}

const day = 86_400_000;
const range = [Date.now() - 2 * day, Date.now() + day].map((at) => new Date(at).toISOString());

/** Loads the server while its threads are killed one after another, and returns what it did. */
async function loadAndKill(url: string): Promise<Load> {
  const load: Load = { sent: new Map(), answered: new Set(), calls: 0, isStopped: false };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, at) => client(url, `c${at}`, load)));
  const kill = async (): Promise<void> => {
    for (let left = KILLS; left > 0 && !load.isStopped; left -= 1) {
      const before = load.calls;
      await until("calls go on", () => (load.calls > before + 2 && running.size > 0) || load.isStopped);
      await new Promise((resolve) => setTimeout(resolve, random() * 20));
      const workers = [...running];
      await workers[Math.floor(random() * workers.length)]?.terminate();
    }
  };
  try {
    // A client that fails ends the killing, too.
    await Promise.race([kill(), clients]);
  } finally {
    load.isStopped = true;
  }
  await clients;
  return load;
}

async function reportedTokens(url: string): Promise<number> {
  const path = `${A}/billingUsage?startTime=${range[0]}&endTime=${range[1]}`;
  const report = await askJson<{ serverlessCosts: { promptTokens: string }[] }>(url, { path });
  return report.serverlessCosts.reduce((sum, row) => sum + Number(row.promptTokens), 0);
}

test(`${KILLS} threads that die under load lose nothing and count nothing twice`, {
  timeout: 300_000,
}, async (context) => {
  const service = await Service.open({ dataFolder: folder });
  await service.accounts.bootstrap({ accountId: ACCOUNT, key: KEY });
  const server = await buildServer({ service });
  const url = await server.listen({ port: 0, host: "127.0.0.1" });
  let load: Load;
  let tokens: number;
  try {
    load = await loadAndKill(url);
    tokens = await reportedTokens(url);
  } finally {
    await server.close();
    await service.close();
  }
  const { sent, answered, calls } = load;
  assert.equal(answered.size, sent.size);
  const events = [...sent.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(tokens, events);
  const filed = readFiles(folder);
  assert.deepEqual([filed.problems, filed.events.length], [[], events]);
  assert.ok(deaths.length > KILLS / 2, `${deaths.length} deaths were told`);
  const told = [...Map.groupBy(deaths, ({ name }) => name)].map(([name, all]) => [name, all.length]);
  const figures = JSON.stringify({ events, calls, deaths: Object.fromEntries(told) });
  context.diagnostic(`figure threads that die: seed ${SEED}: ${figures}`);
});

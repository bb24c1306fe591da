/**
 * Many events, and 5 % of them once more, sent to three real `daybook serve` processes on one ClickHouse and one
 * PostgreSQL. One process is killed every 5 s, and once the engine. Whatever was not answered is sent again, to any of
 * them. In the end each event is counted once, in the answer of each process. 200,000 events,
 * or DAYBOOK_MILLION=1000000 of them.
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { idOf, quantitiesOf } from "../../bench/usage.ts";
import { DAY_MS } from "../../src/domain/time.ts";
import { Cluster, run as runSql, whyNoCluster } from "../postgres/cluster.ts";
import { ACCOUNT, BOOTSTRAP, Daybook, run, start } from "../process/daybook.ts";
import { askJson, ask as call } from "../process/http.ts";
import { mortal } from "./over-http.ts";

const EVENTS = Number(process.env.DAYBOOK_MILLION ?? 200_000);
const OWN_PER_CALL = 1_000;
const AGAIN_PER_CALL = 50;
const CALLS = Math.ceil(EVENTS / OWN_PER_CALL);
const PROCESSES = 3;
const CLIENTS = 6;
const KILL_EVERY_MS = 5_000;
/** How far back the calls lie whose events come again: some of them are under way still, in another process. */
const BACK_MAX = 2 * CLIENTS;
const MODELS = 5;
const DAYS = 20;
const END = Math.floor(Date.now() / DAY_MS) * DAY_MS;

const root = mkdtempSync(join(tmpdir(), "daybook-million-"));
after(() => rmSync(root, { recursive: true, force: true }));

const dayOf = (event: number): number => END - (1 + (event % DAYS)) * DAY_MS;

function lineOf(event: number): string {
  const time = dayOf(event) + (Math.imul(event, 0x9e3779b1) >>> 6);
  const [promptTokens, cachedPromptTokens, completionTokens] = quantitiesOf(event);
  return JSON.stringify({
    ...{ id: idOf(event, time, "ordered"), time: new Date(time).toISOString(), model: `m${event % MODELS}` },
    ...{ usageType: "TEXT_COMPLETION_INFERENCE_USAGE", promptTokens, cachedPromptTokens, completionTokens },
  });
}

/** Its own events, and some of a call before it that goes to another process first. */
function bodyOf(number: number): string {
  const events = Array.from({ length: OWN_PER_CALL }, (_, at) => number * OWN_PER_CALL + at);
  const back = 1 + (number % BACK_MAX);
  const other = number - (back % PROCESSES === 0 ? back + 1 : back);
  const again = other < 0 ? events.slice(0, AGAIN_PER_CALL) : [];
  if (other >= 0) {
    for (let at = 0; at < AGAIN_PER_CALL; at += 1) again.push(other * OWN_PER_CALL + ((at * 37) % OWN_PER_CALL));
  }
  return [...events, ...again].map(lineOf).join("\n");
}

interface ServerlessCost {
  readonly startTime: string;
  readonly modelName: string;
  readonly promptTokens: string;
  readonly cachedPromptTokens: string;
  readonly completionTokens: string;
}

/** What a report must say: the sums of each event once, by day and model. */
function expectedSums(): Map<string, bigint[]> {
  const sums = new Map<string, bigint[]>();
  for (let event = 0; event < CALLS * OWN_PER_CALL; event += 1) {
    const key = `${new Date(dayOf(event)).toISOString().slice(0, 10)} m${event % MODELS}`;
    const row = sums.get(key) ?? [0n, 0n, 0n];
    sums.set(key, row);
    for (const [at, quantity] of quantitiesOf(event).entries()) row[at]! += BigInt(quantity);
  }
  return sums;
}

test(`${EVENTS} events and 5 % again, three processes, one killed every 5 s: each counted once`, {
  skip: whyNoCluster() ?? false,
}, async (context) => {
  const engine = await mortal();
  const cluster = await Cluster.make();
  after(async () => {
    Daybook.killAll();
    await engine.close();
    await cluster.remove();
  });
  await runSql(cluster.url("postgres"), "create database records");
  const env = {
    ...BOOTSTRAP,
    DAYBOOK_LEDGER_URL: `clickhouse://127.0.0.1:${engine.port}/default`,
    DAYBOOK_ACCOUNTS_URL: cluster.url("records"),
  };
  const serve = (at: number) => start({ folder: join(root, `${at}`), env });
  const servers = await Promise.all(Array.from({ length: PROCESSES }, (_, at) => serve(at)));

  let taken = 0;
  let resent = 0;
  let next = 0;
  const agent = new Agent({ keepAlive: true });
  const refused = new Set<number>();
  const send = async (number: number): Promise<void> => {
    const body = bodyOf(number);
    for (let tries = 0; ; tries += 1) {
      const { url } = servers[(number + tries) % PROCESSES]!;
      const headers = { "content-type": "application/x-ndjson" };
      const path = `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`;
      const answer = await call(url, { path, body, headers, agent });
      if (answer.kind === "answered" && answer.status === 200 && answer.body.endsWith("}")) {
        const reply = JSON.parse(answer.body) as Record<"created" | "duplicates", number> & { conflicts: object[] };
        assert.deepEqual(reply.conflicts, []);
        assert.equal(reply.created + reply.duplicates, OWN_PER_CALL + AGAIN_PER_CALL);
        taken += 1;
        return;
      }
      if (answer.kind === "answered" && answer.status !== 200) refused.add(answer.status);
      resent += 1;
      await wait(50);
    }
  };
  const client = async (): Promise<void> => {
    while (next < CALLS) {
      next += 1;
      await send(next - 1);
    }
  };
  let ended = false;
  let kills = 0;
  const killer = async (): Promise<void> => {
    for (let at = 0; !ended; at = (at + 1) % PROCESSES) {
      for (let waited = 0; waited < KILL_EVERY_MS && !ended; waited += 100) await wait(100);
      if (ended) return;
      servers[at]!.daybook.kill();
      await servers[at]!.daybook.ended;
      kills += 1;
      servers[at] = await serve(at);
    }
  };
  let engineKills = 0;
  const engineKiller = async (): Promise<void> => {
    while (taken < CALLS / 2 && !ended) await wait(50);
    await engine.kill();
    engineKills += 1;
    await wait(500);
    await engine.revive();
  };
  const began = performance.now();
  const killing = [killer(), engineKiller()];
  await Promise.all(Array.from({ length: CLIENTS }, client)).finally(() => {
    ended = true;
  });
  const seconds = (performance.now() - began) / 1_000;
  await Promise.all(killing);
  agent.destroy();
  context.diagnostic(
    `${seconds.toFixed(0)} s; ${kills} processes and ${engineKills} engine killed; ${resent} calls sent again; ` +
      `refused with ${[...refused].join(", ") || "nothing"}`,
  );
  assert.ok(
    [...refused].every((status) => status === 503 || status === 429),
    [...refused].join(),
  );

  const range = [END - DAYS * DAY_MS, END].map((at) => new Date(at).toISOString());
  const path = `/v1/accounts/${ACCOUNT}/billingUsage?startTime=${range[0]}&endTime=${range[1]}&groupBy=model_name`;
  const answers = await Promise.all(
    servers.map(({ url }) => askJson<{ readonly serverlessCosts: readonly ServerlessCost[] }>(url, { path })),
  );
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  const sums = answers[0]!.serverlessCosts.map(
    (row) =>
      [
        `${row.startTime.slice(0, 10)} ${row.modelName}`,
        [row.promptTokens, row.cachedPromptTokens, row.completionTokens].map(BigInt),
      ] as const,
  );
  assert.deepEqual(new Map(sums), expectedSums());
  const verified = await run(["verify"], { env, cwd: root });
  assert.match(verified.stdout, new RegExp(`^all \\d+ sums agree with ${CALLS * OWN_PER_CALL} events\n$`));
  assert.equal(verified.code, 0, verified.stderr);
  for (const { daybook } of servers) assert.equal((await daybook.stop()).code, 0, daybook.stderr);
});

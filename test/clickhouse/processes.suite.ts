/** Real `daybook serve` processes on one ClickHouse: one ledger, whoever is asked, killed or started anew meanwhile. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { METERS } from "../../src/domain/usage.ts";
import { ClickHouseLedger } from "../../src/ledger/clickhouse/ledger.ts";
import { laneOf } from "../../src/ledger/clickhouse/schema.ts";
import { BASE, SLOT, toBatch } from "../ledger/plain-usage.ts";
import { Cluster, run as runSql, whyNoCluster } from "../postgres/cluster.ts";
import { ACCOUNT, BOOTSTRAP, Daybook, run, start } from "../process/daybook.ts";
import { askJson, ask as call } from "../process/http.ts";
import { until } from "../until.ts";
import { ask } from "./engine.ts";
import { type MortalEngine, mortal } from "./over-http.ts";

const root = mkdtempSync(join(tmpdir(), "daybook-processes-"));
const TIME = new Date(Date.now() - 3_600_000).toISOString();
const EVENTS_PER_CALL = 20;
const CLIENTS = 4;
/** Calls that are taken between two interruptions. */
const CALLS_BETWEEN = 25;
const PASSWORD = "hunter22-and-more";

interface Server {
  daybook: Daybook;
  url: string;
}

suite("clickhouse: several processes", () => {
  let engine: MortalEngine;
  /** Where PostgreSQL is installed the accounts are shared, too; else each process has its own, with the same key. */
  let cluster: Cluster | undefined;
  let env: Readonly<Record<string, string>>;
  before(async () => {
    engine = await mortal();
    const url = `clickhouse://default:${PASSWORD}@127.0.0.1:${engine.port}/default`;
    env = { ...BOOTSTRAP, DAYBOOK_LEDGER_URL: url };
    if (whyNoCluster()) return;
    cluster = await Cluster.make();
    await runSql(cluster.url("postgres"), "create database records");
    env = { ...env, DAYBOOK_ACCOUNTS_URL: cluster.url("records") };
  });
  after(async () => {
    Daybook.killAll();
    await engine.close();
    await cluster?.remove();
    rmSync(root, { recursive: true, force: true });
  });
  const serve = (name: string, ...args: readonly string[]): Promise<Server> =>
    start({ folder: join(root, name), env, args: ["--port", "0", ...args] });

  /** Tokens that a server reports, one for each event. */
  async function reported(url: string, model: string): Promise<number> {
    const day = 86_400_000;
    const range = [Date.now() - day, Date.now() + day].map((at) => new Date(at).toISOString());
    const query = `startTime=${range[0]}&endTime=${range[1]}&filter[model_name][values]=${model}`;
    const { serverlessCosts } = await askJson<{ serverlessCosts: { promptTokens: string }[] }>(url, {
      path: `/v1/accounts/${ACCOUNT}/billingUsage?${query}`,
    });
    return serverlessCosts.reduce((sum, { promptTokens }) => sum + Number(promptTokens), 0);
  }

  test("what any of them took is counted once in all of them, whoever is killed or restarted meanwhile", async () => {
    const servers = [await serve("a"), await serve("b")];
    let taken = 0;
    let ended = false;
    const refused = new Set<number>();
    const client = async (first: number): Promise<void> => {
      for (let n = first; !ended; n += CLIENTS) {
        const events = Array.from({ length: EVENTS_PER_CALL }, (_, at) => ({
          ...{ id: `e-${n}-${at}`, time: TIME, usageType: "TEXT_COMPLETION_INFERENCE_USAGE" },
          ...{ model: "steady", promptTokens: 1 },
        }));
        const body = JSON.stringify({ events });
        // Whatever was not answered 200 is sent again, to the other.
        for (let tries = n; ; tries += 1) {
          const { url } = servers[tries % servers.length]!;
          const answer = await call(url, { path: `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`, body });
          if (answer.kind === "answered" && answer.status === 200) {
            const { created, duplicates } = JSON.parse(answer.body) as { created: number; duplicates: number };
            assert.equal(created + duplicates, EVENTS_PER_CALL);
            break;
          }
          if (answer.kind === "answered") refused.add(answer.status);
          await wait(20);
        }
        taken += 1;
      }
    };
    const more = async (): Promise<void> => {
      const goal = taken + CALLS_BETWEEN;
      await until(`${goal} calls`, () => taken >= goal);
    };
    const clients = Array.from({ length: CLIENTS }, (_, first) => client(first));
    await more();
    await engine.kill();
    for (const { url } of servers) {
      await until("both tell that it is away", async () => {
        const ready = await call(url, { path: "/readyz" });
        return ready.kind === "answered" && ready.status === 503 && ready.body.includes("the ledger's engine");
      });
      assert.equal((await call(url, { path: "/healthz" })).kind, "answered");
    }
    await until("a call is refused", () => refused.size > 0);
    await engine.revive();
    await more();
    for (const [at, name] of ["a", "b"].entries()) {
      assert.equal((await servers[at]!.daybook.stop()).code, 0, "a rolling restart ends each of them well");
      servers[at] = await serve(name);
      await more();
    }
    // As a machine that loses its power: nothing is left to be written.
    servers[0]!.daybook.kill();
    await servers[0]!.daybook.ended;
    servers[0] = await serve("a");
    await more();
    ended = true;
    await Promise.all(clients);
    assert.deepEqual([...refused], [503]);
    for (const { url } of servers) assert.equal(await reported(url, "steady"), taken * EVENTS_PER_CALL);
    const verified = await run(["verify"], { env, cwd: root });
    assert.match(verified.stdout, new RegExp(`^all \\d+ sums agree with ${taken * EVENTS_PER_CALL} events\n$`));
    assert.equal(verified.code, 0, verified.stderr);
    for (const { daybook } of servers) {
      assert.equal((await daybook.stop()).code, 0);
      assert.doesNotMatch(daybook.stdout + daybook.stderr, /hunter22/);
    }
  });

  test("while the ledger is away the gateway goes on; its usage waits on disk, and counts once", async (t) => {
    let calls = 0;
    const upstream = createServer((request, answer) => {
      request.resume().on("end", () => {
        calls += 1;
        const usage = { prompt_tokens: 7, completion_tokens: 0 };
        answer
          .writeHead(200, { "content-type": "application/json" })
          .end(JSON.stringify({ id: `call-${calls}`, choices: [], usage }));
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    t.after(() => upstream.close());
    const { port } = upstream.address() as AddressInfo;
    const file = join(root, "gateway.yaml");
    writeFileSync(file, `upstreams:\n  - name: up\n    baseUrl: http://127.0.0.1:${port}/v1\n`);
    const { daybook, url } = await serve("gateway", "--gateway", file);
    const chat = async (): Promise<void> => {
      const body = JSON.stringify({ model: "proxied", messages: [] });
      const answer = await call(url, { path: "/inference/v1/chat/completions", body });
      assert.ok(answer.kind === "answered" && answer.status === 200, JSON.stringify(answer));
    };
    await chat();
    await until("it is counted", async () => (await reported(url, "proxied")) === 7);
    await engine.kill();
    for (let n = 0; n < 5; n += 1) await chat();
    // The process ends and comes back while the engine is away: what it took is on its disk.
    assert.equal((await daybook.stop()).code, 0);
    const again = new Daybook(["serve", "--data", join(root, "gateway"), "--port", "0", "--gateway", file], { env });
    await until("it waits", () => again.stderr.includes("waiting for an engine"));
    await engine.revive();
    const back = await until("it starts", () => again.url);
    await until("all of it is counted", async () => (await reported(back, "proxied")) === 42);
    assert.equal((await again.stop()).code, 0);
  });

  test("two that drop raw events at once drop each once", async () => {
    const ledgers = await Promise.all([0, 1].map(() => ClickHouseLedger.open(engine.connection)));
    const labels = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m" };
    const events = Array.from({ length: 3_000 }, (_, n) => {
      return { id: `d-${n}`, time: BASE + n, labels, team: "", quantities: METERS.map(() => 1) };
    });
    await ledgers[0]!.append("aged", toBatch(events), BASE);
    const dropped = await Promise.all(
      ledgers.map(async (ledger) => {
        let all = 0;
        for (;;) {
          const some = await ledger.dropEvents("aged", { before: BASE + SLOT, limit: 200 });
          all += some;
          if (some < 200) return all;
        }
      }),
    );
    assert.equal(dropped[0]! + dropped[1]!, events.length);
    await Promise.all(ledgers.map((ledger) => ledger.close()));
  });

  test("verify tells what is wrong with a journal, line by line", async () => {
    const ledger = await ClickHouseLedger.open(engine.connection);
    const labels = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m" };
    const event = (id: string) => ({ id, time: BASE, labels, team: "", quantities: METERS.map(() => 3) });
    await ledger.append("bent", toBatch([event("one"), event("two"), event("three")]), BASE);
    await ledger.void("bent", ["two"], BASE);
    await ledger.close();
    const lane = laneOf("bent");
    const entry = (set: string, where: string) =>
      ask(
        engine.connection,
        `INSERT INTO entries SELECT * REPLACE (${set}) FROM (SELECT * FROM entries WHERE account = 'bent' AND ${where})`,
      );
    await entry("generateUUIDv4() AS batch, arrival + 50 AS arrival", "id = 'one'");
    await entry("slot + 9 AS slot, 'moved' AS id, arrival + 60 AS arrival", "id = 'three'");
    await entry("generateUUIDv4() AS series, 'nameless' AS id, arrival + 70 AS arrival", "id = 'three'");
    await entry("promptTokens + 1 AS promptTokens, 'half' AS id, arrival + 80 AS arrival", "id = 'two'");
    const said = await run(["verify"], { env, cwd: root });
    assert.equal(said.code, 1, said.stderr);
    for (const line of [
      new RegExp(`^commit: number \\d+ of lane ${lane} was written twice$`, "m"),
      /^identity: bent, "one" has 2 events$/m,
      /^event: bent, "moved" stands in another slot/m,
      /^series: bent, [0-9a-f-]{36} has events and no labels$/m,
      /^void: bent, "half" is not taken out as it was counted, once$/m,
      /^5 differences among \d+ sums and \d+ events$/m,
    ]) {
      assert.match(said.stdout, line);
    }
    await ask(engine.connection, "ALTER TABLE entries CLEAR PROJECTION slots");
    const unkept = await run(["verify"], { env, cwd: root });
    assert.match(unkept.stdout, /^projection: lane \d keeps no slots; answers are right, and slow$/m);
  });
});

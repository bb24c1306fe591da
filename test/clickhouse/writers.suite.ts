/** Several processes write one journal: who is first, what is lost on the way, and what a reader sees meanwhile. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, suite, test } from "node:test";
import { METERS } from "../../src/domain/usage.ts";
import { Engine } from "../../src/ledger/clickhouse/engine.ts";
import { ClickHouseLedger } from "../../src/ledger/clickhouse/ledger.ts";
import { laneOf } from "../../src/ledger/clickhouse/schema.ts";
import { sumRows, sumStatement } from "../../src/ledger/clickhouse/sums.ts";
import type { SumQuestion } from "../../src/ledger/ledger.ts";
import { plainRows } from "../ledger/conformance.ts";
import { BASE, type PlainEvent, SLOT, toBatch } from "../ledger/plain-usage.ts";
import { ask, type OpenEngine } from "./engine.ts";
import { overHttp } from "./over-http.ts";

function event(id: string, quantity: number, model = "m"): PlainEvent {
  const labels = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model };
  const time = BASE + (quantity % 50) * 60_000;
  return { id, time, labels, team: "", quantities: METERS.map(() => quantity) };
}

const ALL: SumQuestion = {
  usageTypes: ["TEXT_COMPLETION_INFERENCE_USAGE"],
  edges: [BASE, BASE + 4 * SLOT],
  fields: [],
  filters: [],
};
const BY_SLOT: SumQuestion = { ...ALL, edges: [0, 1, 2, 3, 4].map((n) => BASE + n * SLOT), fields: ["model"] };

suite("clickhouse: several writers", () => {
  let engine: OpenEngine;
  before(async () => {
    engine = await overHttp();
  });
  after(() => engine.close());
  const open = () => ClickHouseLedger.open(engine.connection);

  test("laws 1 and 2: whoever writes an id first has it, in all processes; nothing is counted twice", async () => {
    const ledgers = await Promise.all([open(), open(), open()]);
    const created = new Map<string, number>();
    let told = 0;
    // Each process brings the same ids with contents of its own, in an order of its own.
    const calls = ledgers.flatMap((ledger, process) =>
      Array.from({ length: 12 }, async (_, call) => {
        const events = Array.from({ length: 25 }, (_, n) =>
          event(`id-${(n * 7 + call * 13 + process) % 150}`, process),
        );
        const outcome = await ledger.append("raced", toBatch(events), BASE);
        created.set(`${process}`, (created.get(`${process}`) ?? 0) + outcome.created);
        told += outcome.created + outcome.duplicates + outcome.conflicts.length;
        const { rows } = await ledger.sum("raced", [ALL]);
        assert.ok(rows[0]!.at(0)!.events >= outcome.created, "what was answered is counted");
      }),
    );
    await Promise.all(calls);
    assert.equal(told, 3 * 12 * 25);
    const sums = await Promise.all(ledgers.map((ledger) => ledger.sum("raced", [ALL])));
    for (const { rows, position } of sums) {
      assert.deepEqual(plainRows(rows[0]!), plainRows(sums[0]!.rows[0]!));
      assert.equal(position, sums[0]!.position);
      assert.equal(rows[0]!.at(0)!.events, 150n);
    }
    // The quantity of an event tells which process created it.
    const quantity = sums[0]!.rows[0]!.at(0)!.quantities[0]!;
    assert.equal(
      [...created.values()].reduce((sum, one) => sum + one),
      150,
    );
    assert.equal(quantity, BigInt(created.get("1")! + 2 * created.get("2")!));
    await Promise.all(ledgers.map((ledger) => ledger.close()));
  });

  test("a void is told once, and a number is never there twice", async () => {
    const ledgers = await Promise.all([open(), open(), open()]);
    const ids = Array.from({ length: 60 }, (_, n) => `v-${n}`);
    await ledgers[0]!.append("voids", toBatch(ids.map((id) => event(id, 5))), BASE);
    const outcomes = await Promise.all(
      ledgers.flatMap((ledger) => ids.map((id) => ledger.void("voids", [id], BASE + 7))),
    );
    assert.equal(outcomes.flat().filter((outcome) => outcome === "voided").length, ids.length);
    assert.deepEqual((await ledgers[1]!.sum("voids", [ALL])).rows, [[]]);
    const twice = await ask(
      engine.connection,
      "SELECT lane, `commit` FROM entries GROUP BY lane, `commit` HAVING uniqExact(batch) > 1",
    );
    assert.deepEqual(twice, []);
    await Promise.all(ledgers.map((ledger) => ledger.close()));
  });

  test("processes that write one account take turns, once they know of each other", async () => {
    const ledgers = await Promise.all([open(), open()]);
    const [calls, callsAtOnce, size] = [160, 4, 500];
    const taken = [0, 0];
    let serial = 0;
    let begun = 0;
    let knowing = false;
    /** Calls of the other process that were answered while one waited, at most. */
    let overtaken = 0;
    const client = async (own: number, other: number): Promise<void> => {
      while (begun < calls) {
        if (!knowing && Math.min(...taken) >= 2 * callsAtOnce) knowing = true;
        if (knowing) begun += 1;
        const [before, counts] = [taken[other]!, knowing];
        serial += 1;
        const events = Array.from({ length: size }, (_, n) => event(`t-${serial}-${n}`, n));
        await ledgers[own]!.append("turns", toBatch(events), BASE);
        taken[own]! += 1;
        if (counts) overtaken = Math.max(overtaken, taken[other]! - before);
      }
    };
    const clients = Array.from({ length: callsAtOnce }, () => [client(0, 1), client(1, 0)]);
    await Promise.all(clients.flat());
    // Its own turn, those of the other before and after it, and one that it may lose.
    assert.ok(overtaken <= 4 * callsAtOnce, `${overtaken} calls of the other were answered while one waited`);
    await Promise.all(ledgers.map((ledger) => ledger.close()));
  });

  test("equal positions are equal answers, a commit is seen whole, and an answer can be read up to a commit", async () => {
    const [writer, reader] = await Promise.all([open(), open()]);
    const size = 1_000;
    let writing = true;
    const seen = new Map<number, string>();
    const reads = (async () => {
      while (writing) {
        const { rows, position } = await reader.sum("steady", [BY_SLOT, ALL]);
        const text = JSON.stringify(rows.map(plainRows));
        assert.equal(seen.get(position) ?? text, text);
        seen.set(position, text);
        assert.equal(Number(rows[1]!.at(0)?.events ?? 0n) % size, 0, "a commit is there whole or not at all");
      }
    })();
    const noted = new Map<number, string>();
    for (let call = 0; call < 12; call += 1) {
      const events = Array.from({ length: size }, (_, n) => event(`s-${call}-${n}`, n, `m${n % 3}`));
      await writer.append("steady", toBatch(events), BASE);
      const { rows, position } = await writer.sum("steady", [BY_SLOT, ALL]);
      noted.set(position, JSON.stringify(rows.map(plainRows)));
    }
    writing = false;
    await reads;
    const bare = new Engine(engine.connection, { replicated: false });
    for (const [position, text] of noted) {
      assert.equal(seen.get(position) ?? text, text);
      const scope = { lane: laneOf("steady"), account: "steady", upTo: position };
      const asked = [BY_SLOT, ALL].map(async (question) =>
        plainRows(sumRows(await bare.rows(sumStatement(scope, question)!), question)),
      );
      assert.equal(JSON.stringify(await Promise.all(asked)), text);
    }
    await Promise.all([writer.close(), reader.close(), bare.close()]);
  });

  test("the sums are those of the raw entries, before and after the engine merged them", async () => {
    const ledger = await open();
    const scope = { lane: laneOf("steady"), account: "steady" };
    const { text } = sumStatement(scope, BY_SLOT)!;
    const from = async (settings: string) => (await ask(engine.connection, `${text} SETTINGS ${settings}`)).sort();
    const bySums = await from("force_optimize_projection_name = 'slots'");
    assert.ok(bySums.length > 3);
    assert.deepEqual(await from("optimize_use_projections = 0"), bySums);
    await ask(engine.connection, "OPTIMIZE TABLE entries FINAL");
    assert.deepEqual(await from("force_optimize_projection_name = 'slots'"), bySums);
    await ask(engine.connection, "ALTER TABLE entries CLEAR PROJECTION slots");
    await ask(engine.connection, "ALTER TABLE entries MATERIALIZE PROJECTION slots");
    assert.deepEqual(await from("force_optimize_projection_name = 'slots'"), bySums);
    await ledger.close();
  });

  test("law 1: an answer that is lost on the way costs nothing, and counts nothing twice", async (t) => {
    const way = await lossyWay(String(engine.connection.url));
    t.after(way.close);
    const ledger = await ClickHouseLedger.open({ url: way.url });
    let created = 0;
    for (let call = 0; call < 15; call += 1) {
      way.loseNext(call % 3);
      const events = Array.from({ length: 20 }, (_, n) => event(`lost-${call}-${n}`, 1));
      created += (await ledger.append("lost", toBatch(events), BASE)).created;
    }
    assert.equal(created, 300);
    assert.equal(way.lost(), 30);
    assert.equal((await ledger.sum("lost", [ALL])).rows[0]!.at(0)!.events, 300n);
    await ledger.close();
  });

  test("a number that was noted and never written is passed over", async () => {
    const ledger = await open();
    const account = "burned";
    await ledger.append(account, toBatch([event("a", 1)]), BASE);
    const [[head]] = (await ask(
      engine.connection,
      `SELECT max(\`commit\`) FROM entries WHERE lane = ${laneOf(account)}`,
    )) as [[string]];
    // An insert under the next number whose rows are then taken away: what a killed engine leaves behind.
    const next = Number(head) + 1;
    const row = `(${laneOf(account)}, 'nobody', ${next})`;
    const token = `insert_deduplication_token = '${laneOf(account)}/${next}'`;
    await ask(engine.connection, `INSERT INTO entries (lane, account, \`commit\`) SETTINGS ${token} VALUES ${row}`);
    await ask(engine.connection, "ALTER TABLE entries DELETE WHERE account = 'nobody'");
    assert.equal((await ledger.append(account, toBatch([event("b", 1)]), BASE)).created, 1);
    const { rows, position } = await ledger.sum(account, [ALL]);
    assert.equal(rows[0]!.at(0)!.events, 2n);
    assert.equal(position, next + 1);
    await ledger.close();
  });
});

/** A way to the engine on which answers get lost: to the next insert of entries, and to so many statements after it. */
async function lossyWay(engine: string) {
  let armed: number | undefined;
  let losing = 0;
  let lost = 0;
  const server = createServer((incoming, outgoing) => {
    const target = new URL(incoming.url ?? "/", engine);
    const forward = request(target, { method: incoming.method, headers: incoming.headers }, (answer) => {
      if (armed !== undefined && target.searchParams.get("query")?.startsWith("INSERT INTO entries")) {
        losing = armed + 1;
        armed = undefined;
      }
      if (losing > 0) {
        losing -= 1;
        lost += 1;
        answer.resume();
        outgoing.destroy();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(forward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseNext: (after: number): void => {
      armed = after;
    },
    lost: (): number => lost,
    close: async (): Promise<void> => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

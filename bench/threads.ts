/** The heavy parts in a thread of their own: the load generator, and the floor under it. */

import { once } from "node:events";
import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { METER_COLUMNS } from "../src/ledger/sqlite/schema.ts";
import { ACCOUNT, agent, CONNECTIONS, call, cpuSeconds, residentBytes } from "./server.ts";
import { EVENTS_PER_CALL, idOf, quantitiesOf, seriesOf, timeOf, type UsageShape, usageBodies } from "./usage.ts";

/** Events of a round: their bodies are made before its clock starts, and the clock stands still between rounds. */
const EVENTS_PER_ROUND = 250_000;

/** What writing some of the usage took. */
export interface Written {
  /** How many were written when it ended. */
  readonly until: number;
  readonly events: number;
  readonly seconds: number;
  /** Of each call, in the order they ended; none for the floor. */
  readonly callMs: readonly number[];
  /** CPU of the server meanwhile; 0 for the floor. */
  readonly serverCpuSeconds: number;
  /** Memory of the server at the end of a round, at most; 0 for the floor. */
  readonly serverBytesMax: number;
  /** Of the bodies; 0 for the floor. */
  readonly bytes: number;
}

/** Rounds that follow each other, as one. */
export function allOf(rounds: readonly Written[]): Written {
  const sum = (of: (round: Written) => number): number => rounds.reduce((all, round) => all + of(round), 0);
  return {
    until: rounds.at(-1)?.until ?? 0,
    events: sum(({ events }) => events),
    seconds: sum(({ seconds }) => seconds),
    callMs: rounds.flatMap(({ callMs }) => callMs),
    serverCpuSeconds: sum(({ serverCpuSeconds }) => serverCpuSeconds),
    serverBytesMax: Math.max(0, ...rounds.map(({ serverBytesMax }) => serverBytesMax)),
    bytes: sum(({ bytes }) => bytes),
  };
}

type Task =
  | { readonly kind: "load"; readonly shape: UsageShape; readonly url: string }
  | { readonly kind: "floor"; readonly shape: UsageShape; readonly path: string };
type Message =
  | { readonly kind: "events"; readonly count: number }
  | { readonly kind: "written"; readonly rounds: readonly Written[] };

/** Runs the task in a thread, round by round; `onEvents` hears how many more events were written. */
export async function inThread(task: Task, onEvents: (count: number) => void): Promise<readonly Written[]> {
  const thread = new Worker(new URL(import.meta.url), { workerData: task });
  let rounds: readonly Written[] | undefined;
  thread.on("message", (message: Message) => {
    if (message.kind === "events") onEvents(message.count);
    else rounds = message.rounds;
  });
  // An error in the thread rejects here.
  await once(thread, "exit");
  if (!rounds) throw new Error(`the ${task.kind} ended early`);
  return rounds;
}

function tell(message: Message): void {
  parentPort!.postMessage(message);
}

/** The rounds of so many events: from where to where. */
function* roundsOf(events: number): Generator<readonly [from: number, to: number]> {
  for (let from = 0; from < events; from += EVENTS_PER_ROUND) yield [from, Math.min(from + EVENTS_PER_ROUND, events)];
}

async function load(url: string, shape: UsageShape): Promise<Written[]> {
  const rounds: Written[] = [];
  for (const [from, to] of roundsOf(shape.events)) rounds.push(await loadRound(url, usageBodies(shape, from, to), to));
  agent.destroy();
  return rounds;
}

async function loadRound(url: string, bodies: readonly Buffer[], until: number): Promise<Written> {
  const target = `${url}/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`;
  const callMs: number[] = [];
  let events = 0;
  const cpuBefore = await cpuSeconds(url);
  const start = performance.now();
  const rest = bodies.values();
  const connection = async (): Promise<void> => {
    for (const body of rest) {
      const sent = performance.now();
      const reply = JSON.parse((await call(target, body)).toString()) as { created: number; duplicates: number };
      callMs.push(performance.now() - sent);
      if (reply.duplicates > 0) throw new Error(`${reply.duplicates} events were known`);
      events += reply.created;
      tell({ kind: "events", count: reply.created });
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  const seconds = (performance.now() - start) / 1000;
  return {
    until,
    events,
    seconds,
    callMs,
    serverCpuSeconds: (await cpuSeconds(url)) - cpuBefore,
    serverBytesMax: await residentBytes(url),
    bytes: bodies.reduce((all, body) => all + body.length, 0),
  };
}

/** The tables of the floor: the ledger's events, and the ids as a plain primary key. */
const FLOOR_TABLES = `
  CREATE TABLE identities (account INTEGER NOT NULL, id TEXT NOT NULL, slot INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (account, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE events (account INTEGER NOT NULL, slot INTEGER NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL,
    time INTEGER NOT NULL, series INTEGER NOT NULL, sent INTEGER,
    ${METER_COLUMNS.map((name) => `${name} INTEGER NOT NULL`).join(", ")}, voided_at INTEGER,
    PRIMARY KEY (account, slot, seq)) STRICT, WITHOUT ROWID`;

/** What one would write by hand: a known id and an event each, one commit per call's events. */
function floor(path: string, shape: UsageShape): Written[] {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -98304");
  database.exec("PRAGMA wal_autocheckpoint = 8000");
  database.exec(FLOOR_TABLES);
  const identity = database.prepare("INSERT INTO identities (account, id, slot, seq) VALUES (1, ?, ?, ?)");
  const event = database.prepare(
    `INSERT INTO events (account, slot, seq, id, time, series, sent, ${METER_COLUMNS.join(", ")})
     VALUES (1, ?, ?, ?, ?, ?, NULL, ?, ?, ?, 0, 0, 0, 0)`,
  );
  const insert = (at: number, id: string): void => {
    const time = timeOf(at, shape);
    const slot = Math.floor(time / 900_000);
    const [prompt, cached, completion] = quantitiesOf(at);
    identity.run(id, slot, at + 1);
    event.run(slot, at + 1, id, time, seriesOf(at) + 1, prompt, cached, completion);
  };
  const rounds: Written[] = [];
  for (const [from, to] of roundsOf(shape.events)) {
    const ids = Array.from({ length: to - from }, (_, at) => idOf(from + at, timeOf(from + at, shape), shape.ids));
    const start = performance.now();
    for (let first = from; first < to; first += EVENTS_PER_CALL) {
      database.exec("BEGIN IMMEDIATE");
      for (let at = first; at < Math.min(first + EVENTS_PER_CALL, to); at += 1) insert(at, ids[at - from]!);
      database.exec("COMMIT");
      tell({ kind: "events", count: Math.min(EVENTS_PER_CALL, to - first) });
    }
    const seconds = (performance.now() - start) / 1000;
    rounds.push({
      until: to,
      events: to - from,
      seconds,
      callMs: [],
      serverCpuSeconds: 0,
      serverBytesMax: 0,
      bytes: 0,
    });
  }
  database.close();
  for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
  return rounds;
}

if (!isMainThread) {
  const task = workerData as Task;
  const rounds = task.kind === "load" ? await load(task.url, task.shape) : floor(task.path, task.shape);
  tell({ kind: "written", rounds });
}

/** The heavy parts in a thread of their own: the load generator, and the floor under it. */

import { once } from "node:events";
import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { LEDGER_FILE, METER_COLUMNS } from "../src/ledger/sqlite/schema.ts";
import { ACCOUNT, agent, CONNECTIONS, call, cpuSeconds } from "./server.ts";
import { EVENTS_PER_CALL, idOf, quantitiesOf, seriesOf, timeOf, type UsageShape, usageBodies } from "./usage.ts";

/** What writing the usage took. */
export interface Written {
  readonly seconds: number;
  /** Of each call, in the order they ended; none for the floor. */
  readonly callMs: readonly number[];
  /** CPU of the server meanwhile; 0 for the floor. */
  readonly serverCpuSeconds: number;
  readonly bytesPerEvent: number;
}

type Task =
  | { readonly kind: "load"; readonly shape: UsageShape; readonly url: string }
  | { readonly kind: "floor"; readonly shape: UsageShape; readonly path: string };
type Message =
  | { readonly kind: "events"; readonly count: number }
  | { readonly kind: "written"; readonly written: Written };

/** Runs the task in a thread; `onEvents` hears how many more events were written. */
export async function inThread(task: Task, onEvents: (count: number) => void): Promise<Written> {
  const thread = new Worker(new URL(import.meta.url), { workerData: task });
  let written: Written | undefined;
  thread.on("message", (message: Message) => {
    if (message.kind === "events") onEvents(message.count);
    else written = message.written;
  });
  // An error in the thread rejects here.
  await once(thread, "exit");
  if (!written) throw new Error(`the ${task.kind} ended early`);
  return written;
}

function tell(message: Message): void {
  parentPort!.postMessage(message);
}

async function load(url: string, shape: UsageShape): Promise<Written> {
  const bodies = usageBodies(shape);
  const bytes = bodies.reduce((all, body) => all + body.length, 0);
  const target = `${url}/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`;
  const callMs: number[] = [];
  const cpuBefore = await cpuSeconds(url);
  const start = performance.now();
  const rest = bodies.values();
  const connection = async (): Promise<void> => {
    for (const body of rest) {
      const sent = performance.now();
      const { created } = JSON.parse((await call(target, body)).toString()) as { created: number };
      callMs.push(performance.now() - sent);
      if (created !== Math.min(EVENTS_PER_CALL, shape.events)) throw new Error(`only ${created} events were new`);
      if (callMs.length % 10 === 0) tell({ kind: "events", count: 10 * EVENTS_PER_CALL });
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  const seconds = (performance.now() - start) / 1000;
  const serverCpuSeconds = (await cpuSeconds(url)) - cpuBefore;
  agent.destroy();
  return { seconds, callMs, serverCpuSeconds, bytesPerEvent: bytes / shape.events };
}

/** The same columns into the same tables and no more: an identity and an event each, one commit per call's events. */
function floor(path: string, shape: UsageShape): Written {
  const ids = Array.from({ length: shape.events }, (_, event) => idOf(event, timeOf(event, shape), shape.ids));
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -98304");
  database.exec("PRAGMA wal_autocheckpoint = 8000");
  for (const sql of LEDGER_FILE.migrations) database.exec(sql);
  const identity = database.prepare("INSERT INTO identities (account, id, slot, seq) VALUES (1, ?, ?, ?)");
  const event = database.prepare(
    `INSERT INTO events (account, slot, seq, id, time, series, sent, ${METER_COLUMNS.join(", ")})
     VALUES (1, ?, ?, ?, ?, ?, NULL, ?, ?, ?, 0, 0, 0, 0)`,
  );
  const start = performance.now();
  for (let first = 0; first < shape.events; first += EVENTS_PER_CALL) {
    database.exec("BEGIN IMMEDIATE");
    for (let at = first; at < Math.min(first + EVENTS_PER_CALL, shape.events); at += 1) {
      const time = timeOf(at, shape);
      const slot = Math.floor(time / 900_000);
      const [prompt, cached, completion] = quantitiesOf(at);
      identity.run(ids[at]!, slot, at + 1);
      event.run(slot, at + 1, ids[at]!, time, seriesOf(at) + 1, prompt, cached, completion);
    }
    database.exec("COMMIT");
    if (first % (10 * EVENTS_PER_CALL) === 0) tell({ kind: "events", count: 10 * EVENTS_PER_CALL });
  }
  const seconds = (performance.now() - start) / 1000;
  database.close();
  for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
  return { seconds, callMs: [], serverCpuSeconds: 0, bytesPerEvent: 0 };
}

if (!isMainThread) {
  const task = workerData as Task;
  const written = task.kind === "load" ? await load(task.url, task.shape) : floor(task.path, task.shape);
  tell({ kind: "written", written });
}

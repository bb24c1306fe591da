/** The floor under a report: a bare server that sends as many bytes, made beforehand, to the same client. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { median } from "./figures.ts";
import { agent, call } from "./server.ts";

const CALLS = 100;

/** Milliseconds of a call that is answered with so many bytes; the median. */
export async function bareAnswerMs(bytes: number): Promise<number> {
  const thread = new Worker(new URL(import.meta.url), { workerData: bytes });
  const [port] = (await once(thread, "message")) as [number];
  const times: number[] = [];
  for (let at = 0; at < CALLS; at += 1) {
    const start = performance.now();
    await call(`http://127.0.0.1:${port}/`);
    times.push(performance.now() - start);
  }
  agent.destroy();
  await thread.terminate();
  return median(times);
}

if (!isMainThread) {
  const answer = Buffer.alloc(workerData as number, "a");
  const server = createServer((_, reply) => reply.end(answer));
  server.listen(0, "127.0.0.1", () => parentPort!.postMessage((server.address() as AddressInfo).port));
}

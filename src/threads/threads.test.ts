import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Fault } from "../domain/fault.ts";
import { type ThreadDeath, ThreadDied, Threads } from "./threads.ts";

const folder = mkdtempSync(join(tmpdir(), "daybook-threads-"));
after(() => rmSync(folder, { recursive: true }));

const file = pathToFileURL(join(folder, "thread.mjs"));
writeFileSync(
  file,
  `import { threadId, workerData } from "node:worker_threads";
export const open = () => {
  if (workerData === "never") throw new Error("it does not open");
  if (workerData === "dies at start") process.exit(7);
  return threadId;
};
export default (ms) => new Promise((resolve) => setTimeout(resolve, ms, threadId));
export const fail = () => { throw new Error("as asked"); };
export const dieLater = () => new Promise(() => setTimeout(() => { throw new Error("out of order"); }, 1));
export const exit = () => process.exit(3);
`,
);

const deaths: ThreadDeath[] = [];
subscribe("daybook.thread-death", (death) => void deaths.push(death as ThreadDeath));

function start(count: number, data?: unknown): Threads {
  return new Threads({ name: "test", file, count, data });
}

test("each thread has opened when open resolves, and calls are spread over them", async () => {
  const threads = start(3);
  const opened = await threads.open<number>();
  assert.equal(new Set(opened).size, 3);
  const ran = await Promise.all([50, 50, 50].map((ms) => threads.run<number>(ms)));
  assert.deepEqual(new Set(ran), new Set(opened));
  await threads.close();
  await assert.rejects(threads.run(1), /it is shutting down/);
});

test("what a function throws is the caller's, and the thread lives on", async () => {
  const threads = start(1);
  const [before] = await threads.open<number>();
  await assert.rejects(threads.run(undefined, "fail"), /^Error: as asked$/);
  assert.equal(await threads.run(1), before);
  await threads.close();
});

for (const [how, reason] of [
  ["dieLater", /^out of order$/],
  ["exit", /^it ended with code 3$/],
] as const) {
  test(`a thread that dies (${how}): its calls and those that wait are told so, once in the log, and the next is served anew`, async () => {
    const threads = start(1);
    const [before] = await threads.open<number>();
    const told = deaths.length;
    const calls = [threads.run(undefined, how), threads.run(10), threads.run(20)];
    for (const call of calls) {
      await assert.rejects(call, (error) => error instanceof ThreadDied && error.http === 503);
    }
    assert.equal(deaths.length - told, 1);
    assert.equal(deaths.at(-1)!.name, "test");
    assert.match(deaths.at(-1)!.reason, reason);
    const later = await Promise.all([threads.run<number>(1), threads.run<number>(1)]);
    assert.notEqual(later[0], before);
    assert.equal(later[0], later[1]);
    await threads.close();
  });
}

test("threads that cannot start are told in one sentence, and none is left", async () => {
  for (const data of ["dies at start", "never"]) {
    const threads = start(2, data);
    await assert.rejects(threads.open(), (error: Error) => {
      if (data === "never") return error.message === "it does not open";
      assert.ok(error instanceof Fault);
      return /^the threads of the test cannot start: it ended with code 7; allow .*\(ulimit -n\)/.test(error.message);
    });
    await assert.rejects(threads.run(1), /it is shutting down/);
  }
});

test("close waits for the calls under way; end does not", async () => {
  const threads = start(1);
  await threads.open();
  const call = threads.run(100);
  await threads.close();
  assert.equal(typeof (await call), "number");
  const cut = start(1);
  await cut.open();
  const lost = cut.run(1_000_000);
  await Promise.all([cut.end(), assert.rejects(lost, /it is shutting down/)]);
});

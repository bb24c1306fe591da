/** Turns: how many at once, in which order, and what a failure leaves behind. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { Turns } from "./turns.ts";

test("no more than two at once, in the order they came, and a failure gives its turn on", async () => {
  const turns = new Turns(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const done = await Promise.allSettled(
    Array.from({ length: 20 }, (_, at) =>
      turns.run(async () => {
        running += 1;
        most = Math.max(most, running);
        order.push(at);
        await wait(1);
        running -= 1;
        if (at % 3 === 0) throw new Error("as asked");
        return at;
      }),
    ),
  );
  assert.equal(most, 2);
  assert.deepEqual(order, [...order.keys()]);
  assert.equal(done.filter(({ status }) => status === "rejected").length, 7);
});

test("when a thousand wait, the next is told to come again", async () => {
  const turns = new Turns(1);
  let end = (): void => {};
  const first = turns.run(() => new Promise<void>((resolve) => (end = resolve)));
  const waiting = Array.from({ length: 1_000 }, () => turns.run(async () => {}));
  await assert.rejects(
    turns.run(async () => {}),
    /too much work/,
  );
  end();
  await Promise.all([first, ...waiting]);
});

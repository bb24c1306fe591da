import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerBuffers } from "./answer-buffers.ts";

test("memory is used again once it was given back, by one answer at a time, and only so much is kept", () => {
  const rooms = new AnswerBuffers(2);
  assert.equal(rooms.take(), undefined);
  const first = Buffer.allocUnsafeSlow(8192);
  rooms.give(first.subarray(0, 10));
  const again = rooms.take()!;
  assert.equal(again.buffer, first.buffer);
  assert.equal(again.length, 8192);
  assert.equal(rooms.take(), undefined);
  for (let at = 0; at < 3; at += 1) rooms.give(Buffer.allocUnsafeSlow(10));
  assert.deepEqual(
    [1, 2, 3].map(() => rooms.take()?.length),
    [10, 10, undefined],
  );
  rooms.give(Buffer.allocUnsafeSlow(5 * 1024 * 1024));
  assert.equal(rooms.take(), undefined);
});

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Fault } from "../domain/fault.ts";
import { BODY_BYTES_MAX } from "../domain/usage.ts";
import { decode } from "./decode.ts";
import { DECODE_BYTES_PENDING_MAX, DECODE_HERE_BYTES_MAX, Decoder } from "./decoder.ts";

const OPTIONS = { contentType: "application/json", contentEncoding: "", account: "acme", now: Date.UTC(2026, 5, 10) };
const GZIP = { ...OPTIONS, contentEncoding: "gzip" };

const decoder = await Decoder.open({ threads: 1 });
after(() => decoder.close());

function bodyOf(count: number): Uint8Array<ArrayBuffer> {
  const events = Array.from({ length: count }, (_, at) => ({
    id: `e${at}`,
    time: "2026-06-09T00:00:00Z",
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: `m${at % 7}`,
    promptTokens: at % 5 === 4 ? -1 : at,
    annotations: { team: "t", color: "red" },
  }));
  return new TextEncoder().encode(JSON.stringify({ events }));
}

test("a thread gives what decode gives, and the body is handed over", async () => {
  const body = bodyOf(1000);
  assert.ok(body.byteLength > DECODE_HERE_BYTES_MAX);
  const expected = decode(body, OPTIONS);
  const decoded = await decoder.decode(body, OPTIONS);
  assert.deepEqual(decoded, expected);
  assert.equal(decoded.batch.series, decoded.batch.sent);
  assert.equal(body.byteLength, 0, "the memory is the thread's");
});

test("bytes that share their memory with others are copied", async () => {
  const shared = new Uint8Array(200_000);
  const body = shared.subarray(100, 100 + bodyOf(1000).byteLength);
  body.set(bodyOf(1000));
  assert.deepEqual(await decoder.decode(body, OPTIONS), decode(bodyOf(1000), OPTIONS));
  const small = Buffer.from(gzipSync(bodyOf(2)));
  assert.deepEqual(await decoder.decode(small, GZIP), decode(bodyOf(2), OPTIONS));
  assert.ok(body.byteLength > 0 && small.byteLength > 0);
});

test("a small plain body is decoded on the spot", async () => {
  const body = bodyOf(3);
  assert.deepEqual(await decoder.decode(body, OPTIONS), decode(body, OPTIONS));
  assert.ok(body.byteLength > 0);
});

test("a refusal comes back from a thread as the same Fault", async () => {
  const bomb = gzipSync(Buffer.alloc(BODY_BYTES_MAX + 1));
  await assert.rejects(decoder.decode(bomb, GZIP), (fault) => fault instanceof Fault && fault.http === 413);
  const wrong = gzipSync('{"event":[],"x":1}');
  await assert.rejects(decoder.decode(wrong, GZIP), (fault) => fault instanceof Fault && fault.problems.length === 3);
});

test("what is too much to wait is refused before any work, and the rest is done", async () => {
  const whole = Math.floor(DECODE_BYTES_PENDING_MAX / BODY_BYTES_MAX);
  const blank = () => new Uint8Array(BODY_BYTES_MAX).fill(10);
  const lines = { ...OPTIONS, contentType: "application/x-ndjson" };
  const waiting = Array.from({ length: whole }, () => decoder.decode(blank(), lines));
  const last = bodyOf(1000);
  await assert.rejects(decoder.decode(last, OPTIONS), (fault) => {
    return fault instanceof Fault && fault.http === 429 && fault.retryAfterSeconds === 1;
  });
  assert.ok(last.byteLength > 0, "a refused body is still the caller's");
  for (const { total } of await Promise.all(waiting)) assert.equal(total, 0);
  assert.equal((await decoder.decode(last, OPTIONS)).total, 1000);
});

test("close finishes what was accepted and takes nothing more", async () => {
  const closing = await Decoder.open({ threads: 1 });
  const accepted = [closing.decode(bodyOf(1000), OPTIONS), closing.decode(bodyOf(2000), OPTIONS)];
  const closed = closing.close();
  await assert.rejects(closing.decode(bodyOf(1), OPTIONS), (fault) => fault instanceof Fault && fault.http === 503);
  assert.deepEqual(
    (await Promise.all(accepted)).map(({ total }) => total),
    [1000, 2000],
  );
  await closed;
});

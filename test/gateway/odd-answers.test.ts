/** Answers of upstreams that are encoded, oddly cut, or no sound HTTP or event stream: what the client gets, and what is metered. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { type Answer, ask, chat } from "./ask.ts";
import { CUT, chunked, type RawAnswer, type RawUpstream, startRawUpstream, whole } from "./raw-upstream.ts";
import { type Serving, startGateway } from "./serving.ts";

const SSE = "text/event-stream";
const JSON_TYPE = "application/json";
const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
const DONE = "data: [DONE]\n\n";
const TOKENS = { promptTokens: 11, completionTokens: 7 };

const json = (id: string): string => JSON.stringify({ id, model: "m", choices: [], usage: USAGE });
const data = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;
const delta = (id: string, more: object = {}): string =>
  data({ id, choices: [{ index: 0, delta: { content: "你好 🌍 data: " } }], ...more });
const usageEvent = (id: string): string => data({ id, choices: [], usage: USAGE });
const stream = (id: string): string => delta(id) + usageEvent(id) + DONE;
/** The same without the event that only a request for usage brings. */
const plainStream = (id: string): string => delta(id) + DONE;
const soFar = (completion_tokens: number): object => ({ usage: { prompt_tokens: 11, completion_tokens } });

function split(text: string | Buffer, bytes: number): Buffer[] {
  const all = Buffer.from(text);
  return Array.from({ length: Math.ceil(all.length / bytes) }, (_, at) => all.subarray(at * bytes, (at + 1) * bytes));
}

function encoded(encoding: string, body: Buffer): RawAnswer {
  return whole(body, JSON_TYPE, `content-encoding: ${encoding}\r\n`);
}

function answerOf(head: string, ...pieces: (string | Buffer | number)[]): RawAnswer {
  return [`HTTP/1.1 200 OK\r\ncontent-type: ${JSON_TYPE}\r\n${head}\r\n`, ...pieces];
}

const torn = (id: string): string => delta(id, soFar(1)) + delta(id, soFar(2));

type Metered = Readonly<Record<string, unknown>> | undefined;
// biome-ignore format: a ledger
const CASES: [id: string, answer: RawAnswer, status: number, body: string | RegExp, metered: Metered, isCut?: boolean][] = [
  ["gzip", encoded("gzip", gzipSync(json("gzip"))), 200, json("gzip"), TOKENS],
  ["br", encoded("br", brotliCompressSync(json("br"))), 200, json("br"), TOKENS],
  ["deflate", encoded("deflate", deflateSync(json("deflate"))), 200, json("deflate"), TOKENS],
  ["zstd", encoded("zstd", zstdCompressSync(json("zstd"))), 200, json("zstd"), TOKENS],
  ["one-in-other", encoded("gzip, br", brotliCompressSync(gzipSync(json("one-in-other")))), 200, json("one-in-other"), TOKENS],
  ["gzip-stream", chunked(split(gzipSync(stream("gzip-stream")), 9), SSE, "content-encoding: gzip\r\n"), 200, plainStream("gzip-stream"), TOKENS],
  ["no-gzip", encoded("gzip", Buffer.from(json("no-gzip"))), 200, "", undefined, true],
  ["long", answerOf("content-length: 5000\r\n", json("long"), 20, CUT), 200, json("long"), { ...TOKENS, estimated: "upstream_cut" }, true],
  ["short", answerOf("content-length: 10\r\n", json("short")), 200, json("short").slice(0, 10), undefined],
  ["two-lengths", answerOf("content-length: 5\r\ncontent-length: 6\r\n", "abcdef"), 502, /upstream_failed/, undefined],
  ["length-in-chunks", answerOf("content-length: 5\r\ntransfer-encoding: chunked\r\n", "5\r\nabcde\r\n0\r\n\r\n"), 502, /upstream_failed/, undefined],
  ["no-length", answerOf("connection: close\r\n", json("no-length"), CUT), 200, json("no-length"), TOKENS],
  ["trailers", answerOf("trailer: x-sum\r\ntransfer-encoding: chunked\r\n", `${json("trailers").length.toString(16)}\r\n${json("trailers")}\r\n0\r\nx-sum: 1\r\n\r\n`), 200, json("trailers"), TOKENS],
  ["early-hints", ["HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", ...whole(json("early-hints"))], 200, json("early-hints"), TOKENS],
  ["switch", ["HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"], 502, /upstream_failed/, undefined],
  ["split-header", answerOf("x-a: b\nx-evil: 1\r\ncontent-length: 2\r\n", "{}"), 502, /upstream_failed/, undefined],
  ["redirect", ["HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/steal\r\ncontent-length: 0\r\n\r\n"], 502, /redirect \(307\), and none is followed/, undefined],
  ["by-two-bytes", chunked(split(stream("by-two-bytes"), 2), SSE), 200, plainStream("by-two-bytes"), TOKENS],
  ["upper-case", whole(stream("upper-case"), "Text/Event-Stream;charset=UTF-8"), 200, plainStream("upper-case"), TOKENS],
  ["byte-order-mark", chunked(["\ufeff", stream("byte-order-mark")], SSE), 200, `\ufeff${plainStream("byte-order-mark")}`, TOKENS],
  ["two-lines", chunked([`data: {"id":"two-lines",\ndata: "choices":[{}],"usage":null}\n\n`, usageEvent("two-lines"), DONE], SSE), 200, `data: {"id":"two-lines",\ndata: "choices":[{}],"usage":null}\n\n${DONE}`, TOKENS],
  ["no-empty-line", chunked([delta("no-empty-line"), usageEvent("no-empty-line").trimEnd()], SSE), 200, delta("no-empty-line"), TOKENS],
  ["cut-off-done", chunked([stream("cut-off-done").trimEnd()], SSE), 200, plainStream("cut-off-done").trimEnd(), TOKENS],
  ["no-done", chunked([delta("no-done"), usageEvent("no-done")], SSE), 200, delta("no-done"), TOKENS],
  ["after-done", chunked([stream("after-done"), 5, ": bye\n\n"], SSE), 200, `${plainStream("after-done")}: bye\n\n`, TOKENS],
  ["all-along", chunked([torn("all-along"), usageEvent("all-along"), DONE], SSE), 200, torn("all-along") + DONE, TOKENS],
  ["all-along-cut", chunked([torn("all-along-cut"), 20, CUT], SSE), 200, torn("all-along-cut"), { promptTokens: 11, completionTokens: 2, estimated: "upstream_cut" }, true],
  ["all-along-ended", chunked([torn("all-along-ended")], SSE), 200, torn("all-along-ended"), { promptTokens: 11, completionTokens: 2, estimated: "no_last_event" }],
  ["all-along-failed", chunked([torn("all-along-failed"), data({ error: { message: "boom" } }), DONE], SSE), 200, torn("all-along-failed") + data({ error: { message: "boom" } }) + DONE, { promptTokens: 11, completionTokens: 2, estimated: "upstream_error" }],
];

let upstream: RawUpstream;
let gateway: Serving;
let key: string;

before(async () => {
  const own = {
    embed: whole(JSON.stringify({ data: [], usage: { prompt_tokens: 3 } }), JSON_TYPE, "x-request-id: mine-1\r\n"),
  };
  const named = { "by-header": whole(json("chatcmpl-mine-1")), "by-body": whole(json("chatcmpl-mine-2")) };
  upstream = await startRawUpstream({ ...Object.fromEntries(CASES), ...own, ...named });
  const yaml = `upstreams:\n  - { name: raw, baseUrl: "${upstream.url}/v1", apiKeyEnv: UPSTREAM_KEY }\n`;
  gateway = await startGateway({ yaml });
  ({ key } = await gateway.key("USER"));
});
after(async () => {
  await gateway.close();
  upstream.close();
});

const call = (body: string, headers = {}, path = "chat/completions"): Promise<Answer> =>
  ask({ url: gateway.url, key, path: `/inference/v1/${path}`, headers, body });

/** What of an event an answer decides. */
async function meteredAs(id: string): Promise<Metered> {
  const event = Object.entries(await gateway.event(id));
  return Object.fromEntries(event.filter(([name]) => name.endsWith("Tokens") || name === "estimated"));
}

for (const [id, answer, status, body, metered, isCut = false] of CASES) {
  test(`an answer: ${id}`, async () => {
    const isStream = answer.some((piece) => /event-stream/i.test(String(piece)));
    const got = await call(chat(id, { stream: isStream }));
    assert.deepEqual([got.status, got.isCut], [status, isCut], got.body);
    if (typeof body === "string") assert.equal(got.body, body);
    else assert.match(got.body, body);
    if (metered) assert.deepEqual(await meteredAs(`raw:${id}`), metered);
    else assert.notEqual(got.headers["x-daybook-event-id"], `raw:${id}`);
  });
}

test("what follows a sound answer is no answer to the next call", async () => {
  for (let at = 0; at < 3; at += 1) assert.equal((await call(chat("short"))).body, json("short").slice(0, 10));
  assert.equal((await call(chat("br"))).body, json("br"));
});

test("an id that the client chose is no event's: sending it again, it could use much and be counted once", async () => {
  const cases: [body: object, headers: object, path: string][] = [
    [{ model: "embed", input: "a" }, { "x-request-id": "mine-1" }, "embeddings"],
    [{ model: "by-header", messages: [] }, { "X-Request-ID": "mine-1" }, "chat/completions"],
    [{ model: "by-body", messages: [], request_id: "mine-2" }, {}, "chat/completions"],
    [{ model: "by-body", messages: [], rid: "chatcmpl-mine-2" }, {}, "chat/completions"],
  ];
  for (const [body, headers, path] of cases) {
    const ids = new Set<string>();
    for (let at = 0; at < 2; at += 1) {
      const id = String((await call(JSON.stringify(body), headers, path)).headers["x-daybook-event-id"]);
      assert.match(id, /^raw:[0-9a-f-]{36}$/);
      ids.add(String((await gateway.event(id)).id));
    }
    assert.equal(ids.size, 2);
  }
  const other = await call(chat("by-body"), { "x-request-id": "mine-3" });
  assert.equal(other.headers["x-daybook-event-id"], "raw:chatcmpl-mine-2");
});

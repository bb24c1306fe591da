/** What a client might try so as to use an upstream without being metered: it is refused, or metered all the same. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Answer, ask, chat } from "./ask.ts";
import { type RawUpstream, startRawUpstream, whole } from "./raw-upstream.ts";
import { type Serving, startGateway, UPSTREAM_KEY } from "./serving.ts";

let upstream: RawUpstream;
let gateway: Serving;
let key: string;

before(async () => {
  const answer = { id: "sound", choices: [], usage: { prompt_tokens: 11, completion_tokens: 7 } };
  upstream = await startRawUpstream({ sound: whole(JSON.stringify(answer)) });
  const yaml = `upstreams:\n  - { name: raw, baseUrl: "${upstream.url}/v1", apiKeyEnv: UPSTREAM_KEY }\n`;
  gateway = await startGateway({ yaml });
  ({ key } = await gateway.key("USER"));
});
after(async () => {
  await gateway.close();
  upstream.close();
});

interface Try {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
}

function call({
  path = "chat/completions",
  method = "POST",
  headers = {},
  body = chat("sound"),
}: Try): Promise<Answer> {
  return ask({ url: gateway.url, key, path: `/inference/v1/${path}`, method, headers, body });
}

const form = (...parts: string[]): string => {
  return `${parts.map((part) => `--limit\r\n${part}\r\n`).join("")}--limit--\r\n`;
};
const named = (name: string, value: string): string => `Content-Disposition: form-data; ${name}\r\n\r\n${value}`;
const FORM = { "content-type": "multipart/form-data; boundary=limit" };
const MODEL = named('name="model"', "sound");

test("another spelling of a metered path, another method, a second reading of the body: refused before any upstream", async () => {
  const transcribe = (body: string, headers = FORM): Try => ({ path: "audio/transcriptions", headers, body });
  const twice = ["application/json", "multipart/form-data; boundary=limit"];
  const missing = /no such path/;
  // biome-ignore format: a ledger
  const cases: [name: string, what: Try, status: number, message: RegExp][] = [
    ["an encoded slash", { path: "chat%2Fcompletions" }, 404, missing],
    ["an encoded letter", { path: "chat/%63ompletions" }, 404, missing],
    ["encoded twice", { path: "chat/%2563ompletions" }, 404, missing],
    ["encoded without end", { path: "files/%25252525252563" }, 404, missing],
    ["capitals", { path: "Chat/Completions" }, 404, missing],
    ["a parameter of the path", { path: "chat;a=b/completions" }, 404, missing],
    ["a backslash", { path: "chat\\completions" }, 404, missing],
    ["a slash behind it", { path: "chat/completions/" }, 404, missing],
    ["out of the base URL, encoded twice", { path: "files/%252e%252e/%252e%252e/admin" }, 404, missing],
    ["out of the base URL, with a parameter", { path: "files/..;a/admin" }, 404, missing],
    ["TRACE, which would be told the key", { method: "TRACE", path: "files", body: "" }, 400, /^method: "TRACE" was sent; allowed are GET, /],
    ["its own key, which nobody else may see", { path: `chat/completions?api_key=${key}` }, 400, /^address: cannot be read: the API key is in it/],
    ["two types", { headers: { "content-type": twice } }, 400, /^Content-Type: cannot be read: it is there more than once/],
    ["a stream that is no boolean", { body: chat("sound", { stream: 1 }) }, 400, /^stream: 1 was sent; it must be true or false$/],
    ["a stream that is a text", { body: chat("sound", { stream: "true" }) }, 400, /^stream: "true" was sent/],
    ["two boundaries", transcribe(form(MODEL), { "content-type": "multipart/form-data; boundary=a; boundary=limit" }), 415, /^Content-Type: /],
    ["a part of two names", transcribe(form(named('name="x"; name="model"', "sound"), MODEL)), 400, /a part has two names/],
    ["a part of two names, one encoded", transcribe(form(named("name=x; name*=utf-8''model", "sound"), MODEL)), 400, /a part has two names/],
    ["a part of two dispositions", transcribe(form(`Content-Disposition: form-data; name=x\r\n${MODEL}`, MODEL)), 400, /a part has two names/],
  ];
  const before = upstream.got.length;
  for (const [name, what, status, message] of cases) {
    const answer = await call(what);
    assert.equal(answer.status, status, `${name}: ${answer.body}`);
    assert.match((JSON.parse(answer.body) as { error: { message: string } }).error.message, message, name);
  }
  assert.equal(upstream.got.length, before);
});

test("what is sound and only looks odd goes on: a browser's boundary, escapes of other paths, a model's name in an id", async () => {
  const boundary = "----WebKitFormBoundary7MA4";
  const body = `--${boundary}\r\n${MODEL}\r\n--${boundary}--\r\n`;
  const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
  const cases: Try[] = [
    { path: "audio/transcriptions", headers, body },
    { path: "files/a%2Db%2Fc", method: "GET", body: "" },
    { path: "chat/completions/chatcmpl-1", method: "GET", body: "" },
    { path: "models/sound:latest@1", method: "GET", body: "" },
    { body: chat("sound", { stream: null }) },
  ];
  for (const what of cases) assert.equal((await call(what)).status, 200, JSON.stringify(what));
});

test("a GET that says it is a POST is a GET; OPTIONS and HEAD are handed on as what they are", async () => {
  const names = ["x-http-method-override", "x-http-method", "x-method-override"];
  const headers = Object.fromEntries(names.map((name) => [name, "POST"]));
  assert.equal((await call({ method: "GET", headers, body: "" })).status, 200);
  assert.doesNotMatch(upstream.got.at(-1)!, /method/i);
  for (const method of ["OPTIONS", "HEAD"]) {
    const answer = await call({ method, body: "" });
    assert.deepEqual([answer.status, answer.isCut, answer.body === ""], [200, false, method === "HEAD"]);
    assert.ok(upstream.got.at(-1)!.startsWith(`${method} /v1/chat/completions HTTP/1.1\r\n`));
  }
});

test("usage all along, asked for without the usage at the end, is asked for no more when the gateway asks for that", async () => {
  const options = { include_usage: false, continuous_usage_stats: true, include_obfuscation: false };
  await call({ body: chat("sound", { stream: true, stream_options: options }) });
  const sent = JSON.parse(upstream.got.at(-1)!.split("\r\n\r\n")[1]!) as { stream_options: object };
  assert.deepEqual(sent.stream_options, { include_usage: true, include_obfuscation: false });
  const own = { include_usage: true, continuous_usage_stats: true };
  const body = chat("sound", { stream: true, stream_options: own });
  await call({ body });
  assert.ok(upstream.got.at(-1)!.endsWith(`\r\n\r\n${body}`), "a client that asks for both gets both");
  assert.ok(upstream.got.at(-1)!.includes(`authorization: Bearer ${UPSTREAM_KEY}\r\n`));
});

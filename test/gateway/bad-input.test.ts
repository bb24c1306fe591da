/** What a client may send that is wrong: keys, bodies, headers, paths. Each call gets one clear answer. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { type Answer, type Ask, chat, ask as send } from "./ask.ts";
import {
  OPERATOR_KEY,
  type Serving,
  startGateway,
  startUpstream,
  UPSTREAM_KEY,
  type Upstream,
  yamlOf,
} from "./serving.ts";

let upstream: Upstream;
let gateway: Serving;
let user: string;
let meter: string;

const GONE = `
  - name: gone
    baseUrl: http://127.0.0.1:1/v1
    models: { gone: gone }
`;

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ yaml: yamlOf(upstream.url, GONE) });
  user = (await gateway.key("USER")).key;
  meter = (await gateway.key("METER")).key;
});
after(async () => {
  await gateway.close();
  upstream.close();
});

const ask = (what: Partial<Ask>): Promise<Answer> => send({ url: gateway.url, key: user, ...what });
const BOUNDARY = "b0undary";
const FORM = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };
const TRANSCRIBE = "/inference/v1/audio/transcriptions";

function form(...parts: readonly [head: string, value: string][]): string {
  const lines = parts.map(
    ([head, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`,
  );
  return `${lines.join("")}--${BOUNDARY}--\r\n`;
}

test("every refusal is one clear answer in the client's own form, and reaches no upstream", async () => {
  const huge = { "content-length": String(65 * 1024 * 1024) };
  // biome-ignore format: a ledger
  const cases: [name: string, ask: Partial<Ask>, status: number, type: string, code: string, param: string | null, message: RegExp][] = [
    ["no key", { headers: { authorization: "" }, body: chat("chat-json") }, 401, "authentication_error", "invalid_api_key", null, /^Authorization: no valid API key/],
    ["unknown key", { headers: { authorization: "Bearer fw_nobody0123456789" }, body: "" }, 401, "authentication_error", "invalid_api_key", null, /no valid API key/],
    ["a key that may not", { headers: { authorization: `Bearer ${meter}` }, body: chat("a") }, 403, "permission_error", "role_too_low", null, /^role: "METER" may not do this; it takes OPERATOR, ADMIN, USER$/],
    ["no JSON", { body: '{"model":"chat-json"' }, 400, "invalid_request_error", "bad_json", "body", /^body: is not valid JSON/],
    ["something behind it", { body: '{"model":"chat-json"} x' }, 400, "invalid_request_error", "bad_json", "body", /^body: is not valid JSON/],
    ["no model", { body: "{}" }, 400, "invalid_request_error", "required", "model", /^model: is required; name a model$/],
    ["a model of no text", { body: '{"model":["a"]}' }, 400, "invalid_request_error", "bad_string", "model", /^model: an array was sent/],
    ["two models", { body: '{"model":"a","mod\\u0065l":"b"}' }, 400, "invalid_request_error", "repeated_field", "model", /^model: is in the body more than once; send it once$/],
    ["two streams", { body: '{"model":"a","stream":false,"stream":true}' }, 400, "invalid_request_error", "repeated_field", "stream", /^stream: is in the body more than once/],
    ["too large", { headers: huge, body: "" }, 413, "invalid_request_error", "body_too_large", null, /^body: is larger than 67108864 bytes/],
    ["another type", { headers: { "content-type": "text/plain" }, body: chat("a") }, 415, "invalid_request_error", "bad_content_type", null, /^Content-Type: "text\/plain" was sent; allowed are application\/json, multipart\/form-data$/],
    ["a compressed body", { headers: { "content-encoding": "gzip" }, body: chat("a") }, 400, "invalid_request_error", "not_allowed", "Content-Encoding", /^Content-Encoding: "gzip" was sent; allowed are identity$/],
    ["out of the base URL", { path: "/inference/v1/../../admin", method: "GET" }, 404, "invalid_request_error", "route_not_found", "path", /no such path/],
    ["the same, encoded", { path: "/inference/v1/files/%2e%2e/%2E%2e/admin", method: "GET" }, 404, "invalid_request_error", "route_not_found", "path", /no such path/],
    ["the same, by slashes", { path: "/inference/v1/files%2f..%5c..", method: "GET" }, 404, "invalid_request_error", "route_not_found", "path", /no such path/],
    ["to another host", { path: "/inference/v1//evil.example/x", method: "GET" }, 404, "invalid_request_error", "route_not_found", "path", /no such path/],
    ["a form without model", { path: TRANSCRIBE, headers: FORM, body: form(['name="file"; filename="; name=model"', "x"]) }, 400, "invalid_request_error", "required", "model", /^model: is required/],
    ["a form of two models", { path: TRANSCRIBE, headers: FORM, body: form(['name="model"', "a"], ["name=model", "b"]) }, 400, "invalid_request_error", "repeated_field", "model", /more than once/],
    ["no such upstream", { body: chat("gone") }, 502, "api_error", "upstream_failed", null, /^upstream "gone": it gave no answer \(ECONNREFUSED\); try again$/],
  ];
  const before = upstream.got.length;
  for (const [name, what, status, type, code, param, message] of cases) {
    const answer = await ask(what);
    assert.equal(answer.status, status, `${name}: ${answer.body}`);
    const { error = {}, ...others } = JSON.parse(answer.body) as { error?: Record<string, unknown> };
    assert.deepEqual([error.type, error.code, error.param, others], [type, code, param, {}], name);
    assert.match(String(error.message), message, name);
  }
  assert.equal(upstream.got.length, before);
  const { body } = await ask({ path: "/v1/messages", headers: { authorization: "", "x-api-key": "sk-ant" }, body: "" });
  const { type, error } = JSON.parse(body) as { type: string; error: { type: string } };
  assert.deepEqual([type, error.type], ["error", "authentication_error"]);
});

test("a model that no rule has is told so, whatever it looks like, and goes to no other host", async () => {
  const only = await startGateway({
    yaml: `upstreams:\n  - {name: one, baseUrl: "${upstream.url}/v1", models: {"a-*": "b-*", chat: chat-json}}\notherPaths: refuse`,
  });
  const call = async (model: string, path = "chat/completions") => {
    const headers = { authorization: `Bearer ${OPERATOR_KEY}`, "content-type": "application/json" };
    const answer = await fetch(`${only.url}/inference/v1/${path}`, { method: "POST", headers, body: chat(model) });
    return { status: answer.status, json: (await answer.json()) as { error?: { code: string; message: string } } };
  };
  for (const model of ["chat-json", "b-x", "http://evil.example/", "a", "../chat", "*", "toString", "__proto__"]) {
    const { status, json } = await call(model);
    assert.deepEqual([status, json.error?.code], [404, "model_not_found"], model);
  }
  const before = upstream.got.length;
  for (const model of ["a-//evil.example", "a-@evil.example/", "a-\\u000d"]) await call(model);
  const sent = upstream.got.slice(before).map(({ url, json }) => [url, json.model]);
  assert.deepEqual(sent, [
    ["/v1/chat/completions", "b-//evil.example"],
    ["/v1/chat/completions", "b-@evil.example/"],
    ["/v1/chat/completions", "b-\\u000d"],
  ]);
  assert.equal((await call("chat", "moderations")).status, 404, "other paths are refused where that is wished");
  await only.close();
});

test("the upstream gets its own key, and nothing of who the client is or where it stands", async () => {
  const headers = {
    "x-api-key": "client-secret",
    cookie: "session=1",
    "x-forwarded-for": "10.0.0.1",
    "x-real-ip": "10.0.0.1",
    forwarded: "for=10.0.0.1",
    "openai-organization": "org-1",
    "proxy-authorization": "Basic x",
    "daybook-annotations": "team=search",
    te: "trailers",
    connection: "keep-alive, x-secret",
    "x-secret": "1",
    "x-kept": ["a", "b"],
    "idempotency-key": "retry-1",
    "user-agent": "test",
  };
  const answer = await ask({ headers, body: chat("chat-json", { z: 1.0 }) });
  assert.equal(answer.status, 200);
  const got = upstream.got.at(-1)!;
  const names = got.rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  assert.deepEqual(names.sort(), ["accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "idempotency-key", "user-agent", "x-kept", "x-kept"]); // biome-ignore format: a list
  assert.equal(got.headers.authorization, `Bearer ${UPSTREAM_KEY}`);
  assert.equal(got.body.toString(), chat("chat-json", { z: 1.0 }), "a body that needs no change is the same bytes");
  assert.equal(answer.headers["set-cookie"], undefined);
  assert.equal(answer.headers["x-ratelimit-remaining-requests"], "99");
  assert.equal(answer.headers["x-request-id"], "req-json");
});

test("a body of two lengths, and one that hides a second request, are no requests", async () => {
  const port = Number(new URL(gateway.url).port);
  const head = `POST /inference/v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${user}\r\nContent-Type: application/json\r\n`;
  const before = upstream.got.length;
  for (const lengths of [
    "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding : chunked\r\n",
  ]) {
    const socket = connect(port, "127.0.0.1");
    socket.end(`${head}${lengths}\r\n0\r\n\r\nGET /inference/v1/files HTTP/1.1\r\nHost: a\r\n\r\n`);
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    await once(socket, "close");
    assert.match(text, /^HTTP\/1\.1 400 /, lengths);
  }
  assert.equal(upstream.got.length, before);
});

test("a form is streamed on, with the model's name changed where it is another's", async () => {
  const file = "\r\n--b0undar not the end\r\n".repeat(40_000);
  const body = form(['name="file"; filename="a.wav"', file], ['name="model"', "fw-whisper"], ['name="language"', "de"]);
  const before = upstream.got.length;
  const { status } = await ask({ path: TRANSCRIBE, headers: FORM, body });
  assert.equal(status, 200);
  const got = upstream.got[before]!;
  assert.equal(got.url, "/inference/v1/audio/transcriptions");
  assert.equal(got.body.toString(), body.replace("fw-whisper", "accounts/fireworks/models/whisper"));
  assert.equal(Number(got.headers["content-length"]), got.body.length);
});

test("other paths are passed through, unmetered, and counted so", async () => {
  const line = 'daybook_gateway_unmetered_total{upstream="open",model="",reason="other_path"}';
  const before = await gateway.metric(line);
  const answers = [
    await ask({ method: "GET", path: "/inference/v1/files?limit=2&after=%2e%2e" }),
    await ask({ method: "DELETE", path: "/inference/v1/files/file-1" }),
    await ask({ path: "/inference/v1/moderations", body: "not json" }),
    await ask({ path: "/inference/v1/files", headers: FORM, body: form(["name=file", "x"]) }),
  ];
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body]),
    [
      [200, '{"echo":"GET /v1/files?limit=2&after=%2e%2e"}'],
      [200, '{"echo":"DELETE /v1/files/file-1"}'],
      [200, '{"echo":"POST /v1/moderations"}'],
      [200, '{"echo":"POST /v1/files"}'],
    ],
  );
  assert.equal((await gateway.metric(line)) - before, 4);
});

/** Upstreams that fail, answers that break off, clients that hang up: what is told, and what is metered. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { until } from "../until.ts";
import { type Answer, type Ask, chat, ask as send } from "./ask.ts";
import { endless, lateStream } from "./recorded.ts";
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

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ yaml: yamlOf(upstream.url) });
  user = (await gateway.key("USER")).key;
});
after(async () => {
  await gateway.close();
  upstream.close();
});

const ask = (what: Partial<Ask>): Promise<Answer> => send({ url: gateway.url, key: user, ...what });

test("an upstream that fails before its answer: 502 or 504, told without its address or key", async () => {
  // biome-ignore format: a ledger
  const cases: [model: string, status: number, code: string, message: string][] = [
    ["silent", 504, "upstream_timeout", 'upstream "open": no answer in time; try again'],
    ["no-http", 502, "upstream_failed", 'upstream "open": it gave no answer (HTTPParserError); try again'],
    ["redirect", 502, "upstream_failed", 'upstream "open": it answered with a redirect (307), and none is followed; the operator must mend its baseUrl'],
    ["refused", 502, "upstream_failed", 'upstream "open": it refused the gateway\'s key (401); the operator must set another'],
  ];
  for (const [model, status, code, message] of cases) {
    const answer = await ask({ body: chat(model) });
    const { error } = JSON.parse(answer.body) as { error: Record<string, unknown> };
    assert.deepEqual([answer.status, error.code, error.message], [status, code, message]);
    assert.equal((await gateway.metric(`daybook_gateway_refused_total{reason="${code}"}`)) > 0, true);
  }
  const secrets = [UPSTREAM_KEY, user, OPERATOR_KEY];
  for (const secret of secrets) assert.ok(!gateway.log.join("").includes(secret), "a key is in the log");
});

test("answers that break off: the client gets what there was, cut, and what is known is an estimate with its reason", async () => {
  const estimated = (reason: string) => `daybook_gateway_estimated_total{upstream="open",model="*",reason="${reason}"}`;
  const unmetered = (reason: string) => `daybook_gateway_unmetered_total{upstream="open",model="*",reason="${reason}"}`;
  // biome-ignore format: a ledger
  const cases: [model: string, isCut: boolean, id: string, quantities: object | undefined, counted: string][] = [
    ["cut-unknown", true, "cut-unknown", undefined, unmetered("upstream_cut")],
    ["cut-known", true, "cut-known", { promptTokens: 300 }, estimated("upstream_cut")],
    ["cut-json", true, "cut-json", undefined, unmetered("upstream_cut")],
    ["cut-length", true, "cut-length", undefined, unmetered("upstream_cut")],
    ["silent-middle", true, "silent-middle", undefined, unmetered("upstream_timeout")],
    ["no-usage", false, "no-usage", undefined, unmetered("no_usage")],
    ["no-sse", false, "no-sse", undefined, unmetered("no_usage")],
    ["error-in-stream", false, "error-in-stream", undefined, unmetered("upstream_error")],
    ["bad-usage", false, "bad-usage", { promptTokens: 10, cachedPromptTokens: 10 }, estimated("unsound_usage")],
  ];
  for (const [model, isCut, id, quantities, counted] of cases) {
    const before = await gateway.metric(counted);
    const isStream = !model.endsWith("json") && !model.endsWith("usage") && model !== "cut-length";
    const answer = await ask({ body: chat(model, { stream: isStream }) });
    assert.deepEqual([answer.status, answer.isCut], [200, isCut], model);
    // Directly, a silent upstream would be waited for.
    const plain = { path: "/v1/chat/completions", body: chat(model, { stream: isStream }) };
    const direct = model === "silent-middle" ? answer : await ask({ url: upstream.url, ...plain });
    assert.equal(answer.body, direct.body, model);
    await until(`${model}: ${counted}`, async () => (await gateway.metric(counted)) > before);
    assert.equal((await gateway.metric(counted)) - before, 1, `${model}: ${counted}`);
    if (!quantities) continue;
    const event = await gateway.event(`open:${id}`);
    const told = Object.fromEntries(Object.entries(event).filter(([name]) => name.endsWith("Tokens")));
    assert.deepEqual(told, quantities, model);
    assert.equal(event.estimated, /reason="(\w+)"/.exec(counted)![1], model);
  }
  const claude = await ask({ path: "/v1/messages", body: chat("claude-cut", { stream: true }) });
  assert.equal(claude.isCut, true);
  const event = await gateway.event("open:msg_cut");
  assert.deepEqual([event.promptTokens, event.cachedPromptTokens, event.completionTokens], [2325, 2000, 1]);
  assert.equal(event.estimated, "upstream_cut");
});

/** Starts a call, reads a first part of the answer and hangs up. */
async function hangUp(model: string, url = gateway.url, key = user): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const call = request(`${url}/inference/v1/chat/completions`, { method: "POST", headers, agent: false });
  call.on("error", () => {}).end(chat(model, { stream: true }));
  const [answer] = (await once(call, "response")) as [NodeJS.ReadableStream];
  await once(answer, "data");
  call.destroy();
}

test("a client that hangs up: the answer is read to its end for its usage, but not for ever", async () => {
  await hangUp("slow");
  const event = await gateway.event("open:slow-1");
  assert.deepEqual([event.promptTokens, event.completionTokens, event.estimated], [1117, 46, undefined]);
  const line = 'daybook_gateway_unmetered_total{upstream="open",model="*",reason="client_gone"}';
  const before = await gateway.metric(line);
  const gone = endless.gone;
  await hangUp("endless");
  await until("after finishMs the call is ended", () => endless.gone > gone);
  await until("and counted", async () => (await gateway.metric(line)) > before);
  assert.deepEqual([endless.gone - gone, (await gateway.metric(line)) - before], [1, 1]);
});

test("a client that hangs up before there is any answer is metered all the same", async () => {
  const headers = { authorization: `Bearer ${user}`, "content-type": "application/json" };
  const call = request(`${gateway.url}/inference/v1/chat/completions`, { method: "POST", headers, agent: false });
  call.on("error", () => {}).end(chat("late"));
  await until("the upstream has the call", () => upstream.got.at(-1)?.json.model === "late");
  call.destroy();
  assert.equal((await gateway.event("open:late")).promptTokens, 1117);
});

test("a client has the headers of a stream soon, however late its first event comes", async () => {
  const { promise, resolve: send } = Promise.withResolvers<void>();
  lateStream.until = promise;
  const answer = await fetch(`${gateway.url}/inference/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${user}`, "content-type": "application/json" },
    body: chat("late-stream", { stream: true }),
  });
  send();
  assert.equal(answer.headers.get("x-daybook-event-id"), null, "the id is not known yet");
  assert.equal(await answer.text(), "data: [DONE]\n\n");
  assert.equal((await gateway.event("open:late-stream")).completionTokens, 46);
});

test("a client that hangs up ends the call at once where that is wished", async () => {
  const yaml = yamlOf(upstream.url, "onClientGone: cancel").replace("finishMs: 5000", "finishMs: 600000");
  const other = await startGateway({ yaml });
  const gone = endless.gone;
  await hangUp("endless", other.url, OPERATOR_KEY);
  await until("the call is ended", () => endless.gone === gone + 1);
  await other.close();
});

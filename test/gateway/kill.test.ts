/** `kill -9` of a gateway in the middle of its work, again and again: what a client has whole is counted, and once. */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ACCOUNT, BOOTSTRAP, Daybook, KEY, start } from "../process/daybook.ts";
import { ask, askJson } from "../process/http.ts";
import { until } from "../until.ts";

const ROUNDS = 3;
const CLIENTS = 8;
const CALLS_A_ROUND = 60;
const PROMPT = 3;
const COMPLETION = 5;

/** Answers each call with an id of its own, half of them as streams. */
const upstream = createServer((request, answer) => {
  request.resume().on("end", () => {
    calls += 1;
    const id = `call-${calls}`;
    const usage = { prompt_tokens: PROMPT, completion_tokens: COMPLETION };
    if (calls % 2 === 0) {
      answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ id, choices: [], usage }));
      return;
    }
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.write(`data: ${JSON.stringify({ id, choices: [{ delta: { content: "a" } }] })}\n\n`);
    setTimeout(() => answer.end(`data: ${JSON.stringify({ id, choices: [], usage })}\n\ndata: [DONE]\n\n`), 3);
  });
});
let calls = 0;
let folder: string;

after(async () => {
  Daybook.killAll();
  upstream.close();
  upstream.closeAllConnections();
  await rm(folder, { recursive: true });
});

/** Calls until the server is gone; gives the ids of the answers that came whole. */
async function client(url: string): Promise<string[]> {
  const whole: string[] = [];
  for (;;) {
    const body = JSON.stringify({ model: "m", messages: [], stream: true });
    const answer = await ask(url, { path: "/inference/v1/chat/completions", body });
    if (answer.kind !== "answered" || answer.status !== 200) return whole;
    const isWhole = answer.body.endsWith("data: [DONE]\n\n") || answer.body.endsWith("}}");
    if (isWhole) whole.push(`up:${/"id":"(call-\d+)"/.exec(answer.body)![1]}`);
  }
}

test("no answer that a client has whole is lost or counted twice", async (t) => {
  folder = await mkdtemp(join(tmpdir(), "daybook-gateway-kill-"));
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const { port } = upstream.address() as AddressInfo;
  const file = join(folder, "gateway.yaml");
  await writeFile(file, `upstreams:\n  - { name: up, baseUrl: "http://127.0.0.1:${port}/v1", apiKeyEnv: UP_KEY }\n`);
  const options = {
    folder: join(folder, "data"),
    args: ["--port", "0", "--gateway", file],
    env: { ...BOOTSTRAP, UP_KEY: "up" },
  };
  const whole: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { daybook, url } = await start(options);
    const clients = Array.from({ length: CLIENTS }, () => client(url));
    const before = calls;
    await until("a load", () => calls - before > CALLS_A_ROUND);
    await new Promise((resolve) => setTimeout(resolve, round * 37));
    daybook.kill();
    whole.push(...(await Promise.all(clients)).flat());
    await daybook.ended;
  }
  assert.equal(new Set(whole).size, whole.length);
  t.diagnostic(`${whole.length} whole answers of ${calls} calls`);
  assert.ok(whole.length > 100, `${whole.length} whole answers`);
  // Without a gateway in the file's sense, what the killed ones left is carried over, too.
  const { daybook, url } = await start({ ...options, args: ["--port", "0"] });
  const path = `/v1/accounts/${ACCOUNT}/usageEvents/`;
  const missing = new Set(whole);
  await until("all whole answers are in the ledger", async () => {
    for (const id of missing) {
      const answer = await ask(url, { path: path + encodeURIComponent(id) });
      if (answer.kind === "answered" && answer.status === 200) missing.delete(id);
      else break;
    }
    return missing.size === 0;
  });
  const day = 86_400_000;
  const today = new Date(Math.floor(Date.now() / day) * day - day).toISOString();
  const end = new Date(Math.floor(Date.now() / day) * day + 2 * day).toISOString();
  const usage = await askJson<{ serverlessCosts: { promptTokens: string; completionTokens: string }[] }>(url, {
    path: `/v1/accounts/${ACCOUNT}/billingUsage?startTime=${today}&endTime=${end}`,
    key: KEY,
  });
  const sum = (name: "promptTokens" | "completionTokens") =>
    usage.serverlessCosts.reduce((total, row) => total + Number(row[name]), 0);
  const events = sum("promptTokens") / PROMPT;
  assert.equal(sum("completionTokens") / COMPLETION, events);
  // An answer whose last byte was lost on its way may be counted; one that was never given may not.
  assert.ok(
    events >= whole.length && events <= calls,
    `${events} events, ${whole.length} whole answers, ${calls} calls`,
  );
  const said = await daybook.stop();
  assert.equal(said.code, 0, said.stderr);
});

/** `daybook tail` against a real gateway: events as they come, with cost, of one's own account, and what was missed. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Daybook } from "../process/daybook.ts";
import { until } from "../until.ts";
import { type BillingUpstream, CALL, PRICES, startBillingUpstream } from "./billing-upstream.ts";
import { HOME, OPERATOR_KEY, type Serving, startGateway } from "./serving.ts";

let upstream: BillingUpstream;
let gateway: Serving;

before(async () => {
  upstream = await startBillingUpstream(1_000_000);
  const yaml = `upstreams:\n  - { name: up, baseUrl: "${upstream.url}/v1", apiKeyEnv: UPSTREAM_KEY }\n`;
  gateway = await startGateway({ yaml });
  await gateway.service.putPriceBook({ account: "", document: PRICES, createdBy: "test" });
});
after(() => {
  Daybook.killAll();
  upstream.close();
});

async function callOnce(key: string): Promise<string> {
  const answer = await fetch(`${gateway.url}/inference/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: CALL,
  });
  await answer.arrayBuffer();
  return answer.headers.get("x-daybook-event-id")!;
}

test("events of one key come with their cost, and those of others do not", async () => {
  const [one, two] = [await gateway.key("USER"), await gateway.key("USER")];
  const url = `${gateway.url}/v1/accounts/${HOME}/usageEvents:tail?apiKeyId=${one.keyId}&forSeconds=600`;
  const leave = new AbortController();
  const answer = await fetch(url, { headers: { authorization: `Bearer ${one.key}` }, signal: leave.signal });
  assert.equal(answer.headers.get("content-type"), "application/x-ndjson");
  await callOnce(two.key);
  const id = await callOnce(one.key);
  // That of the other key was written first, so it would have come first.
  let text = "";
  for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes(id)) break;
  }
  leave.abort();
  const lines = text.split("\n").filter((line) => line !== "");
  assert.equal(lines.length, 1);
  const { time: _, ...event } = JSON.parse(lines[0]!);
  assert.deepEqual(event, {
    id,
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: "metered",
    apiKeyId: one.keyId,
    user: "owner",
    serviceTier: "STANDARD",
    promptTokens: 2_000,
    completionTokens: 50,
    costNanoUsd: 1_000_000,
    cost: { currencyCode: "USD", units: "0", nanos: 1_000_000 },
  });
});

test("whoever reads too slowly is told how much was missed", async () => {
  const listener = gateway.service.live.listen(HOME, { apiKeyId: "", model: "" });
  const time = new Date().toISOString();
  const events = Array.from({ length: 1_200 }, (_, at) => {
    return { id: `flood${at}`, time, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "none", promptTokens: 1 };
  });
  const bytes = Buffer.from(JSON.stringify({ events }));
  await gateway.service.writeUsage(HOME, { bytes, contentType: "application/json", contentEncoding: "" });
  const items = await listener.take(60_000);
  gateway.service.live.leave(HOME, listener);
  assert.equal(items?.length, 1_001);
  assert.deepEqual(items?.at(-1), { kind: "dropped", count: 200 });
  assert.ok(items?.[0]?.kind === "event" && items[0].quote.unpriced === "all");
  assert.equal(await listener.take(1_000), undefined);
});

test("at the prompt", async () => {
  const prompt = new Daybook(["tail", "--model", "metered", "--base-url", gateway.url], {
    env: { DAYBOOK_API_KEY: OPERATOR_KEY, DAYBOOK_ACCOUNT_ID: HOME },
  });
  await until("the prompt listens", () => gateway.service.live.has(HOME));
  await callOnce(OPERATOR_KEY);
  await until("the prompt tells it", () => prompt.stdout.endsWith("\n"));
  const cut = {
    id: "cut",
    time: new Date().toISOString(),
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: "metered",
  };
  const events = [{ ...cut, promptTokens: 4, estimated: "client_gone" }];
  const bytes = Buffer.from(JSON.stringify({ events }));
  await gateway.service.writeUsage(HOME, { bytes, contentType: "application/json", contentEncoding: "" });
  await until("the prompt tells the other", () => prompt.stdout.split("\n").length === 3);
  await gateway.close();
  const { stdout, stderr, code } = await prompt.end();
  const [exact, estimate] = stdout.split("\n");
  assert.match(exact!, /^\S+Z {2}\$0\.001\S* {2}2000 in, 50 out {2}metered {2}key_\w+$/);
  assert.match(estimate!, /^\S+Z {2}\$0\.000001 {2}4 in, estimated \(client_gone\) {2}metered$/);
  assert.match(stderr, /cut the connection|ended the answer/);
  assert.equal(code, 1);
});

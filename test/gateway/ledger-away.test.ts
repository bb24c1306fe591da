/** Usage is on disk before an answer's last byte leaves; a ledger that is away loses nothing and stops nobody. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { unavailable } from "../../src/domain/fault.ts";
import { OPERATOR_KEY, type Serving, startGateway, startUpstream, type Upstream, yamlOf } from "./serving.ts";

let upstream: Upstream;
/** While true, the ledger takes nothing. */
let isAway = false;

before(async () => {
  upstream = await startUpstream();
});
after(() => upstream.close());

/** A gateway that is closed with the test, and a ledger that is back by then. */
async function start(t: TestContext, more = ""): Promise<Serving> {
  const gateway = await startGateway({
    yaml: yamlOf(upstream.url, more),
    writeUsage: (service) => (account, body) => {
      if (!isAway) return service.writeUsage(account, body);
      throw unavailable("it is away");
    },
  });
  t.after(async () => {
    isAway = false;
    await gateway.close();
  });
  return gateway;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly id: string | null;
}

async function chat(gateway: Serving, model: string, isStream = false): Promise<Answer> {
  const answer = await fetch(`${gateway.url}/inference/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${OPERATOR_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [], stream: isStream }),
  });
  return { status: answer.status, text: await answer.text(), id: answer.headers.get("x-daybook-event-id") };
}

function spooled(gateway: Serving): string {
  const { spoolFolder } = gateway;
  return readdirSync(spoolFolder)
    .map((name) => readFileSync(join(spoolFolder, name), "utf8"))
    .join("");
}

test("when a client has the last byte, its usage is on disk", async (t) => {
  isAway = true;
  const gateway = await start(t);
  let calls = 0;
  for (const [model, isStream] of [
    ["chat-bare", false],
    ["chat-json", false],
    ["chat-stream", true],
    ["claude-stream", true],
  ] as const) {
    // biome-ignore format: one line
    const { status, id } = await chat(gateway, model, isStream);
    assert.equal(status, 200);
    calls += 1;
    assert.equal(spooled(gateway).split('"id":').length - 1, calls, model);
    // A stream's headers do not wait long for its id.
    if (id !== null || !isStream) assert.ok(spooled(gateway).includes(`"id":"${id}"`), model);
  }
});

test("while the ledger is away calls are answered; when it is back all of their usage is there, once", async (t) => {
  isAway = true;
  const gateway = await start(t);
  const answers = await Promise.all(Array.from({ length: 60 }, () => chat(gateway, "chat-bare")));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.ok((await gateway.metric("daybook_gateway_spool_bytes")) > 0);
  assert.ok(gateway.log.some((line) => line.includes("the ledger takes no usage now")));
  isAway = false;
  const ids = answers.map(({ id }) => id!);
  assert.equal(new Set(ids).size, 60);
  for (const id of ids) assert.ok(await gateway.event(id), id);
  assert.equal(await gateway.metric('daybook_gateway_events_total{outcome="created"}'), 60);
  assert.equal(await gateway.metric("daybook_gateway_spool_bytes"), 0);
});

const SPOOL_BYTES = 128 * 1024;

/** Calls until the spool's bound is near. */
async function fill(gateway: Serving): Promise<void> {
  for (let bytes = 0; bytes < SPOOL_BYTES - 8 * 1024; bytes = await gateway.metric("daybook_gateway_spool_bytes")) {
    const left = Math.max(1, Math.floor((SPOOL_BYTES - bytes) / (8 * 1024)));
    await Promise.all(Array.from({ length: left }, () => chat(gateway, "chat-bare")));
  }
}

for (const whenFull of ["open", "closed"] as const) {
  test(`at the spool's bound, ${whenFull}: ${whenFull === "open" ? "calls pass and are counted as unmetered" : "calls are refused before the upstream is called"}`, async (t) => {
    isAway = true;
    const gateway = await start(t, `spool: { maxBytes: ${SPOOL_BYTES}, whenFull: ${whenFull} }`);
    await fill(gateway);
    const before = upstream.got.length;
    const line = 'daybook_gateway_unmetered_total{upstream="open",model="*",reason="spool_full"}';
    const unmetered = await gateway.metric(line);
    const { status, text } = await chat(gateway, "chat-bare");
    const isOpen = whenFull === "open";
    assert.equal(status, isOpen ? 200 : 503, text);
    if (!isOpen) assert.match(text, /the disk space for usage on its way to the ledger is used up; try again in 5 s/);
    assert.equal(upstream.got.length - before, isOpen ? 1 : 0);
    assert.equal((await gateway.metric(line)) - unmetered, isOpen ? 1 : 0);
    assert.ok((await gateway.metric("daybook_gateway_spool_bytes")) <= SPOOL_BYTES);
    isAway = false;
    for (let left = 1; left > 0; left = await gateway.metric("daybook_gateway_spool_bytes"));
    assert.equal((await chat(gateway, "chat-bare")).status, 200);
  });
}

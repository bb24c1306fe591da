/** A clock that is set back, far ahead and forward again under a running server: nothing breaks, and nothing counts twice. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Daybook, OPERATOR_KEY, post, startDaybook } from "../contract/serving.ts";

const NOON = "2026-10-20T12:00:00Z";
const ACCOUNT = "acme";
const A = `/v1/accounts/${ACCOUNT}`;
let daybook: Daybook;

before(async () => {
  daybook = await startDaybook(NOON);
  await daybook.account(ACCOUNT);
  await post(daybook, `${A}/deployments`, { name: "d", acceleratorType: "NVIDIA_L4_24GB", replicaCount: 2 });
});
after(() => daybook.close());

const get = (path: string) => daybook.call("GET", path, { key: OPERATOR_KEY });

async function write(id: string, time: string): Promise<string> {
  const event = { id, time, usageType: "TEXT_COMPLETION_INFERENCE_USAGE", promptTokens: 1 };
  const answer = await post(daybook, `${A}/usageEvents:batchCreate`, { events: [event] });
  const { created, duplicates, rejected } = answer.json as { created: number; duplicates: number; rejected: unknown[] };
  return created === 1 ? "created" : duplicates === 1 ? "duplicate" : `rejected ${rejected.length}`;
}

/** Accelerator seconds and prompt tokens of the days about the story. */
async function totals(): Promise<{ seconds: number; tokens: number }> {
  const answer = await get(`${A}/billingUsage?startTime=2026-10-10T00:00:00Z&endTime=2026-10-30T00:00:00Z`);
  assert.equal(answer.status, 200, answer.text);
  const sum = (rows: Record<string, string>[], field: string): number => {
    const values = rows.map((row) => Number(row[field]));
    assert.ok(
      values.every((value) => value >= 0),
      answer.text,
    );
    return values.reduce((total, value) => total + value, 0);
  };
  const { dedicatedCosts, serverlessCosts } = answer.json;
  return { seconds: sum(dedicatedCosts, "acceleratorSeconds"), tokens: sum(serverlessCosts, "promptTokens") };
}

test("the clock goes back by minutes, months and to 1970, ahead to 2100, and home again", async () => {
  daybook.setClock("2026-10-20T13:00:00Z");
  assert.equal(await write("a", "2026-10-20T12:30:00Z"), "created");
  const before = await totals();
  assert.deepEqual(before, { seconds: 2 * 3_600, tokens: 1 });
  // biome-ignore format: a ledger
  const story: [clock: string, id: string, time: string, outcome: string, tokens: number][] = [
    ["2026-10-20T12:59:00Z", "a", "2026-10-20T12:30:00Z", "duplicate",  1],
    ["2026-10-20T11:00:00Z", "b", "2026-10-20T12:45:00Z", "created",    2],
    ["2026-08-01T00:00:00Z", "c", "2026-07-31T00:00:00Z", "created",    2],
    ["2026-08-01T00:00:00Z", "d", "2026-10-20T12:30:00Z", "rejected 1", 2],
    ["1970-01-01T00:00:00Z", "e", "1999-12-31T00:00:00Z", "rejected 1", 2],
    ["2100-01-01T00:00:00Z", "f", "2026-10-20T12:50:00Z", "created",    3],
    ["2026-10-20T13:00:00Z", "f", "2026-10-20T12:50:00Z", "duplicate",  3],
  ];
  for (const [clock, id, time, outcome, tokens] of story) {
    daybook.setClock(clock);
    assert.equal(await write(id, time), outcome, `${clock} ${id}`);
    assert.equal((await totals()).tokens, tokens, clock);
    for (const path of [
      "deployments",
      "users/-/apiKeys",
      "quotas",
      "billing/invoices",
      "billing/notificationSettings",
    ]) {
      assert.equal((await get(`${A}/${path}`)).status, 200, `${clock} ${path}`);
    }
    assert.equal((await get("/v1/accounts")).status, 200, clock);
  }
  assert.equal((await totals()).seconds, before.seconds, "at home the deployment has run as long as before");
});

test("what is changed while the clock is wrong is kept in an order that the answers hold to", async () => {
  daybook.setClock("2026-10-20T14:00:00Z");
  await post(daybook, `${A}/deployments/d:scale`, { replicaCount: 3 });
  daybook.setClock("2026-10-20T13:30:00Z");
  // A scale event before the last one is told so, or takes its place in time; it is no error of the server.
  const back = await daybook.call("POST", `${A}/deployments/d:scale`, { key: OPERATOR_KEY, body: { replicaCount: 0 } });
  assert.ok([200, 400].includes(back.status), back.text);
  const made = await daybook.key(ACCOUNT, { displayName: "made in the past" });
  assert.equal((await daybook.call("GET", A, { key: made.key })).status, 200);
  daybook.setClock("2026-10-20T15:00:00Z");
  const { seconds } = await totals();
  assert.ok(seconds > 0 && seconds <= 3 * 3 * 3_600, `${seconds}`);
});

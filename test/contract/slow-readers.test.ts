/** Clients that do not read their answers keep nobody else waiting, and still get all of them. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { until } from "../until.ts";
import { type Daybook, OPERATOR_KEY, queryString, startDaybook, usageOf } from "./serving.ts";

const START = "2026-09-01T00:00:00Z";
const HOURS = 30 * 24;
const MODELS = 26;

/** Their answers, of some 9 MB each, are more together than may wait. */
const UNREAD_CLIENTS = 24;
/** More than the system takes in for a client that does not read. */
const LARGE = { startTime: START, endTime: "2026-10-01T00:00:00Z", granularity: "HOURLY", groupBy: ["model_name"] };
const SMALL = { startTime: START, endTime: "2026-09-02T00:00:00Z" };

let daybook: Daybook;
let account: string;
before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
  account = await daybook.account("slow");
  const events = Array.from({ length: HOURS * MODELS }, (_, at) => ({
    id: `e${at}`,
    time: new Date(Date.parse(START) + (at % HOURS) * 3_600_000).toISOString(),
    usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
    model: `a-model-with-a-name-as-long-as-they-are-${Math.floor(at / HOURS)}`,
    promptTokens: 1,
  }));
  const path = `/v1/accounts/${account}/usageEvents:batchCreate`;
  const written = await daybook.call("POST", path, { key: OPERATOR_KEY, body: { events } });
  assert.equal(written.json.created, events.length, written.text);
});
after(() => daybook.close());

/** Clients that ask for the large report and read nothing of it; each has got the head of its answer. */
function unreadClients(count: number): Promise<IncomingMessage[]> {
  const url = `${daybook.url}/v1/accounts/${account}/billingUsage?${queryString(LARGE)}`;
  const options = { agent: false, headers: { authorization: `Bearer ${OPERATOR_KEY}` } };
  const clients = Array.from({ length: count }, async () => {
    const [answer] = (await once(get(url, options), "response")) as [IncomingMessage];
    return answer;
  });
  return Promise.all(clients);
}

test("a report is answered while as many clients as may leave their own unread", async () => {
  const unread = await unreadClients(4);
  await usageOf(daybook, account, SMALL);
  // Nobody was cut off for it.
  const [one, ...others] = await Promise.all(unread.map((answer) => text(answer)));
  assert.equal((JSON.parse(one!) as { serverlessCosts: unknown[] }).serverlessCosts.length, HOURS * MODELS);
  for (const other of others) assert.ok(other === one, "what is made while it is sent is the same for all");
});

test("no more reports are made while too many bytes of them wait for their clients", async () => {
  const path = `/v1/accounts/${account}/billingUsage?${queryString(SMALL)}`;
  const unread = await unreadClients(UNREAD_CLIENTS);
  const refused = await daybook.call("GET", path, { key: OPERATOR_KEY });
  assert.equal(refused.status, 429, refused.text);
  assert.match(refused.json.message, /too much work is waiting/);
  assert.equal(refused.headers.get("retry-after"), "1");
  for (const answer of unread) answer.destroy();
  await until("an answer once the clients are gone", async () => {
    const { status } = await daybook.call("GET", path, { key: OPERATOR_KEY });
    return status === 200;
  });
});

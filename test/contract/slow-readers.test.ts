/** Clients that do not read their answers keep nobody else waiting, and still get all of them. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { type Daybook, OPERATOR_KEY, queryString, startDaybook, usageOf } from "./serving.ts";

const START = "2026-09-01T00:00:00Z";
const HOURS = 30 * 24;
const MODELS = 26;

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
});
after(() => daybook.close());

async function answerOf(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  await once(socket, "end");
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

test("a report is answered while as many clients as may leave their own unread", async () => {
  const account = await daybook.account("slow");
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

  // More than the system takes in for a client that does not read.
  const large = { startTime: START, endTime: "2026-10-01T00:00:00Z", granularity: "HOURLY", groupBy: ["model_name"] };
  const { pathname, hostname, port } = new URL(`${daybook.url}/v1/accounts/${account}/billingUsage`);
  const head = ["host: daybook", `authorization: Bearer ${OPERATOR_KEY}`, "connection: close"].join("\r\n");
  const unread = Array.from({ length: 4 }, () => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.pause();
    socket.write(`GET ${pathname}?${queryString(large)} HTTP/1.1\r\n${head}\r\n\r\n`);
    return socket;
  });
  await Promise.all(unread.map((socket) => once(socket, "readable")));

  await usageOf(daybook, account, { startTime: START, endTime: "2026-09-02T00:00:00Z" });
  // Nobody was cut off for it.
  for (const answer of await Promise.all(unread.map(answerOf))) {
    assert.equal((JSON.parse(answer) as { serverlessCosts: unknown[] }).serverlessCosts.length, HOURS * MODELS);
  }
});

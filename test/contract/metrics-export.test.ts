/** The raw export: one row an event, streamed; cut off when something fails, given up when nobody reads (contract, section 8). */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildServer } from "../../src/http/server.ts";
import type { MetricsRow } from "../../src/report/metrics-export.ts";
import { Service } from "../../src/service.ts";
import { until } from "../until.ts";
import { HOME, OPERATOR_KEY, post, startDaybook, writeUsage } from "./serving.ts";

const HEADER =
  "email,start_time,end_time,usage_type,accelerator_type,accelerator_seconds,base_model_name,model_bucket,parameter_count,prompt_tokens,completion_tokens,cached_prompt_tokens,uncached_prompt_tokens";
const PATH = `/v1/accounts/${HOME}/billing/metrics:export`;
const LLAMA = "accounts/fireworks/models/llama-v3p1-8b-instruct";

test("every event that was not voided is a row, then each day of the account's deployments", async (t) => {
  const daybook = await startDaybook("2026-05-30T00:00:00Z");
  t.after(() => daybook.close());
  const deployment = { acceleratorType: "NVIDIA_H100_80GB", acceleratorCount: 2, baseModel: LLAMA };
  daybook.setClock("2026-05-28T22:00:00Z");
  await post(daybook, `/v1/accounts/${HOME}/deployments?deploymentId=d1`, {
    ...deployment,
    name: "d1",
    replicaCount: 1,
  });
  daybook.setClock("2026-05-30T00:00:00.500Z");
  await writeUsage(
    daybook,
    HOME,
    `
    id | time                     | usageType                       | model | baseModel | user            | promptTokens | cachedPromptTokens | completionTokens | tokens | acceleratorSeconds | acceleratorType  | jobType
    a  | 2026-05-28T10:16:00.900Z | TEXT_COMPLETION_INFERENCE_USAGE | LLAMA |           | bob@example.com | 803          | 200                | 109              |        |                    |                  |
    b  | 2026-05-28T10:00:00Z     | TEXT_COMPLETION_INFERENCE_USAGE | =1+1  |           | bob             | 5            |                    | 1                |        |                    |                  |
    c  | 2026-05-28T10:00:01Z     | TEXT_COMPLETION_INFERENCE_USAGE | gone  |           |                 | 5            |                    | 1                |        |                    |                  |
    d  | 2026-05-28T11:00:00Z     | TRAINING_TOKEN_USAGE            |       | LLAMA     |                 |              |                    |                  | 77     |                    |                  | SFT
    e  | 2026-05-28T12:00:00Z     | TRAINING_ACCELERATOR_USAGE      |       | x,"y"     |                 |              |                    |                  |        | 1.5                | NVIDIA_B200_180GB |
    f  | 2026-05-29T00:00:00Z     | TEXT_COMPLETION_INFERENCE_USAGE | later |           |                 | 5            |                    | 1                |        |                    |                  |
    `,
    { LLAMA },
  );
  await post(daybook, `/v1/accounts/${HOME}/usageEvents:void`, { ids: ["c"] });
  const range = "startTime=2026-05-28T00:00:00Z&endTime=2026-05-29T00:00:00Z";
  const answer = await daybook.call("GET", `${PATH}?${range}`, { key: OPERATOR_KEY });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/csv; charset=utf-8");
  assert.equal(answer.headers.get("content-disposition"), 'attachment; filename="billing_metrics.csv"');
  assert.deepEqual(answer.text.split("\n"), [
    HEADER,
    ",2026-05-28 10:00:00 UTC,2026-05-28 10:00:00 UTC,TEXT_COMPLETION_INFERENCE_USAGE,,,'=1+1,,,5,1,0,5",
    `bob@example.com,2026-05-28 10:16:00 UTC,2026-05-28 10:16:00 UTC,TEXT_COMPLETION_INFERENCE_USAGE,,,${LLAMA},4B - 16B,8030000000,803,109,200,603`,
    `,2026-05-28 11:00:00 UTC,2026-05-28 11:00:00 UTC,TRAINING_TOKEN_USAGE,,,${LLAMA},up to 16B,8030000000,77,0,0,77`,
    ',2026-05-28 12:00:00 UTC,2026-05-28 12:00:00 UTC,TRAINING_ACCELERATOR_USAGE,NVIDIA_B200_180GB,1.5,"x,""y""",,,0,0,0,0',
    `,2026-05-28 22:00:00 UTC,2026-05-29 00:00:00 UTC,DEDICATED_DEPLOYMENT_USAGE,NVIDIA_H100_80GB,14400,${LLAMA},,8030000000,0,0,0,0`,
    "",
  ]);
  const far = await daybook.call("GET", `${PATH}?startTime=2001-01-01T00:00:00Z&endTime=2100-01-01T00:00:00Z`, {
    key: OPERATOR_KEY,
  });
  assert.equal(far.text.split("\n").length, 1 + 5 + 3 + 1, "a range of any length");
  const wrong = await daybook.call("GET", `${PATH}?start_time=x&end=1`, { key: OPERATOR_KEY });
  assert.equal(wrong.status, 400);
  assert.equal(wrong.json.details[0].fieldViolations.length, 3);
});

/** A server whose export is `pages`. */
async function serving(pages: () => AsyncIterable<readonly MetricsRow[]>) {
  const dataFolder = await mkdtemp(join(tmpdir(), "daybook-export-"));
  const service = await Service.open({ dataFolder });
  await service.accounts.bootstrap({ accountId: HOME, key: OPERATOR_KEY });
  const book = { version: 1, hash: "" };
  const basis = { book, contractBook: undefined, tzdbVersion: "", position: 0, evaluationTime: 0 };
  service.exportMetrics = async () => ({ report: { pages: pages(), position: 0 }, basis });
  const server = await buildServer({ service });
  const url = await server.listen({ port: 0, host: "127.0.0.1" });
  const close = async (): Promise<void> => {
    await server.close();
    await service.close();
    await rm(dataFolder, { recursive: true });
  };
  return { url, close };
}

const facts = { email: "", usageType: "TEXT_COMPLETION_INFERENCE_USAGE", acceleratorType: "", model: "m" } as const;
const row: MetricsRow = {
  facts: { ...facts, bucket: "", parameters: undefined },
  start: 0,
  end: 0,
  acceleratorMs: undefined,
  promptTokens: 1,
  cachedPromptTokens: 0,
  completionTokens: 1,
};
const page = Array.from({ length: 2_000 }, () => row);
const headers = { authorization: `Bearer ${OPERATOR_KEY}` };

test("an error in the middle breaks the connection, so that the client sees that it was cut", async (t) => {
  const { url, close } = await serving(async function* () {
    yield page;
    throw new Error("the disk is gone");
  });
  t.after(close);
  const answer = await fetch(`${url}${PATH}?startTime=2026-05-01T00:00:00Z&endTime=2026-05-02T00:00:00Z`, { headers });
  assert.equal(answer.status, 200);
  await assert.rejects(answer.text());
});

test("a client that hangs up ends the reading; one that waits is waited for", async (t) => {
  let read = 0;
  let given = false;
  const { url, close } = await serving(async function* () {
    try {
      for (; read < 10_000; read += 1) yield page;
    } finally {
      given = true;
    }
  });
  t.after(close);
  const call = request(`${url}${PATH}`, { headers });
  call.on("error", () => {});
  call.end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  await once(response.resume(), "data");
  response.pause();
  let [waiting, looks] = [0, 0];
  await until("the reading rests", () => {
    looks = read === waiting ? looks + 1 : 0;
    waiting = read;
    return looks === 50;
  });
  assert.ok(waiting < 200, `${waiting} pages were read for a client that takes none`);
  call.destroy();
  await until("the reading is given up", () => given);
  assert.ok(read <= waiting + 2);
});

test("a server that stops cuts an export that nobody takes", async () => {
  const { url, close } = await serving(async function* () {
    for (;;) yield page;
  });
  const answer = await fetch(`${url}${PATH}`, { headers });
  await close();
  await assert.rejects(answer.text());
});

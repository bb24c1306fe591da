/** billingUsage with names that a renderer, an engine or a URL could stumble over. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Daybook, linesOf, post, type Question, startDaybook, usageOf } from "./serving.ts";

const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
});
after(() => daybook.close());

const ask = (account: string, question: Question) => usageOf(daybook, account, question);

test("names in any script, with quotes and what SQL and JSON would stumble over, group, filter and come back", async () => {
  const account = await daybook.account("names");
  const names = [
    'a"b\\c',
    "x'; DROP TABLE events; --",
    "модель/漢字 🎉",
    "__proto__",
    "constructor",
    "</script>",
    "\u2028%_*",
    " ",
  ];
  const events = names.map((model, at) => ({
    id: `n${at}`,
    time: "2026-05-28T10:00:00Z",
    usageType: TEXT,
    model,
    promptTokens: 1 + at,
  }));
  await post(daybook, `/v1/accounts/${account}/usageEvents:batchCreate`, { events });
  const jobs = names.map((jobId, at) => ({
    id: `j${at}`,
    time: "2026-05-28T10:00:00Z",
    usageType: "TRAINING_TOKEN_USAGE",
    jobId,
    trainingSessionId: jobId,
    tokens: 1 + at,
  }));
  await post(daybook, `/v1/accounts/${account}/usageEvents:batchCreate`, { events: jobs });
  const day = { startTime: "2026-05-28T00:00:00Z", endTime: "2026-05-29T00:00:00Z" };
  const { json } = await ask(account, day);
  const inOrder = names.map((name, at) => [name, String(1 + at)]).sort(([a], [b]) => (a! < b! ? -1 : 1));
  assert.deepEqual(
    json.serverlessCosts.map((row: Record<string, string>) => [row.modelName, row.promptTokens]),
    inOrder,
  );
  const sessions = json.trainingCosts.map((row: Record<string, string>) => [row.trainingSessionId, row.tokens]);
  assert.deepEqual(sessions, inOrder);
  for (const [at, name] of names.entries()) {
    const filtered = await ask(account, { ...day, "filter[model_name][values]": name, "filter[job_id][values]": name });
    assert.deepEqual(linesOf(filtered.json.serverlessCosts, "group.model_name | promptTokens"), [
      `${name} | ${1 + at}`,
    ]);
    assert.deepEqual(linesOf(filtered.json.trainingCosts, "jobId | tokens"), [`${name} | ${1 + at}`]);
  }
});

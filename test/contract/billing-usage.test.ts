/** billingUsage over HTTP, as the contract's section 2 says it, with quantities and dollars counted by hand. */

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import {
  type Daybook,
  golden,
  linesOf,
  OPERATOR_KEY,
  post,
  type Question,
  queryString,
  startDaybook,
  usageOf,
  writeUsage,
} from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const KIMI = "accounts/fireworks/models/kimi-k2p6";
const DEEPSEEK = "accounts/fireworks/models/deepseek-v3p1";
const FLUX = "accounts/fireworks/models/flux-1-schnell";
const NOMIC = "nomic-ai/nomic-embed-text-v1.5";
const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";
const EMPTY = { serverlessCosts: [], dedicatedCosts: [], trainingCosts: [] };

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook(NOW);
});
after(() => daybook.close());

const ask = (account: string, question: Question) => usageOf(daybook, account, question);

/** The POST's whole answer. */
async function query(account: string, body: object) {
  const answer = await daybook.call("POST", `/v1/accounts/${account}/billingUsage:query`, { key: OPERATOR_KEY, body });
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

test("the contract's sample row, by GET and by POST, with equal bytes", async () => {
  const account = await daybook.account("sample");
  const { keyId } = await daybook.key(account, { displayName: "prod-eng" });
  const words = { KEY: keyId };
  const table = `
    id | time                     | usageType | model                              | apiKeyId | promptTokens | completionTokens
    a  | 2026-05-28T00:00:00Z     | TEXT      | accounts/fireworks/models/kimi-k2.6 | KEY      | 1842300      | 400000
    b  | 2026-05-28T23:59:59.999Z | TEXT      | accounts/fireworks/models/kimi-k2.6 | KEY      | 1            | 12980
  `;
  await writeUsage(daybook, account, table, { TEXT, ...words });
  const groupBy = ["api_key_id", "api_key_name", "model_name"];
  const day = { startTime: "2026-05-28T00:00:00Z", endTime: "2026-05-29T00:00:00Z" };
  const got = await ask(account, { ...day, groupBy });
  const posted = await query(account, { ...day, groupBy });
  assert.equal(got.text, posted.text);
  assert.equal(got.headers.get("content-type"), "application/json; charset=utf-8");
  assert.deepEqual(got.json, {
    serverlessCosts: [
      {
        startTime: "2026-05-28T00:00:00Z",
        endTime: "2026-05-29T00:00:00Z",
        modelName: "accounts/fireworks/models/kimi-k2.6",
        promptTokens: "1842301",
        cachedPromptTokens: "0",
        uncachedPromptTokens: "1842301",
        completionTokens: "412980",
        audioInputSeconds: 0,
        imageCount: "0",
        usageType: "TEXT_COMPLETION_INFERENCE_USAGE",
        apiKeyId: keyId,
        // 1842301 x 950 nanos + 412980 x 4000 nanos
        costNanoUsd: 3402105950,
        cost: { currencyCode: "USD", units: "3", nanos: 402105950 },
        unpricedQuantities: [],
        group: { api_key_id: keyId, api_key_name: "prod-eng", model_name: "accounts/fireworks/models/kimi-k2.6" },
      },
    ],
    dedicatedCosts: [],
    trainingCosts: [],
  });
  // Keys in the order they were asked for.
  assert.deepEqual(Object.keys(got.json.serverlessCosts[0]!.group), groupBy);
  const byModel = await ask(account, day);
  const [row] = byModel.json.serverlessCosts;
  assert.deepEqual([row.apiKeyId, row.group], ["", { model_name: "accounts/fireworks/models/kimi-k2.6" }]);
  await golden("billing-usage-sample.json", got.json, { key_4nMFyHCSZP4CRKqa: keyId });
});

suite("a company with all three streams", () => {
  const days = { startTime: "2026-10-05T00:00:00Z", endTime: "2026-10-07T00:00:00Z" };
  let web: string;
  let ops: string;

  before(async () => {
    await daybook.account("acme");
    web = (await daybook.key("acme", { displayName: "web", annotations: { team: "search" } })).keyId;
    ops = (await daybook.key("acme", { displayName: "ops" })).keyId;
    const words = { TEXT, KIMI, DEEPSEEK, FLUX, NOMIC, WEB: web, OPS: ops, QWEN8: "accounts/fireworks/models/qwen3-8b",
      AUDIO: "AUDIO_INFERENCE_USAGE", EMBEDDING: "EMBEDDING_INFERENCE_USAGE", IMAGE: "IMAGE_GENERATION_USAGE",
      TOKENS: "TRAINING_TOKEN_USAGE", GPU: "TRAINING_ACCELERATOR_USAGE", DEDICATED: "DEDICATED_DEPLOYMENT_USAGE",
      GLM: "accounts/fireworks/models/glm-4p7", QWEN32: "accounts/fireworks/models/qwen3-32b", H200: "NVIDIA_H200_141GB",
      B200: "NVIDIA_B200_180GB" }; // biome-ignore format: a list of names
    const serverless = `
      id | time                 | usageType | model      | apiKeyId | promptTokens | cachedPromptTokens | completionTokens | audioInputSeconds | imageCount | team | project | environment
      s1 | 2026-10-05T09:00:00Z | TEXT      | KIMI       | WEB      | 1000         | 400                | 200              |                   |            |      | ranker  | prod
      s2 | 2026-10-05T10:00:00Z | TEXT      | DEEPSEEK   | OPS      | 500          |                    | 50               |                   |            | ads  |         |
      s3 | 2026-10-06T00:00:00Z | TEXT      | KIMI       | OPS      | 300          |                    | 30               |                   |            |      |         |
      s4 | 2026-10-05T11:00:00Z | AUDIO     | whisper-v3 | WEB      |              |                    |                  | 90.5              |            |      |         |
      s5 | 2026-10-05T12:00:00Z | EMBEDDING | NOMIC      |          | 1000         |                    |                  |                   |            |      |         |
      s6 | 2026-10-05T13:00:00Z | IMAGE     | FLUX       |          |              |                    |                  |                   | 2          |      |         |
    `;
    await writeUsage(daybook, "acme", serverless, words);
    const others = `
      id | time                 | usageType | jobId | jobType | baseModel | tokens  | acceleratorType | acceleratorSeconds | trainingSessionId | deployment | team   | project | environment
      t1 | 2026-10-05T09:00:00Z | TOKENS    | ft-1  | SFT     | QWEN8     | 2000000 |                 |                    |                   |            | search |         |
      t2 | 2026-10-06T09:00:00Z | GPU       | rft-1 | RFT     | GLM       |         | B200            | 7200               | ts-9              |            |        |         | dev
      t3 | 2026-10-05T09:00:00Z | TOKENS    | ft-2  | DPO     | QWEN32    | 1000000 |                 |                    |                   |            |        |         |
      d1 | 2026-10-06T10:00:00Z | DEDICATED |       |         |           |         | H200            | 900.5              |                   | eval       |        | ranker  |
    `;
    await writeUsage(daybook, "acme", others, words);
    await post(daybook, "/v1/accounts/acme/deployments", {
      name: "chat",
      acceleratorType: "NVIDIA_H100_80GB",
      acceleratorCount: 2,
      placement: "US",
      baseModel: KIMI,
      annotations: { team: "search", environment: "prod" },
    });
    await post(daybook, "/v1/accounts/acme/deployments/chat:scale", { replicaCount: 1, time: "2026-10-05T10:00:00Z" });
    await post(daybook, "/v1/accounts/acme/deployments/chat:scale", { replicaCount: 0, time: "2026-10-05T10:30:00Z" });
  });

  test("default grouping of all three streams, whole, with dollars counted by hand", async () => {
    const { json } = await ask("acme", days);
    assert.deepEqual(linesOf(json.serverlessCosts, "startTime | modelName | usageType | promptTokens | cachedPromptTokens | uncachedPromptTokens | completionTokens | audioInputSeconds | imageCount | costNanoUsd"), [
      // 500 x 560 + 50 x 1680
      `2026-10-05T00:00:00Z | ${DEEPSEEK} | ${TEXT} | 500 | 0 | 500 | 50 | 0 | 0 | 364000`,
      // 2 x $0.0014
      `2026-10-05T00:00:00Z | ${FLUX} | IMAGE_GENERATION_USAGE | 0 | 0 | 0 | 0 | 0 | 2 | 2800000`,
      // 600 x 950 + 400 x 160 + 200 x 4000
      `2026-10-05T00:00:00Z | ${KIMI} | ${TEXT} | 1000 | 400 | 600 | 200 | 0 | 0 | 1434000`,
      // 1000 x 8
      `2026-10-05T00:00:00Z | ${NOMIC} | EMBEDDING_INFERENCE_USAGE | 1000 | 0 | 1000 | 0 | 0 | 0 | 8000`,
      // 90.5 s / 60 x $0.0015
      "2026-10-05T00:00:00Z | whisper-v3 | AUDIO_INFERENCE_USAGE | 0 | 0 | 0 | 0 | 90.5 | 0 | 2262500",
      // 300 x 950 + 30 x 4000
      `2026-10-06T00:00:00Z | ${KIMI} | ${TEXT} | 300 | 0 | 300 | 30 | 0 | 0 | 405000`,
    ]); // biome-ignore format: a ledger
    assert.deepEqual(linesOf(json.dedicatedCosts, "startTime | deploymentId | acceleratorType | acceleratorSeconds | baseModel | placement | group.deployment_name | costNanoUsd"), [
      // 2 accelerators x half an hour x $8 x 1.5 for the region
      `2026-10-05T00:00:00Z | chat | NVIDIA_H100_80GB | 3600 | ${KIMI} | US | accounts/acme/deployments/chat | 12000000000`,
      // 900.5 s, half-even 900; priced at 900.5 / 3600 x $8
      "2026-10-06T00:00:00Z | eval | NVIDIA_H200_141GB | 900 |  |  | accounts/acme/deployments/eval | 2001111111",
    ]); // biome-ignore format: a ledger
    assert.deepEqual(linesOf(json.trainingCosts, "startTime | jobId | jobType | usageType | tokens | acceleratorType | acceleratorSeconds | baseModel | trainingSessionId | annotations | cost.units"), [
      '2026-10-05T00:00:00Z | ft-1 | SFT | TRAINING_TOKEN_USAGE | 2000000 |  | 0 | accounts/fireworks/models/qwen3-8b |  | {"team":"search"} | 1',
      "2026-10-05T00:00:00Z | ft-2 | DPO | TRAINING_TOKEN_USAGE | 1000000 |  | 0 | accounts/fireworks/models/qwen3-32b |  | {} | 6",
      '2026-10-06T00:00:00Z | rft-1 | RFT | TRAINING_ACCELERATOR_USAGE | 0 | NVIDIA_B200_180GB | 7200 | accounts/fireworks/models/glm-4p7 | ts-9 | {"environment":"dev"} | 26',
    ]); // biome-ignore format: a ledger
    await golden("billing-usage-three-streams.json", json);
  });

  test("a row has the contract's keys and no others", async () => {
    const { json } = await ask("acme", days);
    const money = "costNanoUsd cost unpricedQuantities group";
    const keys: [stream: string, keys: string][] = [
      ["serverlessCosts", `startTime endTime modelName promptTokens cachedPromptTokens uncachedPromptTokens completionTokens audioInputSeconds imageCount usageType apiKeyId ${money}`],
      ["dedicatedCosts", `startTime endTime deploymentId acceleratorType acceleratorSeconds baseModel usageType placement ${money}`],
      ["trainingCosts", `startTime endTime jobId jobType usageType tokens acceleratorType acceleratorSeconds baseModel trainingSessionId annotations ${money}`],
    ]; // biome-ignore format: a ledger
    assert.deepEqual(Object.keys(json), ["serverlessCosts", "dedicatedCosts", "trainingCosts"]);
    for (const [stream, expected] of keys) {
      for (const row of json[stream]) assert.deepEqual(Object.keys(row).sort(), expected.split(" ").sort());
    }
  });

  test("every dimension as the one grouping", async () => {
    const sums: Record<string, string> = {
      SERVERLESS: "promptTokens",
      DEDICATED_DEPLOYMENT: "acceleratorSeconds",
      TRAINING: "tokens",
    };
    const list: Record<string, string> = {
      SERVERLESS: "serverlessCosts",
      DEDICATED_DEPLOYMENT: "dedicatedCosts",
      TRAINING: "trainingCosts",
    };
    const cases: [usageType: string, dimension: string, ...lines: string[]][] = [
      ["SERVERLESS", "model_name", `05 | ${DEEPSEEK} | 500`, `05 | ${FLUX} | 0`, `05 | ${KIMI} | 1000`, `05 | ${NOMIC} | 1000`, "05 | whisper-v3 | 0", `06 | ${KIMI} | 300`],
      ["SERVERLESS", "api_key_id", "05 |  | 1000", "05 |  | 0", ...[`05 | ${ops} | 500`, `05 | ${web} | 0`, `05 | ${web} | 1000`].sort(), `06 | ${ops} | 300`],
      ["SERVERLESS", "api_key_name", "05 |  | 1000", "05 |  | 0", "05 | ops | 500", "05 | web | 0", "05 | web | 1000", "06 | ops | 300"],
      ["SERVERLESS", "annotations.team", "05 |  | 1000", "05 |  | 0", "05 | ads | 500", "05 | search | 0", "05 | search | 1000", "06 |  | 300"],
      ["SERVERLESS", "annotations.project", "05 |  | 0", "05 |  | 1000", "05 |  | 0", "05 |  | 500", "05 | ranker | 1000", "06 |  | 300"],
      ["SERVERLESS", "annotations.environment", "05 |  | 0", "05 |  | 1000", "05 |  | 0", "05 |  | 500", "05 | prod | 1000", "06 |  | 300"],
      ["DEDICATED_DEPLOYMENT", "deployment_name", "05 | accounts/acme/deployments/chat | 3600", "06 | accounts/acme/deployments/eval | 900"],
      ["DEDICATED_DEPLOYMENT", "accelerator_type", "05 | NVIDIA_H100_80GB | 3600", "06 | NVIDIA_H200_141GB | 900"],
      ["DEDICATED_DEPLOYMENT", "annotations.team", "05 | search | 3600", "06 |  | 900"],
      ["DEDICATED_DEPLOYMENT", "annotations.project", "05 |  | 3600", "06 | ranker | 900"],
      ["DEDICATED_DEPLOYMENT", "annotations.environment", "05 | prod | 3600", "06 |  | 900"],
      ["TRAINING", "job_id", "05 | ft-1 | 2000000", "05 | ft-2 | 1000000", "06 | rft-1 | 0"],
      ["TRAINING", "job_type", "05 | DPO | 1000000", "05 | SFT | 2000000", "06 | RFT | 0"],
      ["TRAINING", "usage_type", "05 | TRAINING_TOKEN_USAGE | 3000000", "06 | TRAINING_ACCELERATOR_USAGE | 0"],
      ["TRAINING", "accelerator_type", "05 |  | 3000000", "06 | NVIDIA_B200_180GB | 0"],
      ["TRAINING", "base_model", "05 | accounts/fireworks/models/qwen3-32b | 1000000", "05 | accounts/fireworks/models/qwen3-8b | 2000000", "06 | accounts/fireworks/models/glm-4p7 | 0"],
      ["TRAINING", "annotations.team", "05 |  | 1000000", "05 | search | 2000000", "06 |  | 0"],
      ["TRAINING", "annotations.project", "05 |  | 3000000", "06 |  | 0"],
      ["TRAINING", "annotations.environment", "05 |  | 3000000", "06 | dev | 0"],
    ]; // biome-ignore format: a ledger
    for (const [usageType, dimension, ...lines] of cases) {
      const { json } = await ask("acme", { ...days, usageType, groupBy: dimension });
      const rows = json[list[usageType]!].map((row: { startTime: string }) => ({
        ...row,
        day: row.startTime.slice(8, 10),
      }));
      assert.deepEqual(
        linesOf(rows, `day | group.${dimension} | ${sums[usageType]}`),
        lines,
        `${usageType} ${dimension}`,
      );
      for (const row of rows) assert.deepEqual(Object.keys(row.group), [dimension]);
      assert.deepEqual({ ...json, [list[usageType]!]: [] }, EMPTY, "only the stream that was asked for");
    }
  });

  test("every dimension as a filter: full and short names, OR within one, AND across, and what was not used", async () => {
    // What is left: prompt tokens, accelerator seconds of deployments, training tokens; - for a stream without rows.
    const cases: [filter: Question, prompt: string, seconds: string, tokens: string][] = [
      [{}, "2800", "4500", "3000000"],
      [{ model_name: KIMI }, "1300", "4500", "3000000"],
      [{ model_name: [KIMI, DEEPSEEK] }, "1800", "4500", "3000000"],
      [{ model_name: "kimi-k2p6" }, "-", "4500", "3000000"],
      [{ api_key_id: web }, "1000", "4500", "3000000"],
      [{ api_key_id: [web, ops] }, "1800", "4500", "3000000"],
      [{ api_key_id: "" }, "1000", "4500", "3000000"],
      [{ api_key_name: "ops" }, "800", "4500", "3000000"],
      [{ api_key_name: ["ops", "web"] }, "1800", "4500", "3000000"],
      [{ api_key_name: "ops", model_name: KIMI }, "300", "4500", "3000000"],
      [{ api_key_name: "ops", api_key_id: web }, "-", "4500", "3000000"],
      [{ deployment_name: "chat" }, "2800", "3600", "3000000"],
      [{ deployment_name: "accounts/acme/deployments/chat" }, "2800", "3600", "3000000"],
      [{ deployment_name: ["accounts/acme/deployments/chat", "eval"] }, "2800", "4500", "3000000"],
      [{ deployment_name: "accounts/home/deployments/chat" }, "2800", "-", "3000000"],
      [{ accelerator_type: "NVIDIA_H200_141GB" }, "2800", "900", "-"],
      [{ accelerator_type: ["NVIDIA_H100_80GB", ""] }, "2800", "3600", "3000000"],
      [{ job_id: "ft-1" }, "2800", "4500", "2000000"],
      [{ job_id: ["ft-1", "ft-2"], job_type: "DPO" }, "2800", "4500", "1000000"],
      [{ job_type: "SFT" }, "2800", "4500", "2000000"],
      [{ usage_type: "TRAINING_TOKEN_USAGE" }, "2800", "4500", "3000000"],
      [{ usage_type: "TRAINING_ACCELERATOR_USAGE" }, "2800", "4500", "0"],
      [{ base_model: "accounts/fireworks/models/qwen3-32b" }, "2800", "4500", "1000000"],
      [{ "annotations.team": "search" }, "1000", "3600", "2000000"],
      [{ "annotations.team": ["search", "ads"] }, "1500", "3600", "2000000"],
      [{ "annotations.team": "search", "annotations.environment": "prod" }, "1000", "3600", "-"],
      [{ "annotations.project": "ranker" }, "1000", "900", "-"],
      [{ "annotations.environment": "dev" }, "-", "-", "0"],
      [{ "annotations.team": "nobody" }, "-", "-", "-"],
    ]; // biome-ignore format: a ledger
    const total = (rows: Record<string, string>[], field: string): string =>
      rows.length === 0 ? "-" : String(rows.reduce((sum, row) => sum + Number(row[field]), 0));
    for (const [filter, ...expected] of cases) {
      const bracketed = Object.entries(filter).map(([dimension, values]) => [`filter[${dimension}][values]`, values]);
      const got = await ask("acme", { ...days, ...Object.fromEntries(bracketed) });
      const { serverlessCosts, dedicatedCosts, trainingCosts } = got.json;
      const left = [
        total(serverlessCosts, "promptTokens"),
        total(dedicatedCosts, "acceleratorSeconds"),
        total(trainingCosts, "tokens"),
      ];
      assert.deepEqual(left, expected, JSON.stringify(filter));
      const conditions = Object.entries(filter).map(([dimension, values]) => [dimension, { values: [values].flat() }]);
      const posted = await query("acme", { ...days, filter: Object.fromEntries(conditions) });
      assert.equal(posted.text, got.text, JSON.stringify(filter));
    }
  });

  test("parameters in snake_case mean the same", async () => {
    const camel = await ask("acme", {
      ...days,
      usageType: "TRAINING",
      groupBy: ["job_id", "job_type"],
      timezone: "Asia/Kolkata",
    });
    const snake = await daybook.call(
      "GET",
      "/v1/accounts/acme/billingUsage?start_time=2026-10-05T00:00:00Z&end_time=2026-10-07T00:00:00Z&usage_type=TRAINING&group_by=job_id&group_by=job_type&timezone=Asia/Kolkata",
      { key: OPERATOR_KEY },
    ); // biome-ignore format: one request
    assert.equal(snake.text, camel.text);
    assert.equal(snake.json.trainingCosts.length, 3);
  });

  test("a dimension of another stream is ignored when all streams are asked for, refused when one is", async () => {
    const mixed = await ask("acme", { ...days, groupBy: ["job_type", "annotations.team"] });
    assert.deepEqual(linesOf(mixed.json.serverlessCosts.slice(-1), "group"), ['{"annotations.team":""}']);
    assert.deepEqual(linesOf(mixed.json.dedicatedCosts, "group"), [
      '{"annotations.team":"search"}',
      '{"annotations.team":""}',
    ]);
    assert.deepEqual(linesOf(mixed.json.trainingCosts, "group"), [
      '{"job_type":"DPO","annotations.team":""}',
      '{"job_type":"SFT","annotations.team":"search"}',
      '{"job_type":"RFT","annotations.team":""}',
    ]);
    // Nothing of the grouping is left for a stream: its default holds.
    const jobs = await ask("acme", { ...days, groupBy: "job_id" });
    const plain = await ask("acme", days);
    assert.deepEqual(jobs.json.serverlessCosts, plain.json.serverlessCosts);
    assert.deepEqual(jobs.json.dedicatedCosts, plain.json.dedicatedCosts);
    const path = `/v1/accounts/acme/billingUsage?${queryString({ ...days, usageType: "SERVERLESS", groupBy: "job_id" })}`;
    const one = await daybook.call("GET", path, { key: OPERATOR_KEY });
    assert.equal(one.status, 400);
    assert.equal(one.json.message, 'groupBy: "job_id" is not a dimension of usageType SERVERLESS; allowed are model_name, api_key_id, api_key_name, annotations.team, annotations.project, annotations.environment'); // biome-ignore format: the whole message
  });

  test("a field that the grouping does not fix is empty, never one of several values", async () => {
    const { json } = await ask("acme", { ...days, groupBy: "annotations.project" });
    assert.deepEqual(linesOf(json.serverlessCosts, "modelName | apiKeyId"), Array(6).fill(" | "));
    assert.deepEqual(linesOf(json.dedicatedCosts, "deploymentId | acceleratorType | baseModel | placement"), Array(2).fill(" |  |  | ")); // biome-ignore format: a ledger
    assert.deepEqual(linesOf(json.trainingCosts, "jobId | jobType | acceleratorType | baseModel | trainingSessionId"), Array(2).fill(" |  |  |  | ")); // biome-ignore format: a ledger
  });

  test("a row's identity is unique, and rows come by start, group values, usage type", async () => {
    const { json } = await ask("acme", { ...days, groupBy: ["annotations.environment", "annotations.team"] });
    assert.deepEqual(linesOf(json.serverlessCosts, "startTime | group.annotations.environment | group.annotations.team | usageType | promptTokens"), [
      "2026-10-05T00:00:00Z |  |  | EMBEDDING_INFERENCE_USAGE | 1000",
      "2026-10-05T00:00:00Z |  |  | IMAGE_GENERATION_USAGE | 0",
      `2026-10-05T00:00:00Z |  | ads | ${TEXT} | 500`,
      "2026-10-05T00:00:00Z |  | search | AUDIO_INFERENCE_USAGE | 0",
      `2026-10-05T00:00:00Z | prod | search | ${TEXT} | 1000`,
      `2026-10-06T00:00:00Z |  |  | ${TEXT} | 300`,
    ]); // biome-ignore format: a ledger
  });

  test("accountUsageFilterOptions: the values that filters can take", async () => {
    const path = (question: Question) => `/v1/accounts/acme/accountUsageFilterOptions?${queryString(question)}`;
    const training = await daybook.call("GET", path({ ...days, usageType: "TRAINING" }), { key: OPERATOR_KEY });
    assert.deepEqual(training.json, {
      filterOptions: {
        accelerator_type: { values: ["", "NVIDIA_B200_180GB"] },
        job_id: { values: ["ft-1", "ft-2", "rft-1"] },
        job_type: { values: ["DPO", "RFT", "SFT"] },
        usage_type: { values: ["TRAINING_ACCELERATOR_USAGE", "TRAINING_TOKEN_USAGE"] },
        base_model: {
          values: [
            "accounts/fireworks/models/glm-4p7",
            "accounts/fireworks/models/qwen3-32b",
            "accounts/fireworks/models/qwen3-8b",
          ],
        },
        "annotations.team": { values: ["", "search"] },
        "annotations.project": { values: [""] },
        "annotations.environment": { values: ["", "dev"] },
      },
    });
    const all = (await daybook.call("GET", path(days), { key: OPERATOR_KEY })).json.filterOptions;
    assert.deepEqual(all.api_key_name, { values: ["", "ops", "web"] });
    assert.deepEqual(all.api_key_id, { values: ["", web, ops].sort() });
    assert.deepEqual(all.deployment_name, {
      values: ["accounts/acme/deployments/chat", "accounts/acme/deployments/eval"],
    });
    assert.deepEqual(all.accelerator_type, { values: ["", "NVIDIA_B200_180GB", "NVIDIA_H100_80GB", "NVIDIA_H200_141GB"] }); // biome-ignore format: a ledger
    assert.deepEqual(all["annotations.team"], { values: ["", "ads", "search"] });
    const early = await daybook.call("GET", path({ startTime: "2026-10-05T09:00:00Z", endTime: "2026-10-05T09:00:00.001Z", usageType: "SERVERLESS" }), { key: OPERATOR_KEY }); // biome-ignore format: one request
    assert.deepEqual(early.json.filterOptions.model_name, { values: [KIMI] });
    const none = await daybook.call("GET", path({ startTime: "2026-09-05T00:00:00Z", endTime: "2026-09-06T00:00:00Z", usageType: "DEDICATED_DEPLOYMENT" }), { key: OPERATOR_KEY }); // biome-ignore format: one request
    assert.deepEqual(none.json.filterOptions.deployment_name, { values: [] });
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Annotations } from "../domain/annotations.ts";
import { batchOf, type Labels, labelsKey, METERS, SERIES_FIELDS, type SeriesField } from "../domain/usage.ts";
import { enrich, mentioned } from "./enrich.ts";
import type { DeploymentFacts } from "./records.ts";

type Sent = Partial<Record<SeriesField, string>>;

function labels(fields: Sent): Labels {
  return SERIES_FIELDS.map((field) => fields[field] ?? "");
}

function batch(...sent: Sent[]) {
  const quantities = METERS.map(() => 1);
  return batchOf(
    sent.map((fields, at) => ({ id: `e${at}`, time: at, sent: labels(fields), series: labels(fields), quantities })),
  );
}

function deployment(facts: Partial<DeploymentFacts>): DeploymentFacts {
  return { annotations: {}, acceleratorType: "", placement: "", baseModel: "", ...facts };
}

test("a tag is the one sent, else the key's, else the deployment's", () => {
  const cases: [sent: string, key: string | undefined, deployment: string | undefined, series: string][] = [
    ["sent", "key", "dep", "sent"],
    ["sent", undefined, undefined, "sent"],
    ["", "key", "dep", "key"],
    ["", undefined, "dep", "dep"],
    ["", undefined, undefined, ""],
  ];
  for (const tag of ["team", "project", "environment"] as const) {
    for (const [sent, key, dep, series] of cases) {
      const annotations = (value: string | undefined): Annotations => (value === undefined ? {} : { [tag]: value });
      const out = enrich(
        batch({ usageType: "TEXT_COMPLETION_INFERENCE_USAGE", apiKeyId: "k", deployment: "d", [tag]: sent }),
        new Map([["k", { annotations: annotations(key) }]]),
        new Map([["d", deployment({ annotations: annotations(dep), acceleratorType: "X" })]]),
      );
      const got = out.labels[out.series[0]!]!;
      assert.equal(got[SERIES_FIELDS.indexOf(tag)], series, `${tag} ${sent}/${key}/${dep}`);
      assert.equal(got[SERIES_FIELDS.indexOf("acceleratorType")], "", "serverless usage takes no hardware");
      assert.equal(out.labels[out.sent[0]!]![SERIES_FIELDS.indexOf(tag)], sent, "what was sent stays");
    }
  }
});

test("usage of a dedicated deployment takes what it does not say from the deployment", () => {
  const facts = deployment({ acceleratorType: "NVIDIA_L4_24GB", placement: "US", baseModel: "m" });
  const usageType = "DEDICATED_DEPLOYMENT_USAGE";
  const out = enrich(
    batch({ usageType, deployment: "d" }, { usageType, deployment: "d", placement: "EUROPE" }, { usageType }),
    new Map(),
    new Map([["d", facts]]),
  );
  const series = [...out.series].map((at) => out.labels[at]);
  assert.deepEqual(series, [
    labels({ usageType, deployment: "d", acceleratorType: "NVIDIA_L4_24GB", placement: "US", baseModel: "m" }),
    labels({ usageType, deployment: "d", acceleratorType: "NVIDIA_L4_24GB", placement: "EUROPE", baseModel: "m" }),
    labels({ usageType }),
  ]);
});

test("labels stay distinct, sent ones keep their places, and doing it twice changes nothing", () => {
  const before = batch(
    { apiKeyId: "k" },
    { apiKeyId: "k", team: "search" },
    { apiKeyId: "k" },
    { apiKeyId: "other" },
    { apiKeyId: "__proto__" },
  );
  const keys = new Map([["k", { annotations: { team: "search" } }]]);
  const once = enrich(before, keys, new Map());
  const twice = enrich(once, keys, new Map());
  for (const out of [once, twice]) {
    assert.deepEqual(out.labels, before.labels, "the one label set that is new is among them already");
    assert.deepEqual(out.sent, before.sent);
    assert.deepEqual([...out.series], [1, 1, 1, 2, 3]);
    assert.equal(new Set(out.labels.map(labelsKey)).size, out.labels.length);
  }
});

test("a long prompt of serverless usage gets its context class in the series, never in what was sent", () => {
  const text = "TEXT_COMPLETION_INFERENCE_USAGE";
  const cases: [usageType: string, team: string, promptTokens: number, contextClass: string][] = [
    [text, "", 32_000, ""],
    [text, "", 32_001, "32000"],
    [text, "a", 32_001, "32000"],
    [text, "", 64_000, "32000"],
    [text, "", 600_000, "512000"],
    [text, "", 700_000, "512000"],
    ["EMBEDDING_INFERENCE_USAGE", "", 200_001, "200000"],
    ["IMAGE_GENERATION_USAGE", "", 40_000, "32000"],
    ["AUDIO_INFERENCE_USAGE", "", 40_000, "32000"],
    ["TRAINING_TOKEN_USAGE", "", 40_000, ""],
    ["DEDICATED_DEPLOYMENT_USAGE", "", 40_000, ""],
  ];
  const before = batch(...cases.map(([usageType, team]) => ({ usageType, team, apiKeyId: "k" })));
  const promptAt = METERS.indexOf("promptTokens");
  for (const [at, [, , tokens]] of cases.entries()) before.quantities[at * METERS.length + promptAt] = tokens;
  const keys = new Map([["k", { annotations: { project: "p" } }]]);
  const once = enrich(before, keys, new Map());
  for (const out of [once, enrich(once, keys, new Map())]) {
    for (const [at, [usageType, team, , contextClass]] of cases.entries()) {
      const sent = { usageType, team, apiKeyId: "k" };
      assert.deepEqual(out.labels[out.series[at]!], labels({ ...sent, project: "p", contextClass }), `case ${at}`);
      assert.deepEqual(out.labels[out.sent[at]!], labels(sent), `case ${at}`);
    }
    assert.equal(new Set(out.labels.map(labelsKey)).size, out.labels.length, "label sets are distinct");
  }
});

test("a batch names each key and deployment once", () => {
  const found = mentioned(batch({ apiKeyId: "k" }, { apiKeyId: "k", deployment: "d" }, { deployment: "d" }, {}));
  assert.deepEqual(found, { apiKeyIds: ["k"], deployments: ["d"] });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, sentence } from "../domain/fault.ts";
import { type GatewayConfig, readGatewayConfig } from "./config.ts";
import { Routing } from "./routing.ts";

const FILES: Readonly<Record<string, string>> = { "/run/key": "file-key\n", "/run/empty": "\n" };

function read(text: string): GatewayConfig {
  return readGatewayConfig("gateway.yaml", text, {
    env: { KEY: " env-key ", BLANK: "" },
    readFile(path) {
      const found = FILES[path];
      if (found === undefined) throw new Error("no such file");
      return found;
    },
  });
}

function mistakes(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof Fault);
    return error.problems.map((one) => sentence(one).replace('gateway file "gateway.yaml", ', ""));
  }
  return [];
}

test("a small file, and all that it leaves out", () => {
  const config = read("upstreams:\n  - name: up\n    baseUrl: https://up.example/v1/\n    apiKeyFile: /run/key\n");
  const { baseUrl, ...upstream } = config.upstreams[0];
  assert.equal(baseUrl.href, "https://up.example/v1");
  assert.deepEqual(upstream, {
    name: "up",
    apiKey: "file-key",
    auth: "bearer",
    models: [{ asked: "*", upstream: "*" }],
    streamUsage: "ask",
    eventIds: "upstream",
    timeouts: { connectMs: 10_000, firstByteMs: 600_000, idleMs: 300_000, finishMs: 120_000 },
  });
  const { upstreams: _, ...others } = config;
  assert.deepEqual(others, {
    otherPaths: "pass",
    onClientGone: "finish",
    spool: { maxBytes: 1_073_741_824, whenFull: "open" },
    budgets: { unpriced: "refuse", maxOutputTokens: 16_384, maxOutputTokensOf: [], elsewhereTokens: 32_768 },
  });
});

test("every mistake is told at once, each with its line", () => {
  const text = `upstreams:
  - name: Up
    baseUrl: ftp://up.example
    apiKeyEnv: MISSING
    colour: red
  - baseUrl: https://user:secret@up.example/v1
    apiKeyEnv: BLANK
    auth: basic
    models: { "a*b": c, d: "e*" }
  - name: two
    baseUrl: https://up.example/v1?x=1
    apiKeyEnv: KEY
    apiKeyFile: /run/key
    timeouts: { connectMs: 0, idle: 5 }
  - name: two
    baseUrl: https://up.example/v1
    apiKeyFile: /nowhere
  - name: three
    baseUrl: https://up.example/v1
    apiKeyFile: /run/empty
spool: { maxBytes: lots }
otherPaths: maybe
`;
  assert.deepEqual(mistakes(text), [
    'line 2: upstreams[0].name: "Up" must be 1 to 63 characters of a-z, 0-9 and -',
    'line 3: upstreams[0].baseUrl: "ftp://up.example" is no http or https address; write one such as https://api.fireworks.ai/inference/v1',
    "line 4: upstreams[0].apiKeyEnv: no environment variable of this name is set; set it to the key",
    "line 5: upstreams[0].colour: unknown field; allowed are name, baseUrl, apiKeyEnv, apiKeyFile, auth, models, streamUsage, eventIds, timeouts",
    "line 6: upstreams[1]: name: is missing; write a short one, such as fireworks",
    "line 6: upstreams[1].baseUrl: it must have no user, query or fragment; the key goes to apiKeyEnv or apiKeyFile",
    "line 7: upstreams[1].apiKeyEnv: the variable holds no key: it is empty or has spaces in it",
    'line 8: upstreams[1].auth: "basic" stands here; allowed are bearer, x-api-key',
    "line 9: upstreams[1].models.a*b: * may only be the last character",
    "line 9: upstreams[1].models.d: it ends in *, so the name before it must end in * too",
    'line 10: upstreams[2]: the models "*" go to the upstream of line 2 already; name the models of each',
    "line 11: upstreams[2].baseUrl: it must have no user, query or fragment; the key goes to apiKeyEnv or apiKeyFile",
    "line 13: upstreams[2].apiKeyFile: stands beside apiKeyEnv; write one of them",
    "line 14: upstreams[2].timeouts.idle: unknown field; allowed are connectMs, firstByteMs, idleMs, finishMs",
    "line 14: upstreams[2].timeouts.connectMs: 0 stands here; write a whole number from 1 to 86400000",
    'line 15: upstreams[3].name: "two" is named twice',
    'line 15: upstreams[3]: the models "*" go to the upstream of line 2 already; name the models of each',
    "line 17: upstreams[3].apiKeyFile: the file cannot be read: no such file",
    'line 18: upstreams[4]: the models "*" go to the upstream of line 2 already; name the models of each',
    "line 20: upstreams[4].apiKeyFile: the file holds no key: it is empty or has spaces in it",
    'line 21: spool.maxBytes: "lots" stands here; write a whole number from 65536 to 1099511627776',
    'line 22: otherPaths: "maybe" stands here; allowed are pass, refuse',
  ]);
});

test("files that hold no upstream, no YAML or an alias", () => {
  assert.deepEqual(mistakes(""), ["line 1: it is empty; it needs upstreams"]);
  assert.deepEqual(mistakes("upstreams: []"), ["line 1: upstreams: no upstream is named; write one at least"]);
  assert.deepEqual(mistakes("upstreams: up"), [
    'line 1: upstreams: "up" stands here; write a list, each item after "- "',
    "line 1: upstreams: no upstream is named; write one at least",
  ]);
  assert.match(mistakes("upstreams:\n  - {")[0]!, /^line 2: /);
  assert.match(mistakes("a: &x 1\nupstreams: *x")[0]!, /^line 2: \*x is an alias/);
});

test("a model goes by its whole name first, then by the longest beginning", () => {
  const routing = new Routing(
    read(`upstreams:
  - { name: one, baseUrl: "https://one/v1", models: { "*": "*", fast: big-model, "a/b/*": "x/*" } }
  - { name: two, baseUrl: "https://two/v1", models: { "a/*": "*", "a/b/c": c, "gpt-*": gpt } }
`),
  );
  const cases: [model: string, upstream: string, name: string, rule: string][] = [
    ["anything", "one", "anything", "*"],
    ["fast", "one", "big-model", "fast"],
    ["a/b/d", "one", "x/d", "a/b/*"],
    ["a/b/c", "two", "c", "a/b/c"],
    ["a/d", "two", "d", "a/*"],
    ["gpt-5", "two", "gpt", "gpt-*"],
  ];
  for (const [model, upstream, name, rule] of cases) {
    const target = routing.find(model)!;
    assert.deepEqual([target.upstream.name, target.model, target.rule], [upstream, name, rule], model);
  }
});

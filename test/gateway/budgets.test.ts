/** Limits at the gateway: 2,000 calls of 50 clients on money for 1,000; what is refused, how it is told, and when it ends. */

import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { after, before, type TestContext, test } from "node:test";
import { usdTextOfAtto } from "../../src/domain/money.ts";
import { emptyDatabase, WHY_NO_POSTGRES } from "../postgres/server.ts";
import { until } from "../until.ts";
import { type BillingUpstream, CALL, CALL_NANO_USD, MODEL, PRICES, startBillingUpstream } from "./billing-upstream.ts";
import { HOME, OPERATOR_KEY, type Serving, startGateway } from "./serving.ts";

const CLIENTS = 50;
const CALLS = 2_000;
const CALLS_PAID = 1_000;
const SPEND = "monthly-spend-usd";
const RPM = "serverless-inference-rpm";

let upstream: BillingUpstream;
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

before(async () => {
  upstream = await startBillingUpstream(7);
});
after(() => {
  upstream.close();
  agent.destroy();
});

/** Tests whose accounts are in PostgreSQL. */
const shared = new WeakSet<TestContext>();

/** Alone on its accounts, and as one of several processes that share them. */
function onEachStore(name: string, body: (t: TestContext) => Promise<void>): void {
  test(`${name} (SQLite)`, body);
  test(`${name} (PostgreSQL)`, { skip: WHY_NO_POSTGRES ?? false }, async (t) => {
    shared.add(t);
    await body(t);
  });
}

async function start(t: TestContext, more = ""): Promise<Serving> {
  const yaml = `upstreams:\n  - { name: up, baseUrl: "${upstream.url}/v1", apiKeyEnv: UPSTREAM_KEY }\n${more}`;
  const gateway = await startGateway({ yaml, accountsUrl: shared.has(t) ? await emptyDatabase() : undefined });
  t.after(() => gateway.close());
  await gateway.service.putPriceBook({ account: "", document: PRICES, createdBy: "test" });
  return gateway;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

interface Ask {
  readonly key?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly path?: string;
}

function ask(gateway: Serving, { key = OPERATOR_KEY, body = CALL, headers = {}, path }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers };
    const url = `${gateway.url}/inference/v1/${path ?? "chat/completions"}`;
    const call = request(url, { method: "POST", agent, headers: sent });
    call.on("error", reject).on("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode!, headers: answer.headers, body: text }));
    });
    call.end(body);
  });
}

const errorOf = (answer: Answer): Record<string, unknown> => JSON.parse(answer.body).error;

/** What the account's month has cost by the ledger, once it has everything. */
async function spentInLedger(gateway: Serving, atLeast: number): Promise<number> {
  return until(`${atLeast} USD in the ledger`, async () => {
    const { usage } = await gateway.service.getQuota(HOME, SPEND);
    const usd = usage.kind === "usd" ? Number(usdTextOfAtto(usage.atto)) : 0;
    return usd >= atLeast && usd;
  });
}

onEachStore(
  "2,000 calls of 50 clients on money for 1,000: not one over, none lost, none refused too soon",
  async (t) => {
    const gateway = await start(t);
    await gateway.service.accounts.patchQuota(HOME, SPEND, { value: 1n });
    const got = { paid: 0, spent: 0, waited: 0, failed: 0 };
    const before = { ...upstream.seen };
    let left = CALLS;
    const client = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        for (let isOver = false; !isOver; ) {
          const answer = await ask(gateway);
          isOver = answer.status === 200 || answer.status === 412;
          if (answer.status === 200) {
            got.paid += 1;
            assert.equal(answer.headers["x-daybook-cost-nano-usd"], `${CALL_NANO_USD}`);
          } else if (answer.status === 412) {
            got.spent += 1;
            // Every dollar was spent by answers that were whole before this refusal.
            assert.equal(upstream.seen.answered - before.answered, CALLS_PAID);
          } else if (answer.status === 429) {
            got.waited += 1;
            // All that is left is kept for calls under way.
            assert.match(String(errorOf(answer).message), /^budget "monthly-spend-usd": 0 USD are left beside/);
            assert.equal(answer.headers["retry-after"], "1");
            await new Promise((resolve) => setTimeout(resolve, 2));
          } else {
            assert.equal(answer.status, 500);
            got.failed += 1;
          }
        }
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    t.diagnostic(JSON.stringify(got));
    assert.deepEqual([got.paid, got.spent], [CALLS_PAID, CALLS - CALLS_PAID]);
    assert.ok(got.failed > 50);
    assert.ok(
      upstream.seen.underWayMax - before.answered <= CALLS_PAID,
      "no call was ever under way beyond the budget",
    );
    assert.equal(await spentInLedger(gateway, 1), 1);
    assert.equal(await gateway.metric('daybook_gateway_events_total{outcome="created"}'), CALLS_PAID);
  },
);

onEachStore("at the limit: 412 in the contract's words, the account says so, and a higher limit ends it", async (t) => {
  const gateway = await start(t);
  const { service } = gateway;
  await service.accounts.patchAccount(HOME, { timezone: "America/Los_Angeles" });
  await service.accounts.patchQuota(HOME, SPEND, { value: 0n });
  const refused = await ask(gateway);
  const error = errorOf(refused);
  assert.equal(refused.status, 412);
  assert.deepEqual(Object.keys(error).sort(), ["code", "message", "param", "type"]);
  assert.deepEqual([error.code, error.type, error.param], ["PRECONDITION_FAILED", "error", null]);
  assert.match(
    String(error.message),
    /^budget "monthly-spend-usd": 0 of 0 USD are spent, and this call may cost up to 0\.001 USD; the month ends \d{4}-\d\d-01T00:00:00-0[78]:00: raise the budget, or ask for fewer tokens$/,
  );
  assert.equal((await service.getAccount(HOME)).suspendState, "MONTHLY_SPEND_LIMIT_EXCEEDED");
  const anthropic = await ask(gateway, { path: "messages" });
  assert.deepEqual([anthropic.status, JSON.parse(anthropic.body).type], [412, "error"]);
  await service.accounts.patchQuota(HOME, SPEND, { value: 1n });
  assert.equal((await service.getAccount(HOME)).suspendState, "UNSUSPENDED");
  assert.notEqual((await ask(gateway)).status, 412);
});

onEachStore("budgets of a key and of a tag hold their own calls only; voided usage gives its money back", async (t) => {
  const gateway = await start(t);
  const { accounts } = gateway.service;
  const held = await gateway.key("USER");
  const free = await gateway.key("USER");
  await accounts.createBudget(HOME, {
    id: "one-key",
    scope: { kind: "apiKey", apiKeyId: held.keyId },
    monthlyUsd: 0n,
  });
  await accounts.createBudget(HOME, {
    id: "search",
    scope: { kind: "tag", tag: "team", value: "search" },
    monthlyUsd: 0n,
  });
  assert.match(String(errorOf(await ask(gateway, { key: held.key })).message), /^budget "one-key"/);
  const search = { "fireworks-annotations": "team=search" };
  assert.match(String(errorOf(await ask(gateway, { key: free.key, headers: search })).message), /^budget "search"/);
  const other = { "fireworks-annotations": "team=ads" };
  assert.notEqual((await ask(gateway, { key: free.key, headers: other })).status, 412);
  await accounts.patchBudget(HOME, "search", 1n);
  const write = { id: "big", time: new Date().toISOString(), usageType: "TEXT_COMPLETION_INFERENCE_USAGE" };
  const event = { ...write, model: MODEL, completionTokens: 100_000, annotations: { team: "search" } };
  const body = { bytes: Buffer.from(JSON.stringify({ events: [event] })), contentType: "application/json" };
  await gateway.service.writeUsage(HOME, { ...body, contentEncoding: "" });
  const statusOf = async (): Promise<number> => (await ask(gateway, { key: free.key, headers: search })).status;
  await until("the budget is spent", async () => (await statusOf()) === 412);
  await gateway.service.voidUsage(HOME, ["big"]);
  await until("the money is back", async () => (await statusOf()) !== 412);
});

onEachStore(
  "a model without a price is refused where a budget must hold it, unless the operator allows it",
  async (t) => {
    const body = JSON.stringify({ model: "unknown", messages: [] });
    for (const [more, expected] of [
      ["", 412],
      ["budgets: { unpriced: allow }", 200],
    ] as const) {
      const gateway = await start(t, more);
      await gateway.service.accounts.patchQuota(HOME, SPEND, { value: 5n });
      let answer = await ask(gateway, { body });
      if (answer.status === 500) answer = await ask(gateway, { body });
      assert.equal(answer.status, expected, answer.body);
      if (expected === 412) assert.match(String(errorOf(answer).message), /"unknown" has no price/);
      else assert.equal(answer.headers["x-daybook-cost-nano-usd"], undefined);
    }
  },
);

onEachStore("requests a minute: each key has its own, exactly, and its headers count down", async (t) => {
  const gateway = await start(t);
  await gateway.service.accounts.patchQuota(HOME, RPM, { value: 30n });
  const [one, two] = [await gateway.key("USER"), await gateway.key("USER")];
  const answers = await Promise.all(Array.from({ length: 80 }, () => ask(gateway, { key: one.key })));
  const refused = answers.filter(({ status }) => status === 429);
  assert.equal(refused.length, 50);
  const [first] = refused;
  assert.equal(errorOf(first!).code, "rate_limit_exceeded");
  assert.deepEqual(
    [first!.headers["x-ratelimit-limit-requests"], first!.headers["x-ratelimit-remaining-requests"]],
    ["30", "0"],
  );
  // A minute after the first of them, and on a slow machine that was a while ago.
  assert.match(String(first!.headers["x-ratelimit-reset-requests"]), /^\d{1,2}\.\d{3}s$/);
  const [reset, retryAfter] = ["x-ratelimit-reset-requests", "retry-after"].map((name) =>
    Number.parseFloat(String(first!.headers[name])),
  ) as [number, number];
  assert.ok(reset > 0 && reset < 62 && retryAfter === Math.ceil(reset), `${reset} s, ${retryAfter} s`);
  const other = await ask(gateway, { key: two.key });
  assert.equal(other.headers["x-ratelimit-remaining-requests"], "29");
  const { usage } = await gateway.service.getQuota(HOME, RPM);
  assert.deepEqual(usage, { kind: "requestsPerMinute", count: 30 });
});

/** billing explain, --as-of and list costs at the prompt: what a person can check with a pocket calculator. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { post } from "../contract/serving.ts";
import { ACCOUNT, daybook, golden, type Served, serve } from "./prompt.ts";

const ROW = ["billing", "explain", "--row-start", "2026-05-28"];
const KIMI = "model_name=accounts/fireworks/models/kimi-k2p6";
const CONTRACT = `currency: USD
discounts:
  - percent: "10"
    effectiveFrom: 2026-01-01T00:00:00Z
    source: agreement of May
`;

const LIST = `currency: USD
multipliers: { cachedInput: "0.5", restrictedPlacement: "1.5", source: list of May }
prices:
  - match: { model: accounts/fireworks/models/kimi-k2p6 }
    perMillionTokens: { input: "0.95", cachedInput: "0.16", output: "4.00" }
    effectiveFrom: 2026-05-01T00:00:00Z
    source: list of May
  - match: { acceleratorType: NVIDIA_H100_80GB }
    perAcceleratorHour: "7"
    effectiveFrom: 2026-01-01T00:00:00Z
    effectiveTo: 2026-09-01T00:00:00Z
    source: list of January
  - match: { parametersBillions: { atMost: "16" } }
    perMillionTokens: { input: "0.20", output: "0.20" }
    effectiveFrom: 2026-05-01T00:00:00Z
    source: list of May
`;

/** The text without what changes with every release: the shipped book's hash, the zones. */
function steady(text: string): string {
  return text.replace(/sha256 [0-9a-f]{12}/g, "sha256 <hash>").replace(/tz database \S+,/g, "tz database <version>,");
}

/** A server with a price book of its own, as a correction of the shipped one. */
async function serveBook(t: TestContext): Promise<Served> {
  const served = await serve(t);
  served.server.setClock("2026-06-15T12:00:01Z");
  await post(served.server, "/v1/priceBooks", { priceBook: { document: LIST } });
  served.server.setClock("2026-06-15T12:00:02Z");
  return served;
}

test("a row's quantities, prices and events as text", async (t) => {
  const { env } = await serveBook(t);
  const cases: readonly (readonly [file: string, args: readonly string[]])[] = [
    ["explain.txt", [...ROW, "--group", KIMI]],
    ["explain-events.txt", [...ROW, "--group", KIMI, "--events"]],
    ["explain-unpriced.txt", [...ROW, "--group", "model_name=accounts/acme/models/unpriced"]],
    ["explain-gpu.txt", [...ROW, "--usage-type", "dedicated-deployment", "--group-by", "accelerator_type"]],
  ];
  for (const [file, args] of cases) {
    const said = await daybook(args, { env });
    assert.deepEqual([said.stderr, said.code], ["", 0], file);
    golden(file, steady(said.stdout));
  }
  const json = await daybook([...ROW, "--group", KIMI, "--events", "-o", "json"], { env });
  const { cost_exact, components, usage_events } = JSON.parse(json.stdout);
  assert.deepEqual([cost_exact, components.length, usage_events.length], ["2.6911341", 3, 2]);
});

test("events that are estimates are told with their reason, in the sum and each", async (t) => {
  const { env, server } = await serveBook(t);
  const event = { time: "2026-05-29T08:00:00Z", usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "cut" };
  const reasons = ["client_gone", "upstream_cut", "client_gone", undefined];
  const events = reasons.map((estimated, at) => ({ ...event, id: `e${at}`, promptTokens: 5, estimated }));
  await post(server, `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`, { events });
  const row = ["billing", "explain", "--row-start", "2026-05-29", "--group", "model_name=cut"];
  const { stdout } = await daybook([...row, "--events"], { env });
  assert.match(stdout, /; 0 voided; 3 estimated \(2 client_gone, 1 upstream_cut\)\n/);
  assert.match(stdout, /e1 {2}promptTokens 5, estimated \(upstream_cut\)\n/);
  assert.match(stdout, /e3 {2}promptTokens 5\n/);
});

test("what is wrong with the words, and a row that is none or several", async (t) => {
  const { env } = await serve(t);
  const cases: readonly (readonly [args: readonly string[], code: number, said: RegExp])[] = [
    [[...ROW, "--group", "model_name"], 2, /--group: "model_name" is not key=value/],
    [["billing", "explain", "--row-start", "noon"], 2, /--row-start: "noon" is not a time/],
    [[...ROW, "--as-of", "soon"], 2, /--as-of: "soon" is not a time/],
    [[...ROW, "--group", "model_name=none"], 1, /row: no row has startTime 2026-05-28T00:00:00Z, model_name "none"/],
    [[...ROW, "--usage-type", "serverless"], 1, /group\[model_name\]: 3 rows are left; name it to tell them apart/],
  ];
  for (const [args, code, said] of cases) {
    const { code: exit, stdout, stderr } = await daybook(args, { env });
    assert.deepEqual([exit, stdout], [code, ""], args.join(" "));
    assert.match(stderr, said);
  }
  const dry = await daybook([...ROW, "--timezone", "Europe/Berlin", "--group", "model_name=m", "--dry-run"], { env });
  const asked = "startTime=2026-05-28T00:00:00%2B02:00&endTime=2026-05-29T00:00:00%2B02:00&timezone=Europe/Berlin";
  assert.ok(
    dry.stdout.includes(`${asked}&row%5BstartTime%5D=2026-05-28T00:00:00%2B02:00&group%5Bmodel_name%5D=m`),
    dry.stdout,
  );
});

test("a contract: list, discount and cost; --as-of before it gives the old numbers", async (t) => {
  const { env, server } = await serveBook(t);
  const usage = ["billing", "get-usage", "--start-time", "2026-05-28", "--end-time", "2026-05-30"];
  const before = await daybook([...usage, "-o", "json"], { env });
  server.setClock("2026-06-15T12:00:10Z");
  await post(server, "/v1/priceBooks", { priceBook: { document: CONTRACT, account: ACCOUNT } });
  server.setClock("2026-06-15T12:00:20Z");
  const discounted = await daybook([...usage, "--account-costs-only"], { env });
  golden("get-usage-discounted.txt", steady(discounted.stdout));
  const csv = await daybook([...usage, "-o", "csv"], { env });
  assert.match(csv.stdout.split("\n")[0]!, /,cost_usd,list_cost_usd,unpriced$/);
  const asOf = await daybook([...usage, "-o", "json", "--as-of", "2026-06-15 12:00:05"], { env });
  assert.equal(asOf.stdout, before.stdout);
  const now = JSON.parse((await daybook([...usage, "-o", "json"], { env })).stdout);
  const [{ subtotal, total }] = now.account_costs.cost_data_items;
  const [old] = JSON.parse(before.stdout).account_costs.cost_data_items;
  assert.deepEqual([subtotal, total.units], [old.total, "24"]);
  const explained = await daybook([...ROW, "--group", KIMI], { env });
  golden("explain-contract.txt", steady(explained.stdout));
  const costs = [
    "billing",
    "export-usage-costs",
    "--start-time",
    "2026-05-28",
    "--end-time",
    "2026-05-30",
    "--filename",
    "-",
  ];
  const exported = await daybook([...costs, "--as-of", "2026-06-15 12:00:05"], { env });
  assert.equal(exported.code, 0, exported.stderr);
});

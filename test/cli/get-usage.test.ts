/** get-usage: what it prints, where it prints it, and that its numbers are the API's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { OPERATOR_KEY, queryString } from "../contract/serving.ts";
import { ACCOUNT, daybook, golden, hasTerminal, onTerminal, serve } from "./prompt.ts";

const TWO_DAYS = ["billing", "get-usage", "--start-time", "2026-05-28", "--end-time", "2026-05-30"];
const noTerminal = hasTerminal ? false : "SKIPPED: no `script` of util-linux here, so there is no terminal to print on";

/** The text without what changes with every release: the book that is shipped, the runtime's zones. */
function steady(text: string): string {
  return text.replace(/sha256 [0-9a-f]{12}/g, "sha256 <hash>").replace(/tz database \S+,/g, "tz database <version>,");
}

test("get-usage prints the golden texts, JSON and CSV", async (t) => {
  const { env } = await serve(t);
  const cases: readonly (readonly [file: string, args: readonly string[]])[] = [
    ["get-usage-piped.txt", []],
    ["get-usage.json", ["-o", "json"]],
    ["get-usage.csv", ["-o", "csv"]],
    ["get-usage-costs.txt", ["--account-costs-only"]],
    ["get-usage-costs.json", ["--account-costs-only", "-o", "json"]],
    ["get-usage-costs.csv", ["--account-costs-only", "-o", "csv"]],
    ["get-usage-grouped.txt", ["--group-by", "annotations.team,api_key_name", "--usage-type", "serverless"]],
    ["get-usage-zone.txt", ["--timezone", "America/Los_Angeles", "--usage-type", "serverless"]],
    ["get-usage-filtered.txt", ["--filter", "annotations.environment=dev", "--filter", "annotations.environment="]],
  ];
  for (const [file, args] of cases) {
    const said = await daybook([...TWO_DAYS, ...args], { env });
    assert.equal(said.stderr, "", file);
    assert.equal(said.code, 0, file);
    golden(file, steady(said.stdout));
  }
});

test("on a terminal names are shortened to its width and heads are bold, but not with NO_COLOR", {
  skip: noTerminal,
}, async (t) => {
  const { env } = await serve(t);
  for (const columns of [80, 120]) {
    const bold = await onTerminal(columns, TWO_DAYS, { env: { ...env, TERM: "xterm" } });
    const plain = await onTerminal(columns, TWO_DAYS, { env: { ...env, TERM: "xterm", NO_COLOR: "1" } });
    golden(`get-usage-${columns}.txt`, steady(plain.stdout));
    assert.ok(bold.stdout.includes("\u001b[1mUSAGE TOTAL"), "the total is bold");
    assert.equal(stripVTControlCharacters(bold.stdout), plain.stdout);
  }
});

test("the prompt and the API give equal numbers, digit by digit", async (t) => {
  const { env, server } = await serve(t);
  const said = await daybook([...TWO_DAYS, "--group-by", "model_name,annotations.team", "-o", "json"], { env });
  const question = {
    startTime: "2026-05-28T00:00:00Z",
    endTime: "2026-05-30T00:00:00Z",
    groupBy: ["model_name", "annotations.team"],
  };
  const call = (path: string) => server.call("GET", `/v1/accounts/${ACCOUNT}/${path}`, { key: OPERATOR_KEY });
  const usage = (await call(`billingUsage?${queryString(question)}`)).json;
  const { startTime, endTime } = question;
  const summary = (await call(`billing/summary?${queryString({ startTime, endTime })}`)).json;
  const printed = JSON.parse(said.stdout);
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  for (const stream of ["serverlessCosts", "dedicatedCosts", "trainingCosts"]) {
    const rows = printed.account_usage[snake(stream)];
    assert.equal(rows.length, usage[stream].length, stream);
    for (const [at, row] of usage[stream].entries()) {
      assert.deepEqual(rows[at].group, row.group);
      for (const [name, value] of Object.entries(row)) {
        if (typeof value !== "object") assert.equal(rows[at][snake(name)], value, `${stream} ${at} ${name}`);
      }
    }
  }
  const { total, subtotal } = printed.account_costs.cost_data_items[0];
  const { currencyCode, units, nanos } = summary.totalCost;
  assert.deepEqual(total, { currency_code: currencyCode, units, nanos });
  assert.deepEqual(subtotal, total);
});

test("a range of three months is asked in pieces and joined: the same rows as month by month", async (t) => {
  const { env, server } = await serve(t);
  const zone = ["--timezone", "America/New_York", "-o", "json"];
  const usageOf = async (start: string, end: string) => {
    const said = await daybook(["billing", "get-usage", "--start-time", start, "--end-time", end, ...zone], { env });
    assert.equal(said.code, 0, said.stderr);
    return JSON.parse(said.stdout).account_usage;
  };
  const range = ["--start-time", "2026-03-01", "--end-time", "2026-06-01"];
  const dry = await daybook(["billing", "get-usage", ...range, ...zone.slice(0, 2), "--dry-run"], { env });
  golden("get-usage-dry-run.txt", dry.stdout.replaceAll(server.url, "http://server"));
  const whole = await usageOf("2026-03-01", "2026-06-01");
  const months = [
    await usageOf("2026-03-01", "2026-04-01"),
    await usageOf("2026-04-01", "2026-05-01"),
    await usageOf("2026-05-01", "2026-06-01"),
  ];
  for (const stream of ["serverless_costs", "dedicated_costs", "training_costs"]) {
    assert.deepEqual(
      whole[stream],
      months.flatMap((month) => month[stream]),
    );
  }
  assert.equal(whole.serverless_costs.length, 8);
});

test("numbers beyond a double keep every digit", async (t) => {
  const { env, server } = await serve(t);
  const dear = {
    acceleratorSeconds: 9007199254740,
    acceleratorType: "NVIDIA_H100_80GB",
    usageType: "DEDICATED_DEPLOYMENT_USAGE",
  };
  const event = { id: "dear", time: "2026-05-28T00:00:00Z", deployment: "accounts/acme/deployments/dear", ...dear };
  const path = `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`;
  await server.call("POST", path, { key: OPERATOR_KEY, body: { events: [event] } });
  const said = await daybook([...TWO_DAYS, "--usage-type", "dedicated-deployment", "-o", "json"], { env });
  const query = "startTime=2026-05-28T00:00:00Z&endTime=2026-05-30T00:00:00Z&usageType=DEDICATED_DEPLOYMENT";
  const api = await server.call("GET", `/v1/accounts/${ACCOUNT}/billingUsage?${query}`, { key: OPERATOR_KEY });
  const digits = (text: string) =>
    [...text.matchAll(/"(?:costNanoUsd|cost_nano_usd)": ?(\d+)/g)].map((match) => match[1]!);
  assert.deepEqual(digits(said.stdout), digits(api.text));
  assert.ok(
    digits(said.stdout).some((text) => String(Number(text)) !== text),
    "one of them is no double",
  );
});

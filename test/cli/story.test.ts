/** From login to the last export: what one person does in one afternoon, each step with the words of firectl. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { OPERATOR_KEY } from "../contract/serving.ts";
import { ACCOUNT, daybook, folderFor, golden, serve } from "./prompt.ts";

test("login, whoami, keys, a deployment, quotas, usage, invoices, exports", async (t) => {
  const { server, keys } = await serve(t);
  const HOME = folderFor(t);
  const cwd = folderFor(t);
  const env = { HOME };
  const ok = async (line: string, stdin?: string) => {
    const said = await daybook(line.split(" "), { env, cwd, ...(stdin !== undefined && { stdin }) });
    assert.equal(said.code, 0, `${line}: ${said.stderr}`);
    return said.stdout;
  };
  const json = async (line: string) => JSON.parse(await ok(`${line} -o json`));

  await ok(`login --api-key - --base-url ${server.url}`, `${keys.admin}\n`);
  assert.equal((await json("whoami")).account_id, ACCOUNT);
  assert.match(await ok("version"), /^daybook \d+\.\d+\.\d+ /);
  assert.match(await ok("upgrade"), /upgrades nothing by itself/);

  const made = await json(
    "api-key create --key-name story --annotations team=search,environment=prod --expire-time 2027-01-01",
  );
  assert.match(made.key, /^fw_/);
  assert.deepEqual(made.annotations, { team: "search", environment: "prod" });
  assert.equal(made.expire_time, "2027-01-01T00:00:00Z");
  assert.ok((await json("api-key list")).api_keys.some((key: { key_id: string }) => key.key_id === made.key_id));
  assert.match(await ok("api-key list"), /^ID +NAME +PREFIX +ROLE/);
  assert.equal(await ok(`api-key delete ${made.key_id}`), `revoked  ${made.key_id}\n`);

  await ok(
    "deployment create accounts/fireworks/models/qwen3-8b --deployment-id ranker --accelerator-type NVIDIA_H100_80GB",
  );
  assert.equal((await json("deployment scale ranker --replica-count 2")).replica_count, 2);
  assert.equal(
    (await json("deployment get accounts/acme/deployments/ranker")).base_model,
    "accounts/fireworks/models/qwen3-8b",
  );
  assert.match(await ok("deployment list"), /^ranker +accounts\/fireworks\/models\/qwen3-8b +1 x NVIDIA_H100_80GB/m);
  assert.equal(await ok("deployment delete ranker"), "deleted  ranker\n");

  assert.equal((await json("quota update monthly-spend-usd --value 500")).value, "500");
  assert.match(await ok("quota get monthly-spend-usd"), /^value +500$/m);
  assert.match(await ok("quota list"), /^monthly-spend-usd +500 /m);
  const thresholds = await json("billing notification-settings update --monthly-spend-usd-thresholds=500,800");
  assert.deepEqual(thresholds.monthly_spend_usd_thresholds, ["500", "800"]);
  assert.match(await ok("billing notification-settings get"), /\$500, \$800/);
  assert.match(await ok("billing list-invoices --show-pending"), /^2026-06 +PENDING .*\n2026-05 +CLOSED/m);
  assert.match(await ok("account list"), /^acme /m);

  const may = "--start-time 2026-05-01 --end-time 2026-06-01";
  assert.match(await ok(`billing get-usage ${may}`), /USAGE TOTAL +\$240\.47/);
  await ok(`billing export-metrics ${may}`);
  const metrics = readFileSync(join(cwd, "billing_metrics.csv"), "utf8");
  golden("billing_metrics.csv", metrics);
  assert.equal(await ok(`export billing-metrics ${may} --filename -`), metrics, "the older spelling");
  assert.equal(await ok(`download billing-metrics ${may} --filename -`), metrics, "the other one");
  assert.equal(metrics.trimEnd().split("\n").length, 1 + 10);

  for (const group of ["model", "model_tier", "user"]) {
    await ok(`billing export-usage-costs ${may} --group-by ${group} --filename ${group}.csv`);
    golden(`usage_costs_${group}.csv`, readFileSync(join(cwd, `${group}.csv`), "utf8"));
  }
  // What the exports say is what the API says.
  const body = { startTime: "2026-05-01T00:00:00Z", endTime: "2026-06-01T00:00:00Z" };
  const path = `/v1/accounts/${ACCOUNT}/usageCosts:query`;
  const { units, nanos } = (await server.call("POST", path, { key: OPERATOR_KEY, body })).json.subtotal;
  const lines = readFileSync(join(cwd, "model.csv"), "utf8").trimEnd().split("\n").slice(1);
  const sum = lines.reduce((total, line) => total + BigInt(line.split(",")[4]!.replace(".", "")), 0n);
  assert.equal(sum, BigInt(units) * 1_000_000_000n + BigInt(nanos));
});

/** Budgets over HTTP: made, listed, changed, taken away; bad ones refused with all that is wrong. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Daybook, startDaybook } from "./serving.ts";

const BUDGETS = "/v1/accounts/acme/budgets";
let daybook: Daybook;
let key: string;
let keyId: string;

before(async () => {
  daybook = await startDaybook("2026-10-20T12:00:00Z");
  await daybook.account("acme");
  ({ key, keyId } = await daybook.key("acme", { role: "ADMIN" }));
});
after(() => daybook.close());

test("a budget of a tag and one of a key", async () => {
  const time = "2026-10-20T12:00:00Z";
  const search = { name: "search", annotation: { team: "search" }, monthlyUsd: "500" };
  const nightly = { apiKeyId: keyId, monthlyUsd: 5 };
  const times = { createTime: time, updateTime: time };
  const name = "accounts/acme/budgets";
  const made = [
    { name: `${name}/nightly`, apiKeyId: keyId, monthlyUsd: "5", ...times },
    { name: `${name}/search`, annotation: { team: "search" }, monthlyUsd: "500", ...times },
  ];
  assert.deepEqual((await daybook.call("POST", BUDGETS, { key, body: search })).json, made[1]);
  assert.deepEqual((await daybook.call("POST", `${BUDGETS}?budgetId=nightly`, { key, body: nightly })).json, made[0]);
  assert.deepEqual((await daybook.call("GET", BUDGETS, { key })).json, { budgets: made, totalSize: 2 });
  const patched = await daybook.call("PATCH", `${BUDGETS}/search`, { key, body: { monthlyUsd: "800" } });
  assert.equal(patched.json.monthlyUsd, "800");
  assert.equal((await daybook.call("POST", BUDGETS, { key, body: search })).status, 409);
  assert.equal((await daybook.call("DELETE", `${BUDGETS}/search`, { key })).status, 200);
  assert.equal((await daybook.call("DELETE", `${BUDGETS}/search`, { key })).status, 404);
});

test("bad budgets say all that is wrong", async () => {
  const scope = "apiKeyId: is required; send it, or one annotation, and not both";
  const dollars = "it must be whole dollars from 0 to 1000000000";
  // biome-ignore format: a ledger
  const cases: [body: object, ...sentences: string[]][] = [
    [{},                                                       "monthlyUsd: is required; send it"],
    [{ name: "x", monthlyUsd: "1" },                           scope],
    [{ name: "x", monthlyUsd: "1", apiKeyId: "k", annotation: { team: "a" } }, scope],
    [{ name: "x", monthlyUsd: "1", annotation: { team: "a", project: "b" } },  scope],
    [{ name: "X!", monthlyUsd: "-1", annotation: { team: "" } }, 'name: "X!" was sent; it must be 1 to 63 characters of a-z, 0-9 and -, beginning with a letter or digit', `monthlyUsd: "-1" was sent; ${dollars}`, 'annotation.team: "" was sent; it must be 1 to 128 characters of letters, digits, space and -_./:@'],
    [{ name: "x", monthlyUsd: "1", apiKeyId: "key_0000000000000000" }, 'apiKeyId: "key_0000000000000000" was not found'],
  ];
  for (const [body, first, ...others] of cases) {
    const { json } = await daybook.call("POST", BUDGETS, { key, body });
    const told = (json.details[0]?.fieldViolations ?? []).map((one: { description: string }) => one.description);
    assert.equal(json.message, first);
    if (told.length > 0) assert.deepEqual(told, [first, ...others]);
  }
});

test("an account's zone is one of IANA's", async () => {
  const zone = (timezone: string) => daybook.call("PATCH", "/v1/accounts/acme", { key, body: { timezone } });
  assert.equal((await zone("Asia/Kathmandu")).json.timezone, "Asia/Kathmandu");
  assert.match((await zone("Mars/Olympus")).json.message, /^timezone: "Mars\/Olympus" is not an IANA time zone/);
});

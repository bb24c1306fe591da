/** Notices of thresholds where several processes share the accounts: each is told once, whoever tells it. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Accounts } from "../../src/accounts/store.ts";
import { Notifier } from "../../src/budgets/notifier.ts";
import { emptyDatabase, WHY_NO_POSTGRES } from "../postgres/server.ts";
import { until } from "../until.ts";
import { DOLLAR, LedgerOwner, NOW } from "./ledger-owner.ts";

const ACCOUNT = "acme";
const PROCESSES = 3;
const THRESHOLDS = [1n, 2n, 3n, 4n, 5n];

test("each threshold is told once by all processes together", { skip: WHY_NO_POSTGRES ?? false }, async (t) => {
  const url = await emptyDatabase();
  const ledger = await LedgerOwner.open(url);
  t.after(() => ledger.close());
  const told: string[] = [];
  const receiver = createServer((request, answer) => {
    let body = "";
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      told.push(JSON.parse(body).thresholdUsd);
      answer.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  await ledger.accounts.createAccount({ id: ACCOUNT });
  await ledger.accounts.patchNotificationSettings(ACCOUNT, {
    monthlySpendUsdThresholds: THRESHOLDS,
    webhookUrl: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    webhookSecret: "whsec_0123456789abcdef",
  });
  let looks = 0;
  for (let at = 0; at < PROCESSES; at += 1) {
    const place = { url };
    const accounts = await Accounts.open({ place, now: () => NOW, randomBytes: (count) => Buffer.alloc(count) });
    const spent: LedgerOwner["spent"] = (...asked) => {
      looks += 1;
      return ledger.spent(...asked);
    };
    const parts = { notices: accounts.notices, now: () => NOW, spent };
    const notifier = new Notifier(parts, { allowsPrivate: true, lookMs: 5, retryMs: 20 });
    t.after(async () => {
      await notifier.close();
      await accounts.close();
    });
  }
  await until("all look", () => looks >= PROCESSES * 3);
  assert.deepEqual(told, []);
  const usage = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: DOLLAR, promptTokens: 4, completionTokens: 0 };
  await ledger.write(ACCOUNT, [{ id: "e", time: new Date(NOW).toISOString(), ...usage }]);
  await until("four are told", () => told.length >= 4);
  const seen = looks;
  await until("all have looked again", () => looks >= seen + PROCESSES * 5);
  assert.deepEqual(told.sort(), ["1", "2", "3", "4"]);
});

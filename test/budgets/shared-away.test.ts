/** What becomes of budgets while PostgreSQL is away: nobody is let through, nothing that was used is forgotten. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Cluster, run, whyNoCluster } from "../postgres/cluster.ts";
import { until } from "../until.ts";
import { DOLLAR, LedgerOwner } from "./ledger-owner.ts";
import { Spender } from "./spender.ts";

const ACCOUNT = "acme";

after(() => Spender.killAll());

test("PostgreSQL away: budgeted calls are refused, and usage counts when it is back", {
  skip: whyNoCluster() ?? false,
}, async (t) => {
  const cluster = await Cluster.make();
  t.after(() => cluster.remove());
  await run(cluster.url("postgres"), "create database away");
  const url = cluster.url("away");
  const folder = await mkdtemp(join(tmpdir(), "daybook-away-"));
  t.after(() => rm(folder, { recursive: true }));
  const ledger = await LedgerOwner.open(url);
  t.after(() => ledger.close());
  await ledger.accounts.createAccount({ id: ACCOUNT });
  await ledger.accounts.patchQuota(ACCOUNT, "monthly-spend-usd", { value: 10n });
  const spender = await Spender.start(ledger, { url, spool: "a", spoolFolder: folder, beatMs: 100 });
  const call = (id: string) => ({ id, account: ACCOUNT, key: "k", team: "t", model: DOLLAR, worst: 5 }) as const;
  const [first, second] = [call("first"), call("second")];
  for (const one of [first, second]) assert.equal((await spender.order("reserve", one)).kind, "held");
  await cluster.stop();
  await assert.rejects(spender.order("reserve", call("third")), /PostgreSQL .*try again in 1 s/);
  await assert.rejects(spender.order("request", ACCOUNT, "k", 5n, 1), /PostgreSQL .*try again in 1 s/);
  // Their answers end nonetheless: the usage is on disk.
  await spender.order("settle", first, 3);
  await spender.order("release", second);
  await cluster.start();
  const decision = await until("it answers again", () =>
    spender.order("reserve", call("third")).catch(() => undefined),
  );
  assert.equal(decision.kind, "held");
  await until("the usage is in the ledger", async () => (await ledger.events(ACCOUNT).catch(() => [])).length === 1);
  await until("the book holds the sums", async () => {
    const { rows } = await run(url, "select spent + pending as gone, open from budget_purses");
    return rows[0].gone === `3${"0".repeat(18)}` && rows[0].open === `5${"0".repeat(18)}`;
  });
  await spender.order("close");
});

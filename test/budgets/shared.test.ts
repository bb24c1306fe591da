/**
 * Budgets of several processes on one PostgreSQL and one ledger: money for 1,000 calls pays for 1,000 calls, also when
 * one of the processes is killed in the middle.
 */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { emptyDatabase, run, WHY_NO_POSTGRES } from "../postgres/server.ts";
import { until } from "../until.ts";
import { DOLLAR, LedgerOwner } from "./ledger-owner.ts";
import { Spender } from "./spender.ts";
import type { Stormed } from "./spending-process.ts";

const CALLS = 2_000;
const CALLS_PAID = 1_000;
/** Twelve of them and a process that is not heard of is dead. */
const BEAT_MS = 500;
const ACCOUNT = "acme";

after(() => Spender.killAll());

interface World {
  readonly url: string;
  readonly ledger: LedgerOwner;
  start(spool: string): Promise<Spender>;
}

async function world(t: TestContext): Promise<World> {
  const url = await emptyDatabase();
  const folder = await mkdtemp(join(tmpdir(), "daybook-spenders-"));
  const ledger = await LedgerOwner.open(url);
  t.after(async () => {
    await ledger.close();
    await rm(folder, { recursive: true });
  });
  await ledger.accounts.createAccount({ id: ACCOUNT });
  await ledger.accounts.patchQuota(ACCOUNT, "monthly-spend-usd", { value: 1n });
  const start = (spool: string) =>
    Spender.start(ledger, { url, spool, spoolFolder: join(folder, spool), beatMs: BEAT_MS });
  return { url, ledger, start };
}

/** What is kept and pending, once all usage is in the ledger and was read there. */
async function settled({ url }: World): Promise<object> {
  const { rows } = await run(
    url,
    `select (select count(*)::int from budget_reservations) as kept, (select count(*)::int from budget_usage
       where state <> 'arrived') as underway, spent + pending as spent, open from budget_purses`,
  );
  return rows[0];
}

const SPENT = { kept: 0, underway: 0, spent: `1${"0".repeat(18)}`, open: "0" };

async function stormAll(spenders: readonly Spender[], name: string): Promise<Stormed[]> {
  return Promise.all(
    spenders.map((one, at) => one.order("storm", ACCOUNT, `${name}-${at}`, Math.ceil(CALLS / spenders.length))),
  );
}

const skip = WHY_NO_POSTGRES ?? false;

test("2,000 calls of 3 processes on money for 1,000: not one over, none lost, none refused too soon", {
  skip,
}, async (t) => {
  const here = await world(t);
  const spenders = await Promise.all(["a", "b", "c"].map(here.start));
  const stormed = await stormAll(spenders, "call");
  const paid = stormed.flatMap((one) => one.paid);
  t.diagnostic(
    JSON.stringify(stormed.map(({ paid: { length }, refused, waited }) => ({ paid: length, refused, waited }))),
  );
  assert.equal(paid.length, CALLS_PAID);
  await until("all is in the ledger", async () => (await here.ledger.events(ACCOUNT)).length === CALLS_PAID);
  assert.deepEqual(new Set(await here.ledger.events(ACCOUNT)), new Set(paid));
  await until("nothing is under way", async () => ((await settled(here)) as { underway: number }).underway === 0);
  assert.deepEqual(await settled(here), SPENT);
  for (const one of spenders) await one.order("close");
  assert.equal((await run(here.url, "select 1 from budget_runs")).rowCount, 0);
});

test("one of 3 processes killed in the middle: what it kept is given back, what it used counts once", {
  skip,
}, async (t) => {
  const here = await world(t);
  const [a, b, killed] = await Promise.all(["a", "b", "c"].map(here.start));
  // No two of them can spend it all.
  const dying = killed!.order("storm", ACCOUNT, "killed", 350).catch(() => {});
  const storms = Promise.all([a!, b!].map((one, at) => one.order("storm", ACCOUNT, `living-${at}`, 450)));
  await until("all have paid some", () => [a!, b!, killed!].every(({ paid }) => paid.length >= 20));
  await killed!.kill();
  await dying;
  const first = (await storms).flatMap((one) => one.paid);
  // Some of these are paid out of what the killed one kept; what it has used stays its own until it comes back.
  const rest = (await stormAll([a!, b!], "rest")).flatMap((one) => one.paid);
  const living = [...first, ...rest];
  const { rows } = await run(here.url, "select event_id as id from budget_usage where event_id like 'killed%'");
  const written = (await here.ledger.events(ACCOUNT)).filter((id) => id.startsWith("killed"));
  const used = new Set([...rows.map(({ id }) => id), ...written]);
  assert.equal(living.length + used.size, CALLS_PAID);
  const counted = [...living, ...killed!.paid];
  t.diagnostic(`${living.length} paid by those that live, ${killed!.paid.length} by the one that was killed`);
  assert.ok(counted.length <= CALLS_PAID);
  const again = await here.start("c");
  const more = (await stormAll([a!, b!, again], "more")).flatMap((one) => one.paid);
  await until("all is in the ledger", async () => (await here.ledger.events(ACCOUNT)).length >= CALLS_PAID);
  await until("nothing is under way", async () => ((await settled(here)) as { underway: number }).underway === 0);
  const events = new Set(await here.ledger.events(ACCOUNT));
  assert.equal(events.size, CALLS_PAID);
  for (const id of [...counted, ...more]) assert.ok(events.has(id), id);
  assert.deepEqual(await settled(here), SPENT);
  for (const one of [a!, b!, again]) await one.order("close");
});

test("killed behind the ledger's write and before its note: the usage counts once", { skip }, async (t) => {
  const here = await world(t);
  await here.ledger.accounts.patchQuota(ACCOUNT, "monthly-spend-usd", { value: 10n });
  const [living, killed] = await Promise.all([here.start("a"), here.start("b")]);
  const call = { account: ACCOUNT, key: "k", team: "t", model: DOLLAR, worst: 5 } as const;
  here.ledger.onWritten = () => killed.kill();
  await killed.order("reserve", { ...call, id: "written" });
  await killed.order("settle", { ...call, id: "written" }, 3).catch(() => {});
  await until("it is killed", () => killed.hasEnded);
  here.ledger.onWritten = async () => {};
  for (let at = 0; ; at += 1) {
    const decision = await living.order("reserve", { ...call, id: `call-${at}`, worst: 1 });
    if (decision.kind === "held") await living.order("release", { ...call, id: `call-${at}` });
    const { spent, underway } = (await settled(here)) as { spent: string; underway: number };
    if (spent === `3${"0".repeat(18)}` && underway === 0) break;
    assert.ok(at < 200, `${spent} after ${at} calls`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await living.order("close");
});

test("requests a minute of one key over 3 processes: never more than its limit", { skip }, async (t) => {
  const here = await world(t);
  const spenders = await Promise.all(["a", "b", "c"].map(here.start));
  const allowed = await Promise.all(spenders.map((one) => one.order("request", ACCOUNT, "key", 500n, 400)));
  assert.equal(
    allowed.reduce((sum, one) => sum + one, 0),
    500,
  );
  assert.equal(await spenders[0]!.order("request", ACCOUNT, "other", 5n, 3), 3);
  for (const one of spenders) await one.order("close");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY_MS, type Instant } from "../domain/time.ts";
import { type DemoAccount, demoCompany } from "./company.ts";
import { type DemoEvent, dayEvents, demoDays, replicaChanges } from "./events.ts";

const NOON = Date.UTC(2026, 10, 18, 12);

function keyIds(account: DemoAccount): Map<string, string> {
  return new Map(account.keys.map(({ name }, at) => [name, `key_${at}`]));
}

function usage(account: DemoAccount, now: Instant): DemoEvent[] {
  return demoDays(now).flatMap((day) => dayEvents(account, keyIds(account), { day, now }));
}

test("the company has 3 accounts, about 20 keys, 4 deployments, 2 jobs, and at least 300,000 events to now", () => {
  const company = demoCompany("acme");
  assert.equal(company.length, 3);
  assert.equal(company.flatMap(({ keys }) => keys).length, 21);
  assert.equal(company.flatMap(({ deployments }) => deployments).length, 4);
  const events = company.map((account) => usage(account, NOON));
  assert.ok(events.flat().length >= 300_000, `${events.flat().length} events`);
  assert.deepEqual([...new Set(events.flatMap((list) => list.map(({ jobId }) => jobId)))].sort(), [
    "rft-ranker-reward",
    "sft-support-tone",
    undefined,
  ]);
  for (const list of events) {
    assert.ok(
      list.every(({ id }, at) => at === 0 || list[at - 1]!.id < id),
      "ids rise with time, so none comes twice",
    );
    assert.ok(
      list.every(({ time }) => Date.parse(time) <= NOON),
      "nothing lies in the future",
    );
    assert.ok(
      list.every(({ apiKeyId, jobId }) => apiKeyId !== undefined || jobId !== undefined),
      "every key is known",
    );
  }
});

test("a day's events are the same whenever they are made, and the day of now is cut at now", () => {
  const [account] = demoCompany("acme") as [DemoAccount];
  const day = demoDays(NOON).at(-1)!;
  const whole = dayEvents(account, keyIds(account), { day, now: NOON + 9 * DAY_MS });
  const half = dayEvents(account, keyIds(account), { day, now: NOON });
  assert.ok(half.length > 0 && half.length < whole.length);
  assert.deepEqual(half, whole.slice(0, half.length));
  assert.deepEqual(demoDays(NOON).slice(1), demoDays(NOON + DAY_MS).slice(0, -1));
});

test("replicas change in order, from the first day on, never in the future", () => {
  for (const deployment of demoCompany("acme").flatMap(({ deployments }) => deployments)) {
    const changes = replicaChanges(deployment, NOON);
    assert.equal(changes[0]!.time, demoDays(NOON)[0]);
    assert.ok(changes.every(({ time }, at) => time <= NOON && (at === 0 || time > changes[at - 1]!.time)));
  }
});

/** billingUsage in time: ranges to the millisecond, the days and hours of zones, deployments that run, late events. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Daybook,
  golden,
  linesOf,
  OPERATOR_KEY,
  post,
  queryString,
  startDaybook,
  usageOf,
  writeUsage,
} from "./serving.ts";

const NOW = "2026-10-20T12:00:00Z";
const TEXT = "TEXT_COMPLETION_INFERENCE_USAGE";

let daybook: Daybook;
before(async () => {
  daybook = await startDaybook(NOW);
});
after(() => daybook.close());

test("usage outside [startTime, endTime) is never counted, to the millisecond", async () => {
  await daybook.account("edges");
  const table = `
    id | time                     | usageType | promptTokens
    a  | 2026-10-05T00:00:00Z     | ${TEXT}   | 1
    b  | 2026-10-05T10:07:00.249Z | ${TEXT}   | 10
    c  | 2026-10-05T10:07:00.250Z | ${TEXT}   | 100
    d  | 2026-10-05T12:00:00Z     | ${TEXT}   | 1000
    e  | 2026-10-05T15:22:30Z     | ${TEXT}   | 10000
    f  | 2026-10-05T15:22:30.001Z | ${TEXT}   | 100000
    g  | 2026-10-05T23:59:59.999Z | ${TEXT}   | 1000000
    h  | 2026-10-06T00:00:00Z     | ${TEXT}   | 10000000
  `;
  await writeUsage(daybook, "edges", table);
  const cases: [startTime: string, endTime: string, granularity: string, ...rows: string[]][] = [
    ["2026-10-05T00:00:00Z", "2026-10-06T00:00:00Z", "DAILY", "2026-10-05 1111111"],
    ["2026-10-05T10:07:00.250Z", "2026-10-05T15:22:30.001Z", "DAILY", "2026-10-05 11100"],
    ["2026-10-05T12:07:00.250+02:00", "2026-10-05T10:22:30.001-05:00", "DAILY", "2026-10-05 11100"],
    ["2026-10-05T10:07:00.249Z", "2026-10-05T15:22:30.002Z", "DAILY", "2026-10-05 111110"],
    ["2026-10-05T10:07:00.249999999Z", "2026-10-05T15:22:30Z", "DAILY", "2026-10-05 1110"],
    ["2026-10-05T10:07:00.249Z", "2026-10-05T10:07:00.250Z", "DAILY", "2026-10-05 10"],
    ["2026-10-05T10:07:00.251Z", "2026-10-05T11:59:59.999Z", "DAILY"],
    ["2026-10-05T12:00:00.000000001Z", "2026-10-05T12:00:00.001Z", "DAILY", "2026-10-05 1000"],
    ["2026-10-05T23:59:59.999Z", "2026-10-06T00:00:00.001Z", "DAILY", "2026-10-05 1000000", "2026-10-06 10000000"],
    ["2026-10-05T10:07:00.250Z", "2026-10-05T15:22:30.001Z", "HOURLY", "2026-10-05T10 100", "2026-10-05T12 1000", "2026-10-05T15 10000"],
  ]; // biome-ignore format: a ledger
  for (const [startTime, endTime, granularity, ...rows] of cases) {
    const { json } = await usageOf(daybook, "edges", { startTime, endTime, granularity });
    const got = json.serverlessCosts.map((row: { startTime: string; promptTokens: string }) =>
      [row.startTime.slice(0, granularity === "DAILY" ? 10 : 13), row.promptTokens].join(" "),
    );
    assert.deepEqual(got, rows, `${startTime} ${endTime}`);
  }
});

test("daily buckets are local days, written with the zone's offset at each edge", async () => {
  await daybook.account("zones");
  // The first and the last millisecond of a local day, and the two outside it.
  const cases: [timezone: string, startTime: string, endTime: string, hours: number][] = [
    ["UTC", "2026-05-28T00:00:00Z", "2026-05-29T00:00:00Z", 24],
    ["America/Los_Angeles", "2026-05-28T00:00:00-07:00", "2026-05-29T00:00:00-07:00", 24],
    ["America/Los_Angeles", "2026-03-08T00:00:00-08:00", "2026-03-09T00:00:00-07:00", 23],
    ["America/Los_Angeles", "2025-11-02T00:00:00-07:00", "2025-11-03T00:00:00-08:00", 25],
    ["Asia/Kathmandu", "2026-05-28T00:00:00+05:45", "2026-05-29T00:00:00+05:45", 24],
    ["Pacific/Chatham", "2026-04-05T00:00:00+13:45", "2026-04-06T00:00:00+12:45", 25],
    ["Australia/Lord_Howe", "2026-04-05T00:00:00+11:00", "2026-04-06T00:00:00+10:30", 24.5],
    ["Australia/Lord_Howe", "2025-10-05T00:00:00+10:30", "2025-10-06T00:00:00+11:00", 23.5],
    ["Antarctica/Troll", "2026-03-29T00:00:00+00:00", "2026-03-30T00:00:00+02:00", 22],
    ["Antarctica/Troll", "2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+00:00", 26],
    ["America/Havana", "2026-03-08T01:00:00-04:00", "2026-03-09T00:00:00-04:00", 23],
    ["Pacific/Apia", "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", 24],
    ["Pacific/Kiritimati", "2026-01-01T00:00:00+14:00", "2026-01-02T00:00:00+14:00", 24],
  ]; // biome-ignore format: a ledger
  for (const [at, [timezone, startTime, endTime, hours]] of cases.entries()) {
    const start = Date.parse(startTime);
    const end = Date.parse(endTime);
    assert.equal((end - start) / 3_600_000, hours, `${timezone} ${startTime}`);
    const time = (instant: number) => new Date(instant).toISOString();
    const model = `m${at}`;
    const table = `
      id          | time               | usageType | model    | promptTokens
      ${model}-a  | ${time(start - 1)} | ${TEXT}   | ${model} | 1
      ${model}-b  | ${time(start)}     | ${TEXT}   | ${model} | 10
      ${model}-c  | ${time(end - 1)}   | ${TEXT}   | ${model} | 100
      ${model}-d  | ${time(end)}       | ${TEXT}   | ${model} | 1000
    `;
    await writeUsage(daybook, "zones", table);
    const range = { startTime: time(start - 1), endTime: time(end + 1), timezone };
    const { json } = await usageOf(daybook, "zones", { ...range, "filter[model_name][values]": model });
    const lines = linesOf(json.serverlessCosts, "startTime | endTime | promptTokens");
    assert.equal(lines.length, 3, lines.join("\n"));
    assert.equal(lines[1], `${startTime} | ${endTime} | 110`);
    assert.deepEqual([json.serverlessCosts[0].endTime, json.serverlessCosts[2].startTime], [startTime, endTime]);
  }
});

test("at most 31 days: 31 x 24 h always, and 31 local days, however long", async () => {
  await daybook.account("long");
  const table = `
    id | time                     | usageType | promptTokens
    a  | 2025-09-30T22:00:00Z     | ${TEXT}   | 1
    b  | 2025-10-31T22:59:59.999Z | ${TEXT}   | 10
    c  | 2025-10-31T23:00:00Z     | ${TEXT}   | 100
  `;
  await writeUsage(daybook, "long", table);
  const cases: [timezone: string, startTime: string, endTime: string, hours: number, outcome: string][] = [
    ["UTC", "2025-10-01T00:00:00Z", "2025-11-01T00:00:00Z", 744, "110"],
    ["UTC", "2025-10-01T00:00:00Z", "2025-11-01T00:00:00.001Z", 744, "2025-11-01T00:00:00Z"],
    ["Europe/Berlin", "2025-10-01T00:00:00+02:00", "2025-11-01T00:00:00+01:00", 745, "11"],
    ["UTC", "2025-10-01T00:00:00+02:00", "2025-11-01T00:00:00+01:00", 745, "2025-10-31T22:00:00Z"],
    ["Europe/Berlin", "2025-10-01T00:00:00+02:00", "2025-11-01T00:00:00.001+01:00", 745, "2025-10-31T23:00:00Z"],
    ["Europe/Berlin", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00", 743, "0"],
    ["Europe/Berlin", "2026-03-01T00:00:00+01:00", "2026-04-01T01:00:00+02:00", 744, "0"],
    ["Europe/Berlin", "2026-03-01T00:00:00+01:00", "2026-04-01T01:00:00.001+02:00", 744, "2026-03-31T23:00:00Z"],
  ]; // biome-ignore format: a ledger
  for (const [timezone, startTime, endTime, hours, outcome] of cases) {
    assert.equal(Math.floor((Date.parse(endTime) - Date.parse(startTime)) / 3_600_000), hours);
    const path = `/v1/accounts/long/billingUsage?${queryString({ startTime, endTime, timezone })}`;
    const { status, json } = await daybook.call("GET", path, { key: OPERATOR_KEY });
    if (outcome.endsWith("Z")) {
      const [value, start] = [endTime, startTime].map((text) => new Date(text).toISOString().replace(".000Z", "Z"));
      assert.equal(status, 400);
      assert.equal(
        json.message,
        `endTime: "${value}" is more than 31 days after startTime ${start}; the latest allowed is ${outcome}`,
      );
    } else {
      const rows: { promptTokens: string }[] = json.serverlessCosts;
      assert.equal(String(rows.reduce((sum, row) => sum + Number(row.promptTokens), 0)), outcome, startTime);
    }
  }
});

test("the ends of the calendar are answered", async () => {
  await daybook.account("ends");
  const ranges = [
    ["9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z"],
    ["9999-12-31T23:59:58-23:59", "9999-12-31T23:59:59-23:59"],
    ["0000-01-01T00:00:00+23:59", "0000-01-01T00:00:01+23:59"],
    ["1900-01-01T00:00:00Z", "1900-02-01T00:00:00Z"],
  ] as const;
  for (const [startTime, endTime] of ranges) {
    for (const timezone of ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"]) {
      for (const granularity of ["DAILY", "HOURLY"]) {
        const { json } = await usageOf(daybook, "ends", { startTime, endTime, timezone, granularity });
        assert.deepEqual(json, { serverlessCosts: [], dedicatedCosts: [], trainingCosts: [] }, startTime);
      }
    }
  }
});

test("HOURLY: an hour that the zone repeats is two buckets, one that it skips is none", async () => {
  await daybook.account("hours");
  const table = `
    id | time                     | usageType | promptTokens
    a  | 2025-11-02T07:59:59.999Z | ${TEXT}   | 1
    b  | 2025-11-02T08:00:00Z     | ${TEXT}   | 10
    c  | 2025-11-02T08:59:59.999Z | ${TEXT}   | 100
    d  | 2025-11-02T09:00:00Z     | ${TEXT}   | 1000
    e  | 2025-11-02T10:00:00Z     | ${TEXT}   | 10000
    f  | 2026-03-08T09:59:59.999Z | ${TEXT}   | 2
    g  | 2026-03-08T10:00:00Z     | ${TEXT}   | 20
  `;
  await writeUsage(daybook, "hours", table);
  const hourly = { granularity: "HOURLY", timezone: "America/Los_Angeles" };
  const autumn = { startTime: "2025-11-02T00:00:00-07:00", endTime: "2025-11-03T00:00:00-08:00" };
  const spring = { startTime: "2026-03-08T00:00:00-08:00", endTime: "2026-03-09T00:00:00-07:00" };
  const columns = "startTime | endTime | promptTokens";
  const repeated = await usageOf(daybook, "hours", { ...autumn, ...hourly });
  assert.deepEqual(linesOf(repeated.json.serverlessCosts, columns), [
    "2025-11-02T00:00:00-07:00 | 2025-11-02T01:00:00-07:00 | 1",
    "2025-11-02T01:00:00-07:00 | 2025-11-02T01:00:00-08:00 | 110",
    "2025-11-02T01:00:00-08:00 | 2025-11-02T02:00:00-08:00 | 1000",
    "2025-11-02T02:00:00-08:00 | 2025-11-02T03:00:00-08:00 | 10000",
  ]);
  const skipped = await usageOf(daybook, "hours", { ...spring, ...hourly });
  assert.deepEqual(linesOf(skipped.json.serverlessCosts, columns), [
    "2026-03-08T01:00:00-08:00 | 2026-03-08T03:00:00-07:00 | 2",
    "2026-03-08T03:00:00-07:00 | 2026-03-08T04:00:00-07:00 | 20",
  ]);
  const quarter = await usageOf(daybook, "hours", { ...spring, granularity: "HOURLY", timezone: "Asia/Kathmandu" });
  assert.deepEqual(linesOf(quarter.json.serverlessCosts, columns), [
    "2026-03-08T15:00:00+05:45 | 2026-03-08T16:00:00+05:45 | 22",
  ]);
  await golden("billing-usage-hourly.json", repeated.json);
});

test("a deployment's accelerator-seconds, split at day edges and counted up to now", async () => {
  await daybook.account("fleet");
  const home = "/v1/accounts/fleet/deployments";
  const ask = { name: "h100s", acceleratorType: "NVIDIA_H100_80GB", acceleratorCount: 8, annotations: { team: "a" } };
  await post(daybook, home, ask);
  await post(daybook, `${home}/h100s:scale`, { replicaCount: 2, time: "2026-10-19T22:00:00Z" });
  await post(daybook, `${home}/h100s:scale`, { replicaCount: 1, time: "2026-10-20T06:00:00Z" });
  await post(daybook, `${home}/h100s:scale`, { replicaCount: 5, time: "2026-10-21T00:00:00Z" });
  const range = { startTime: "2026-10-18T00:00:00Z", endTime: "2026-10-22T00:00:00Z" };
  const columns = "startTime | acceleratorSeconds | costNanoUsd";
  const rows = async (question: Record<string, string>) => {
    const { json } = await usageOf(daybook, "fleet", { ...range, ...question });
    return linesOf(json.dedicatedCosts, columns);
  };
  try {
    assert.deepEqual(await rows({}), [
      // 2 h x 16, at $8
      "2026-10-19T00:00:00Z | 115200 | 256000000000",
      // 6 h x 16 + 6 h x 8
      "2026-10-20T00:00:00Z | 518400 | 1152000000000",
    ]);
    assert.deepEqual(await rows({ timezone: "America/Los_Angeles" }), [
      // 8 h x 16 + 1 h x 8
      "2026-10-19T00:00:00-07:00 | 489600 | 1088000000000",
      // 5 h x 8
      "2026-10-20T00:00:00-07:00 | 144000 | 320000000000",
    ]);
    // 29 min 59.5 s x 16
    assert.deepEqual(await rows({ startTime: "2026-10-19T23:30:00.500Z", endTime: "2026-10-20T00:00:00Z" }), [
      "2026-10-19T00:00:00Z | 28792 | 63982222222",
    ]);
    assert.deepEqual(await rows({ startTime: NOW }), []);
    // 62.5 ms x 8 are half a second: 0, half-even; a millisecond more is 1.
    daybook.setClock("2026-10-20T12:00:00.063Z");
    assert.deepEqual(await rows({ startTime: NOW }), ["2026-10-20T00:00:00Z | 1 | 1120000"]);
    daybook.setClock("2026-10-20T13:00:00Z");
    await daybook.call("PATCH", `${home}/h100s`, { key: OPERATOR_KEY, body: { annotations: { team: "b" } } });
    daybook.setClock("2026-10-20T14:00:00Z");
    const { json } = await usageOf(daybook, "fleet", { ...range, startTime: NOW, groupBy: "annotations.team" });
    assert.deepEqual(linesOf(json.dedicatedCosts, "group.annotations.team | acceleratorSeconds"), [
      "a | 28800",
      "b | 28800",
    ]);
    // The scale-up that was scheduled has come by then; the deployment ends an hour later.
    daybook.setClock("2026-10-21T01:00:00Z");
    await daybook.call("DELETE", `${home}/h100s`, { key: OPERATOR_KEY });
    daybook.setClock("2026-10-21T09:00:00Z");
    assert.deepEqual(await rows({ startTime: "2026-10-21T00:00:00Z" }), [
      "2026-10-21T00:00:00Z | 144000 | 320000000000",
    ]);
  } finally {
    daybook.setClock(NOW);
  }
});

test("a price that changes inside a local day: each part at its own, one row", async () => {
  await daybook.account("september");
  const home = "/v1/accounts/september/deployments";
  await post(daybook, home, { name: "h100", acceleratorType: "NVIDIA_H100_80GB" });
  await post(daybook, `${home}/h100:scale`, { replicaCount: 1, time: "2026-08-31T20:00:00Z" });
  await post(daybook, `${home}/h100:scale`, { replicaCount: 0, time: "2026-09-01T04:00:00Z" });
  const range = { startTime: "2026-08-31T07:00:00Z", endTime: "2026-09-01T07:00:00Z", timezone: "America/Los_Angeles" };
  const { json } = await usageOf(daybook, "september", range);
  // 4 h x $7 + 4 h x $8
  assert.deepEqual(linesOf(json.dedicatedCosts, "startTime | acceleratorSeconds | cost.units"), [
    "2026-08-31T00:00:00-07:00 | 28800 | 60",
  ]);
});

test("a late event is in the next answer; voided usage is in none, stays readable, and keeps its id", async () => {
  await daybook.account("late");
  const range = { startTime: "2026-10-05T00:00:00Z", endTime: "2026-10-06T00:00:00Z" };
  const prompt = async () =>
    (await usageOf(daybook, "late", range)).json.serverlessCosts.map(
      (row: { promptTokens: string }) => row.promptTokens,
    );
  const event = (id: string, promptTokens: string) => `
    id    | time                 | usageType | promptTokens
    ${id} | 2026-10-05T10:00:00Z | ${TEXT}   | ${promptTokens}`;
  assert.deepEqual(await prompt(), []);
  await writeUsage(daybook, "late", event("a", "1"));
  assert.deepEqual(await prompt(), ["1"]);
  daybook.setClock("2026-12-20T12:00:00Z");
  await writeUsage(daybook, "late", event("b", "10"));
  assert.deepEqual(await prompt(), ["11"]);
  const voided = await post(daybook, "/v1/accounts/late/usageEvents:void", { ids: ["b", "never"] });
  assert.deepEqual(voided.json, { voided: 1, alreadyVoided: 0, notFound: [{ index: 1, id: "never" }] });
  daybook.setClock(NOW);
  assert.deepEqual(await prompt(), ["1"]);
  const again = await post(daybook, "/v1/accounts/late/usageEvents:void", { ids: ["b"] });
  assert.deepEqual(again.json, { voided: 0, alreadyVoided: 1, notFound: [] });
  const read = await daybook.call("GET", "/v1/accounts/late/usageEvents/b", { key: OPERATOR_KEY });
  assert.deepEqual(read.json, {
    id: "b",
    time: "2026-10-05T10:00:00Z",
    usageType: TEXT,
    serviceTier: "STANDARD",
    promptTokens: 10,
    voidTime: "2026-12-20T12:00:00Z",
  });
  const same = { id: "b", time: "2026-10-05T10:00:00Z", usageType: TEXT, promptTokens: 10 };
  const resent = await post(daybook, "/v1/accounts/late/usageEvents:batchCreate", { events: [same] });
  assert.deepEqual([resent.json.created, resent.json.duplicates], [0, 1]);
  assert.deepEqual(await prompt(), ["1"]);
});

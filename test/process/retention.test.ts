/** `daybook serve --keep-events-days`: what a client, the prompt and verify tell once raw events are dropped. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { until } from "../until.ts";
import { ACCOUNT, Daybook, run, start } from "./daybook.ts";
import { type Answer, ask, askJson } from "./http.ts";

const DAY = 86_400_000;
const KEEP = ["--port", "0", "--keep-events-days", "32"];
const root = mkdtempSync(join(tmpdir(), "daybook-retention-"));
const folder = join(root, "usage");
after(() => {
  Daybook.killAll();
  rmSync(root, { recursive: true, force: true });
});

const base = `/v1/accounts/${ACCOUNT}`;
const today = Math.floor(Date.now() / DAY) * DAY;
const at = (day: number, ms = 0): string => new Date(today + day * DAY + ms).toISOString().replace(".000Z", "Z");
const OLD = -60;

function event(id: string, day: number, promptTokens = 1_000) {
  const model = "accounts/fireworks/models/kimi-k2p6";
  const usageType = "TEXT_COMPLETION_INFERENCE_USAGE";
  return { id, time: at(day, 10 * 3_600_000 + 61_001), usageType, model, promptTokens, completionTokens: 50 };
}

const write = (url: string, ...events: object[]) =>
  askJson(url, { path: `${base}/usageEvents:batchCreate`, body: JSON.stringify({ events }) });

const range = (start: string, end: string): string => `startTime=${start}&endTime=${end}`;
const OLD_WEEK = range(at(OLD - 3), at(OLD + 4));
const REPORTS = [
  `billingUsage?${OLD_WEEK}`,
  `billingUsage?${OLD_WEEK}&granularity=HOURLY&timezone=Asia/Kathmandu&groupBy=model_name`,
  `billingUsage?${range(at(OLD, 15 * 60_000), at(OLD, 11 * 3_600_000))}`,
  `billing/summary?${OLD_WEEK}&granularity=DAILY`,
  "billing/invoices?showPending=true",
];

/** The message of a refusal. */
function refused(answer: Answer, status: number): string {
  assert.ok(answer.kind === "answered" && answer.status === status, JSON.stringify(answer));
  return (JSON.parse(answer.body) as { message: string }).message;
}

test("raw events that are old enough are dropped, reports stay as they were, and the rest is said", async () => {
  const first = await start({ folder });
  await write(first.url, event("old-1", OLD), event("old-2", OLD), event("old-void", OLD), event("new", -1));
  await askJson(first.url, { path: `${base}/usageEvents:void`, body: '{"ids":["old-void"]}' });
  const answers = async (url: string): Promise<string[]> => {
    const all = await Promise.all(REPORTS.map((path) => ask(url, { path: `${base}/${path}` })));
    return all.map((answer) => {
      assert.ok(answer.kind === "answered" && answer.status === 200, JSON.stringify(answer));
      return answer.body;
    });
  };
  const before = await answers(first.url);
  assert.ok(before[0]!.includes('"promptTokens":"2000"'));
  assert.equal((await first.daybook.stop()).code, 0);

  const { daybook, url } = await start({ folder, args: KEEP });
  const line = await until("a run is told", () => /^.*raw events were dropped.*(?=\n)/m.exec(daybook.stderr)?.[0]);
  const { before: horizon, dropped, accounts } = JSON.parse(line);
  const keptFrom = at(-32);
  assert.deepEqual({ horizon, dropped, accounts }, { horizon: keptFrom, dropped: 3, accounts: 1 });
  assert.deepEqual(await answers(url), before);

  const again = await write(
    url,
    event("old-1", OLD),
    event("old-2", OLD, 9),
    event("old-void", OLD),
    event("new", -1, 9),
  );
  const conflicts = [{ index: 3, id: "new", field: "promptTokens" }];
  assert.deepEqual(again, { created: 0, duplicates: 3, conflicts, rejected: [], droppedAnnotations: 0 });
  const voided = await askJson(url, { path: `${base}/usageEvents:void`, body: '{"ids":["old-1","never"]}' });
  const named = { notFound: [{ index: 1, id: "never" }], dropped: [{ index: 0, id: "old-1" }] };
  assert.deepEqual(voided, { voided: 0, alreadyVoided: 0, ...named });

  const read = await ask(url, { path: `${base}/usageEvents/old-1` });
  const was =
    'usageEvent: "old-1" was counted and its raw event was dropped since; reports keep it, and its id stays taken';
  assert.equal(refused(read, 404), was);
  const off = await ask(url, { path: `${base}/billingUsage?${range(at(OLD, 1), at(OLD + 1))}` });
  assert.equal(
    refused(off, 400),
    `range: the edge "${at(OLD, 1)}" is off the 15-minute slots and before ${keptFrom}, up to where raw events were ` +
      `dropped; choose times, or a timezone, with edges such as ${at(OLD)} or ${at(OLD, 15 * 60_000)}`,
  );
  const gone = await ask(url, { path: `${base}/billingUsage:explain?${OLD_WEEK}&events=true` });
  assert.ok(gone.kind === "answered" && gone.status === 200, JSON.stringify(gone));
  const explanation = JSON.parse(gone.body);
  assert.equal(explanation.row.promptTokens, "2000");
  assert.deepEqual([explanation.events.count, explanation.events.keptFrom], ["0", keptFrom]);
  assert.deepEqual(explanation.usageEvents, []);

  await write(url, event("late", OLD));
  assert.ok((await answers(url))[0]!.includes('"promptTokens":"3000"'));
  assert.equal(((await ask(url, { path: `${base}/usageEvents/late` })) as { status: number }).status, 200);

  const env = { DAYBOOK_API_KEY: "fw_process-test-key-0123456789", DAYBOOK_ACCOUNT_ID: ACCOUNT, DAYBOOK_BASE_URL: url };
  const days = ["--start-time", at(OLD).slice(0, 10), "--end-time", at(OLD + 1).slice(0, 10)];
  const explained = await run(["billing", "explain", ...days], { env });
  assert.match(explained.stdout, new RegExp(`Raw events before ${keptFrom} were dropped; since then 0 events`));
  const exported = await run(["billing", "export-metrics", ...days, "--filename", join(root, "metrics.csv")], { env });
  assert.equal(exported.code, 1);
  assert.match(
    exported.stderr,
    new RegExp(`startTime: "${at(OLD)}" is before ${keptFrom}, up to where raw events were`),
  );
  assert.equal((await daybook.stop()).code, 0);

  const verified = await run(["verify", "--data", folder]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  assert.match(
    verified.stdout,
    /^all 1 sums agree with 2 events\n1 of 2 days were checked against their events; of the others these were dropped\n$/,
  );
});

test("fewer days than the longest report are refused, from the environment too", async () => {
  const mend = /^daybook: --keep-events-days: "31" is not a number of days that events can be kept; use 32 to 36500\n$/;
  const args = ["serve", "--data", join(root, "never")];
  const said = [
    await run([...args, "--keep-events-days", "31"]),
    await run(args, { env: { DAYBOOK_KEEP_EVENTS_DAYS: "31" } }),
  ];
  for (const { code, stderr } of said) {
    assert.equal(code, 2);
    assert.match(stderr, mend);
  }
});

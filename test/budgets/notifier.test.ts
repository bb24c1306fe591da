/** Notices of thresholds to a real receiver: signed, once each, tried again after failures and after a restart. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { NoticeTry } from "../../src/budgets/notifier.ts";
import { isInside } from "../../src/budgets/webhook.ts";
import { Service } from "../../src/service.ts";
import { until as untilTrue } from "../until.ts";

const ACCOUNT = "acme";
const SECRET = "whsec_0123456789abcdef";
const PRICES = `currency: USD
multipliers: { batch: "0.5", cachedInput: "0.1", restrictedPlacement: "1.5", source: test }
prices:
  - match: { model: m }
    perMillionTokens: { input: "1", output: "1" }
    effectiveFrom: 2026-01-01T00:00:00Z
    source: test
`;
const FAST = { lookMs: 20, retryMs: 20, allowsPrivate: true };

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver that answers with the statuses in turn, the last one for ever. */
async function receiver(t: TestContext, statuses: readonly number[]): Promise<{ url: string; got: Got[] }> {
  const got: Got[] = [];
  const server = createServer((request, answer) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      body += part;
    });
    request.on("end", () => {
      got.push({ headers: request.headers, body });
      answer.writeHead(statuses[Math.min(got.length, statuses.length) - 1]!, { location: "/elsewhere" }).end("x");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?x=1`, got };
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-notices-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

const NOW = Date.parse("2026-05-31T23:30:00Z");

async function open(dataFolder: string, clock: { now: number }): Promise<Service> {
  const service = await Service.open({ dataFolder, now: () => clock.now });
  await service.accounts.bootstrap({ accountId: ACCOUNT });
  await service.putPriceBook({ account: "", document: PRICES, createdBy: "test" });
  return service;
}

let events = 0;
/** @param usd whole dollars, in one event of now. */
async function spend(service: Service, usd: number): Promise<void> {
  events += 1;
  const time = new Date(service.now()).toISOString();
  const usage = { usageType: "TEXT_COMPLETION_INFERENCE_USAGE", model: "m", promptTokens: usd * 1_000_000 };
  const bytes = Buffer.from(JSON.stringify({ events: [{ id: `e${events}`, time, ...usage }] }));
  await service.writeUsage(ACCOUNT, { bytes, contentType: "application/json", contentEncoding: "" });
}

const until = (is: () => boolean): Promise<true> => untilTrue(is.toString(), is) as Promise<true>;
const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

test("each threshold once a month, signed; a new month begins anew", async (t) => {
  const clock = { now: NOW };
  const { url, got } = await receiver(t, [200]);
  const service = await open(await folderOf(t), clock);
  t.after(() => service.close());
  await service.accounts.patchAccount(ACCOUNT, { timezone: "America/Los_Angeles" });
  const patch = { monthlySpendUsdThresholds: [5n, 8n, 20n], webhookUrl: url, webhookSecret: SECRET };
  await service.accounts.patchNotificationSettings(ACCOUNT, patch);
  service.notifySpend(FAST);
  await spend(service, 4);
  await rest();
  assert.equal(got.length, 0);
  await spend(service, 5);
  await until(() => got.length >= 2);
  await spend(service, 1);
  await rest();
  assert.equal(got.length, 2);
  const bodies = got.map(({ body }) => JSON.parse(body)).sort((a, b) => a.thresholdUsd - b.thresholdUsd);
  const { id, ...first } = bodies[0];
  assert.deepEqual(first, {
    type: "monthly_spend_threshold_reached",
    time: "2026-05-31T23:30:00Z",
    account: "accounts/acme",
    monthStartTime: "2026-05-01T00:00:00-07:00",
    monthEndTime: "2026-06-01T00:00:00-07:00",
    thresholdUsd: "5",
    spentUsd: "9",
  });
  assert.equal(bodies[1].thresholdUsd, "8");
  for (const { headers, body } of got) {
    const [, seconds, sent] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["daybook-signature"]))!;
    assert.equal(sent, createHmac("sha256", SECRET).update(`${seconds}.${body}`).digest("hex"));
    assert.equal(headers["daybook-event-id"], JSON.parse(body).id);
  }
  assert.match(id, /^[0-9a-f-]{36}$/);
  // The month of UTC turns and that of the account does not; then that one does.
  clock.now = Date.parse("2026-06-01T03:00:00Z");
  await rest();
  assert.equal(got.length, 2);
  clock.now = Date.parse("2026-06-01T08:00:00Z");
  await spend(service, 6);
  await until(() => got.length === 3);
  assert.equal(JSON.parse(got[2]!.body).monthStartTime, "2026-06-01T00:00:00-07:00");
});

test("a receiver that fails is asked again, after a restart too, with the same notice", async (t) => {
  const clock = { now: NOW };
  const dataFolder = await folderOf(t);
  const { url, got } = await receiver(t, [500, 302, 503, 503, 204]);
  const first = await open(dataFolder, clock);
  const patch = { monthlySpendUsdThresholds: [5n], webhookUrl: url, webhookSecret: SECRET };
  await first.accounts.patchNotificationSettings(ACCOUNT, patch);
  const tries: NoticeTry[] = [];
  first.notifySpend({ ...FAST, told: (one) => tries.push(one) });
  await spend(first, 5);
  await until(() => got.length === 1);
  await rest();
  assert.equal(got.length, 1, "its time has not come");
  clock.now += 20;
  await until(() => tries.length === 2);
  assert.deepEqual(
    tries.map(({ status, nextTryTime }) => [status, nextTryTime! - NOW]),
    [
      [500, 20],
      [302, 60],
    ],
  );
  await first.close();
  const second = await open(dataFolder, clock);
  t.after(() => second.close());
  second.notifySpend({ ...FAST, told: (one) => tries.push(one) });
  for (const ms of [40, 80, 160]) {
    const before = tries.length;
    clock.now += ms;
    await until(() => tries.length === before + 1);
  }
  clock.now += 10_000;
  await rest();
  assert.deepEqual(
    tries.map(({ status }) => status),
    [500, 302, 503, 503, 204],
  );
  assert.equal(new Set(got.map(({ body }) => body)).size, 1);
});

test("no notice goes to this machine or a private network unless the operator allows it", async (t) => {
  const clock = { now: NOW };
  const { url, got } = await receiver(t, [200]);
  const tries: NoticeTry[] = [];
  for (const webhookUrl of [url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::ffff:7f00:1]")]) {
    const service = await open(await folderOf(t), clock);
    await service.accounts.patchNotificationSettings(ACCOUNT, {
      monthlySpendUsdThresholds: [5n],
      webhookUrl,
      webhookSecret: SECRET,
    });
    const before = tries.length;
    service.notifySpend({ ...FAST, allowsPrivate: false, told: (one) => tries.push(one) });
    await spend(service, 5);
    await until(() => tries.length > before);
    await service.close();
  }
  assert.equal(got.length, 0);
  for (const { reason } of tries) assert.match(reason ?? "", /is an address of this machine or of a private network/);
});

test("which addresses are inside", () => {
  const inside =
    "0.0.0.0 10.1.2.3 100.64.0.1 127.9.9.9 169.254.169.254 172.31.0.1 192.168.1.1 198.19.0.1 224.0.0.1 255.255.255.255 ::1 :: fe80::1 fc00::1 ::ffff:1.1.1.1 64:ff9b::a00:1 2002:a00:1:: 2001:0:1:: no-address";
  const outside = "1.1.1.1 8.8.8.8 172.32.0.1 192.169.0.1 100.128.0.1 2606:4700:4700::1111";
  for (const one of inside.split(" ")) assert.ok(isInside(one), one);
  for (const one of outside.split(" ")) assert.ok(!isInside(one), one);
});

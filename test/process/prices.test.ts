/** Price books of a real server: what a start says of them, and that a version that was answered outlives `kill -9`. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Accounts } from "../../src/accounts/store.ts";
import { until } from "../until.ts";
import { ACCOUNT, Daybook, KEY, run, start } from "./daybook.ts";

const root = mkdtempSync(join(tmpdir(), "daybook-prices-"));
after(() => {
  Daybook.killAll();
  rmSync(root, { recursive: true, force: true });
});

const KILLS = 4;

function bookOf(price: string): string {
  const entry = `match: { model: m }, perImage: "${price}", effectiveFrom: 2026-01-01T00:00:00Z, source: s`;
  return `currency: USD\nprices:\n  - { ${entry} }\n`;
}

function fileOf(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

async function call(
  url: string,
  path: string,
  body?: object,
): Promise<{ status: number; json: Record<string, string> }> {
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const reply = await fetch(url + path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  return { status: reply.status, json: (await reply.json()) as Record<string, string> };
}

/** Starts, looks which version is in force, and stops. */
async function tellStart(folder: string, prices?: string): Promise<{ stdout: string; stderr: string; newest: string }> {
  const args = ["--port", "0", ...(prices === undefined ? [] : ["--prices", prices])];
  const { daybook, url } = await start({ folder, args });
  const { priceBooks } = (await call(url, "/v1/priceBooks?pageSize=1")).json as unknown as {
    priceBooks: { name: string }[];
  };
  const { code, stdout, stderr } = await daybook.stop();
  assert.equal(code, 0);
  return { stdout, stderr: stderr.replace(/^\{.*\n/gm, ""), newest: priceBooks[0]!.name };
}

test("--prices: taken where it differs; with mistakes the book in force stays, and a first start is refused", async () => {
  const folder = join(root, "started");
  const bad = fileOf("bad.yaml", bookOf("-1"));
  const good = fileOf("good.yaml", bookOf("1"));
  const mistake = `${bad}:3: prices[0].perImage: "-1" is negative; it must be "0" or more\n`;
  const refused = await run(["serve", "--data", folder, "--port", "0", "--prices", bad]);
  assert.deepEqual(refused, {
    code: 1,
    signal: null,
    stdout: "",
    stderr: `${mistake}daybook: --prices: ${JSON.stringify(bad)} has 1 mistake; correct the file and start again\n`,
  });
  const none = await run(["serve", "--data", folder, "--port", "0", "--prices", join(root, "none.yaml")]);
  assert.match(none.stderr, /^daybook: file "[^\n]*none\.yaml" cannot be used: there is no such file\n$/);

  const first = await tellStart(folder, good);
  assert.match(first.stdout, /^Price book version 1 in force, known from \d{4}-\S+Z\.\nDaybook /);
  assert.deepEqual([first.newest, first.stderr], ["priceBooks/1", ""]);
  const again = await tellStart(folder, good);
  assert.deepEqual([again.newest, again.stdout.split(" ")[0]], ["priceBooks/1", "Daybook"]);
  const kept = await tellStart(folder, bad);
  assert.equal(kept.newest, "priceBooks/1");
  const sentence = `daybook: --prices: ${JSON.stringify(bad)} was not taken; price book version 1 stays in force\n`;
  assert.equal(kept.stderr, mistake + sentence);
  writeFileSync(good, bookOf("2"));
  const next = await tellStart(folder, good);
  assert.match(next.stdout, /^Price book version 2 in force, known from /);
  const without = await tellStart(folder);
  assert.deepEqual([without.newest, without.stdout.split(" ")[0]], ["priceBooks/2", "Daybook"]);
});

/** Keeps a book's text as a daybook with other rules would have, in the folder of a server that does not run. */
async function keepUnread(folder: string, document: string): Promise<void> {
  const place = { path: join(folder, "accounts.db") };
  const accounts = await Accounts.open({ place, now: Date.now, randomBytes });
  await accounts.putPriceBook({ account: "", document, entryCount: 1, createdBy: "an earlier daybook" });
  await accounts.close();
}

test("a kept book that cannot be read refuses the start by its number and mistake, and a mended book goes on", async () => {
  const folder = join(root, "kept");
  const good = fileOf("kept.yaml", bookOf("1"));
  await tellStart(folder, good);
  await keepUnread(folder, bookOf("-1"));
  const told =
    "price book version 2, line 3: it was kept by an earlier daybook, and this one cannot read it: " +
    'prices[0].perImage: "-1" is negative; it must be "0" or more; ' +
    "start the earlier one again, or put a mended book (serve --prices)";
  const refused = await run(["serve", "--data", folder, "--port", "0"]);
  assert.deepEqual([refused.code, refused.stdout, refused.stderr], [1, "", `daybook: ${told}\n`]);

  const { daybook, url } = await start({ folder, args: ["--port", "0", "--prices", good] });
  const { priceBooks } = (await call(url, "/v1/priceBooks")).json as unknown as {
    priceBooks: { name: string; knownFrom: string }[];
  };
  assert.deepEqual(
    priceBooks.map(({ name }) => name),
    ["priceBooks/3", "priceBooks/2", "priceBooks/1"],
  );
  const range = "startTime=2026-05-01T00:00:00Z&endTime=2026-05-02T00:00:00Z";
  const path = `/v1/accounts/${ACCOUNT}/billingUsage?${range}`;
  assert.equal((await call(url, path)).status, 200);
  const { status, json } = await call(url, `${path}&asOf=${priceBooks[1]!.knownFrom}`);
  assert.deepEqual([status, json.code, json.message], [500, 13, told]);
  const { code, stderr } = await daybook.stop();
  assert.equal(code, 0);
  assert.ok(stderr.includes(JSON.stringify(told).slice(1, -1)), `the log has it: ${stderr}`);
});

test(`${KILLS} kills while books are put: what was answered is there, and no version is left out`, async () => {
  const folder = join(root, "killed");
  const answered = new Map<number, string>();
  let price = 0;
  for (let round = 0; round < KILLS; round += 1) {
    const { daybook, url } = await start({ folder });
    const put = async (): Promise<void> => {
      for (;;) {
        price += 1;
        const document = bookOf(String(price));
        const { status, json } = await call(url, "/v1/priceBooks", { priceBook: { document } });
        assert.equal(status, 200);
        answered.set(Number(json.version), document);
      }
    };
    const before = answered.size;
    const writers = [put(), put(), put()].map((one) =>
      one.catch((error: Error) => assert.match(error.message, /fetch failed|terminated/)),
    );
    await until("twenty books are answered", () => answered.size >= before + 20);
    daybook.kill();
    await Promise.all([daybook.ended, ...writers]);
  }
  const { daybook, url } = await start({ folder });
  const shipped = readFileSync(join(import.meta.dirname, "../../prices/default.yaml"), "utf8");
  assert.equal((await call(url, "/v1/priceBooks/1")).json.document, shipped);
  assert.ok(answered.size >= KILLS * 20);
  for (const [version, document] of answered) {
    assert.equal((await call(url, `/v1/priceBooks/${version}`)).json.document, document, `version ${version}`);
  }
  const { totalSize } = (await call(url, "/v1/priceBooks?pageSize=1")).json;
  const newest = (await call(url, `/v1/priceBooks/${totalSize}`)).json;
  assert.equal(newest.version, String(totalSize), "versions are counted without a gap");
  assert.equal((await daybook.stop()).code, 0);
});

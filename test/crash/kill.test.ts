/**
 * Law 1 with a real process and a real `kill -9`: what was answered is there, once, whenever the server died. One data
 * folder lives through all rounds, so that damage would add up. DAYBOOK_CRASH_ROUNDS sets how many, DAYBOOK_CRASH_SEED
 * repeats the choices of a failed run (not the scheduler's).
 */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ACCOUNT, Daybook, KEY, start } from "../process/daybook.ts";
import { ask, askJson } from "../process/http.ts";
import { Book, noTotals, type Totals } from "./book.ts";
import { type Filed, readFiles } from "./file-check.ts";
import { between, Client, FIRST_DAY, LAST_DAY, type Random, randomOf, send } from "./load.ts";

const ROUNDS = Number(process.env.DAYBOOK_CRASH_ROUNDS ?? 30);
const SEED = Number(process.env.DAYBOOK_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 32));
const LOAD_MS_MIN = 300;
const LOAD_MS_MAX = 650;
/** One start in so many is itself killed before the one that counts. */
const KILLED_STARTS_EVERY = 10;
const ACCOUNTS = [ACCOUNT, "beta", "gamma"];
const CLIENTS = 6;

after(() => Daybook.killAll());

/** Runs the story; a failure tells the seed and leaves the folder for a look. */
async function story(folder: string, name: string, tell: () => Promise<void>): Promise<void> {
  try {
    await tell();
    rmSync(folder, { recursive: true });
  } catch (error) {
    throw new Error(`${name}: DAYBOOK_CRASH_SEED=${SEED}, files in ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

test("a first start that is killed at any instant can be made again", { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "daybook-first-"));
  const random = randomOf(SEED);
  await story(folder, "first start", async () => {
    const started = Date.now();
    const warm = await start({ folder: join(folder, "warm") });
    const startMs = Date.now() - started;
    await warm.daybook.stop();
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const data = join(folder, `${attempt}`);
      const killed = new Daybook(["serve", "--data", data, "--port", "0"]);
      await sleep(startMs * (0.3 + 0.7 * random()));
      killed.kill();
      await killed.ended;
      const { daybook, url } = await start({ folder: data });
      await askJson(url, { path: `/v1/accounts/${ACCOUNT}` });
      assert.equal((await daybook.stop()).code, 0);
      assert.deepEqual(readFiles(data), { problems: [], events: [] });
    }
  });
});

test(`${ROUNDS} kills in the middle of ingest lose nothing and count nothing twice`, {
  timeout: 300_000 + ROUNDS * 20_000,
}, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "daybook-kill-"));
  const random = randomOf(SEED);
  const book = new Book();
  await story(folder, "kill -9", async () => {
    const keys = await makeAccounts(folder);
    const clients = Array.from({ length: CLIENTS }, (_, at) => {
      const account = ACCOUNTS[at % ACCOUNTS.length]!;
      const key = at < ACCOUNTS.length ? KEY : keys.get(account)!;
      return new Client({ name: `c${at}`, account, key, random: randomOf(SEED + at + 1), book });
    });
    const notes = { unanswered: 0, wholly: 0 };
    let server = await start({ folder });
    for (let round = 1; round <= ROUNDS; round += 1) {
      const made = await loadAndKill({ ...server, clients, random });
      const filed = readFiles(folder);
      if (round % KILLED_STARTS_EVERY === 0) await killStart(folder, random);
      server = await start({ folder });
      const after = await judge({ url: server.url, book, filed, keys: made });
      notes.unanswered += after.unanswered;
      notes.wholly += after.wholly;
    }
    assert.equal((await server.daybook.stop()).code, 0);
    assert.ok(!existsSync(join(folder, "ledger.db-wal")), "a clean end leaves no write-ahead log");
    const filed = readFiles(folder);
    assert.deepEqual(filed.problems, []);
    book.judge(filed.events, []);
    const { written, voided } = book;
    const there = new Set(filed.events.map(({ account, id }) => `${account}/${id}`)).size;
    const figures = { written, voided, lost: written - there, doubled: filed.events.length - there, ...notes };
    context.diagnostic(`figure kill -9: ${ROUNDS} rounds, seed ${SEED}: ${JSON.stringify(figures)}`);
    assert.ok(notes.unanswered > 0 || ROUNDS < 5, "the kills hit no call: the load is too thin to prove anything");
  });
});

/** A first start, with two more accounts and a METER key for each account but one. */
async function makeAccounts(folder: string): Promise<Map<string, string>> {
  const { daybook, url } = await start({ folder });
  const keys = new Map<string, string>();
  for (const account of ACCOUNTS) {
    if (account !== ACCOUNT) await askJson(url, { path: "/v1/accounts", body: JSON.stringify({ name: account }) });
    const user = account === ACCOUNT ? "owner" : "admin";
    keys.set(account, await makeKey(url, `/v1/accounts/${account}/users/${user}/apiKeys`));
  }
  assert.equal((await daybook.stop()).code, 0);
  return keys;
}

async function makeKey(url: string, path: string): Promise<string> {
  const body = JSON.stringify({ apiKey: { displayName: "meter", role: "METER" } });
  return (await askJson<{ key: string }>(url, { path, body })).key;
}

/** Loads the server until a random instant, kills it, and returns the keys that it gave out meanwhile. */
async function loadAndKill(options: {
  readonly daybook: Daybook;
  readonly url: string;
  readonly clients: readonly Client[];
  readonly random: Random;
}): Promise<string[]> {
  const { daybook, url, clients, random } = options;
  let stopped = false;
  const isStopped = (): boolean => stopped;
  const keys: string[] = [];
  const others = [readOn(url, isStopped), giveKeys(url, keys, isStopped)];
  const loads = clients.map((client) => client.load(url, isStopped));
  await sleep(between(random, LOAD_MS_MIN, LOAD_MS_MAX));
  daybook.kill();
  stopped = true;
  const ended = await daybook.ended;
  assert.equal(ended.signal, "SIGKILL", `the server ended before it was killed: ${daybook.stderr}`);
  await Promise.all([...loads, ...others]);
  return keys;
}

/** A reader beside the writers; what it is told is judged after the crash, when nothing moves. */
async function readOn(url: string, stopped: () => boolean): Promise<void> {
  while (!stopped()) {
    const answer = await ask(url, { path: usagePath(ACCOUNT, FIRST_DAY, LAST_DAY) });
    if (answer.kind === "answered") assert.equal(answer.status, 200, answer.body);
  }
}

async function giveKeys(url: string, keys: string[], stopped: () => boolean): Promise<void> {
  const body = JSON.stringify({ apiKey: { displayName: "made under load" } });
  while (!stopped()) {
    const answer = await ask(url, { path: "/v1/accounts/beta/users/admin/apiKeys", body });
    if (answer.kind !== "answered" || !answer.body.endsWith("}")) continue;
    assert.equal(answer.status, 200, answer.body);
    keys.push((JSON.parse(answer.body) as { key: string }).key);
    await sleep(20);
  }
}

/** Kills a start on the damaged folder, most often while it recovers. */
async function killStart(folder: string, random: Random): Promise<void> {
  const killed = new Daybook(["serve", "--data", folder, "--port", "0"]);
  await sleep(between(random, 100, 900));
  killed.kill();
  await killed.ended;
}

/** Holds what the crash left in the files, and what the server that started on them says, against the book. */
async function judge(options: {
  readonly url: string;
  readonly book: Book;
  readonly filed: Filed;
  readonly keys: readonly string[];
}): Promise<{ unanswered: number; wholly: number }> {
  const { url, book, filed } = options;
  assert.deepEqual(filed.problems, []);
  const calls = book.takeUnanswered();
  const there = book.judge(filed.events, calls);
  for (const call of there) book.done(call);
  for (const account of ACCOUNTS) assert.deepEqual(await totalsOf(url, account), book.totals(account), account);
  for (const call of calls) {
    const reply = await send(url, call, { key: KEY, random: Math.random });
    assert.equal(reply?.fresh, there.has(call) ? 0 : call.own.length, "a call that is sent again counts once");
    if (!there.has(call)) book.done(call);
  }
  for (const account of ACCOUNTS) assert.deepEqual(await totalsOf(url, account), book.totals(account), account);
  for (const key of options.keys) await askJson(url, { path: "/verifyApiKey", key });
  return { unanswered: calls.length, wholly: there.size };
}

interface Report {
  readonly serverlessCosts: readonly {
    readonly promptTokens: string;
    readonly cachedPromptTokens: string;
    readonly completionTokens: string;
  }[];
  readonly trainingCosts: readonly { readonly tokens: string }[];
}

function usagePath(account: string, from: number, to: number): string {
  const range = `startTime=${new Date(from).toISOString()}&endTime=${new Date(to).toISOString()}`;
  return `/v1/accounts/${account}/billingUsage?${range}`;
}

/** The totals of all events, asked in two ranges that meet at some millisecond, so that raw events are read too. */
async function totalsOf(url: string, account: string): Promise<Totals> {
  const meeting = FIRST_DAY + Math.floor(Math.random() * (LAST_DAY - FIRST_DAY - 1)) + 1;
  const totals = noTotals();
  for (const [from, to] of [
    [FIRST_DAY, meeting],
    [meeting, LAST_DAY],
  ] as const) {
    const report = await askJson<Report>(url, { path: usagePath(account, from, to) });
    for (const row of report.serverlessCosts) {
      totals.prompt += Number(row.promptTokens);
      totals.cached += Number(row.cachedPromptTokens);
      totals.completion += Number(row.completionTokens);
    }
    for (const row of report.trainingCosts) totals.tokens += Number(row.tokens);
  }
  return totals;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

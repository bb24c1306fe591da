/** `daybook serve` as an operator meets it: ports, folders, signals, exit codes, and what it says in each case. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { until } from "../until.ts";
import { ACCOUNT, BOOTSTRAP, Daybook, KEY, run, start } from "./daybook.ts";
import { ask, askJson } from "./http.ts";

const root = mkdtempSync(join(tmpdir(), "daybook-serve-"));
/** What a clean end may take while clients are connected: longer than calls are given, less than a kept connection lives. */
const STOP_MS_MAX = 60_000;
let folders = 0;

function newFolder(): string {
  folders += 1;
  return join(root, `folder-${folders}`);
}

after(() => {
  Daybook.killAll();
  rmSync(root, { recursive: true, force: true });
});

/** Takes a port of 127.0.0.1; undefined when it is taken already. */
async function takePort(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

/** A folder that a daybook has started and stopped on. */
async function usedFolder(): Promise<string> {
  const folder = newFolder();
  const { daybook } = await start({ folder });
  assert.equal((await daybook.stop()).code, 0);
  return folder;
}

test("the default port, when taken, gives way to the next free one, and it says so", async (context) => {
  // Another process of the machine may hold 8484 as well as this test.
  const holder = await takePort(8484);
  try {
    const { daybook, url } = await start({ folder: newFolder(), args: [] });
    const port = Number(new URL(url).port);
    if (!holder && port === 8484) return context.skip("the process that held port 8484 has let it go");
    assert.ok(port > 8484 && port < 8484 + 100, url);
    assert.match(daybook.stdout, new RegExp(`^Port 8484 is taken; using ${port}\\.\n`));
    assert.equal((await ask(url, { path: "/healthz" })).kind, "answered");
    assert.equal((await daybook.stop()).code, 0);
  } finally {
    holder?.close();
  }
});

test("a port that was asked for is never changed", async () => {
  const holder = await takePort(0);
  const port = portOf(holder!);
  const said = await run(["serve", "--data", newFolder(), "--port", `${port}`]);
  holder!.close();
  const stderr = `daybook: --port: cannot listen on "127.0.0.1:${port}": it is taken; stop the other process or choose another --port\n`;
  assert.deepEqual(said, { code: 1, signal: null, stdout: "", stderr });
});

//   words                                   stderr
const WRONG_WORDS: readonly (readonly [string, RegExp])[] = [
  ["serve --port abc", /^daybook: --port: "abc" is not a port; use 0 to 65535\n$/],
  ["serve --port 65536", /^daybook: --port: "65536" is not a port; use 0 to 65535\n$/],
  ["serve --port -1", /^daybook: --port: "-1" is not a port; use 0 to 65535\n$/],
  ["serve --prot 80", /^daybook: unknown option '--prot'[^\n]*--help[^\n]*\n$/],
  ["serve --unheard-of", /^daybook: unknown option '--unheard-of'[^\n]*--help[^\n]*\n$/],
  ["serve --data", /^daybook: option '--data <dir>' argument missing[^\n]*--help[^\n]*\n$/],
  ["serve here", /^daybook: too many arguments for 'serve'[^\n]*--help[^\n]*\n$/],
  ["unheard-of", /^daybook: unknown command 'unheard-of'[^\n]*--help[^\n]*\n$/],
];
for (const [words, stderr] of WRONG_WORDS) {
  test(`daybook ${words}: exit 2, and one line that names the mend`, async () => {
    const said = await run(words.split(" "), { cwd: tmpdir() });
    assert.equal(said.code, 2);
    assert.equal(said.stdout, "");
    assert.match(said.stderr, stderr);
  });
}

test("--help lists commands and options, on stdout, exit 0", async () => {
  const [all, serve] = await Promise.all([run(["--help"]), run(["serve", "--help"])]);
  assert.deepEqual([all.code, serve.code, all.stderr, serve.stderr], [0, 0, "", ""]);
  assert.match(all.stdout, /^ {2}serve /m);
  for (const option of ["--data", "--port", "--host", "--demo", "-h, --help"]) {
    assert.match(serve.stdout, new RegExp(`^ {2}${option}`, "m"));
  }
  for (const name of Object.keys(BOOTSTRAP)) assert.match(serve.stdout, new RegExp(`^ {2}${name} `, "m"));
});

test("a second daybook on the same folder is told whose it is", async () => {
  const folder = newFolder();
  const { daybook } = await start({ folder });
  const second = await run(["serve", "--data", folder, "--port", "0"]);
  const stderr = `daybook: data folder ${JSON.stringify(folder)} is in use by another daybook process (process ${daybook.pid}); stop it or choose another --data\n`;
  assert.deepEqual(second, { code: 1, signal: null, stdout: "", stderr });
  assert.equal((await daybook.stop()).code, 0);
  const third = await start({ folder });
  assert.equal((await third.daybook.stop()).code, 0);
});

function sqlite(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

for (const file of ["ledger.db", "accounts.db"]) {
  test(`${file} of a newer version, of another application or of no kind is refused and left alone`, async () => {
    const newer = await usedFolder();
    sqlite(join(newer, file), "PRAGMA user_version = 999");
    const foreign = newFolder();
    mkdirSync(foreign);
    sqlite(join(foreign, file), "CREATE TABLE cats (name TEXT)");
    const text = newFolder();
    mkdirSync(text);
    writeFileSync(join(text, file), "This is no SQLite file. ".repeat(200));
    for (const [folder, said] of [
      [
        newer,
        /^daybook: "[^\n]*" was written by a newer daybook \(schema 999, this one knows \d+\); upgrade daybook\n$/,
      ],
      [foreign, /^daybook: "[^\n]*" is not a daybook file; choose another --data folder\n$/],
      [text, /^daybook: "[^\n]*" is not a daybook file; choose another --data folder\n$/],
    ] as const) {
      const refused = await run(["serve", "--data", folder, "--port", "0"]);
      assert.match(refused.stderr, said);
      assert.ok(refused.stderr.includes(file), "it names the file");
      assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    }
    const database = new DatabaseSync(join(foreign, file));
    const names = database.prepare("SELECT name FROM sqlite_schema").all();
    const mode = database.prepare("PRAGMA journal_mode").get();
    database.close();
    assert.deepEqual([names.map((row) => row.name), mode?.journal_mode], [["cats"], "delete"]);
  });
}

test("a folder that cannot be written is refused in one line", async (context) => {
  if (process.getuid?.() === 0) return context.skip("root may write everywhere: run the tests as another user");
  const folder = await usedFolder();
  chmodSync(folder, 0o500);
  const said = await run(["serve", "--data", folder, "--port", "0"]);
  chmodSync(folder, 0o700);
  assert.match(said.stderr, /^daybook: data folder "[^\n]*" cannot be used: [^\n]*\n$/);
  assert.deepEqual([said.code, said.stdout], [1, ""]);
});

test("a folder that lost its ledger.db is refused, not begun anew", async () => {
  const folder = await usedFolder();
  for (const end of ["", "-wal", "-shm"]) rmSync(join(folder, `ledger.db${end}`), { force: true });
  const refused = await run(["serve", "--data", folder, "--port", "0"]);
  assert.match(refused.stderr, /^daybook: data folder "[^\n]*" lacks ledger\.db, which it had; restore it [^\n]*\n$/);
  assert.deepEqual([refused.code, existsSync(join(folder, "ledger.db"))], [1, false]);
});

test("a data folder that is a file is refused in one line", async () => {
  const folder = newFolder();
  writeFileSync(folder, "");
  const said = await run(["serve", "--data", folder, "--port", "0"]);
  assert.match(said.stderr, /^daybook: data folder "[^\n]*" cannot be used: [^\n]*\n$/);
  assert.deepEqual([said.code, said.stdout], [1, ""]);
});

test("a bootstrap account and key that cannot be are refused in one line that does not hold the key", async () => {
  const env = { DAYBOOK_BOOTSTRAP_ACCOUNT: "No Such!", DAYBOOK_BOOTSTRAP_KEY: "secret" };
  const said = await run(["serve", "--data", newFolder(), "--port", "0"], { env });
  assert.match(said.stderr, /^daybook: DAYBOOK_BOOTSTRAP_ACCOUNT: [^\n]*DAYBOOK_BOOTSTRAP_KEY: [^\n]*\n$/);
  assert.ok(!said.stderr.includes("secret"));
  assert.deepEqual([said.code, said.stdout], [1, ""]);
});

test("the first start prints a random key, the second start does not, and the key works", async () => {
  const folder = newFolder();
  const first = await start({ folder, env: {} });
  const key = /^ {2}Key +(fw_\w{32})\n/m.exec(first.daybook.stdout)?.[1];
  assert.ok(key, first.daybook.stdout);
  assert.match(first.daybook.stdout, /^ {2}Account +default\n/m);
  assert.equal((await first.daybook.stop()).code, 0);
  const second = await start({ folder, env: {} });
  await askJson(second.url, { path: "/v1/accounts/default", key });
  const said = await second.daybook.stop();
  assert.doesNotMatch(said.stdout + said.stderr, /fw_\w/);
  assert.match(said.stdout, /^ {2}Key +as printed at the first start\n/m);
});

test("the environment names the first account and key", async () => {
  const { daybook, url } = await start({ folder: newFolder() });
  await askJson(url, { path: `/v1/accounts/${ACCOUNT}` });
  assert.match(daybook.stdout, new RegExp(`^ {2}Account +${ACCOUNT}\n`, "m"));
  assert.equal((await daybook.stop()).code, 0);
});

test("logs are JSON lines with the request's id, and hold no key", async () => {
  const { daybook, url } = await start({ folder: newFolder() });
  const usage = `/v1/accounts/${ACCOUNT}/billingUsage`;
  const statuses: number[] = [];
  for (const [path, key, body] of [
    [usage, KEY, undefined],
    [`${usage}?startTime=x`, `${KEY}wrong`, undefined],
    [`/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`, KEY, `{"events":[{"id":"${KEY}"`],
    ["/unheard-of", KEY, undefined],
  ] as const) {
    const answer = await ask(url, { path, key, headers: { "x-request-id": "req-1" }, ...(body && { body }) });
    assert.equal(answer.kind, "answered");
    if (answer.kind === "answered") statuses.push(answer.status);
  }
  assert.deepEqual(statuses, [400, 401, 400, 404]);
  const { stderr } = await daybook.stop();
  assert.ok(!stderr.includes(KEY), "the key is in the log");
  const lines = stderr.trimEnd().split("\n");
  const records = lines.map((line) => JSON.parse(line) as { time: number; reqId?: string; msg: string });
  assert.equal(records.filter(({ reqId, msg }) => reqId === "req-1" && msg === "request completed").length, 4);
  assert.ok(records.every(({ time }) => typeof time === "number"));
});

test("/healthz, /readyz and /metrics answer without a key", async () => {
  const { daybook, url } = await start({ folder: newFolder() });
  for (const path of ["/healthz", "/readyz"]) {
    assert.equal((await askJson<{ status: string }>(url, { path, key: "" })).status, "ok");
  }
  await askJson(url, { path: `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`, body: eventsText("metered", 3) });
  const metrics = await ask(url, { path: "/metrics", key: "" });
  assert.equal(metrics.kind, "answered");
  if (metrics.kind === "answered") {
    assert.match(metrics.body, /^daybook_usage_events_total\{outcome="created"\} 3$/m);
    assert.match(metrics.body, /^daybook_http_request_seconds_count\{.*status="200".*\} \d+$/m);
  }
  assert.equal((await daybook.stop()).code, 0);
});

const EVENT_TIME = new Date(Date.now() - 3_600_000).toISOString();

function eventsText(name: string, count: number): string {
  const usageType = "TEXT_COMPLETION_INFERENCE_USAGE";
  const events = Array.from({ length: count }, (_, at) => {
    return { id: `${name}-${at}`, time: EVENT_TIME, usageType, model: "m", promptTokens: 1 };
  });
  return JSON.stringify({ events });
}

/** The ids in the ledger, by the name of the call that wrote them. */
function callsInFile(folder: string): Map<string, number> {
  const database = new DatabaseSync(join(folder, "ledger.db"), { readOnly: true });
  const rows = database.prepare("SELECT id FROM events").all() as unknown as readonly { readonly id: string }[];
  database.close();
  const calls = new Map<string, number>();
  for (const { id } of rows) {
    const name = id.slice(0, id.lastIndexOf("-"));
    calls.set(name, (calls.get(name) ?? 0) + 1);
  }
  return calls;
}

const EVENTS_PER_CALL = 200;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} under load: what was written was answered, what was answered is there, exit 0`, async () => {
    const folder = newFolder();
    const { daybook, url } = await start({ folder });
    let stopped = false;
    const statuses = new Map<string, number>();
    // Each call has a connection of its own, so that none is in flight on one that is closed as idle.
    const write = async (client: number): Promise<void> => {
      for (let at = 0; !stopped; at += 1) {
        const name = `${client}-${at}`;
        const path = `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`;
        const answer = await ask(url, { path, body: eventsText(name, EVENTS_PER_CALL) });
        if (answer.kind === "answered") statuses.set(name, answer.status);
        else stopped = true;
      }
    };
    const clients = Array.from({ length: 8 }, (_, client) => write(client));
    await until("a load", () => statuses.size > 20);
    daybook.signal(signal);
    const ended = await daybook.end(STOP_MS_MAX);
    stopped = true;
    await Promise.all(clients);
    assert.deepEqual([ended.code, ended.signal], [0, null]);
    const others = [...statuses.values()].filter((status) => status !== 200 && status !== 503);
    assert.deepEqual(others, []);
    const answered = [...statuses].filter(([, status]) => status === 200).map(([name]) => name);
    const found = callsInFile(folder);
    assert.deepEqual([...found.keys()].sort(), answered.sort(), "written, and answered 200");
    assert.ok([...found.values()].every((count) => count === EVENTS_PER_CALL));
    const again = await start({ folder });
    const day = 86_400_000;
    const range = [Date.now() - day, Date.now() + day].map((time) => new Date(time).toISOString());
    const path = `/v1/accounts/${ACCOUNT}/billingUsage?startTime=${range[0]}&endTime=${range[1]}`;
    const report = await askJson<{ serverlessCosts: { promptTokens: string }[] }>(again.url, { path });
    const total = report.serverlessCosts.reduce((sum, row) => sum + Number(row.promptTokens), 0);
    assert.equal(total, answered.length * EVENTS_PER_CALL);
    assert.equal((await again.daybook.stop()).code, 0);
  });
}

/** Opens a connection and writes the head of a call; the server says that it has read it, and a part of the body follows. */
async function beginCall(url: string, head: string, part = ""): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let received = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    received += text;
  });
  socket.on("error", () => {});
  socket.write(head);
  await until("100 Continue", () => received.startsWith(CONTINUE));
  socket.write(part);
  return { socket, received: () => received.slice(CONTINUE.length) };
}

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

function headOf(bytes: number): string {
  return [
    `POST /v1/accounts/${ACCOUNT}/usageEvents:batchCreate HTTP/1.1`,
    "host: daybook",
    `authorization: Bearer ${KEY}`,
    "content-type: application/json",
    `content-length: ${bytes}`,
    "expect: 100-continue",
    "\r\n",
  ].join("\r\n");
}

test("a call that is half sent at SIGTERM is answered, and its kept connection does not hold up the end", async () => {
  const { daybook, url } = await start({ folder: newFolder() });
  const body = eventsText("slow", 10);
  const { socket, received } = await beginCall(url, headOf(body.length), body.slice(0, 100));
  daybook.signal("SIGTERM");
  setTimeout(() => socket.write(body.slice(100)), 300);
  const ended = await daybook.end(STOP_MS_MAX);
  assert.match(received(), /^HTTP\/1\.1 200 [\s\S]*"created":10/);
  assert.match(received(), /^connection: close\r$/im);
  assert.deepEqual([ended.code, ended.signal], [0, null], `still running after ${STOP_MS_MAX} ms`);
});

test("a client that sends half a call and falls silent cannot hold up the end for ever", async () => {
  const { daybook, url } = await start({ folder: newFolder() });
  const { socket } = await beginCall(url, headOf(1_000));
  daybook.signal("SIGTERM");
  const ended = await daybook.end(STOP_MS_MAX);
  socket.destroy();
  assert.deepEqual([ended.code, ended.signal], [0, null], `still running after ${STOP_MS_MAX} ms`);
});

test("asked to end once more while it waits for a silent client, it ends at once, and the next start finds everything", async () => {
  const folder = newFolder();
  const first = await start({ folder });
  await askJson(first.url, {
    path: `/v1/accounts/${ACCOUNT}/usageEvents:batchCreate`,
    body: eventsText("twice", EVENTS_PER_CALL),
  });
  const { socket } = await beginCall(first.url, headOf(1_000));
  first.daybook.signal("SIGINT");
  // Sooner it is the same wish.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  first.daybook.signal("SIGINT");
  assert.ok([0, 130].includes((await first.daybook.end(STOP_MS_MAX)).code!));
  socket.destroy();
  const again = await start({ folder });
  assert.equal((await again.daybook.stop()).code, 0);
  assert.deepEqual([...callsInFile(folder)], [["twice", EVENTS_PER_CALL]]);
});

/** A Node on the path that is too old to run Daybook itself. */
function oldNode(): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const node = join(folder, process.platform === "win32" ? "node.exe" : "node");
    const said = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" });
    const major = Number(said.stdout?.split(".")[0]);
    if (said.status === 0 && major >= 20 && major < 26) return node;
  }
  return undefined;
}

const old = oldNode();
const skip = old ? false : "no Node older than 26 on the path: the hand-over to Node 26 was NOT tested";

/** The environment and the command line that a process was started with. */
function startedWith(pid: number): string[] {
  return [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`].flatMap((file) => readFileSync(file, "utf8").split("\u0000"));
}

test("the process that was started is the server, and has its memory bounded before it begins", {
  skip: process.platform === "linux" ? false : "/proc is of Linux",
}, async () => {
  const { daybook } = await start({ folder: newFolder() });
  const known = startedWith(daybook.pid);
  assert.ok(known.includes("MALLOC_ARENA_MAX=2") && known.includes("--max-semi-space-size=8"), known.join(" "));
  assert.equal((await daybook.stop()).code, 0);
  // A cache that cannot be written is done without; what the caller has set stays.
  const own = { MALLOC_ARENA_MAX: "4", NODE_COMPILE_CACHE: "/dev/null/none" };
  const second = await start({ folder: newFolder(), env: { ...BOOTSTRAP, ...own } });
  assert.ok(startedWith(second.daybook.pid).includes("MALLOC_ARENA_MAX=4"));
  assert.equal((await second.daybook.stop()).code, 0);
});

test("under an old Node it hands over, and passes signals and exit codes on", { skip }, async () => {
  const options = { node: old!, ownGroup: true };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    const folder = newFolder();
    const { daybook, url } = await start({ folder, ...options });
    assert.equal((await ask(url, { path: "/healthz" })).kind, "answered");
    daybook.signal(signal);
    const ended = await daybook.end(STOP_MS_MAX);
    const code = signal === "SIGHUP" ? 143 : 0;
    assert.deepEqual([signal, ended.code, ended.signal, ended.stderr.includes("Error")], [signal, code, null, false]);
    assert.equal((await ask(url, { path: "/healthz" })).kind, "refused", "nothing is left behind");
  }
  assert.equal((await run(["serve", "--port", "abc"], options)).code, 2);
  const holder = await takePort(0);
  const taken = ["serve", "--data", newFolder(), "--port", `${portOf(holder!)}`];
  assert.equal((await run(taken, options)).code, 1);
  holder!.close();
});

/** A terminal's Ctrl-C reaches the process, and what started it passes the signal on once more. */
for (const [name, node] of [
  ["Node 26", process.execPath],
  ["an old Node", old],
] as const) {
  test(`Ctrl-C under ${name}: the same signal twice is one wish, and the end is clean`, {
    skip: !node && skip,
  }, async () => {
    const { daybook, url } = await start({ folder: newFolder(), node: node!, ownGroup: true });
    const body = eventsText("slow", 10);
    const { socket, received } = await beginCall(url, headOf(body.length), body.slice(0, 100));
    daybook.signalGroup("SIGINT");
    // Later than a moment, as two that wait at once are one to the operating system.
    setTimeout(() => daybook.signal("SIGINT"), 50);
    setTimeout(() => socket.write(body.slice(100)), 300);
    const ended = await daybook.end(STOP_MS_MAX);
    assert.deepEqual([ended.code, ended.signal], [0, null]);
    assert.match(received(), /^HTTP\/1\.1 200 [\s\S]*"created":10/);
  });
}

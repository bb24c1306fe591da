/** Clients that mean harm or do not know better: what they send is refused soon, others are served, memory stays. */

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { BODY_BYTES_MAX } from "../../src/domain/usage.ts";
import { buildServer } from "../../src/http/server.ts";
import { Service } from "../../src/service.ts";
import { checkError } from "../contract/openapi-check.ts";
import { ACCOUNT, Daybook, KEY, start } from "../process/daybook.ts";
import { ask, askJson } from "../process/http.ts";
import { until } from "../until.ts";
import { ANSWER_MS_MAX, sendBytes } from "./wire.ts";

const MIB = 2 ** 20;
/** A connection that is still there after so many milliseconds is never cut. */
const CUT_MS_MAX = 60_000;
const GIB = 2 ** 30;
const folder = mkdtempSync(join(tmpdir(), "daybook-hostile-"));
const A = `/v1/accounts/${ACCOUNT}`;
const WRITE = `POST ${A}/usageEvents:batchCreate`;
let daybook: Daybook;
let url: string;
let port: number;

before(async () => {
  ({ daybook, url } = await start({ folder: join(folder, "main") }));
  port = Number(new URL(url).port);
});
after(async () => {
  const said = await daybook.stop();
  Daybook.killAll();
  rmSync(folder, { recursive: true });
  assert.equal(said.code, 0);
  assert.doesNotMatch(said.stderr, /"level":[56]0/);
});

const AUTHORIZED = [`authorization: Bearer ${KEY}`, "content-type: application/json"];

function head(line: string, headers: readonly string[] = []): Buffer {
  return Buffer.from(`${[`${line} HTTP/1.1`, "host: daybook", ...headers].join("\r\n")}\r\n\r\n`, "latin1");
}

function withBody(line: string, body: Buffer | string, headers: readonly string[] = []): Buffer {
  const length = `content-length: ${Buffer.byteLength(body)}`;
  return Buffer.concat([
    head(line, [...AUTHORIZED, ...headers, length, "connection: close"]),
    Buffer.from(body as string),
  ]);
}

/** The answer, which must come soon, be of that status, and in the form of a refusal. */
async function refused(what: string, bytes: Buffer, status: number, framed = true): Promise<string> {
  const before = allWaitedMs() + waitedForCoreMs(process.pid, [process.pid]);
  const reply = await sendBytes(port, bytes, framed);
  assert.equal(reply.kind, "answered", `${what}: ${JSON.stringify(reply)}`);
  if (reply.kind !== "answered") return "";
  const ms = reply.ms - (allWaitedMs() + waitedForCoreMs(process.pid, [process.pid]) - before);
  assert.ok(ms < ANSWER_MS_MAX, `${what}: it took ${ms.toFixed(0)} ms`);
  assert.equal(reply.status, status, `${what}: ${reply.body}`);
  checkError(what, reply.status, JSON.parse(reply.body));
  return (JSON.parse(reply.body) as { message: string }).message;
}

/** Milliseconds that another caller waits on a machine that has a core for the server and for this test. */
async function healthMs(to = url, pid = daybook.pid): Promise<number> {
  const waited = () => waitedForCoreMs(pid, [pid]) + waitedForCoreMs(process.pid, [process.pid]);
  const [started, before] = [performance.now(), waited()];
  await askJson(to, { path: "/healthz" });
  return performance.now() - started - (waited() - before);
}

/** Milliseconds that threads of a process stood ready and had no core, so far; 0 where the system does not tell. */
function waitedForCoreMs(pid: number, threads: readonly (number | string)[]): number {
  const waitedNs = (thread: number | string): number => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[1]);
    } catch {
      // Another system, or a thread that has ended meanwhile.
      return 0;
    }
  };
  return threads.reduce<number>((sum, thread) => sum + waitedNs(thread) / 1e6, 0);
}

/** The same of all threads of the server. */
function allWaitedMs(): number {
  try {
    return waitedForCoreMs(daybook.pid, readdirSync(`/proc/${daybook.pid}/task`));
  } catch {
    return 0;
  }
}

async function residentMiB(): Promise<number> {
  const answer = await ask(url, { path: "/metrics" });
  const bytes = answer.kind === "answered" && /^process_resident_memory_bytes (\d+)$/m.exec(answer.body)?.[1];
  return Number(bytes) / MIB;
}

interface Flood {
  readonly status: number | undefined;
  readonly sentMiB: number;
}

/** Sends a head and then up to `bytesMax` of a body, as fast as they are taken, until the connection ends. */
function flood(start: Buffer, piece: Buffer, bytesMax: number): Promise<Flood> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    let sent = 0;
    const pump = (): void => {
      while (!socket.destroyed && sent < bytesMax) {
        sent += piece.length;
        if (!socket.write(piece)) return;
      }
      if (sent >= bytesMax) socket.end();
    };
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
    });
    socket.on("drain", pump).on("error", () => {});
    socket.on("close", () => {
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(received)?.[1];
      resolve({ status: status === undefined ? undefined : Number(status), sentMiB: Math.round(sent / MIB) });
    });
    socket.write(start);
    pump();
  });
}

test("a body of 1 GB is refused before it is read, on any path, with a key or without; memory stays", async (context) => {
  const before = await residentMiB();
  const length = `content-length: ${GIB}`;
  const plain = Buffer.alloc(64 * 1024, 32);
  const chunk = Buffer.concat([Buffer.from(`${plain.length.toString(16)}\r\n`), plain, Buffer.from("\r\n")]);
  const chunked = "transfer-encoding: chunked";
  // biome-ignore format: a ledger
  const cases: [what: string, head: Buffer, piece: Buffer, status: number][] = [
    ["usage events",            head(WRITE, [...AUTHORIZED, length]),                                 plain, 413],
    ["usage events, no key",    head(WRITE, ["content-type: application/json", length]),              plain, 401],
    ["usage events, gzip",      head(WRITE, [...AUTHORIZED, "content-encoding: gzip", length]),       plain, 413],
    ["usage events in chunks",  head(WRITE, [...AUTHORIZED, chunked]),                                chunk, 413],
    ["chunks, no key",          head(WRITE, [chunked]),                                               chunk, 401],
    ["a record",                head(`POST ${A}/users`, [...AUTHORIZED, length]),                     plain, 413],
    ["a record in chunks",      head(`POST ${A}/users`, [...AUTHORIZED, chunked]),                    chunk, 413],
    ["no such path",            head("POST /nothing", [...AUTHORIZED, length]),                       plain, 404],
    ["no such path, in chunks", head("POST /nothing", [...AUTHORIZED, chunked]),                      chunk, 404],
    ["a read",                  head(`GET ${A}`, [...AUTHORIZED, length]),                            plain, 200],
  ];
  for (const [what, start, piece, status] of cases) {
    const { status: got, sentMiB } = await flood(start, piece, GIB);
    assert.equal(got, status, what);
    // The limit of a body, and what the system's buffers hold beside it.
    assert.ok(sentMiB <= 2 * (BODY_BYTES_MAX / MIB) + 16, `${what}: ${sentMiB} MiB were taken`);
  }
  assert.ok((await healthMs()) < ANSWER_MS_MAX);
  const grown = (await residentMiB()) - before;
  context.diagnostic(`figure 1 GB bodies: memory grew by ${grown.toFixed(0)} MiB`);
  assert.ok(grown < 200, `memory grew by ${grown.toFixed(0)} MiB`);
});

test("gzip bombs are refused at the limit of a body; ten at once leave others served", async () => {
  const bomb = Buffer.concat(Array(64).fill(gzipSync(Buffer.alloc(BODY_BYTES_MAX, 32))));
  assert.ok(bomb.length < 2 * MIB, "1 MB that would become 1 GB");
  const sends = Array.from({ length: 10 }, () => {
    return refused("a bomb", withBody(WRITE, bomb, ["content-encoding: gzip"]), 413);
  });
  assert.ok((await healthMs()) < ANSWER_MS_MAX);
  await Promise.all(sends);
});

test("JSON that is nested 100,000 deep is refused on every route that takes a body", async () => {
  const forms = ["application/json", "application/x-ndjson", "application/cloudevents+json"];
  for (const [open, close] of [
    ["[", "]"],
    ['{"a":', "}"],
    ['{"events":[', "]}"],
  ] as const) {
    // biome-ignore format: one line
    const text = `${open.repeat(100_000)}0${close.repeat(100_000)}`;
    for (const form of forms) {
      const bytes = Buffer.concat([
        head(WRITE, [`authorization: Bearer ${KEY}`, `content-type: ${form}`, `content-length: ${text.length}`, "connection: close"]), // biome-ignore format: one line
        Buffer.from(text),
      ]);
      const reply = await sendBytes(port, bytes);
      assert.equal(reply.kind, "answered", form);
      if (reply.kind === "answered") assert.ok([200, 400].includes(reply.status), reply.body);
    }
    for (const path of ["users", "deployments", "usageEvents:void", "billingUsage:query", "usageCosts:query"]) {
      const reply = await sendBytes(port, withBody(`POST ${A}/${path}`, text));
      assert.equal(reply.kind, "answered", path);
      if (reply.kind === "answered") assert.ok([400, 413].includes(reply.status), `${path}: ${reply.body}`);
    }
  }
  const deepest = "[".repeat(BODY_BYTES_MAX);
  assert.match(await refused("brackets", withBody(WRITE, deepest), 400), /^body: /);
});

test("a query string of 1 MB, headers of 1 MB and 20,000 headers are refused as too large", async () => {
  const long = "x".repeat(MIB);
  assert.match(await refused("query", head(`GET ${A}?q=${long}`, AUTHORIZED), 431), /larger than 65536 bytes/);
  assert.match(await refused("header", head(`GET ${A}`, [`x: ${long}`]), 431), /larger than 65536 bytes/);
  const many = Array.from({ length: 20_000 }, (_, at) => `x-${at}: y`);
  await refused("headers", head(`GET ${A}`, many), 431);
  const fits = `startTime=${"9".repeat(50_000)}`;
  const message = await refused("long value", head(`GET ${A}/billingUsage?${fits}`, [...AUTHORIZED, "connection: close"]), 400); // biome-ignore format: one line
  assert.ok(message.length < 500, "a long value is shown shortened");
});

test("NUL, broken UTF-8, dots and other scripts in names are found nowhere and named safely", async () => {
  const close = [...AUTHORIZED, "connection: close"];
  // biome-ignore format: a ledger
  const cases: [path: string, status: number][] = [
    [`${A}/users/%00`, 404], [`${A}/users/ada%00`, 404], [`${A}/users/%C0%80`, 400], [`${A}/users/%FF`, 400], [`${A}/users/%`, 400],
    [`${A}/users/..%2f..%2fetc%2fpasswd`, 404], [`${A}/users/%F0%9F%91%A9`, 404], [`${A}/users/%E2%80%AEgnp`, 404],
    [`/v1/accounts/%00/users`, 404], [`/v1/accounts/${ACCOUNT}%00/users`, 404], [`/v1/accounts/__proto__/users`, 404],
    [`${A}/usageEvents/%00`, 404], [`${A}/quotas/__proto__`, 404], [`${A}/deployments/constructor`, 404], [`${A}/../../healthz`, 404], ["//healthz", 404],
  ];
  for (const [path, status] of cases) await refused(path, head(`GET ${path}`, close), status);
  for (const name of ["\u0000", "a\u0000b", "\ud800", "Ada", "ада", "a".repeat(64), "..", "a/b", ""]) {
    const body = JSON.stringify({ name });
    assert.match(await refused(body, withBody(`POST ${A}/users`, body), 400), /^(name|userId): /);
  }
});

/** Everything that comes on one connection until it ends. */
function exchange(bytes: Buffer | string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      text += part;
    });
    socket.on("error", () => {}).on("close", () => resolve(text));
    setTimeout(() => socket.destroy(), CUT_MS_MAX).unref();
    socket.write(bytes);
  });
}

const statusesOf = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status!);

test("calls in one packet are answered in their order; after a broken one the connection ends", async () => {
  const get = (path: string, ...more: string[]) => head(`GET ${path}`, [...AUTHORIZED, ...more]);
  const last = get("/healthz", "connection: close");
  const three = await exchange(Buffer.concat([get(A), get("/nothing"), last]));
  assert.deepEqual(statusesOf(three), ["200", "404", "200"]);
  const broken = await exchange(Buffer.concat([get(A), Buffer.from("\u0000\u0001 garbage\r\n\r\n"), last]));
  assert.deepEqual(statusesOf(broken).at(-1), "400");
  assert.ok(statusesOf(broken).length <= 2, "nothing after a broken request is read");
});

test("5,000 reports asked for on one connection that reads no answer: others are served, memory stays", async () => {
  const before = await residentMiB();
  const path = `${A}/billingUsage?startTime=2026-05-01T00:00:00Z&endTime=2026-05-31T00:00:00Z`;
  const socket = connect(port, "127.0.0.1").pause();
  socket.on("error", () => {});
  for (let call = 0; call < 5_000; call += 1) socket.write(head(`GET ${path}`, AUTHORIZED));
  for (let look = 0; look < 5; look += 1) {
    const ms = await healthMs();
    assert.ok(ms < ANSWER_MS_MAX, `another caller waited ${ms.toFixed(0)} ms`);
    await sleep(100);
  }
  const grown = (await residentMiB()) - before;
  assert.ok(grown < 400, `memory grew by ${grown.toFixed(0)} MiB`);
  socket.destroy();
});

test("a request whose length is told twice, or wrongly, is refused, and what hides in it is not done", async () => {
  const name = "smuggled";
  const body = JSON.stringify({ name });
  const hidden = `POST /v1/accounts HTTP/1.1\r\nhost: daybook\r\n${AUTHORIZED.join("\r\n")}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const post = (headers: readonly string[], rest: string) => Buffer.concat([head(`POST ${A}/users`, [...AUTHORIZED, ...headers]), Buffer.from(rest)]); // biome-ignore format: one line
  // biome-ignore format: a ledger
  const cases: [what: string, bytes: Buffer][] = [
    ["two lengths",               post(["content-length: 2", `content-length: ${hidden.length}`], `{}${hidden}`)],
    ["a list of lengths",         post(["content-length: 2, 3"], `{}${hidden}`)],
    ["length and chunks",         post(["content-length: 5", "transfer-encoding: chunked"], `0\r\n\r\n${hidden}`)],
    ["chunks and length",         post(["transfer-encoding: chunked", "content-length: 5"], `0\r\n\r\n${hidden}`)],
    ["chunked with a space",      post(["transfer-encoding : chunked"], `0\r\n\r\n${hidden}`)],
    ["chunked in a fold",         post(["transfer-encoding:\r\n chunked", "content-length: 5"], `0\r\n\r\n${hidden}`)],
    ["an unknown coding",         post(["transfer-encoding: xchunked"], `0\r\n\r\n${hidden}`)],
    ["chunked not last",          post(["transfer-encoding: chunked, identity"], `0\r\n\r\n${hidden}`)],
    ["a length with a sign",      post(["content-length: +2"], `{}${hidden}`)],
    ["a length in hex",           post(["content-length: 0x2"], `{}${hidden}`)],
    ["a chunk without its end",   post(["transfer-encoding: chunked"], `2\r\n{}0\r\n\r\n${hidden}`)],
    ["a chunk size that wraps",   post(["transfer-encoding: chunked"], `ffffffffffffffff2\r\n{}\r\n0\r\n\r\n${hidden}`)],
    ["a NUL in a header",         post(["x: a\u0000b", "content-length: 2"], `{}${hidden}`)],
    ["a bare CR in a header",     post(["x: a\rcontent-length: 2"], `{}${hidden}`)],
    ["a header without a colon",  post(["content-length 2"], `{}${hidden}`)],
    ["a line without a version",  Buffer.from(`GET /healthz\r\n\r\n${hidden}`)],
    ["HTTP/2's preface",          Buffer.from(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`)],
  ];
  for (const [what, bytes] of cases) {
    const text = await exchange(bytes);
    assert.deepEqual(statusesOf(text), ["400"], `${what}: ${text}`);
    checkError(what, 400, JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)));
    assert.equal((await ask(url, { path: `/v1/accounts/${name}` })).kind, "answered");
    await refused(what, head(`GET /v1/accounts/${name}`, [...AUTHORIZED, "connection: close"]), 404);
  }
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A connection that writes one byte of the text at a time; resolves with how long it lived and what it was told. */
function dribble(to: number, text: string, everyMs: number): Promise<{ ms: number; received: string }> {
  return new Promise((resolve) => {
    const started = performance.now();
    const socket = connect(to, "127.0.0.1");
    let [at, received] = [0, ""];
    const timer = setInterval(() => socket.writable && socket.write(text[at++ % text.length]!), everyMs);
    socket.setEncoding("latin1").on("data", (part: string) => {
      received += part;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      resolve({ ms: performance.now() - started, received });
    });
  });
}

test("headers and bodies that dribble in are cut off in time, silent connections too, and others are served", async () => {
  const arrivalMsMax = 2_400;
  const service = await Service.open({ dataFolder: join(folder, "slow") });
  await service.accounts.bootstrap({ accountId: ACCOUNT, key: KEY });
  const server = await buildServer({ service, arrivalMsMax });
  const to = Number(new URL(await server.listen({ port: 0, host: "127.0.0.1" })).port);
  try {
    const slow = (line: string): string => `${line} HTTP/1.1\r\nhost: daybook\r\n`;
    const slowBody = `${head(WRITE, [...AUTHORIZED, "content-length: 5000"]).toString()}`;
    const cut = Array.from({ length: 300 }, (_, at) => {
      if (at % 3 === 0) return dribble(to, slow("GET /healthz") + "x: y\r\n".repeat(1_000), 50);
      return at % 3 === 1 ? dribbleBody(to, slowBody) : silent(to);
    });
    for (let look = 0; look < 10; look += 1) {
      assert.ok((await healthMs(`http://127.0.0.1:${to}`, process.pid)) < ANSWER_MS_MAX);
      await sleep(100);
    }
    for (const { ms, received } of await Promise.all(cut)) {
      assert.ok(ms < CUT_MS_MAX, `a connection lived ${ms} ms`);
      assert.match(received, /^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*"request: it took too long to arrive/);
    }
  } finally {
    await server.close();
    await service.close();
  }
});

/** Sends the head at once and then spaces, slowly. */
function dribbleBody(to: number, headText: string): Promise<{ ms: number; received: string }> {
  return new Promise((resolve) => {
    const started = performance.now();
    const socket = connect(to, "127.0.0.1");
    let received = "";
    socket.write(headText);
    const timer = setInterval(() => socket.writable && socket.write(" "), 50);
    socket.setEncoding("latin1").on("data", (part: string) => {
      received += part;
    });
    socket
      .on("error", () => {})
      .on("close", () => {
        clearInterval(timer);
        resolve({ ms: performance.now() - started, received });
      });
  });
}

function silent(to: number): Promise<{ ms: number; received: string }> {
  return dribble(to, "G", 2 ** 30);
}

/** How many files this process may open; undefined where the system does not tell. */
function openFilesMax(): number | undefined {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}

/** Opens connections that say nothing; those that are refused are left out. */
async function openIdle(to: number, count: number): Promise<Socket[]> {
  const open: Socket[] = [];
  const one = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(to, "127.0.0.1");
      socket.on("connect", () => {
        open.push(socket);
        resolve();
      });
      socket.on("error", () => resolve());
    });
  for (let left = count; left > 0; left -= 250) await Promise.all(Array.from({ length: Math.min(250, left) }, one));
  return open;
}

const IDLE_CONNECTIONS = 10_000;

test("10,000 idle connections leave others served", { timeout: 300_000 }, async (context) => {
  const limit = openFilesMax() ?? 1_024;
  const count = Math.min(IDLE_CONNECTIONS, limit - 200);
  if (count < IDLE_CONNECTIONS) context.diagnostic(`scaled down to ${count}: this process may open ${limit} files`);
  const before = await residentMiB();
  const sockets = await openIdle(port, count);
  assert.equal(sockets.length, count);
  let slowest = 0;
  for (let look = 0; look < 10; look += 1) slowest = Math.max(slowest, await healthMs());
  const answer = await ask(url, { path: `${A}/usageEvents:batchCreate`, body: '{"events":[]}' });
  assert.equal(answer.kind === "answered" && answer.status, 200);
  const grown = (await residentMiB()) - before;
  context.diagnostic(
    `figure idle: ${count} connections: slowest answer ${slowest.toFixed(0)} ms, ${grown.toFixed(0)} MiB more`,
  );
  assert.ok(slowest < ANSWER_MS_MAX);
  assert.ok(grown < 400, `memory grew by ${grown.toFixed(0)} MiB`);
  for (const socket of sockets) socket.destroy();
});

test("a server that may open no more files lives on, and serves when connections end", async () => {
  const node = join(folder, "few-files");
  // Each core has a thread that decodes, and each thread some files.
  const files = 144 + 8 * availableParallelism();
  writeFileSync(node, `#!/bin/sh\nulimit -n ${files}\nexec ${process.execPath} "$@"\n`);
  chmodSync(node, 0o755);
  const few = await start({ folder: join(folder, "few"), node });
  const sockets = await openIdle(Number(new URL(few.url).port), files + 240);
  for (const socket of sockets) socket.destroy();
  await until("the server answers again", async () => (await ask(few.url, { path: "/healthz" })).kind === "answered");
  const event = { id: "e", time: "2026-05-28T09:30:00Z", usageType: "TEXT_COMPLETION_INFERENCE_USAGE" };
  const body = JSON.stringify({ events: [event] });
  assert.equal(
    (await askJson<{ created: number }>(few.url, { path: `${A}/usageEvents:batchCreate`, body })).created,
    1,
  );
  assert.equal((await few.daybook.stop()).code, 0);
});

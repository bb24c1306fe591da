/**
 * `npm run bench:gateway`: what the gateway adds to a call, beside the same upstream called directly.
 * Calls leave by the clock, whether those before have ended or not, some to the upstream directly between those to the
 * gateway, so that both meet the same machine. Prints figures and asserts none of them.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readWords } from "../tools/script-words.ts";
import { writePart } from "./document-part.ts";
import { count, machine, quantile, table } from "./figures.ts";
import { cpuSeconds, KEY, startServer } from "./server.ts";

const USAGE = `npm run bench:gateway -- [--quick]

  --quick  5 s of each kind of call instead of 30; else docs/benchmarks.md is written`;
const RATE = 500;
/** Of so many calls one goes to the upstream directly. */
const DIRECT_SHARE = 6;
const RATE_ALL = (RATE * DIRECT_SHARE) / (DIRECT_SHARE - 1);
const SECONDS = 30;
const SECONDS_QUICK = 5;
const WARM_SECONDS = 3;
const AT_ONCE = 32;
const UPSTREAM_MS = 5;
const STREAM_EVENTS = 20;
const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
const SELF = fileURLToPath(import.meta.url);

const MESSAGES = [{ role: "user", content: "Why is the sky blue? ".repeat(40) }];
const bodyOf = (isStream: boolean): string => JSON.stringify({ model: "m", messages: MESSAGES, stream: isStream });

/** An upstream that answers after {@link UPSTREAM_MS}, a stream event by event. Prints its address. */
function serveUpstream(): void {
  let calls = 0;
  const usage = { prompt_tokens: 240, completion_tokens: 20 };
  const server = createServer((asked, answer) => {
    let body = "";
    asked.setEncoding("latin1").on("data", (part: string) => {
      body += part;
    });
    asked.on("end", () => {
      calls += 1;
      const id = `chatcmpl-${calls}`;
      setTimeout(() => {
        if (!body.includes('"stream":true')) {
          const message = { role: "assistant", content: "Rayleigh scattering. ".repeat(20) };
          answer.writeHead(200, { "content-type": "application/json" });
          answer.end(JSON.stringify({ id, model: "m", choices: [{ index: 0, message }], usage }));
          return;
        }
        answer.writeHead(200, { "content-type": "text/event-stream" });
        for (let at = 0; at < STREAM_EVENTS; at += 1) {
          answer.write(`data: ${JSON.stringify({ id, model: "m", choices: [{ delta: { content: "word " } }] })}\n\n`);
        }
        answer.end(`data: ${JSON.stringify({ id, model: "m", choices: [], usage })}\n\ndata: [DONE]\n\n`);
      }, UPSTREAM_MS);
    });
  });
  server.listen(0, "127.0.0.1", () => {
    process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  });
}

async function startUpstream(): Promise<{ url: string; stop(): void }> {
  const child = spawn(process.execPath, [SELF, "--upstream"], { stdio: ["ignore", "pipe", "inherit"] });
  const stop = (): boolean => child.kill("SIGKILL");
  process.once("exit", stop);
  const url = await new Promise<string>((resolve) => {
    child.stdout.setEncoding("utf8").once("data", (text: string) => resolve(text.trim()));
  });
  return { url, stop };
}

const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });

/** Milliseconds to the first and to the last byte of an answer. */
function call(base: string, body: string): Promise<{ first: number; last: number }> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
    const length = { "content-length": Buffer.byteLength(body) };
    const sent = request(`${base}/chat/completions`, { agent, method: "POST", headers: { ...headers, ...length } });
    sent.on("error", reject).on("response", (answer) => {
      let first = 0;
      answer.on("data", () => {
        first ||= performance.now() - started;
      });
      answer.on("error", reject).on("end", () => {
        if (answer.statusCode === 200) resolve({ first, last: performance.now() - started });
        else reject(new Error(`an answer of ${answer.statusCode}`));
      });
    });
    sent.end(body);
  });
}

interface Arms {
  readonly gateway: string;
  readonly direct: string;
}

type Latencies = Record<keyof Arms, number[]>;

/** Sends {@link RATE} calls a second to the gateway, and some directly between them, by the clock. */
async function openLoop(arms: Arms, body: string, seconds: number): Promise<Latencies> {
  const latencies: Latencies = { gateway: [], direct: [] };
  const open = new Set<Promise<void>>();
  const total = RATE_ALL * seconds;
  const began = performance.now();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * RATE_ALL));
    for (; sent < due; sent += 1) {
      const arm = sent % DIRECT_SHARE === 0 ? "direct" : "gateway";
      const one = call(arms[arm], body).then(({ last }) => void latencies[arm].push(last));
      open.add(one);
      one.finally(() => open.delete(one));
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all(open);
  return latencies;
}

/** Calls a second that {@link AT_ONCE} clients get from the gateway together, and for a second of its CPU. */
async function closedLoop(
  url: string,
  arms: Arms,
  body: string,
  seconds: number,
): Promise<Record<"wall" | "cpu", number>> {
  const cpuBefore = await cpuSeconds(url);
  const began = performance.now();
  let calls = 0;
  const client = async (): Promise<void> => {
    while (performance.now() - began < seconds * 1000) {
      await call(arms.gateway, body);
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  const elapsed = (performance.now() - began) / 1000;
  return { wall: calls / elapsed, cpu: calls / ((await cpuSeconds(url)) - cpuBefore) };
}

async function measure(seconds: number, folder: string): Promise<string> {
  const upstream = await startUpstream();
  const file = join(folder, "gateway.yaml");
  writeFileSync(file, `upstreams:\n  - { name: up, baseUrl: "${upstream.url}/v1" }\n`);
  const server = await startServer(join(folder, "data"), ["--gateway", file]);
  const arms = { gateway: `${server.url}/inference/v1`, direct: `${upstream.url}/v1` };
  const rows: string[][] = [];
  const ms = (values: readonly number[], part: number): number => quantile(values, part);
  for (const [name, isStream] of [
    ["one piece", false],
    ["stream", true],
  ] as const) {
    const body = bodyOf(isStream);
    await openLoop(arms, body, WARM_SECONDS);
    const { gateway, direct } = await openLoop(arms, body, seconds);
    const { wall, cpu } = await closedLoop(server.url, arms, body, Math.ceil(seconds / 3));
    const shown = [0.5, 0.99].flatMap((part) => {
      const [through, past] = [ms(gateway, part), ms(direct, part)];
      return [past.toFixed(2), through.toFixed(2), (through - past).toFixed(2)];
    });
    rows.push([name, ...shown, count(wall), count(cpu)]);
  }
  await server.stop();
  upstream.stop();
  const [p50, p99] = ["p50", "p99"].map((one) => [`direct ${one} ms`, `gateway ${one} ms`, `added ${one} ms`]);
  return table([["Answer", ...p50!, ...p99!, "calls/s", "calls per CPU s"], ...rows]);
}

function textOf(figures: string, seconds: number): string {
  return `## The gateway

Written by \`npm run bench:gateway\` on ${new Date().toISOString().slice(0, 10)}. Machine: ${machine()}.

${RATE} calls a second through the gateway and ${RATE_ALL - RATE} between them to the same upstream directly, by the clock, for ${seconds} s: the time
from a call to the last byte of its answer. The upstream answers after ${UPSTREAM_MS} ms, a stream with ${STREAM_EVENTS} events. Upstream,
gateway and the clients share this machine's cores, so what waits for a core is in the figures. Each answer's event is on disk before its last byte leaves.
"calls/s" is what ${AT_ONCE} clients get that wait for each answer; "calls per CPU s" by the CPU of all threads of the server.

${figures}`;
}

async function main(): Promise<void> {
  const values = readWords(USAGE, { upstream: { type: "boolean" }, quick: { type: "boolean" } });
  if (values.upstream) return serveUpstream();
  const folder = mkdtempSync(join(tmpdir(), "daybook-bench-gateway-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const seconds = values.quick ? SECONDS_QUICK : SECONDS;
  const figures = await measure(seconds, folder);
  process.stdout.write(`${machine()}\n\n${figures}\n`);
  if (!values.quick) {
    writePart(DOCUMENT, "gateway", textOf(figures, seconds));
  }
  agent.destroy();
}

await main();

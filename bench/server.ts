/** A real server as its own process, and plain HTTP to it over connections that stay open. */

import { spawn } from "node:child_process";
import { Agent, request } from "node:http";
import { fileURLToPath } from "node:url";

export const KEY = "fw_bench_only_on_this_machine";
export const ACCOUNT = "bench";
/** Connections of the load generator, and so calls at once. */
export const CONNECTIONS = 4;

const BIN = fileURLToPath(new URL("../bin/daybook.js", import.meta.url));
const START_MS_MAX = 60_000;

export interface BenchServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `daybook serve` on the folder and a free port of 127.0.0.1, with more flags where they are given, and waits until it listens. */
export function startServer(dataFolder: string, more: readonly string[] = []): Promise<BenchServer> {
  const words = ["serve", "--data", dataFolder, "--port", "0", "--host", "127.0.0.1", ...more];
  const child = spawn(process.execPath, [BIN, ...words], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, DAYBOOK_BOOTSTRAP_ACCOUNT: ACCOUNT, DAYBOOK_BOOTSTRAP_KEY: KEY },
  });
  const killed = (): boolean => child.kill("SIGKILL");
  // Before the folder is removed.
  process.prependOnceListener("exit", killed);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the server did not start")), START_MS_MAX);
    let text = "";
    child.once("exit", (code) => reject(new Error(`the server ended with ${code} before it listened`)));
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      const url = /URL\s+(\S+)\n/.exec(text)?.[1];
      if (!url) return;
      clearTimeout(timer);
      const stop = async (): Promise<void> => {
        child.kill("SIGTERM");
        await ended;
        process.off("exit", killed);
      };
      resolve({ url, stop });
    });
  });
}

export const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/** One call; resolves with the whole answer. @throws Error for any status but 200. */
export function call(url: string, body?: Buffer, connections: Agent = agent): Promise<Buffer> {
  const headers = {
    authorization: `Bearer ${KEY}`,
    ...(body && { "content-type": "application/x-ndjson", "content-length": body.length }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: connections, method: body ? "POST" : "GET", headers }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => {
        const whole = Buffer.concat(parts);
        if (answer.statusCode === 200) resolve(whole);
        else reject(new Error(`the server answered ${answer.statusCode}: ${whole.toString().slice(0, 300)}`));
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Seconds of CPU that the server's process has used in all its threads. */
export function cpuSeconds(url: string): Promise<number> {
  return metric(url, "process_cpu_seconds_total");
}

/** Bytes of memory that the server's process holds. */
export function residentBytes(url: string): Promise<number> {
  return metric(url, "process_resident_memory_bytes");
}

async function metric(url: string, name: string): Promise<number> {
  const text = (await call(`${url}/metrics`)).toString();
  const found = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
  if (found === undefined) throw new Error(`the server's metrics have no ${name}`);
  return Number(found);
}

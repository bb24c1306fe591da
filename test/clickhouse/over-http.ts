/** The engine behind its HTTP interface: in a process of its own, or wherever it runs. */

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, type OpenEngine } from "./engine.ts";

interface EngineProcess {
  readonly url: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
}

async function startProcess(args: readonly string[]): Promise<EngineProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "server.ts"), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const first = await Promise.race([once(child.stdout, "data"), ended]);
  if (!Buffer.isBuffer(first[0])) throw new Error("the test's engine ended before it listened");
  return { url: String(first[0]).trim(), child, ended };
}

async function ownProcess(): Promise<OpenEngine> {
  const { url, child, ended } = await startProcess([]);
  const close = async (): Promise<void> => {
    child.stdin!.end();
    await ended;
  };
  return { connection: { url }, close };
}

export interface MortalEngine extends OpenEngine {
  readonly port: number;
  /** Of the process that runs now. */
  readonly pid: number;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** Starts it again at the same port, on what it had. */
  revive(): Promise<void>;
}

/** An engine in a process of its own, that a test kills and revives. */
export async function mortal(): Promise<MortalEngine> {
  const folder = await mkdtemp(join(tmpdir(), "daybook-chdb-"));
  let current = await startProcess([folder]);
  const { url } = current;
  const { port } = new URL(url);
  const kill = async (): Promise<void> => {
    current.child.kill("SIGKILL");
    await current.ended;
  };
  return {
    connection: { url },
    port: Number(port),
    get pid() {
      return current.child.pid!;
    },
    kill,
    revive: async () => {
      current = await startProcess([folder, port]);
    },
    close: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A database of its own on the server at this address; it is left there when a test fails. */
async function ownDatabase(server: string): Promise<OpenEngine> {
  const database = `daybook_test_${randomUUID().replaceAll("-", "")}`;
  await ask({ url: server }, `CREATE DATABASE ${database}`);
  const url = new URL(server);
  url.pathname = database;
  const close = async (): Promise<void> => {
    await ask({ url: server }, `DROP DATABASE ${database}`);
  };
  return { connection: { url }, close };
}

/** The engine at DAYBOOK_TEST_CLICKHOUSE_URL, or one in a process of its own. */
export function overHttp(): Promise<OpenEngine> {
  const server = process.env.DAYBOOK_TEST_CLICKHOUSE_URL;
  return server ? ownDatabase(server) : ownProcess();
}

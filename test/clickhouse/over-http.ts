/** The engine behind its HTTP interface: in a process of its own, or wherever it runs. */

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { ask, type OpenEngine } from "./engine.ts";

async function ownProcess(): Promise<OpenEngine> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "server.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const first = await Promise.race([once(child.stdout, "data"), ended]);
  if (!Buffer.isBuffer(first[0])) throw new Error("the test's engine ended before it listened");
  const close = async (): Promise<void> => {
    child.stdin.end();
    await ended;
  };
  return { connection: { url: String(first[0]).trim() }, close };
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

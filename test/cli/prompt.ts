/** The prompt as a person or a script uses it: a real process, a home of its own, a server with a fixed clock behind it. */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { type Daybook, startDaybook, writeUsage } from "../contract/serving.ts";

export const MAIN = join(import.meta.dirname, "../../bin/daybook.js");
const RUN_MS_MAX = 120_000;
/** Of util-linux: gives a command a terminal. */
const SCRIPT = "script";

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PromptOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  /** The input is written when this was printed: a terminal shows what comes before it is asked for. */
  readonly stdinAfter?: string;
}

/** A folder that is gone after the test. */
export function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "daybook-cli-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `command` to its end; nothing of this process's environment but PATH reaches it. */
async function run(command: string, args: readonly string[], options: PromptOptions): Promise<Said> {
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    ...(options.cwd && { cwd: options.cwd }),
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  let [stdout, stderr] = ["", ""];
  const { stdin = "", stdinAfter } = options;
  // A command that reads no input may have ended before it is written.
  child.stdin.on("error", () => {});
  if (stdinAfter === undefined) child.stdin.end(stdin);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (stdinAfter !== undefined && !stdout.includes(stdinAfter) && (stdout + text).includes(stdinAfter)) {
      child.stdin.end(stdin);
    }
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  return { code, stdout, stderr };
}

export function daybook(args: readonly string[], options: PromptOptions = {}): Promise<Said> {
  return run(process.execPath, [MAIN, ...args], options);
}

/** A shell script in which `daybook` is the prompt. */
export async function shell(script: string, options: PromptOptions = {}): Promise<Said> {
  const bin = mkdtempSync(join(tmpdir(), "daybook-bin-"));
  const quoted = [process.execPath, MAIN].map((word) => `'${word}'`).join(" ");
  writeFileSync(join(bin, "daybook"), `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 });
  const env = { ...options.env, PATH: `${bin}:${process.env.PATH}` };
  const said = await run("bash", ["-c", script], { ...options, env });
  rmSync(bin, { recursive: true });
  return said;
}

/** True where `script` of util-linux can give a command a terminal. */
export const hasTerminal =
  process.platform === "linux" && spawnSync(SCRIPT, ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux");

/** The prompt on a terminal of `columns`; what it shows, standard output and error together. */
export async function onTerminal(columns: number, args: readonly string[], options: PromptOptions = {}): Promise<Said> {
  const words = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(" ");
  const said = await run(SCRIPT, ["-qefc", `stty cols ${columns} rows 50; exec ${words}`, "/dev/null"], options);
  return { ...said, stdout: said.stdout.replaceAll("\r\n", "\n") };
}

/** Compares with a file of test/golden/cli; UPDATE_GOLDEN=1 writes a file that is missing. */
export function golden(name: string, text: string): void {
  const path = join(import.meta.dirname, "../golden/cli", name);
  let known: string | undefined;
  try {
    known = readFileSync(path, "utf8");
  } catch {
    if (process.env.UPDATE_GOLDEN === "1") {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      return;
    }
  }
  assert.equal(text, known, `${name} is not what it was, or missing; UPDATE_GOLDEN=1 writes a missing one`);
}

export const ACCOUNT = "acme";

/** Usage of three months and all streams: whole cents and dust, what no price covers, long names, names in Chinese. */
const USAGE = `
id | time                 | usageType                       | model                                     | promptTokens | cachedPromptTokens | completionTokens | audioInputSeconds | imageCount | apiKeyId | user | team   | environment
a1 | 2026-03-10T09:00:00Z | TEXT_COMPLETION_INFERENCE_USAGE | accounts/fireworks/models/kimi-k2p6       | 4000000      | 1000000            | 200000           |                   |            | PROD     | ada  | search | prod
a2 | 2026-04-11T09:00:00Z | TEXT_COMPLETION_INFERENCE_USAGE | accounts/fireworks/models/deepseek-v4-pro | 5000000      |                    | 700000           |                   |            | BATCH    |      |        |
a3 | 2026-05-28T06:30:00Z | TEXT_COMPLETION_INFERENCE_USAGE | accounts/fireworks/models/kimi-k2p6       | 1842301      | 900000             | 412980           |                   |            | PROD     | ada  | search | prod
a4 | 2026-05-28T07:30:00Z | TEXT_COMPLETION_INFERENCE_USAGE | accounts/fireworks/models/kimi-k2p6       | 17           |                    | 3                |                   |            | DEV      | lin  | search | dev
a5 | 2026-05-28T12:00:00Z | TEXT_COMPLETION_INFERENCE_USAGE | accounts/fireworks/models/gpt-oss-120b    | 25000        | 5000               | 1000             |                   |            | PROD     | ada  | search | prod
a6 | 2026-05-28T12:00:00Z | TEXT_COMPLETION_INFERENCE_USAGE | accounts/acme/models/unpriced             | 1200         |                    | 60               |                   |            | DEV      | lin  |        |
a7 | 2026-05-29T01:00:00Z | TEXT_COMPLETION_INFERENCE_USAGE | accounts/fireworks/models/deepseek-v4-pro | 123456789    | 23456789           | 9876543          |                   |            | BATCH    |      |        |
a8 | 2026-05-29T02:00:00Z | AUDIO_INFERENCE_USAGE           | accounts/fireworks/models/whisper-v3-large |             |                    |                  | 3600.5            |            | PROD     | ada  | calls  | prod
a9 | 2026-05-29T03:00:00Z | IMAGE_GENERATION_USAGE          | accounts/fireworks/models/flux-1-dev-fp8  |              |                    |                  |                   | 12         | DEV      | lin  |        |
`;
const MACHINES = `
id | time                 | usageType                       | deployment                     | acceleratorType   | acceleratorSeconds | jobId   | jobType | baseModel                            | tokens
d1 | 2026-05-28T10:00:00Z | DEDICATED_DEPLOYMENT_USAGE      | accounts/acme/deployments/chat | NVIDIA_H100_80GB  | 7200               |         |         |                                      |
d2 | 2026-05-29T10:00:00Z | DEDICATED_DEPLOYMENT_USAGE      | accounts/acme/deployments/chat | NVIDIA_H100_80GB  | 5400.25            |         |         |                                      |
t1 | 2026-05-29T11:00:00Z | TRAINING_TOKEN_USAGE            |                                |                   |                    | sft-one | SFT     | accounts/fireworks/models/qwen3-8b   | 2500000
`;

export interface Served {
  readonly server: Daybook;
  /** Keys of the account acme, as text. */
  readonly keys: { readonly admin: string; readonly user: string };
  /** The environment in which the prompt finds server, account and the admin key. */
  readonly env: Readonly<Record<string, string>>;
}

/** A server whose clock stands at 2026-06-15T12:00Z, with the usage above in the account acme. */
export async function serve(t: TestContext): Promise<Served> {
  const server = await startDaybook("2026-06-15T12:00:00Z");
  t.after(() => server.close());
  await server.account(ACCOUNT);
  const admin = (await server.key(ACCOUNT, { displayName: "admin", role: "ADMIN" })).key;
  const user = (await server.key(ACCOUNT, { displayName: "reader", role: "USER" })).key;
  const names = { PROD: "prod-eng", BATCH: "批处理", DEV: "dev" };
  const words: Record<string, string> = {};
  for (const [word, displayName] of Object.entries(names)) {
    words[word] = (await server.key(ACCOUNT, { displayName, role: "USER" })).keyId;
  }
  await writeUsage(server, ACCOUNT, USAGE, words);
  await writeUsage(server, ACCOUNT, MACHINES);
  const env = { DAYBOOK_API_KEY: admin, DAYBOOK_ACCOUNT_ID: ACCOUNT, DAYBOOK_BASE_URL: server.url };
  return { server, keys: { admin, user }, env };
}

/** A real daybook process for a test: started as an operator starts it, watched from outside, never left behind. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const MAIN = join(import.meta.dirname, "../../bin/daybook.js");
const START_MS_MAX = 60_000;
const RUN_MS_MAX = 120_000;

/** A key that the tests name beforehand. */
export const KEY = "fw_process-test-key-0123456789";
export const ACCOUNT = "acme";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a command that ran to its end said. */
export interface Said extends Ended {
  readonly stdout: string;
  readonly stderr: string;
}

interface SpawnOptions {
  /** The runtime that starts it; the one of this test when left out. */
  readonly node?: string;
  /** Beside PATH and HOME. Nothing else of this process's environment is handed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Leads a process group of its own, for {@link Daybook.signalGroup}. */
  readonly ownGroup?: boolean;
}

export interface StartOptions extends SpawnOptions {
  readonly folder: string;
  /** Default `--port 0`. */
  readonly args?: readonly string[];
}

export const BOOTSTRAP = { DAYBOOK_BOOTSTRAP_ACCOUNT: ACCOUNT, DAYBOOK_BOOTSTRAP_KEY: KEY };

/** One started process; it is ended with the test, at the latest. */
export class Daybook {
  static readonly #running = new Set<Daybook>();
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #ownGroup: boolean;
  #stdout = "";
  #stderr = "";

  constructor(args: readonly string[], options: SpawnOptions = {}) {
    const { node = process.execPath, env = BOOTSTRAP, cwd, ownGroup = false } = options;
    const { PATH = "", HOME = "" } = process.env;
    const child = spawn(node, [MAIN, ...args], {
      env: { PATH, HOME, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: ownGroup,
      ...(cwd && { cwd }),
    });
    this.#child = child;
    this.#ownGroup = ownGroup;
    this.pid = child.pid!;
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    Daybook.#running.add(this);
    this.ended = once(child, "close").then(([code, signal]) => {
      Daybook.#running.delete(this);
      return { code, signal };
    });
  }

  /** For the end of a test file: a server that a failed test left would keep the file from ending. */
  static killAll(): void {
    for (const daybook of Daybook.#running) daybook.kill();
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The address of the banner; undefined before it is printed. */
  get url(): string | undefined {
    return /^ {2}URL +(http:\S+)\n/m.exec(this.#stdout)?.[1];
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** As a terminal does at Ctrl-C: the process and all its children. Only with a group of its own. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** `kill -9`, of the children too where they can be told apart. */
  kill(): void {
    try {
      process.kill(this.#ownGroup ? -this.pid : this.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  /** Waits for the end; a process that outlives `ms` is killed, and its code is then null. */
  async end(ms = RUN_MS_MAX): Promise<Said> {
    const timer = setTimeout(() => this.kill(), ms);
    const ended = await this.ended;
    clearTimeout(timer);
    return { ...ended, stdout: this.#stdout, stderr: this.#stderr };
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Said> {
    this.signal(signal);
    return this.end();
  }
}

/** Runs a command to its end. */
export function run(args: readonly string[], options?: SpawnOptions): Promise<Said> {
  return new Daybook(args, options).end();
}

/** Starts a server and waits until it prints its address. */
export async function start(options: StartOptions): Promise<{ daybook: Daybook; url: string }> {
  const daybook = new Daybook(["serve", "--data", options.folder, ...(options.args ?? ["--port", "0"])], options);
  let ended: Ended | undefined;
  daybook.ended.then((end) => {
    ended = end;
  });
  const deadline = Date.now() + START_MS_MAX;
  while (!daybook.url && !ended && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  const { url } = daybook;
  if (url) return { daybook, url };
  daybook.kill();
  throw new Error(`daybook did not start (code ${ended?.code}): ${daybook.stderr}${daybook.stdout}`);
}

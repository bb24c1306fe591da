/**
 * A PostgreSQL cluster of one's own, from the programs that are installed: in a temporary folder, reached by a socket in
 * it. It ends and goes with the process that made it, however that ends.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";

const USER = "daybook";
/** Nothing here has to outlive the machine. */
const SETTINGS = ["listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB"];
const START_MS_MAX = 60_000;
/** Ends the server when the test's process has: its end of the pipe closes then. */
const WATCHED = `trap "" INT HUP; folder=$1; shift; "$@" & read -r keep; kill -QUIT $!; wait $!
  [ -n "$keep" ] || rm -rf "$folder"`;

/** The folder of the server's programs. */
function programs(): string | undefined {
  const installed = "/usr/lib/postgresql";
  const versions = existsSync(installed) ? readdirSync(installed).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((one) => join(installed, one, "bin")), ...(process.env.PATH ?? "").split(delimiter)];
  return folders.find((one) => existsSync(join(one, "initdb")) && existsSync(join(one, "postgres")));
}

interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

/** The server refuses to run as root: then it is its own system user. Undefined where there is none. */
function owner(): Owner | undefined {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ["-u", "-g"].map((flag) => spawnSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return uid?.status === 0 ? { uid: Number(uid.stdout), gid: Number(gid?.stdout) } : undefined;
}

/** Why there is no cluster of one's own, and what to do; undefined where there is one. */
export function whyNoCluster(): string | undefined {
  if (!programs()) return "no PostgreSQL is installed: apt-get install postgresql";
  if (!owner()) return "root cannot run PostgreSQL and there is no user postgres: run the tests as another";
  return undefined;
}

/** A cluster that can be stopped and started. */
export class Cluster {
  readonly folder: string;
  readonly #programs: string;
  readonly #owner: Owner;
  readonly #settings: readonly string[];
  #server: ChildProcess | undefined;

  private constructor(settings: readonly string[]) {
    this.#settings = [...SETTINGS, ...settings];
    this.#programs = programs()!;
    this.#owner = owner()!;
    // The path of a socket must be short.
    this.folder = mkdtempSync(join(tmpdir(), "daybook-pg-"));
  }

  /** @param settings `name=value`, beside those that are good for tests. */
  static async make(settings: readonly string[] = []): Promise<Cluster> {
    const cluster = new Cluster(settings);
    const { uid, gid } = cluster.#owner;
    if (uid !== undefined && gid !== undefined) chownSync(cluster.folder, uid, gid);
    const args = ["-D", join(cluster.folder, "data"), "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-sync"];
    const program = join(cluster.#programs, "initdb");
    const options = { encoding: "utf8", cwd: cluster.folder, ...cluster.#owner } as const;
    const made = spawnSync(program, [...args, "--locale=C"], options);
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
    cluster.#asksForPassword();
    await cluster.start();
    return cluster;
  }

  /** All but the role `guarded` come in without a password. */
  #asksForPassword(): void {
    const path = join(this.folder, "data/pg_hba.conf");
    writeFileSync(path, `local all guarded scram-sha-256\n${readFileSync(path, "utf8")}`);
  }

  async start(): Promise<void> {
    const settings = this.#settings.flatMap((setting) => ["-c", setting]);
    const server = [join(this.#programs, "postgres"), "-D", join(this.folder, "data"), "-k", this.folder, ...settings];
    const stdio = ["pipe", "ignore", "ignore"] as const;
    const args = ["-c", WATCHED, "sh", this.folder, ...server];
    this.#server = spawn("sh", args, { stdio: [...stdio], cwd: this.folder, ...this.#owner });
    const deadline = performance.now() + START_MS_MAX;
    for (;;) {
      try {
        await run(this.url("postgres"), "select 1");
        return;
      } catch (error) {
        if (performance.now() > deadline || this.#server.exitCode !== null) throw error;
        await wait(20);
      }
    }
  }

  /** At once, as after a crash. What it holds stays, for another start. */
  async stop(): Promise<void> {
    await this.#end("keep\n");
  }

  /** Stops it and removes what it holds. */
  async remove(): Promise<void> {
    await this.#end("");
  }

  async #end(word: string): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server || server.exitCode !== null) return;
    const exited = once(server, "exit");
    server.stdin?.end(word);
    await exited;
  }

  url(database: string, user: string = USER): string {
    return `postgres://${user}@${encodeURIComponent(this.folder)}/${database}`;
  }
}

/** Runs statements on a connection of their own. */
export async function run(url: string, sql: string): Promise<pg.QueryResult> {
  const { username, password, hostname, port, pathname } = new URL(url);
  const client = new pg.Client({
    host: decodeURIComponent(hostname),
    ...(port !== "" && { port: Number(port) }),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
  });
  client.on("error", () => {});
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

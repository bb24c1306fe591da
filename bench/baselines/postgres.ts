/** PostgreSQL on a cluster of its own: a folder that is removed, a socket in it, no port. */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { setTimeout as wait } from "node:timers/promises";
import {
  type Baseline,
  COLUMNS,
  load,
  type Question,
  type Row,
  reportSql,
  type SumRow,
  type TableKind,
  valuesOf,
} from "./baseline.ts";

interface Named {
  readonly name: string;
  readonly text: string;
  readonly values: readonly string[];
  readonly rowMode: "array";
}
interface Client {
  connect(): Promise<void>;
  query(sql: string): Promise<{ readonly rows: readonly Record<string, string>[] }>;
  query(query: Named): Promise<{ readonly rows: readonly unknown[] }>;
  query(stream: Writable): Writable;
  on(event: "error", listener: () => void): void;
  end(): Promise<void>;
}
interface Pg {
  readonly default: { readonly Client: new (options: { host: string; user: string; database: string }) => Client };
}
interface CopyStreams {
  readonly from: (sql: string) => Writable;
}

const USER = "bench";
/** As many as Daybook's load generator has. */
const CONNECTIONS = 4;
/** Beside the defaults: what any guide to tuning says first, for a machine of this kind. */
const SETTINGS = {
  listen_addresses: "",
  synchronous_commit: "on",
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  checkpoint_timeout: "15min",
  work_mem: "256MB",
  maintenance_work_mem: "512MB",
  random_page_cost: "1.1",
};
const START_MS_MAX = 30_000;

/** The folder of the server's programs. @throws Error that says what to install. */
function programs(): string {
  const installed = "/usr/lib/postgresql";
  const versions = existsSync(installed) ? readdirSync(installed).sort((a, b) => Number(b) - Number(a)) : [];
  const preferred = [...versions.filter((one) => one === "15"), ...versions];
  const folders = [
    ...preferred.map((one) => join(installed, one, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  const found = folders.find((one) => existsSync(join(one, "initdb")) && existsSync(join(one, "postgres")));
  if (!found) throw new Error("no PostgreSQL server is installed; apt-get install -y postgresql");
  return found;
}

/** The server refuses to run as root: then it is its own system user. */
function owner(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string): number => {
    const { status, stdout } = spawnSync("id", [flag, "postgres"], { encoding: "utf8" });
    if (status !== 0) throw new Error("root cannot run it and there is no user postgres; start this as another user");
    return Number(stdout);
  };
  return { uid: idOf("-u"), gid: idOf("-g") };
}

export class Postgres implements Baseline<Buffer> {
  readonly name: string = "PostgreSQL";
  readonly connections = CONNECTIONS;
  readonly #pg: Pg;
  readonly #copy: CopyStreams;
  readonly #programs: string;
  readonly #owner: ReturnType<typeof owner>;
  readonly #folder: string;
  #kind: TableKind = "plain";
  #server: ChildProcess | undefined;
  #clients: Client[] = [];

  private constructor(pg: Pg, copy: CopyStreams) {
    this.#pg = pg;
    this.#copy = copy;
    this.#programs = programs();
    this.#owner = owner();
    // Not in the benchmark's own folder, which its user may not enter. The path of a socket must be short.
    this.#folder = mkdtempSync(join(tmpdir(), "daybook-pg-"));
    const version = spawnSync(join(this.#programs, "postgres"), ["--version"], { encoding: "utf8" }).stdout;
    this.name = `PostgreSQL ${/[\d.]+/.exec(version)?.[0] ?? ""}`;
  }

  /** @throws Error when the client or the server is missing or does not start. */
  static async start(): Promise<Postgres> {
    const [pg, copy] = [await load<Pg>("pg"), await load<{ readonly default: CopyStreams }>("pg-copy-streams")];
    const postgres = new Postgres(pg, copy.default);
    try {
      postgres.#init();
      await postgres.#open();
      return postgres;
    } catch (error) {
      await postgres.stop();
      throw error;
    }
  }

  #init(): void {
    const { uid, gid } = this.#owner;
    if (uid !== undefined && gid !== undefined) chownSync(this.#folder, uid, gid);
    const args = ["-D", join(this.#folder, "data"), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"];
    const made = spawnSync(join(this.#programs, "initdb"), args, {
      encoding: "utf8",
      cwd: this.#folder,
      ...this.#owner,
    });
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr.trim().split("\n").at(-1)}`);
  }

  async #open(): Promise<void> {
    const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const args = ["-D", join(this.#folder, "data"), "-k", this.#folder, ...settings];
    const options = { stdio: "ignore", cwd: this.#folder, ...this.#owner } as const;
    const server = spawn(join(this.#programs, "postgres"), args, options);
    this.#server = server;
    process.prependOnceListener("exit", this.#quit);
    const deadline = performance.now() + START_MS_MAX;
    while (this.#clients.length === 0) {
      const client = this.#client();
      try {
        await client.connect();
        this.#clients.push(client);
      } catch (error) {
        if (performance.now() > deadline || server.exitCode !== null) throw error;
        await wait(20);
      }
    }
    while (this.#clients.length < CONNECTIONS) {
      const client = this.#client();
      await client.connect();
      this.#clients.push(client);
    }
  }

  #client(): Client {
    const client = new this.#pg.default.Client({ host: this.#folder, user: USER, database: "postgres" });
    client.on("error", () => {});
    return client;
  }

  /** "Immediate shutdown", for an end without notice. */
  readonly #quit = (): void => {
    this.#server?.kill("SIGQUIT");
  };

  async #close(): Promise<void> {
    for (const client of this.#clients) await client.end().catch(() => {});
    this.#clients = [];
    process.off("exit", this.#quit);
    const server = this.#server;
    this.#server = undefined;
    if (!server || server.exitCode !== null) return;
    // "Fast shutdown": with a checkpoint.
    server.kill("SIGINT");
    await once(server, "exit");
  }

  async create(kind: TableKind): Promise<void> {
    this.#kind = kind;
    const columns = COLUMNS.map(
      (name, at) => `${name} ${name === "time" ? "timestamptz" : at < 8 ? "text" : "bigint"}`,
    );
    const [first] = this.#clients as [Client];
    await first.query("DROP TABLE IF EXISTS events");
    const key = kind === "keyed" ? ", PRIMARY KEY (account, id)" : "";
    await first.query(`CREATE TABLE events (${columns.map((one) => `${one} NOT NULL`).join(", ")}${key})`);
    await first.query("CHECKPOINT");
    for (const client of this.#clients) {
      await client.query("DROP TABLE IF EXISTS pg_temp.staging");
      await client.query(`CREATE TEMP TABLE staging (${columns.join(", ")}) ON COMMIT DELETE ROWS`);
    }
  }

  prepare(rows: readonly Row[]): Buffer {
    return Buffer.from(rows.map((row) => `${valuesOf(row).join("\t")}\n`).join(""));
  }

  async write(batch: Buffer, connection: number): Promise<void> {
    const client = this.#clients[connection]!;
    if (this.#kind === "plain") return this.#copyInto(client, "events", batch);
    await client.query("BEGIN");
    await this.#copyInto(client, "staging", batch);
    await client.query("INSERT INTO events SELECT * FROM staging ON CONFLICT DO NOTHING");
    await client.query("COMMIT");
  }

  async #copyInto(client: Client, table: string, batch: Buffer): Promise<void> {
    const stream = client.query(this.#copy.from(`COPY ${table} FROM STDIN`));
    stream.end(batch);
    await finished(stream);
  }

  async bytes(): Promise<number> {
    const { rows } = await this.#clients[0]!.query("SELECT pg_total_relation_size('events')::text AS bytes");
    return Number(rows[0]!.bytes);
  }

  async index(): Promise<void> {
    await this.#clients[0]!.query("ALTER TABLE events ADD PRIMARY KEY (account, id)");
    await this.#clients[0]!.query("CREATE INDEX ON events (account, time)");
    await this.#clients[0]!.query("VACUUM ANALYZE events");
  }

  async restart(): Promise<void> {
    await this.#close();
    await this.#open();
  }

  async report({ start, end, zone }: Question): Promise<SumRow[]> {
    const text = reportSql(`(time AT TIME ZONE '${zone}')::date::text`);
    const { rows } = await this.#clients[0]!.query({ name: "report", text, values: [start, end], rowMode: "array" });
    return rows as SumRow[];
  }

  async stop(): Promise<void> {
    await this.#close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** DuckDB inside this process, through its official client; batches as data chunks, the fastest way in that it has. */

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
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

interface Chunk {
  setColumns(columns: readonly (readonly unknown[])[]): void;
}
interface Appender {
  appendDataChunk(chunk: Chunk): void;
  flushSync(): void;
  closeSync(): void;
}
interface Connection {
  run(sql: string): Promise<unknown>;
  runAndReadAll(sql: string, values?: readonly unknown[]): Promise<{ getRows(): unknown[][] }>;
  createAppender(table: string, schema?: string, catalog?: string): Promise<Appender>;
  closeSync(): void;
}
interface Instance {
  connect(): Promise<Connection>;
  closeSync(): void;
}
interface DuckDb {
  readonly DuckDBInstance: { create(path: string): Promise<Instance> };
  readonly DuckDBDataChunk: { create(types: readonly unknown[], rows: number): Chunk };
  readonly DuckDBTimestampTZValue: new (micros: bigint) => unknown;
  readonly VARCHAR: unknown;
  readonly BIGINT: unknown;
  readonly TIMESTAMPTZ: unknown;
}

const TIME_AT = COLUMNS.indexOf("time");
const FIRST_SUM = COLUMNS.indexOf("prompt_tokens");

export class DuckDbBaseline implements Baseline<Chunk> {
  readonly name: string;
  readonly connections = 1;
  readonly #duckdb: DuckDb;
  readonly #folder: string;
  #kind: TableKind = "plain";
  #instance: Instance | undefined;
  #connection: Connection | undefined;
  #appender: Appender | undefined;

  private constructor(duckdb: DuckDb, name: string, folder: string) {
    this.#duckdb = duckdb;
    this.name = name;
    this.#folder = folder;
  }

  /** @throws Error when the client is not installed or does not load on this machine. */
  static async start(folder: string): Promise<DuckDbBaseline> {
    const duckdb = await load<DuckDb>("@duckdb/node-api");
    const instance = await duckdb.DuckDBInstance.create(":memory:");
    const [[version]] = (await (await instance.connect()).runAndReadAll("SELECT version()")).getRows() as [[string]];
    instance.closeSync();
    return new DuckDbBaseline(duckdb, `DuckDB ${version.replace("v", "")}`, mkdtempSync(join(folder, "duckdb-")));
  }

  get #path(): string {
    return join(this.#folder, "events.duckdb");
  }

  async #open(): Promise<void> {
    this.#instance = await this.#duckdb.DuckDBInstance.create(this.#path);
    this.#connection = await this.#instance.connect();
  }

  #close(): void {
    this.#appender?.closeSync();
    this.#appender = undefined;
    this.#connection?.closeSync();
    this.#instance?.closeSync();
    this.#instance = undefined;
  }

  async create(kind: TableKind): Promise<void> {
    this.#close();
    for (const end of ["", ".wal"]) rmSync(this.#path + end, { force: true });
    await this.#open();
    this.#kind = kind;
    const columns = COLUMNS.map((name, at) => {
      return `${name} ${at === TIME_AT ? "TIMESTAMPTZ" : at < FIRST_SUM ? "VARCHAR" : "BIGINT"} NOT NULL`;
    });
    const key = kind === "keyed" ? ", PRIMARY KEY (account, id)" : "";
    const connection = this.#connection!;
    // By default it writes its index anew after each 16 MB of log.
    await connection.run("SET checkpoint_threshold = '1GB'");
    await connection.run(`CREATE TABLE events (${columns.join(", ")}${key})`);
    if (kind === "keyed") await connection.run(`CREATE TEMP TABLE staging (${columns.join(", ")})`);
    this.#appender = await (kind === "keyed"
      ? connection.createAppender("staging", "main", "temp")
      : connection.createAppender("events"));
  }

  prepare(rows: readonly Row[]): Chunk {
    const { DuckDBDataChunk, DuckDBTimestampTZValue, VARCHAR, BIGINT, TIMESTAMPTZ } = this.#duckdb;
    const types = COLUMNS.map((_, at) => (at === TIME_AT ? TIMESTAMPTZ : at < FIRST_SUM ? VARCHAR : BIGINT));
    const values = rows.map(valuesOf);
    const chunk = DuckDBDataChunk.create(types, rows.length);
    chunk.setColumns(
      COLUMNS.map((_, at) =>
        values.map((row) => {
          if (at === TIME_AT) return new DuckDBTimestampTZValue(BigInt(Date.parse(row[at] as string)) * 1_000n);
          return at < FIRST_SUM ? row[at] : BigInt(row[at]!);
        }),
      ),
    );
    return chunk;
  }

  async write(batch: Chunk): Promise<void> {
    this.#appender!.appendDataChunk(batch);
    this.#appender!.flushSync();
    if (this.#kind === "plain") return;
    await this.#connection!.run("INSERT INTO events SELECT * FROM staging ON CONFLICT DO NOTHING");
    await this.#connection!.run("TRUNCATE staging");
  }

  async bytes(): Promise<number> {
    await this.#connection!.run("CHECKPOINT");
    return statSync(this.#path).size;
  }

  async restart(): Promise<void> {
    this.#close();
    await this.#open();
  }

  async report({ start, end, zone }: Question): Promise<SumRow[]> {
    const sql = reportSql(`(time AT TIME ZONE '${zone}')::date::text`);
    return (await this.#connection!.runAndReadAll(sql, [start, end])).getRows() as unknown as SumRow[];
  }

  async stop(): Promise<void> {
    this.#close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Statements to ClickHouse, through its official client. */

import { Readable } from "node:stream";
import { type ClickHouseClientConfigOptions, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { faultOf } from "./failures.ts";
import type { Sql } from "./statement.ts";

/** How the client reaches the engine, and in whose name; or a connection that is already made. */
export type EngineConnection = Pick<
  ClickHouseClientConfigOptions,
  "url" | "username" | "password" | "database" | "connection"
>;

const STATEMENT_BYTES_MAX = 64 * 1024 * 1024;
/** A statement that takes longer is given up, and the call answered with `unavailable`. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Of a process: room for a write of each lane and as many statements of reports. Idle ones are closed after 2.5 s. */
const CONNECTIONS_MAX = 16;

export class Engine {
  readonly #client: ReturnType<typeof createClient>;
  /** Put after inserts and selects, as SETTINGS. */
  readonly #insertSettings: string;
  readonly #readSettings: readonly string[];

  /** `replicated`: a read waits for what a quorum of replicas has, and an insert for the quorum. */
  constructor(connection: EngineConnection, { replicated }: { readonly replicated: boolean }) {
    this.#client = createClient({
      ...connection,
      application: "daybook",
      request_timeout: REQUEST_TIMEOUT_MS,
      max_open_connections: CONNECTIONS_MAX,
      // Its failures are told by the calls that met them.
      log: { level: ClickHouseLogLevel.OFF },
      clickhouse_settings: { max_query_size: String(STATEMENT_BYTES_MAX) },
    });
    // Without parallel quorums a sequentially consistent read sees each insert that was answered.
    this.#insertSettings = replicated ? ", insert_quorum = 'auto', insert_quorum_parallel = 0" : "";
    this.#readSettings = replicated ? ["select_sequential_consistency = 1"] : [];
  }

  /**
   * The rows of a SELECT, every value as text: the engine's JSON shows large numbers unquoted otherwise.
   * @param settings Of this statement alone, such as "max_threads = 1".
   */
  async rows(statement: Sql, settings: readonly string[] = []): Promise<string[][]> {
    const all = [...this.#readSettings, ...settings];
    const query = all.length === 0 ? statement.text : `${statement.text} SETTINGS ${all.join(", ")}`;
    return this.#reached(async () => {
      const answer = await this.#client.query({ query, format: "JSONCompactStringsEachRow" });
      return answer.json<string[]>();
    });
  }

  async command(statement: Sql): Promise<void> {
    await this.#reached(() => this.#client.command({ query: statement.text }));
  }

  /**
   * One insert, whole or not at all: the rows go into one block. Each row is a JSON array in the order of the columns.
   * With a token, of all inserts with it into a partition the engine takes the first and silently drops the others.
   */
  async insert(
    table: string,
    rows: { readonly columns: readonly string[]; readonly lines: readonly string[] },
    token = "",
  ) {
    // In the statement, not beside it: settings beside it stay behind in a session.
    const settings = `async_insert = 0, insert_deduplicate = 1, insert_deduplication_token = '${token}',
      input_format_parallel_parsing = 0, max_insert_block_size = 1000000, min_insert_block_size_rows = 1000000,
      min_insert_block_size_bytes = 1000000000${this.#insertSettings}`;
    const query = `INSERT INTO ${table} (${rows.columns.join(", ")}) SETTINGS ${settings} FORMAT JSONCompactEachRow`;
    await this.#reached(async () => {
      const { stream } = await this.#client.exec({
        query,
        values: Readable.from([rows.lines.join("\n")], { objectMode: false }),
      });
      for await (const _ of stream);
    });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** What passes by itself is a fault `unavailable`; what the engine refuses for good stays an error. */
  async #reached<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw faultOf(error);
    }
  }
}

/** ClickHouse for the tests: in this process, as the official client's connection; and statements beside the ledger's. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createClient } from "@clickhouse/client";
import type { EngineConnection } from "../../src/ledger/clickhouse/engine.ts";

export interface OpenEngine {
  readonly connection: EngineConnection;
  close(): Promise<void>;
}

type Connection = NonNullable<EngineConnection["connection"]>;

/** An engine on a folder of its own. One in a process: the package holds one folder at a time. */
export async function inProcess(): Promise<OpenEngine> {
  // The name is no literal: a plain install lacks the package, and its types with it.
  const name = "chdb/connection";
  const { createChdbConnection } = (await import(name)) as {
    createChdbConnection(options: { readonly path: string }): Connection;
  };
  const folder = await mkdtemp(join(tmpdir(), "daybook-chdb-"));
  const connection = createChdbConnection({ path: folder });
  const close = async (): Promise<void> => {
    await connection.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { connection: { connection }, close };
}

/** A statement of a test; the rows of its answer, every value as text. */
export async function ask(connection: EngineConnection, query: string): Promise<string[][]> {
  const client = createClient(connection);
  const { stream } = await client.exec({
    query,
    clickhouse_settings: { default_format: "JSONCompactStringsEachRow", mutations_sync: "2" },
  });
  const lines = (await text(stream)).split("\n").filter((line) => line !== "");
  if (connection.connection === undefined) await client.close();
  return lines.map((line) => JSON.parse(line) as string[]);
}

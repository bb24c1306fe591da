/** What each engine must do to stand beside Daybook: take the same events, and answer the same question in SQL. */

import { createRequire } from "node:module";
import { ACCOUNT } from "../server.ts";

/** An event in the columns of a table as one makes it by hand. */
export interface Row {
  readonly id: string;
  /** RFC 3339, as it was sent. */
  readonly time: string;
  readonly usageType: string;
  readonly model: string;
  readonly apiKeyId: string;
  readonly team: string;
  readonly environment: string;
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly completionTokens: number;
}

/** Names of the columns, in the order of {@link valuesOf}. */
export const COLUMNS = [
  "account",
  "id",
  "time",
  "usage_type",
  "model",
  "api_key_id",
  "team",
  "environment",
  "prompt_tokens",
  "cached_prompt_tokens",
  "completion_tokens",
] as const;

export function valuesOf(row: Row): readonly (string | number)[] {
  const { id, time, usageType, model, apiKeyId, team, environment } = row;
  const { promptTokens, cachedPromptTokens, completionTokens } = row;
  const labels = [ACCOUNT, id, time, usageType, model, apiKeyId, team, environment];
  return [...labels, promptTokens, cachedPromptTokens, completionTokens];
}

/** The events of a body, from the very bytes that Daybook is sent. */
export function rowsOf(body: Buffer): Row[] {
  return body
    .toString()
    .split("\n")
    .map((line) => {
      const { annotations, ...rest } = JSON.parse(line) as Row & { annotations: Pick<Row, "team" | "environment"> };
      return { ...rest, ...annotations };
    });
}

/** - `keyed`: (account, id) is a primary key and what is known is passed over; - `plain`: no key, so no dedup. */
export type TableKind = "keyed" | "plain";

/** The month's question: days of the zone from `start`, inclusive, to `end`, exclusive. */
export interface Question {
  readonly start: string;
  readonly end: string;
  readonly zone: string;
}

/** Day (yyyy-mm-dd), model, key, team, then the sums of the three quantities in digits. */
export type SumRow = readonly [day: string, model: string, key: string, team: string, ...sums: string[]];

export interface Baseline<Prepared = unknown> {
  readonly name: string;
  /** Calls at once. */
  readonly connections: number;
  /** An empty table of that kind in place of the one before. */
  create(kind: TableKind): Promise<void>;
  /** A batch in the form that is handed to the engine; made before the clock starts. */
  prepare(rows: readonly Row[]): Prepared;
  /** Writes a batch; when it resolves, the batch is on disk. */
  write(batch: Prepared, connection: number): Promise<void>;
  /** Bytes on disk of the table and its key. */
  bytes(): Promise<number>;
  /** Makes what helps the report. */
  index?(): Promise<void>;
  /** Ends the engine and starts it again on the same files. */
  restart?(): Promise<void>;
  report?(question: Question): Promise<SumRow[]>;
  stop(): Promise<void>;
}

/** The sums by day, model, key and team; `day` is an expression, `$1` and `$2` are start and end. */
export function reportSql(day: string): string {
  const sums = ["prompt_tokens", "cached_prompt_tokens", "completion_tokens"].map((name) => `sum(${name})::text`);
  return `SELECT ${day}, model, api_key_id, team, ${sums.join(", ")} FROM events
    WHERE account = '${ACCOUNT}' AND time >= $1::timestamptz AND time < $2::timestamptz GROUP BY 1, 2, 3, 4`;
}

/** A package of this folder, in the shape that is used of it: the project compiles without it. */
export async function load<Shape>(name: string): Promise<Shape> {
  return (await import(createRequire(import.meta.url).resolve(name))) as Shape;
}

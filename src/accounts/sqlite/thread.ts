/** The thread that holds accounts.db: one connection, one call at a time. */

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { Fault, type Problem } from "../../domain/fault.ts";
import { isDiskTrouble, noteCommit, openFile } from "../../sqlite/file.ts";
import { ACCOUNTS_FILE } from "./schema.ts";

export type Call =
  | { readonly kind: "begin" | "commit" | "rollback" | "close" }
  | {
      readonly kind: "query";
      readonly sql: string;
      readonly parameters: readonly unknown[];
      /** Whether the caller believes itself inside a transaction; a thread that was started anew is not. */
      readonly inTransaction: boolean;
    };

/** A fault's problems do not survive a throw across threads, so every outcome is a value. */
export type Reply =
  | { readonly kind: "rows"; readonly rows: readonly object[] }
  | { readonly kind: "changed"; readonly rowCount: number }
  | { readonly kind: "refused"; readonly problems: readonly Problem[] }
  /** `mayPass`: the disk or a thread that died is to blame, and the call may be made again. */
  | { readonly kind: "failed"; readonly message: string; readonly mayPass: boolean };

const CACHE_MIB = 16;
const STATEMENTS_KEPT_MAX = 256;
const LOST = new Error("the transaction was lost with its thread");
const DONE: Reply = { kind: "changed", rowCount: 0 };

let database: DatabaseSync | undefined;
const statements = new Map<string, StatementSync>();

function opened(): DatabaseSync {
  database ??= openFile(workerData.path, ACCOUNTS_FILE, { readOnly: false, cacheMiB: CACHE_MIB });
  return database;
}

function prepared(sql: string): StatementSync {
  const known = statements.get(sql);
  if (known) return known;
  if (statements.size >= STATEMENTS_KEPT_MAX) statements.clear();
  const statement = opened().prepare(sql);
  statements.set(sql, statement);
  return statement;
}

function query(call: Call & { kind: "query" }): Reply {
  if (opened().isTransaction !== call.inTransaction) throw LOST;
  const statement = prepared(call.sql);
  const parameters = call.parameters as SQLInputValue[];
  if (statement.columns().length > 0) return { kind: "rows", rows: statement.all(...parameters) };
  const { changes } = statement.run(...parameters);
  if (!call.inTransaction) noteCommit(opened());
  return { kind: "changed", rowCount: Number(changes) };
}

function run(call: Call): Reply {
  switch (call.kind) {
    case "begin":
    case "commit":
      opened().exec(call.kind === "begin" ? "BEGIN IMMEDIATE" : "COMMIT");
      return DONE;
    case "rollback":
      // SQLite may have rolled back by itself, as on a full disk.
      if (opened().isTransaction) opened().exec("ROLLBACK");
      return DONE;
    case "query":
      return query(call);
    case "close":
      statements.clear();
      database?.close();
      database = undefined;
      return DONE;
    default:
      return call satisfies never;
  }
}

export function open(): Reply {
  return asReply(() => {
    opened();
    return DONE;
  });
}

export default function answer(call: Call): Reply {
  return asReply(() => run(call));
}

function asReply(work: () => Reply): Reply {
  try {
    return work();
  } catch (error) {
    if (error instanceof Fault) return { kind: "refused", problems: error.problems };
    return { kind: "failed", message: (error as Error).message, mayPass: error === LOST || isDiskTrouble(error) };
  }
}

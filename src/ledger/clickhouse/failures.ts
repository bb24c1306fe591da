/** What a failure of the engine means: whether it passes by itself, or somebody has something to mend. */

import { ClickHouseError } from "@clickhouse/client";
import { Fault, problem, unavailable } from "../../domain/fault.ts";

/** What the engine says when it has too much to do, or lacks a part of itself for a while. */
const PASSING = new Set([
  "ABORTED",
  "ALL_CONNECTION_TRIES_FAILED",
  "CANNOT_SCHEDULE_TASK",
  "KEEPER_EXCEPTION",
  "MEMORY_LIMIT_EXCEEDED",
  "NETWORK_ERROR",
  "NOT_ENOUGH_SPACE",
  "NO_ZOOKEEPER",
  "QUERY_WAS_CANCELLED",
  "QUOTA_EXCEEDED",
  "REPLICA_IS_NOT_IN_QUORUM",
  "SERVER_OVERLOADED",
  "SOCKET_TIMEOUT",
  "TABLE_IS_READ_ONLY",
  "TIMEOUT_EXCEEDED",
  "TOO_FEW_LIVE_REPLICAS",
  "TOO_MANY_PARTS",
  "TOO_MANY_SIMULTANEOUS_QUERIES",
  "UNKNOWN_STATUS_OF_INSERT",
  "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
]);
const UNKNOWN_CALLER = new Set(["AUTHENTICATION_FAILED", "REQUIRED_PASSWORD", "UNKNOWN_USER", "WRONG_PASSWORD"]);
const REASON_CHARACTERS_MAX = 200;

/**
 * A fault that passes, with the failure as its cause; an error of the engine that does not pass stays as it is. The
 * reason is told to clients: it names no address. A password that was changed while Daybook runs refuses calls too, and
 * loses nothing.
 */
export function faultOf(error: unknown): unknown {
  if (!(error instanceof ClickHouseError)) {
    const { code, message } = error as NodeJS.ErrnoException;
    return because(`the ledger's engine does not answer (${code ?? lineOf(message)})`, error);
  }
  const type = error.type ?? "";
  if (UNKNOWN_CALLER.has(type)) return because("the ledger's engine does not know the user or the password", error);
  return PASSING.has(type) ? because(`the ledger's engine cannot do it now (${type})`, error) : error;
}

/** What somebody must mend before the engine can be used as it was named, as a fault; any other error as it is. */
export function asUnusable(error: unknown): unknown {
  const reason = whyUnusable(error);
  return reason === undefined ? error : unusable(reason);
}

export function unusable(reason: string): Fault {
  return new Fault(problem("ledger_unusable", "DAYBOOK_LEDGER_URL", { reason }));
}

function whyUnusable(error: unknown): string | undefined {
  const failure = error instanceof Error && error.cause instanceof ClickHouseError ? error.cause : error;
  if (!(failure instanceof ClickHouseError)) return undefined;
  const type = failure.type ?? "";
  if (PASSING.has(type)) return undefined;
  if (UNKNOWN_CALLER.has(type)) return "it does not know the user or the password";
  if (type === "UNKNOWN_TABLE") return "it has no ledger yet; daybook serve makes one";
  if (type === "UNKNOWN_DATABASE") return "it has no such database; make it with CREATE DATABASE, or name another";
  return `it said ${type}: ${lineOf(failure.message)}`;
}

function because(reason: string, cause: unknown): Fault {
  return Object.assign(unavailable(reason), { cause });
}

function lineOf(message: string): string {
  const [line = ""] = message.trim().split("\n");
  return line.length <= REASON_CHARACTERS_MAX ? line : `${line.slice(0, REASON_CHARACTERS_MAX).toWellFormed()}…`;
}

/** What runs inside a thread of the SQLite ledger: the one writer, or one of the readers. */

import { workerData } from "node:worker_threads";
import { Fault, orRefusal, type Refusal, unavailable } from "../../domain/fault.ts";
import type { ChangesQuestion, EventsQuestion, SumQuestion } from "../ledger.ts";
import type { DayPack, DayRef } from "./days.ts";
import { movable } from "./event-page.ts";
import { Reader } from "./reader.ts";
import { movableSums } from "./sum-table.ts";
import { Writer, type WriterCall, type WriterReply } from "./writer.ts";

/** What the threads are started with. */
export interface ThreadData {
  readonly role: "writer" | "reader";
  readonly path: string;
}

interface Waiting {
  readonly call: WriterCall;
  readonly resolve: (reply: WriterReply) => void;
  readonly reject: (error: unknown) => void;
}

/** Events that share one transaction, at most; a call is never split. */
const EVENTS_PER_COMMIT_MAX = 50_000;

const { role, path } = workerData as ThreadData;
let writer: Writer | undefined;
let reader: Reader | undefined;
let waiting: Waiting[] = [];

/** Opens the file. */
export function open(): Refusal | undefined {
  return orRefusal(() => {
    if (role === "writer") writer ??= new Writer(path);
    else reader ??= new Reader(path);
    return undefined;
  });
}

/** Writes one call; calls that arrive while a transaction is committed share the next one (group commit). */
export function write(call: WriterCall): Promise<WriterReply> {
  return new Promise((resolve, reject) => {
    waiting.push({ call, resolve, reject });
    if (waiting.length === 1) setImmediate(commitWaiting);
  });
}

function commitWaiting(): void {
  const group: Waiting[] = [];
  let events = 0;
  for (const one of waiting) {
    const size = sizeOf(one.call);
    if (group.length > 0 && events + size > EVENTS_PER_COMMIT_MAX) break;
    group.push(one);
    events += size;
  }
  waiting = waiting.slice(group.length);
  commit(group);
  if (waiting.length > 0) setImmediate(commitWaiting);
}

/** The events that a call touches, at most. */
function sizeOf(call: WriterCall): number {
  switch (call.kind) {
    case "append":
      return call.batch.ids.length;
    case "void":
      return call.ids.length;
    case "drop":
      return call.limit;
    default:
      return call satisfies never;
  }
}

/** Commits the group; when it fails, each call by itself, so that one bad call fails alone. */
function commit(group: readonly Waiting[]): void {
  try {
    writer ??= new Writer(path);
    const replies = writer.run(group.map((one) => one.call));
    for (const [at, one] of group.entries()) one.resolve(replies[at]!);
  } catch (error) {
    if (group.length === 1) group[0]!.reject(plain(error));
    else for (const one of group) commit([one]);
  }
}

/** Errors cross threads as plain text; what failed in the file is what the operator must read. */
function plain(error: unknown): Error {
  return new Error((error as Error).message);
}

export function takeTouched(): DayRef[] {
  return writer?.takeTouched() ?? [];
}

export function keepPacks(packs: readonly DayPack[]): void {
  writer?.keepPacks(packs);
}

export type ReaderCall =
  | { readonly kind: "sum"; readonly account: string; readonly questions: readonly SumQuestion[] }
  | { readonly kind: "find"; readonly account: string; readonly id: string }
  | { readonly kind: "events"; readonly account: string; readonly question: EventsQuestion }
  | { readonly kind: "changes"; readonly account: string; readonly question: ChangesQuestion }
  | { readonly kind: "count"; readonly account: string }
  | { readonly kind: "accounts" }
  | { readonly kind: "pack"; readonly day: DayRef }
  | { readonly kind: "unpacked" };

export function read(call: ReaderCall): unknown {
  return orRefusal(() => answer(call));
}

/** The writer has opened the file, so what keeps a reader out may pass, and no tenant is shown the server's paths. */
function openReader(): Reader {
  try {
    return new Reader(path);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw unavailable("the ledger could not be opened for reading");
  }
}

function answer(call: ReaderCall): unknown {
  reader ??= openReader();
  switch (call.kind) {
    case "sum":
      return movableSums(reader.sum(call.account, call.questions));
    case "find":
      return reader.find(call.account, call.id);
    case "events":
      return movable(reader.events(call.account, call.question));
    case "changes":
      return movable(reader.changes(call.account, call.question));
    case "count":
      return reader.count(call.account);
    case "accounts":
      return reader.accounts();
    case "pack":
      return reader.pack(call.day);
    case "unpacked":
      return reader.unpacked();
    default:
      return call satisfies never;
  }
}

export function close(): void {
  writer?.close();
  reader?.close();
}

/** `daybook import usage`: a file into a data folder, batch by batch, until the end or Ctrl-C. */

import { createReadStream, createWriteStream, statSync, type WriteStream } from "node:fs";
import { resolve } from "node:path";
import { finished } from "node:stream/promises";
import { SingleBar } from "cli-progress";
import { unreadable } from "../../domain/unreadable.ts";
import { requireFolder } from "../../folder-tools.ts";
import { type ImportReject, type ImportTotals, Service } from "../../service.ts";
import { readPlaces } from "../places.ts";
import { EXIT, quoted, refused, wrongWords } from "../refusal.ts";
import { stopOnSignal } from "../stop-on-signal.ts";

interface ImportFlags {
  readonly data: string;
  readonly account?: string;
  /** The flag that all commands share; `--account` is the same here. */
  readonly accountId?: string;
  readonly rejects?: string;
  readonly clickhouseCluster?: string;
}

const STDIN = "-";
const CHUNK_BYTES = 1024 * 1024;
const ACCOUNTS_NAMED_MAX = 10;

/** @throws Fault or Refusal when the folder, the account or the file cannot be had, or writing failed half-way. */
export async function importUsage(file: string, flags: ImportFlags): Promise<void> {
  const source = openSource(file);
  const rejectsName = flags.rejects ?? `${file === STDIN ? "stdin" : file}.rejects.ndjson`;
  if (file !== STDIN && resolve(rejectsName) === resolve(file)) {
    throw wrongWords("--rejects: is the file that is imported; name another");
  }
  const service = await openService(flags);
  const rejects = new RejectsFile(rejectsName);
  const stop = stopOnSignal();
  stop.signal.addEventListener("abort", source.close);
  const bar = showBytes(source.size);
  let totals: ImportTotals | undefined;
  try {
    const account = await chooseAccount(service, flags.account ?? flags.accountId);
    const done = await service.importUsage(
      account,
      { name: source.name, chunks: source.chunks },
      {
        signal: stop.signal,
        onReject: (reject) => rejects.write(reject),
        onProgress: (now) => {
          totals = now;
          bar.show(now);
        },
      },
    );
    bar.end();
    await rejects.end();
    if (stop.signal.aborted) {
      process.stderr.write(
        `daybook: interrupted after line ${done.lines}; import the same file again to complete it\n`,
      );
      process.exitCode = EXIT.interrupted;
    } else if (done.rejected + done.conflicts > 0) process.exitCode = EXIT.refused;
    process.stdout.write(`${summary(done)}\n`);
    sayAside(done, rejects);
  } catch (error) {
    bar.end();
    await rejects.end().catch(() => {});
    // What was written stays, and a second run goes on from there.
    if (totals) process.stderr.write(`daybook: stopped after line ${totals.lines}: ${summary(totals)}\n`);
    throw error;
  } finally {
    stop.forget();
    source.close();
    await service.close();
  }
}

/** @throws Fault when the folder is none of ours, or an engine is away or cannot be used. */
async function openService({ data, clickhouseCluster }: ImportFlags): Promise<Service> {
  const places = readPlaces(process.env, clickhouseCluster);
  const { ledgerUrl, accountsUrl } = places;
  if (ledgerUrl === undefined) requireFolder(data);
  // With both elsewhere nothing is left in a folder, and the one of a server that runs is not in the way.
  const isElsewhere = ledgerUrl !== undefined && accountsUrl !== undefined;
  return Service.open({ ...places, dataFolder: isElsewhere ? undefined : data });
}

function summary({ created, duplicates, conflicts, rejected }: ImportTotals): string {
  return `created ${created}, duplicates ${duplicates}, conflicts ${conflicts}, rejected ${rejected}`;
}

function sayAside({ droppedAnnotations }: ImportTotals, rejects: RejectsFile): void {
  if (rejects.lines > 0) process.stderr.write(`daybook: ${rejects.lines} lines were not taken; see ${rejects.name}\n`);
  if (droppedAnnotations > 0) {
    process.stderr.write(`daybook: ${droppedAnnotations} annotations were dropped for their name or value\n`);
  }
}

interface Source {
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Bytes; undefined where that is not known. */
  readonly size: number | undefined;
  close(): void;
}

function openSource(file: string): Source {
  if (file === STDIN) {
    return { name: "stdin", chunks: process.stdin, size: undefined, close: () => process.stdin.destroy() };
  }
  try {
    const found = statSync(file);
    if (found.isDirectory()) throw new Error("it is a folder; name a file");
    const stream = createReadStream(file, { highWaterMark: CHUNK_BYTES });
    stream.on("error", () => {});
    const size = found.isFile() ? found.size : undefined;
    return { name: file, chunks: told(stream, file), size, close: () => stream.destroy() };
  } catch (error) {
    throw unreadable("FILE", file, error);
  }
}

/** The chunks, with what goes wrong while reading told as the file's. */
async function* told(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw unreadable("FILE", file, error);
  }
}

/** The account that was named, or the only one there is. */
async function chooseAccount(service: Service, named: string | undefined): Promise<string> {
  if (named !== undefined) return (await service.accounts.getAccount(named)).id;
  const { items, totalSize } = await service.accounts.listAccounts(undefined, { pageSize: ACCOUNTS_NAMED_MAX });
  if (items.length === 1) return items[0]!.id;
  if (items.length === 0) throw refused("the data folder has no account yet; start daybook serve on it once");
  const names = items.map(({ id }) => id).join(", ");
  const more = totalSize > items.length ? ", ..." : "";
  throw wrongWords(`--account: the data folder has several accounts; name one of ${names}${more}`);
}

/** Lines that were not taken, as NDJSON: a file that is made with its first line. */
class RejectsFile {
  readonly name: string;
  lines = 0;
  #file: WriteStream | undefined;
  #failure: Error | undefined;

  constructor(name: string) {
    this.name = name;
  }

  async write(reject: ImportReject): Promise<void> {
    this.#file ??= this.#open();
    this.lines += 1;
    if (!this.#file.write(`${JSON.stringify(reject)}\n`) && !this.#failure) {
      await new Promise<void>((go) => {
        this.#file!.once("drain", go);
        this.#file!.once("error", () => go());
      });
    }
    if (this.#failure) throw this.#refusal();
  }

  async end(): Promise<void> {
    if (!this.#file) return;
    this.#file.end();
    await finished(this.#file).catch(() => {});
    if (this.#failure) throw this.#refusal();
  }

  #open(): WriteStream {
    const file = createWriteStream(this.name);
    file.on("error", (error) => {
      this.#failure = error;
    });
    return file;
  }

  #refusal(): Error {
    return refused(`cannot write ${quoted(this.name)}: ${this.#failure!.message}; choose another --rejects`);
  }
}

interface Bytes {
  show(totals: ImportTotals): void;
  end(): void;
}

const FORMAT = "Importing [{bar}] {percentage}% | {lines} lines";

/** A bar by bytes on a terminal, where the size is known; nothing elsewhere. */
function showBytes(size: number | undefined): Bytes {
  if (!process.stderr.isTTY || !size) return { show: () => {}, end: () => {} };
  const bar = new SingleBar({ format: FORMAT, stream: process.stderr, clearOnComplete: true });
  bar.start(size, 0, { lines: 0 });
  return { show: ({ bytes, lines }) => bar.update(Math.min(bytes, size), { lines }), end: () => bar.stop() };
}

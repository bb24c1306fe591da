/**
 * SQLite takes a write-ahead log up to its first broken frame and forgets the rest without a word: right for what a crash
 * tore, wrong for what was committed and then damaged or cut off. So beside the log a witness is kept of how far it was
 * committed. It is written after each commit and not forced to disk: it may lag behind the log, never lead it.
 */

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Where a log stands: the salt names one filling of the file, which grows frame by frame and is then begun anew. */
interface LogPlace {
  /**
   * Two numbers of 32 bits; the first is raised by one with each new filling. Those of the first filling since a clean end
   * are drawn at random.
   */
  readonly salt: readonly [number, number];
  /** Frames up to the end of the last whole transaction. */
  readonly frames: number;
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;

/** The file that stands for the witness of the database at `path`. */
export function witnessPath(path: string): string {
  return `${path}-committed`;
}

/**
 * What of the log is missing that was committed, as a sentence; undefined when nothing is, or no witness knows.
 * Call it before SQLite opens the file: opening empties a damaged log.
 */
export function lostCommits(path: string): string | undefined {
  const seen = readWitness(path);
  // No frames: noted after a transaction that wrote nothing, in a log that was not begun yet. All that was committed before
  // had gone into the file itself, and the salt noted is not the log's: SQLite may draw it only with the first frame.
  if (!seen || seen.frames === 0) return undefined;
  const log = readLog(`${path}-wal`);
  if (!log) return "its write-ahead log is missing or has no header";
  if (log.salt[0] === seen.salt[0] && log.salt[1] === seen.salt[1]) {
    if (log.frames >= seen.frames) return undefined;
    return `its write-ahead log is whole up to frame ${log.frames}, and ${seen.frames} were committed`;
  }
  // Begun anew since: then all that the witness saw had gone into the file itself. After a power cut it may lag by several.
  if ((log.salt[0] - seen.salt[0]) >>> 0 < 2 ** 31) return undefined;
  return "its write-ahead log is an older one";
}

/** Reads a log as SQLite's recovery does: to the first frame that is of another filling or has a wrong checksum. */
function readLog(path: string): LogPlace | undefined {
  if (!existsSync(path)) return undefined;
  const file = openSync(path, "r");
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    if (readSync(file, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
    const magic = header.readUInt32BE(0);
    const sum = new Checksum((magic & 1) === 0);
    sum.add(header, 0, HEADER_BYTES - 8);
    if (magic >>> 1 !== MAGIC >>> 1 || !sum.equals(header, HEADER_BYTES - 8)) return undefined;
    const salt = [header.readUInt32BE(16), header.readUInt32BE(20)] as const;
    return { salt, frames: committedFrames(file, header.readUInt32BE(8), salt, sum) };
  } finally {
    closeSync(file);
  }
}

function committedFrames(file: number, pageBytes: number, salt: LogPlace["salt"], sum: Checksum): number {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes);
  let committed = 0;
  for (let count = 0; ; count += 1) {
    const at = HEADER_BYTES + count * frame.length;
    if (readSync(file, frame, 0, frame.length, at) < frame.length) return committed;
    if (frame.readUInt32BE(8) !== salt[0] || frame.readUInt32BE(12) !== salt[1]) return committed;
    sum.add(frame, 0, 8);
    sum.add(frame, FRAME_HEADER_BYTES, pageBytes);
    if (!sum.equals(frame, 16)) return committed;
    const endsTransaction = frame.readUInt32BE(4) !== 0;
    if (endsTransaction) committed = count + 1;
  }
}

/** The running checksum of a log, over pairs of 32-bit words in the byte order that the log's header names. */
class Checksum {
  readonly #littleEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(littleEndian: boolean) {
    this.#littleEndian = littleEndian;
  }

  add(file: Buffer, start: number, length: number): void {
    const words = new DataView(file.buffer, file.byteOffset + start, length);
    let [first, second] = [this.#first, this.#second];
    for (let at = 0; at < length; at += 8) {
      first = (first + words.getUint32(at, this.#littleEndian) + second) | 0;
      second = (second + words.getUint32(at + 4, this.#littleEndian) + first) | 0;
    }
    [this.#first, this.#second] = [first, second];
  }

  equals(file: Buffer, at: number): boolean {
    return file.readInt32BE(at) === this.#first && file.readInt32BE(at + 4) === this.#second;
  }
}

const SHARED_HEADER_BYTES = 48;
const [FRAMES_AT, SALT_AT] = [16, 32];
const littleEndianHost = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Notes after each commit how far the log goes. */
export class LogWitness {
  readonly #path: string;
  readonly #shared = Buffer.alloc(SHARED_HEADER_BYTES);
  #files: { readonly shared: number; readonly witness: number } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The last commit is on disk: SQLite's own index of the log tells how far that is. It stands whatever happens here, so
   * nothing is thrown: a witness that could not be written lags behind.
   */
  note(): void {
    try {
      this.#note();
    } catch {
      this.#close();
    }
  }

  #note(): void {
    this.#files ??= {
      shared: openSync(`${this.#path}-shm`, "r"),
      witness: openSync(witnessPath(this.#path), "w+", 0o600),
    };
    readSync(this.#files.shared, this.#shared, 0, SHARED_HEADER_BYTES, 0);
    const frames = littleEndianHost ? this.#shared.readUInt32LE(FRAMES_AT) : this.#shared.readUInt32BE(FRAMES_AT);
    const salt = [this.#shared.readUInt32BE(SALT_AT), this.#shared.readUInt32BE(SALT_AT + 4)] as const;
    writeSync(this.#files.witness, lineOf({ salt, frames }), 0);
  }

  /** Before the log is emptied on purpose: from here on it says nothing of what was committed. */
  end(): void {
    this.#close();
    const path = witnessPath(this.#path);
    if (!existsSync(path)) return;
    rmSync(path);
    // On disk before the log goes: a witness without its log accuses.
    const folder = openSync(dirname(path), "r");
    fsyncSync(folder);
    closeSync(folder);
  }

  /** After a database was closed that was not made use of: a log that is gone then went into the file as a whole. */
  endIfEmptied(): void {
    this.#close();
    if (!existsSync(`${this.#path}-wal`)) this.end();
  }

  #close(): void {
    if (!this.#files) return;
    closeSync(this.#files.shared);
    closeSync(this.#files.witness);
    this.#files = undefined;
  }
}

/** Always of one length, so that it is overwritten in place; told twice, so that a torn one is known. */
function lineOf({ salt, frames }: LogPlace): string {
  const hex = [...salt, frames].map((number) => number.toString(16).padStart(8, "0")).join(" ");
  return `${hex} ${hex}\n`;
}

function readWitness(path: string): LogPlace | undefined {
  const file = witnessPath(path);
  if (!existsSync(file)) return undefined;
  const words = readFileSync(file, "latin1").trim().split(" ");
  const numbers = words.map((word) => Number.parseInt(word, 16));
  const [first = 0, second = 0, frames = 0] = numbers;
  const place: LogPlace = { salt: [first, second], frames };
  return lineOf(place).trim() === words.join(" ") ? place : undefined;
}

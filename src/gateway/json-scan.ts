/**
 * Finds a few values in JSON that passes by, chunk by chunk, without keeping the rest: a request of 64 MiB or an answer
 * with images costs no more memory than the values that are looked for. It checks brackets and the order of keys, colons
 * and commas; what is wrong inside a number or an escape is left to whoever parses the whole.
 */

import { Found } from "./found-value.ts";
import { knownTree, type Wanted, wantedAt } from "./json-names.ts";

const DEPTH_MAX = 1_000;
const KEY_BYTES_MAX = 128;

const S = {
  value: 0,
  valueOrEnd: 1,
  keyOrEnd: 2,
  key: 3,
  colon: 4,
  commaOrEnd: 5,
  string: 6,
  keyString: 7,
  literal: 8,
  done: 9,
  broken: 10,
} as const;
type State = (typeof S)[keyof typeof S];

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function endsLiteral(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || isSpace(byte);
}

export class JsonScan {
  /** What was found so far, by path; of a name that is there twice, the last. */
  readonly found = new Map<string, Found>();
  /** The wanted paths that were there more than once. */
  readonly repeated = new Set<string>();
  /** Where the outermost value's last byte is, once it was there. */
  closedAt = -1;

  readonly #root: Wanted;
  readonly #textBytesMax: number;
  #state: State = S.value;
  /** Of all bytes fed so far, and the place of the chunk's first byte among them. */
  #offset = 0;
  #base = 0;
  /** Where what is fed now ends in its chunk. */
  #to = 0;
  /** For each open container: whether it is an object, and what is wanted in it. */
  #isObject: boolean[] = [];
  #inside: (Wanted | undefined)[] = [];
  /** What the value that comes next is wanted as. */
  #next: Wanted | undefined;
  #escaped = false;
  /** A key that began in an earlier chunk or has escapes: its parts so far. */
  #key: Buffer[] = [];
  #keyBytes = 0;
  /** The value being kept, the depth at which it ends, and what of it stood in earlier chunks. */
  #keeping: { path: string; start: number; depth: number; items: number } | undefined;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #keepFrom = 0;

  constructor(paths: readonly string[], textBytesMax: number) {
    this.#root = knownTree(paths);
    this.#textBytesMax = textBytesMax;
    this.#next = this.#root;
  }

  /** Ready for another JSON text. */
  reset(): void {
    this.found.clear();
    this.repeated.clear();
    this.closedAt = -1;
    this.#state = S.value;
    this.#offset = 0;
    this.#escaped = false;
    this.#isObject.length = 0;
    this.#inside.length = 0;
    this.#next = this.#root;
    this.#keeping = undefined;
    if (this.#partsBytes > 0) this.#parts = [];
    this.#partsBytes = 0;
  }

  /** True when one whole value and nothing else was there. */
  get isWhole(): boolean {
    return this.#state === S.done;
  }

  /** The value at a path as JavaScript has it; undefined when it is not there, too long or not JSON. */
  value(path: string): unknown {
    const text = this.found.get(path)?.text;
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /**
   * Reads bytes `from <= at < to` of a chunk. What was found in them is read from the chunk until {@link keepFound}, so the
   * chunk must not change before.
   */
  feed(chunk: Buffer, from = 0, to = chunk.length): void {
    this.#base = this.#offset - from;
    this.#to = to;
    this.#keepFrom = from;
    let at = from;
    while (at < to && this.#state !== S.broken) at = this.#step(chunk, at);
    if (this.#keeping) this.#keep(chunk, to);
    this.#offset += to - from;
  }

  /** Lets go of the chunk: what was found so far stays. */
  keepFound(): void {
    for (const value of this.found.values()) value.keep();
  }

  /** Reads from `at` on and says up to where. */
  #step(chunk: Buffer, at: number): number {
    if (this.#state === S.string || this.#state === S.keyString) return this.#string(chunk, at);
    const byte = chunk[at]!;
    if (this.#state === S.literal) {
      if (!endsLiteral(byte)) return at + 1;
      this.#valueEnds(chunk, at);
      return at;
    }
    if (isSpace(byte)) return at + 1;
    switch (this.#state) {
      case S.value:
        return this.#valueStarts(chunk, at);
      case S.valueOrEnd:
        return byte === CLOSE_ARRAY ? this.#close(chunk, at, false) : this.#valueStarts(chunk, at);
      case S.keyOrEnd:
        return byte === CLOSE_OBJECT ? this.#close(chunk, at, true) : this.#keyStarts(byte, at);
      case S.key:
        return this.#keyStarts(byte, at);
      case S.colon:
        return byte === COLON ? this.#go(S.value, at) : this.#go(S.broken, at);
      case S.commaOrEnd:
        return this.#afterValue(chunk, at);
      default:
        // Something stands behind the one value.
        return this.#go(S.broken, at);
    }
  }

  #go(state: State, at: number): number {
    this.#state = state;
    return at + 1;
  }

  #keyStarts(byte: number, at: number): number {
    if (byte !== QUOTE) return this.#go(S.broken, at);
    if (this.#keyBytes > 0) this.#key = [];
    this.#keyBytes = 0;
    return this.#go(S.keyString, at);
  }

  #afterValue(chunk: Buffer, at: number): number {
    const byte = chunk[at]!;
    const inObject = this.#isObject[this.#isObject.length - 1]!;
    if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) return this.#close(chunk, at, byte === CLOSE_OBJECT);
    if (byte !== COMMA) return this.#go(S.broken, at);
    this.#next = undefined;
    return this.#go(inObject ? S.key : S.value, at);
  }

  #valueStarts(chunk: Buffer, at: number): number {
    const wanted = this.#next;
    const depth = this.#isObject.length;
    if (wanted?.path !== undefined && !this.#keeping) {
      if (this.found.has(wanted.path)) this.repeated.add(wanted.path);
      this.#keeping = { path: wanted.path, start: this.#base + at, depth, items: 0 };
      this.#keepFrom = at;
    }
    if (this.#keeping && depth === this.#keeping.depth + 1 && !this.#isObject[depth - 1]) this.#keeping.items += 1;
    const byte = chunk[at]!;
    if (byte === QUOTE) return this.#go(S.string, at);
    if (byte !== OPEN_OBJECT && byte !== OPEN_ARRAY) {
      const starts = !endsLiteral(byte) && byte !== COLON;
      return this.#go(starts ? S.literal : S.broken, at);
    }
    if (depth === DEPTH_MAX) return this.#go(S.broken, at);
    const isObject = byte === OPEN_OBJECT;
    this.#isObject.push(isObject);
    this.#inside.push(isObject ? wanted : undefined);
    this.#next = undefined;
    return this.#go(isObject ? S.keyOrEnd : S.valueOrEnd, at);
  }

  #close(chunk: Buffer, at: number, isObject: boolean): number {
    if (this.#isObject.pop() !== isObject) return this.#go(S.broken, at);
    this.#inside.pop();
    this.#valueEnds(chunk, at + 1);
    return at + 1;
  }

  /** @param end the place behind the value's last byte. */
  #valueEnds(chunk: Buffer, end: number): void {
    const keeping = this.#keeping;
    if (keeping && keeping.depth === this.#isObject.length) {
      this.found.set(keeping.path, this.#foundValue(keeping, chunk, end));
      this.#keeping = undefined;
    }
    this.#next = undefined;
    this.#state = this.#isObject.length === 0 ? S.done : S.commaOrEnd;
    if (this.#state === S.done) this.closedAt = this.#base + end - 1;
  }

  #foundValue({ start, items }: { start: number; items: number }, chunk: Buffer, end: number): Found {
    const place = { start, end: this.#base + end, items };
    if (this.#partsBytes === 0) {
      const isShort = end - this.#keepFrom <= this.#textBytesMax;
      return new Found(isShort ? chunk : undefined, this.#keepFrom, place);
    }
    this.#keep(chunk, end);
    const text = this.#partsBytes > this.#textBytesMax ? undefined : Buffer.concat(this.#parts).toString();
    this.#parts = [];
    this.#partsBytes = 0;
    return new Found(text, 0, place);
  }

  #keep(chunk: Buffer, end: number): void {
    this.#partsBytes += end - this.#keepFrom;
    if (this.#partsBytes > this.#textBytesMax) this.#parts = [];
    // A copy: the part would hold the whole chunk in memory, or change with it.
    else this.#parts.push(Buffer.from(chunk.subarray(this.#keepFrom, end)));
  }

  /** Reads on in a string, up to its end or the chunk's. */
  #string(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#escaped) {
      this.#escaped = false;
      at += 1;
    }
    const start = at;
    for (;;) {
      const stop = quoteFrom(chunk, at, this.#to);
      let slashes = 0;
      while (stop - slashes > start && chunk[stop - slashes - 1] === BACKSLASH) slashes += 1;
      const escapes = slashes % 2 === 1;
      if (stop < this.#to && escapes) {
        at = stop + 1;
        continue;
      }
      if (stop >= this.#to) {
        if (this.#state === S.keyString) this.#keepKey(chunk, from, this.#to);
        this.#escaped = escapes;
        return this.#to;
      }
      if (this.#state === S.keyString) this.#keyEnds(chunk, from, stop);
      else this.#valueEnds(chunk, stop + 1);
      return stop + 1;
    }
  }

  #keepKey(chunk: Buffer, from: number, to: number): void {
    if (!this.#inside[this.#inside.length - 1]) return;
    this.#keyBytes += to - from;
    if (this.#keyBytes <= KEY_BYTES_MAX) this.#key.push(Buffer.from(chunk.subarray(from, to)));
  }

  #keyEnds(chunk: Buffer, from: number, stop: number): void {
    const wanted = this.#inside[this.#inside.length - 1];
    this.#state = S.colon;
    this.#next = undefined;
    if (!wanted) return;
    if (this.#keyBytes === 0) {
      this.#next = wantedAt(wanted, chunk, from, stop);
      if (this.#next || !hasEscape(chunk, from, stop)) return;
    }
    this.#keepKey(chunk, from, stop);
    if (this.#keyBytes <= KEY_BYTES_MAX) this.#next = wanted.below.get(keyText(this.#key));
  }
}

function hasEscape(chunk: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (chunk[at] === BACKSLASH) return true;
  return false;
}

/** Strings are short mostly: up to here each byte is looked at, since a search costs more to begin. */
const LOOK_BYTES = 64;

/** The place of the first quote, or `to` when there is none before it. */
function quoteFrom(chunk: Buffer, from: number, to: number): number {
  const near = Math.min(to, from + LOOK_BYTES);
  for (let at = from; at < near; at += 1) if (chunk[at] === QUOTE) return at;
  if (near === to) return to;
  const found = chunk.indexOf(QUOTE, near);
  return found < 0 || found > to ? to : found;
}

/** A key as JSON means it: `mod\u0065l` is `model`. */
function keyText(parts: readonly Buffer[]): string {
  const text = Buffer.concat(parts).toString();
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return "";
  }
}

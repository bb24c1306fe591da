/**
 * JSON as the UTF-8 bytes that go out. Thousands of rows as strings are garbage several times over: joined, flattened and
 * encoded. Here what is alike in many rows is encoded once, and numbers are written as digits in place.
 */

import { type Whole, wholeOf } from "../domain/whole.ts";

const CAPACITY_MIN = 4096;
/** Cuts a safe integer into three parts that are small integers of the engine. */
const PART_DIGITS = 8;
const PART = 10 ** PART_DIGITS;
/** As many bytes as any safe integer takes, or fewer. */
const INTEGER_BYTES_MAX = 17;
/** UTF-8 takes no more for a UTF-16 unit. */
const UNIT_BYTES_MAX = 3;
const [ZERO, MINUS] = [48, 45];
/** The digits of 0 to 99, two bytes each: so that a number takes half as many divisions as it has digits. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, at) => ZERO + (at % 2 === 0 ? Math.floor(at / 20) : (at >> 1) % 10));

export class JsonBytes {
  #bytes: Buffer;
  #length = 0;

  /** `capacity`: the bytes expected; it grows when they are more. `room`: written into where it is large enough. */
  constructor(capacity: number = CAPACITY_MIN, room?: Buffer) {
    const least = Math.max(capacity, CAPACITY_MIN);
    this.#bytes = room && room.length >= least ? room : Buffer.allocUnsafeSlow(least);
  }

  /** Adds bytes that were encoded before. */
  bytes(piece: Uint8Array): this {
    this.#reserve(piece.length);
    this.#bytes.set(piece, this.#length);
    this.#length += piece.length;
    return this;
  }

  text(piece: string): this {
    this.#reserve(piece.length * UNIT_BYTES_MAX);
    this.#length += this.#bytes.write(piece, this.#length);
    return this;
  }

  /** Adds the digits of a whole number; a plain one must be a safe integer. */
  integer(value: Whole): this {
    const number = typeof value === "number" ? value : wholeOf(value);
    if (typeof number === "bigint") return this.text(number.toString());
    this.#reserve(INTEGER_BYTES_MAX);
    if (number < 0) this.#bytes[this.#length++] = MINUS;
    this.#magnitude(Math.abs(number));
    return this;
  }

  /** Takes what was written, without a copy; nothing may be added after. */
  end(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #magnitude(value: number): void {
    if (value < PART) {
      this.#digits(value | 0);
      return;
    }
    const high = Math.floor(value / PART);
    this.#magnitude(high);
    this.#eightDigits((value - high * PART) | 0);
  }

  /** The digits of 0 to PART - 1. */
  #digits(value: number): void {
    const bytes = this.#bytes;
    const start = this.#length;
    let end = start + digitsOf(value);
    this.#length = end;
    let rest = value;
    for (; end - start >= 2; end -= 2) {
      const hundredth = (rest / 100) | 0;
      const pair = (rest - hundredth * 100) * 2;
      bytes[end - 2] = PAIRS[pair]!;
      bytes[end - 1] = PAIRS[pair + 1]!;
      rest = hundredth;
    }
    if (end > start) bytes[start] = ZERO + rest;
  }

  /** The same with zeros before it. */
  #eightDigits(value: number): void {
    const bytes = this.#bytes;
    const start = this.#length;
    let rest = value;
    for (let at = start + PART_DIGITS - 2; at >= start; at -= 2) {
      const hundredth = (rest / 100) | 0;
      const pair = (rest - hundredth * 100) * 2;
      bytes[at] = PAIRS[pair]!;
      bytes[at + 1] = PAIRS[pair + 1]!;
      rest = hundredth;
    }
    this.#length = start + PART_DIGITS;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length + bytes, 2 * this.#bytes.length));
    larger.set(this.end());
    this.#bytes = larger;
  }
}

/** How many digits 0 to PART - 1 has. */
function digitsOf(value: number): number {
  if (value < 10_000) {
    if (value < 100) return value < 10 ? 1 : 2;
    return value < 1000 ? 3 : 4;
  }
  if (value < 1_000_000) return value < 100_000 ? 5 : 6;
  return value < 10_000_000 ? 7 : 8;
}

/**
 * JSON as the UTF-8 bytes that go out. Thousands of rows as strings are garbage several times over: joined, flattened and
 * encoded. Here what is alike in many rows is encoded once, and numbers are written as digits in place.
 */

import type { Whole } from "../domain/whole.ts";

const CAPACITY_MIN = 4096;
/** Divides a safe integer into two parts that are small integers of the engine. */
const PART_DIGITS = 8;
const PART = 10 ** PART_DIGITS;
/** As many bytes as any safe integer takes, or fewer. */
const INTEGER_BYTES_MAX = 17;
/** Up to so many bytes a loop is faster than a call of the engine. */
const COPIED_HERE_MAX = 32;
/** UTF-8 takes no more for a UTF-16 unit. */
const UNIT_BYTES_MAX = 3;
const [ZERO, MINUS] = [48, 45];

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
    const { length } = piece;
    this.#reserve(length);
    if (length <= COPIED_HERE_MAX) {
      const bytes = this.#bytes;
      const start = this.#length;
      for (let at = 0; at < length; at += 1) bytes[start + at] = piece[at]!;
    } else this.#bytes.set(piece, this.#length);
    this.#length += length;
    return this;
  }

  text(piece: string): this {
    this.#reserve(piece.length * UNIT_BYTES_MAX);
    this.#length += this.#bytes.write(piece, this.#length);
    return this;
  }

  /** Adds the digits of a whole number; a plain one must be a safe integer. */
  integer(value: Whole): this {
    const number = typeof value === "number" ? value : Number(value);
    if (!Number.isSafeInteger(number)) return this.text(value.toString());
    this.#reserve(INTEGER_BYTES_MAX);
    if (number < 0) this.#bytes[this.#length++] = MINUS;
    const magnitude = Math.abs(number);
    const high = Math.floor(magnitude / PART);
    if (high > 0) this.#digits(high, 1);
    this.#digits(magnitude - high * PART, high > 0 ? PART_DIGITS : 1);
    return this;
  }

  /** Takes what was written, without a copy; nothing may be added after. */
  end(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** `value`: 0 to PART - 1; zeros go before it up to `width` digits. */
  #digits(value: number, width: number): void {
    let end = this.#length + width;
    for (let limit = 10 ** width; limit <= value; limit *= 10) end += 1;
    let rest = value | 0;
    const bytes = this.#bytes;
    const start = this.#length;
    for (let at = end - 1; at >= start; at -= 1) {
      const tenth = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length = end;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#length + bytes, 2 * this.#bytes.length));
    larger.set(this.end());
    this.#bytes = larger;
  }
}

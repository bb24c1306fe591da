/**
 * How often each row of a file has come so far, exactly, in bounded memory: 8 bytes for a hash, kept hour by hour of the
 * rows' own time, the hours that were used longest ago given up first. A file in the order of time never misses them.
 */

import type { Instant } from "../domain/time.ts";
import { HOUR_MS } from "../domain/time.ts";

/** Hashes kept at once; with the room that a table leaves free they take 64 to 128 MiB at most. */
const ROWS_KEPT_MAX = 4_000_000;

export class SeenRows {
  readonly #keptMax: number;
  readonly #hours = new Map<number, HourTable>();
  readonly #givenUp = new Set<number>();
  #kept = 0;

  constructor(keptMax: number = ROWS_KEPT_MAX) {
    this.#keptMax = keptMax;
  }

  /** Counts one more row of this hash; 1 for the first. Undefined for a row of an hour that was given up. */
  count(time: Instant, hash: bigint): number | undefined {
    const hour = Math.floor(time / HOUR_MS);
    let table = this.#hours.get(hour);
    if (table) this.#hours.delete(hour);
    else if (this.#givenUp.has(hour)) return undefined;
    else table = new HourTable();
    this.#hours.set(hour, table);
    const before = table.rows;
    const count = table.count(hash);
    this.#kept += table.rows - before;
    for (const [oldest, { rows }] of this.#hours) {
      if (this.#kept <= this.#keptMax || oldest === hour) break;
      this.#hours.delete(oldest);
      this.#givenUp.add(oldest);
      this.#kept -= rows;
    }
    return count;
  }
}

/** A set of hashes with open addressing; what came more than once is counted beside. */
class HourTable {
  rows = 0;
  #slots = new BigUint64Array(256);
  readonly #repeated = new Map<bigint, number>();

  count(hash: bigint): number {
    // 0 marks a free place.
    const key = hash || 1n;
    const place = this.#placeOf(key);
    if (this.#slots[place] === key) {
      const count = (this.#repeated.get(key) ?? 1) + 1;
      this.#repeated.set(key, count);
      return count;
    }
    this.#slots[place] = key;
    this.rows += 1;
    if (this.rows * 2 > this.#slots.length) this.#grow();
    return 1;
  }

  #placeOf(key: bigint): number {
    const mask = this.#slots.length - 1;
    let place = Number(key & 0xffff_ffffn) & mask;
    while (this.#slots[place] !== 0n && this.#slots[place] !== key) place = (place + 1) & mask;
    return place;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new BigUint64Array(before.length * 2);
    for (const key of before) if (key !== 0n) this.#slots[this.#placeOf(key)] = key;
  }
}

/**
 * The identities that came last, in memory: a hash table with open addressing over entries in their order of arrival. The
 * file holds the same entries, one row a transaction. The memory is asked for once: what grew by doubling would hold both
 * the old and the new until the next collection.
 */

import { ENTRY_WORDS, NOWHERE, type Place } from "./identity-entries.ts";

const CAPACITY_MIN = 1_024;

export class RecentIdentities {
  #base: number;
  #count = 0;
  #entries: Uint32Array;
  /** For each hash, from its low bits on, the place of its entry, counted from 1; 0 where nothing is. Half of it is free. */
  #table: Uint32Array;

  /** `expected`: how many identities there is to be room for, at least; more still fit. */
  constructor(base: number, expected = CAPACITY_MIN) {
    const capacity = Math.max(CAPACITY_MIN, 2 ** Math.ceil(Math.log2(expected)));
    this.#base = base;
    this.#entries = new Uint32Array(capacity * ENTRY_WORDS);
    this.#table = new Uint32Array(capacity * 2);
  }

  /** Entries count their event's number from here. */
  get base(): number {
    return this.#base;
  }

  get count(): number {
    return this.#count;
  }

  /** The entries from number `from` on, in their order of arrival; a view. */
  entries(from = 0): Uint32Array {
    return this.#entries.subarray(from * ENTRY_WORDS, this.#count * ENTRY_WORDS);
  }

  /** The places of the identities with this hash. */
  find(low: number, high: number): readonly Place[] {
    const table = this.#table;
    const entries = this.#entries;
    const mask = table.length - 1;
    let places: Place[] | undefined;
    for (let at = low & mask; table[at] !== 0; at = (at + 1) & mask) {
      const entry = (table[at]! - 1) * ENTRY_WORDS;
      if (entries[entry] !== low || entries[entry + 1] !== high) continue;
      places ??= [];
      places.push({ slot: entries[entry + 2]!, seq: this.#base + entries[entry + 3]! });
    }
    return places ?? NOWHERE;
  }

  add(low: number, high: number, { slot, seq }: Place): void {
    if (this.#count * 2 === this.#table.length) this.#grow();
    const entry = this.#count * ENTRY_WORDS;
    this.#entries[entry] = low;
    this.#entries[entry + 1] = high;
    this.#entries[entry + 2] = slot;
    this.#entries[entry + 3] = seq - this.#base;
    this.#enter(this.#count);
    this.#count += 1;
  }

  /** Forgets the entries from number `count` on, which a rollback took back. */
  cut(count: number): void {
    const mask = this.#table.length - 1;
    // The last goes first, so that each leaves the table as it found it.
    for (; this.#count > count; this.#count -= 1) {
      let at = this.#entries[(this.#count - 1) * ENTRY_WORDS]! & mask;
      while (this.#table[at] !== this.#count) at = (at + 1) & mask;
      this.#table[at] = 0;
    }
  }

  /** Forgets all, and counts from another base; the memory is kept for those to come. */
  clear(base: number): void {
    if (this.#count > 0) this.#table.fill(0);
    this.#count = 0;
    this.#base = base;
  }

  #enter(number: number): void {
    const mask = this.#table.length - 1;
    let at = this.#entries[number * ENTRY_WORDS]! & mask;
    while (this.#table[at] !== 0) at = (at + 1) & mask;
    this.#table[at] = number + 1;
  }

  #grow(): void {
    const entries = new Uint32Array(this.#entries.length * 2);
    entries.set(this.#entries);
    this.#entries = entries;
    this.#table = new Uint32Array(this.#table.length * 2);
    for (let number = 0; number < this.#count; number += 1) this.#enter(number);
  }
}

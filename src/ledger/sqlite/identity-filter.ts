/**
 * The filter of a part: a split block Bloom filter, as Parquet has it. It answers "surely not" or "maybe" for a hash from
 * one block of 32 bytes, so from one line of the processor's cache.
 */

import { ENTRY_WORDS } from "./identity-entries.ts";

/** 12 bits for each identity let one unknown id in some 200 through to a search. */
const BITS_PER_IDENTITY = 12;
const BLOCK_WORDS = 8;
const SALTS = Int32Array.of(
  0x47b6137b,
  0x44974d91,
  0x8824ad5b,
  0xa2b7289d,
  0x705495c7,
  0x2df1424b,
  0x9efc4947,
  0x5c6bfb31,
);

/** The filter of all these entries, in 32-bit words. */
export function filterOf(entries: Uint32Array): Uint32Array {
  const filter = new Uint32Array(filterWords(entries.length / ENTRY_WORDS));
  for (let at = 0; at < entries.length; at += ENTRY_WORDS) addToFilter(filter, entries[at]!, entries[at + 1]!);
  return filter;
}

/** The size of the filter of so many identities. */
export function filterWords(identities: number): number {
  return Math.max(1, Math.ceil((identities * BITS_PER_IDENTITY) / (BLOCK_WORDS * 32))) * BLOCK_WORDS;
}

function addToFilter(filter: Uint32Array, low: number, high: number): void {
  const block = blockOf(filter, high);
  for (let word = 0; word < BLOCK_WORDS; word += 1) filter[block + word]! |= bitOf(low, word);
}

/** False when no identity with this hash is in the part. */
export function mayHold(filter: Uint32Array, low: number, high: number): boolean {
  const block = blockOf(filter, high);
  for (let word = 0; word < BLOCK_WORDS; word += 1) if ((filter[block + word]! & bitOf(low, word)) === 0) return false;
  return true;
}

function blockOf(filter: Uint32Array, high: number): number {
  return Math.floor((high * (filter.length / BLOCK_WORDS)) / 2 ** 32) * BLOCK_WORDS;
}

function bitOf(low: number, word: number): number {
  return 1 << (Math.imul(low, SALTS[word]!) >>> 27);
}

/** A checksum of the filter's words. */
export function filterSum(filter: Uint32Array): number {
  let sum = filter.length;
  for (let at = 0; at < filter.length; at += 1) {
    sum = Math.imul(sum ^ filter[at]!, 0x9e3779b1);
    sum ^= sum >>> 15;
  }
  return sum >>> 0;
}

/**
 * Entries of identities: where the event stands whose identity has this hash. An entry is four 32-bit words: the low and
 * the high word of the hash, the event's slot, and its number less a base that its surroundings name. It says where to
 * look, not that the id is known: only the event itself does, which has the id in
 * full, or what is left of one that was dropped (dropped-events.ts).
 */

export const ENTRY_WORDS = 4;

/** Where an event stands in the table of events, beside its account. */
export interface Place {
  readonly slot: number;
  readonly seq: number;
}

/** No place; shared, since almost every new id has none. */
export const NOWHERE: readonly Place[] = [];

/** The places of the entries that have this hash. */
export function placesIn(entries: Uint32Array, base: number, low: number, high: number): readonly Place[] {
  let places: Place[] | undefined;
  for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
    if (entries[at] !== low || entries[at + 1] !== high) continue;
    places ??= [];
    places.push({ slot: entries[at + 2]!, seq: base + entries[at + 3]! });
  }
  return places ?? NOWHERE;
}

/** The words of bytes from the file. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  // A view of words must begin at a multiple of four.
  const { buffer, byteOffset, length } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(buffer, byteOffset, Math.floor(length / 4));
}

/** The bytes of words, without a copy. */
export function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

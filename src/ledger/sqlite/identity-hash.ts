/**
 * The 64-bit hash of an identity: HalfSipHash-1-3 (veorq/SipHash) under a key of the ledger's own. Keyed, because ids are
 * the clients' words: who does not know the key cannot write many that fall together.
 */

/** A secret of 64 bits, drawn once for each ledger. */
export type HashKey = readonly [low: number, high: number];

/** How often the state is mixed for each word, and at the end. */
interface Rounds {
  readonly word: number;
  readonly end: number;
}

const HASH_TABLE: Rounds = { word: 1, end: 3 };
const ID_CHARACTERS_MAX = 256;

/** The hashes of ids of one account, one after the other: low word, then high word. */
export function identityHashes(key: HashKey, account: number, ids: readonly string[]): Uint32Array {
  const hashes = new Uint32Array(ids.length * 2);
  let words = new Uint32Array(1 + ID_CHARACTERS_MAX / 2);
  words[0] = account;
  for (let at = 0; at < ids.length; at += 1) {
    // As it will stand in the file: a half of a surrogate pair by itself is written as U+FFFD.
    const id = ids[at]!.toWellFormed();
    const pairs = id.length >> 1;
    if (pairs >= words.length) {
      words = new Uint32Array(1 + pairs);
      words[0] = account;
    }
    for (let pair = 0; pair < pairs; pair += 1) {
      words[pair + 1] = id.charCodeAt(2 * pair) | (id.charCodeAt(2 * pair + 1) << 16);
    }
    // What is left over, below the number of bytes.
    const last = ((4 + 2 * id.length) << 24) | (id.length % 2 === 0 ? 0 : id.charCodeAt(id.length - 1));
    halfSipHash({ key, words, count: pairs + 1, last }, hashes, at * 2);
  }
  return hashes;
}

interface Message {
  readonly key: HashKey;
  readonly words: Uint32Array;
  /** Words of the message. */
  readonly count: number;
  /** The bytes that are left over, and in the highest the number of all bytes. */
  readonly last: number;
}

/** Writes the hash of the message to two words from `at` on. */
export function halfSipHash(message: Message, hashes: Uint32Array, at: number, rounds = HASH_TABLE): void {
  const { key, words, count, last } = message;
  let v0 = key[0];
  let v1 = key[1] ^ 0xee;
  let v2 = key[0] ^ 0x6c796765;
  let v3 = key[1] ^ 0x74656462;
  // Three phases of one loop: the words, the end, and once more for the second half.
  let step = 0;
  for (let phase = 0; phase < 3; phase += 1) {
    const steps = phase === 0 ? (count + 1) * rounds.word : rounds.end;
    for (let round = 0; round < steps; round += 1) {
      const opens = phase === 0 && round % rounds.word === 0;
      const word = step < count ? words[step]! : last;
      if (opens) v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      if (phase === 0 && round % rounds.word === rounds.word - 1) {
        v0 ^= word;
        step += 1;
      }
    }
    if (phase === 0) {
      v2 ^= 0xee;
      continue;
    }
    hashes[at + phase - 1] = v1 ^ v3;
    v1 ^= 0xdd;
  }
}

/** The text of a key: how it is made, told apart and hashed. Only the hash is kept. */

import { createHash } from "node:crypto";

/** Gives this many random bytes. */
export type RandomBytes = (size: number) => Uint8Array;

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** The largest multiple of 62 in a byte; bytes from it on would make some letters likelier. */
const BYTE_LIMIT = 248;
/** 32 letters are 190 bits. */
const KEY_LETTERS = 32;
const KEY_ID_LETTERS = 16;
const PREFIX_CHARACTERS = 8;
const KEY_CHARACTERS_MAX = 256;
/** Visible ASCII, long enough that the shown prefix is not most of it. */
const GIVEN_KEY = /^[\x21-\x7e]{12,200}$/;

function randomLetters(count: number, randomBytes: RandomBytes): string {
  let text = "";
  while (text.length < count) {
    for (const byte of randomBytes(count)) {
      if (byte < BYTE_LIMIT && text.length < count) text += BASE62[byte % 62];
    }
  }
  return text;
}

/** A new key, such as `fw_8Zs0...`. */
export function makeKeyText(randomBytes: RandomBytes): string {
  return `fw_${randomLetters(KEY_LETTERS, randomBytes)}`;
}

/** A new key id, such as `key_4nMFyHCSZP4CRKqa`. */
export function makeKeyId(randomBytes: RandomBytes): string {
  return `key_${randomLetters(KEY_ID_LETTERS, randomBytes)}`;
}

/** The part of a key that may be shown later. */
export function prefixOf(keyText: string): string {
  return keyText.slice(0, PREFIX_CHARACTERS);
}

/** True for a key that may be given beforehand, at the first start. */
export function isGivenKey(keyText: string): boolean {
  return GIVEN_KEY.test(keyText);
}

/** False for what cannot be a key and need not be looked up. */
export function couldBeKey(keyText: string): boolean {
  return keyText.length > 0 && keyText.length <= KEY_CHARACTERS_MAX;
}

/** SHA-256 in hex. A key has 190 random bits, so it needs no salt and no slow hash. */
export function hashOf(keyText: string): string {
  return createHash("sha256").update(keyText).digest("hex");
}

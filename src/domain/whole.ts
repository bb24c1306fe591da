/** Whole numbers that are plain where they are safe integers and bigint where they are not: reports have thousands. */

/** A safe integer, or a bigint. */
export type Whole = number | bigint;

/** The bigint as a plain number where that is a safe integer. */
export function wholeOf(value: bigint): Whole {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** `whole - part`, exactly, for a part from 0 to the whole. */
export function difference(whole: Whole, part: Whole): Whole {
  if (typeof whole === "number" && typeof part === "number") return whole - part;
  return BigInt(whole) - BigInt(part);
}

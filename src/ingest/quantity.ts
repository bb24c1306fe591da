/** Quantities as they are sent: JSON numbers, or decimal text as int64 travels (contract, sections 1 and 7). */

import { QUANTITY_MAX } from "../domain/usage.ts";

const WHOLE = /^(?:0|[1-9]\d{0,15})$/;
const SECONDS = /^(0|[1-9]\d{0,12})(?:\.(\d{1,3}))?$/;

/** From here on, neighbouring doubles lie more than a millisecond apart. */
const SECONDS_AS_NUMBER_MAX = 2 ** 43;

/** A whole number from 0 to {@link QUANTITY_MAX}, as a number or as plain decimal text; undefined when it is none. */
export function wholeOf(value: unknown): number | undefined {
  if (typeof value === "number") {
    // Adding 0 turns -0 into 0.
    return value >= 0 && Number.isSafeInteger(value) ? value + 0 : undefined;
  }
  if (typeof value !== "string" || !WHOLE.test(value)) return undefined;
  const whole = Number(value);
  return whole <= QUANTITY_MAX ? whole : undefined;
}

/**
 * Seconds with at most 3 decimals, as a number or as plain decimal text, in milliseconds up to {@link QUANTITY_MAX};
 * undefined when they are none. Exact: what cannot be kept as it was sent is refused. A number beyond 2^43 seconds must
 * be whole, since no double holds its milliseconds; text may still have them.
 */
export function msOfSeconds(value: unknown): number | undefined {
  if (typeof value === "number") {
    // Whole and fraction apart are exact; their product with 1000 in one would be off by one beyond 2^42 seconds.
    const whole = Math.trunc(value);
    const ms = whole * 1000 + Math.round((value - whole) * 1000);
    if (!(ms >= 0 && ms <= QUANTITY_MAX) || ms / 1000 !== value) return undefined;
    return value < SECONDS_AS_NUMBER_MAX || Number.isInteger(value) ? ms + 0 : undefined;
  }
  if (typeof value !== "string") return undefined;
  const match = SECONDS.exec(value);
  if (!match) return undefined;
  // Both parts are exact, and a sum beyond 2^53 may be rounded but never to QUANTITY_MAX or less.
  const ms = Number(match[1]) * 1000 + Number((match[2] ?? "").padEnd(3, "0"));
  return ms <= QUANTITY_MAX ? ms : undefined;
}

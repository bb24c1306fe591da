/** Decimals of JSON texts, exactly: `1e-7` is one ten-millionth, and never a double. Pure. */

import { type Decimal, divideHalfEven } from "../../domain/money.ts";

/** A JSON number as it stood in the text. */
export class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Digits before the point and behind it: what a price book reads. */
const DIGITS_MAX = 30;

/** The number of the text; undefined when it has more than 30 digits on a side of the point. */
export function decimalOf({ text }: NumberText): Decimal | undefined {
  const [, sign, whole = "", fraction = "", exponent = "0"] = NUMBER.exec(text) ?? [];
  // A long exponent would make a number of as many digits.
  if (sign === undefined || text.length > 4 * DIGITS_MAX || exponent.length > 4) return undefined;
  const numerator = BigInt(`${sign}${whole}${fraction}`);
  const scale = fraction.length - Number(exponent);
  if (scale >= 0) return bounded({ numerator, scale });
  return -scale > DIGITS_MAX ? undefined : bounded({ numerator: numerator * 10n ** BigInt(-scale), scale: 0 });
}

/** The whole number of the text, 0 to 2^53 - 1; undefined when it is none. */
export function countOf(number: NumberText): number | undefined {
  const decimal = decimalOf(number);
  if (!decimal || decimal.scale > 0 || decimal.numerator < 0n) return undefined;
  return decimal.numerator <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(decimal.numerator) : undefined;
}

/** Multiplied by a whole number; undefined when it gets too long. */
export function multiplied({ numerator, scale }: Decimal, by: bigint): Decimal | undefined {
  return bounded({ numerator: numerator * by, scale });
}

/** Divided by a whole number, half-even to 30 decimals, and whether nothing was rounded off. */
export function divided(
  { numerator, scale }: Decimal,
  by: bigint,
): { readonly value: Decimal; readonly exact: boolean } {
  const dividend = numerator * 10n ** BigInt(DIGITS_MAX - scale);
  return {
    value: shortest({ numerator: divideHalfEven(dividend, by), scale: DIGITS_MAX }),
    exact: dividend % by === 0n,
  };
}

export function isEqual(a: Decimal, b: Decimal): boolean {
  return a.numerator * 10n ** BigInt(b.scale) === b.numerator * 10n ** BigInt(a.scale);
}

function shortest({ numerator, scale }: Decimal): Decimal {
  let [digits, left] = [numerator, scale];
  while (left > 0 && digits % 10n === 0n) {
    digits /= 10n;
    left -= 1;
  }
  return { numerator: digits, scale: left };
}

function bounded(decimal: Decimal): Decimal | undefined {
  const short = shortest(decimal);
  const magnitude = short.numerator < 0n ? -short.numerator : short.numerator;
  const whole = magnitude / 10n ** BigInt(short.scale);
  return short.scale <= DIGITS_MAX && whole < 10n ** BigInt(DIGITS_MAX) ? short : undefined;
}

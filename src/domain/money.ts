/**
 * Exact money. An amount is a whole number of attodollars (1e-18 USD) in a bigint; it is rounded once, half-even, when
 * a {@link Money} or a decimal text is printed, and a printed value is never summed (house, law 4).
 */

export const ATTO_PER_USD = 10n ** 18n;
const ATTO_PER_NANO = 10n ** 9n;
export const NANO_PER_USD = 10n ** 9n;

/** Money on the wire (contract, section 1): units and nanos never have opposite signs. */
export interface Money {
  readonly currencyCode: "USD";
  /** Whole dollars, an int64 as text. */
  readonly units: string;
  /** Billionths of a dollar, -999,999,999 to 999,999,999. */
  readonly nanos: number;
}

/** Divides two integers and rounds the quotient half to even. `divisor` must be positive. */
export function divideHalfEven(dividend: bigint, divisor: bigint): bigint {
  if (divisor <= 0n) throw new RangeError(`divisor ${divisor} is not positive`);
  const negative = dividend < 0n;
  const magnitude = negative ? -dividend : dividend;
  const quotient = magnitude / divisor;
  const twice = (magnitude % divisor) * 2n;
  const up = twice > divisor || (twice === divisor && quotient % 2n === 1n);
  const rounded = up ? quotient + 1n : quotient;
  return negative ? -rounded : rounded;
}

/** Attodollars to whole nanodollars, half-even. */
export function nanosOfAtto(atto: bigint): bigint {
  const nanos = atto / ATTO_PER_NANO;
  // Prices are most often whole nanos a token, and a report prints thousands of costs.
  return nanos * ATTO_PER_NANO === atto ? nanos : divideHalfEven(atto, ATTO_PER_NANO);
}

/** Attodollars to {@link Money}, rounded half-even to the nano. */
export function moneyOfAtto(atto: bigint): Money {
  const nanos = nanosOfAtto(atto);
  return {
    currencyCode: "USD",
    units: (nanos / NANO_PER_USD).toString(),
    nanos: Number(nanos % NANO_PER_USD),
  };
}

/** Attodollars as dollars, exactly: a plain decimal without needless zeros, such as "0.492256016" or "-2". */
export function usdTextOfAtto(atto: bigint): string {
  return decimalText({ numerator: atto, scale: 18 });
}

/** An exact decimal: `numerator / 10^scale`. */
export interface Decimal {
  readonly numerator: bigint;
  readonly scale: number;
}

/** A plain decimal without needless zeros or an exponent, as a price book writes it. */
export function decimalText({ numerator, scale }: Decimal): string {
  const digits = (numerator < 0n ? -numerator : numerator).toString().padStart(scale + 1, "0");
  const point = digits.length - scale;
  const fraction = digits.slice(point).replace(/0+$/, "");
  return `${numerator < 0n ? "-" : ""}${digits.slice(0, point)}${fraction && `.${fraction}`}`;
}

const DECIMAL = /^(-?)(\d{0,30})(?:\.(\d{1,30}))?$/;

/** Reads a plain decimal text such as `.95`, `0.0009` or `12`; undefined when it is none. No exponents. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, sign = "", whole = "", fraction = ""] = match;
  if (whole === "" && fraction === "") return undefined;
  const numerator = BigInt(whole + fraction);
  return { numerator: sign ? -numerator : numerator, scale: fraction.length };
}

/**
 * The attodollars of one unit, from a price in dollars for `per` units, multiplied exactly by `factors` before the one
 * half-even rounding. Example: `attoPerUnit($0.0375, 1_000_000n)` is 37_500_000_000n (37.5 nanos a token).
 */
export function attoPerUnit(price: Decimal, per: bigint, factors: readonly Decimal[] = []): bigint {
  let numerator = price.numerator * ATTO_PER_USD;
  let divisor = per * 10n ** BigInt(price.scale);
  for (const factor of factors) {
    numerator *= factor.numerator;
    divisor *= 10n ** BigInt(factor.scale);
  }
  return divideHalfEven(numerator, divisor);
}

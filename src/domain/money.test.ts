import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  attoPerUnit,
  decimalText,
  divideHalfEven,
  moneyOfAtto,
  nanosOfAtto,
  parseDecimal,
  usdTextOfAtto,
} from "./money.ts";

test("money prints as the contract's samples say", () => {
  const table: [atto: bigint, units: string, nanos: number][] = [
    [-1_750_000_000_000_000_000n, "-1", -750_000_000],
    [17_580_572n * 28_000_000_000n, "0", 492_256_016],
    [0n, "0", 0],
    [-1_000_000_000n, "0", -1],
    [1_500_000_000n, "0", 2],
    [2_500_000_000n, "0", 2],
    [-1_500_000_000n, "0", -2],
    [499_999_999n, "0", 0],
    [999_999_999_999_999_999n, "1", 0],
    [10n ** 40n, "10000000000000000000000", 0],
  ];
  for (const [atto, units, nanos] of table) {
    assert.deepEqual(moneyOfAtto(atto), { currencyCode: "USD", units, nanos }, String(atto));
  }
});

test("dollars as an exact decimal text, and back again", () => {
  const table: [atto: bigint, text: string][] = [
    [0n, "0"],
    [1n, "0.000000000000000001"],
    [-1n, "-0.000000000000000001"],
    [17_580_572n * 28_000_000_000n, "0.492256016"],
    [-2_500_000_000_000_000_000n, "-2.5"],
    [10n ** 40n, "10000000000000000000000"],
  ];
  for (const [atto, text] of table) assert.equal(usdTextOfAtto(atto), text);
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (atto) => {
      assert.equal(attoPerUnit(parseDecimal(usdTextOfAtto(atto))!, 1n), atto);
    }),
  );
});

test("a decimal as the shortest text, and back again", () => {
  const table: [numerator: bigint, scale: number, text: string][] = [
    [0n, 3, "0"],
    [1200n, 0, "1200"],
    [1200n, 2, "12"],
    [5n, 3, "0.005"],
    [-5n, 1, "-0.5"],
    [-1250n, 2, "-12.5"],
  ];
  for (const [numerator, scale, text] of table) assert.equal(decimalText({ numerator, scale }), text);
  const numerators = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
  fc.assert(
    fc.property(numerators, fc.nat({ max: 30 }), (numerator, scale) => {
      const read = parseDecimal(decimalText({ numerator, scale }))!;
      assert.equal(read.numerator * 10n ** BigInt(scale - read.scale), numerator);
    }),
  );
});

test("units and nanos never have opposite signs, and together are the rounded amount", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (atto) => {
      const { units, nanos } = moneyOfAtto(atto);
      assert.equal(BigInt(units) * 10n ** 9n + BigInt(nanos), nanosOfAtto(atto));
      assert.ok(BigInt(units) * BigInt(nanos) >= 0n);
      assert.ok(Math.abs(nanos) < 1e9);
    }),
  );
});

test("half-even division is nearest, and even at the half", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.bigInt({ min: 1n, max: 10n ** 9n }), (a, b) => {
      const quotient = divideHalfEven(a, b);
      const twice = 2n * (a - quotient * b);
      const distance = twice < 0n ? -twice : twice;
      assert.ok(distance <= b);
      if (distance === b) assert.equal(quotient % 2n, 0n);
    }),
  );
  assert.throws(() => divideHalfEven(1n, 0n), RangeError);
});

test("decimal texts are exact, and anything else is none", () => {
  for (const text of ["", ".", "1e-7", "1.", "+1", " 1", "0x1", "1,5", "NaN", "--1"]) {
    assert.equal(parseDecimal(text), undefined, text);
  }
  assert.deepEqual(parseDecimal(".95"), { numerator: 95n, scale: 2 });
  assert.deepEqual(parseDecimal("-0.0009"), { numerator: -9n, scale: 4 });
});

test("unit prices are rounded once, with their factors inside", () => {
  const price = (text: string, per: bigint, ...factors: string[]) =>
    attoPerUnit(
      parseDecimal(text)!,
      per,
      factors.map((factor) => parseDecimal(factor)!),
    );
  assert.equal(price("0.0375", 1_000_000n), 37_500_000_000n);
  assert.equal(price("7", 3_600_000n), 1_944_444_444_444n);
  assert.equal(price("7", 3_600_000n, "1.5"), 2_916_666_666_667n);
  assert.equal(price("0.0015", 60_000n), 25_000_000_000n);
});

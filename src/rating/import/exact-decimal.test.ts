import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decimalText, parseDecimal } from "../../domain/money.ts";
import { countOf, decimalOf, divided, multiplied, NumberText } from "./exact-decimal.ts";

// text, dollars for a million
const PER_MILLION: [string, string | undefined][] = [
  ["1e-7", "0.1"],
  ["2.5e-06", "2.5"],
  ["2.9999900000000002e-06", "2.9999900000000002"],
  ["1.25E-05", "12.5"],
  ["0.0000000375", "0.0375"],
  ["0.0", "0"],
  ["0e-999", "0"],
  ["-1e-06", "-1"],
  ["3", "3000000"],
  ["1e3", "1000000000"],
  ["1e-30", "0.000000000000000000000001"],
  ["1e-31", undefined],
  ["1e99", undefined],
  ["1e-99999", undefined],
  [`0.${"1".repeat(200)}`, undefined],
];

test("a JSON number a unit becomes a decimal for a million, exactly, or nothing", () => {
  for (const [text, million] of PER_MILLION) {
    const decimal = decimalOf(new NumberText(text));
    const price = decimal && multiplied(decimal, 1_000_000n);
    assert.equal(price && decimalText(price), million, text);
  }
});

test("any double's text is read as the decimal that it writes", () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-12, max: 1e9, noNaN: true }), fc.boolean(), (value, exponent) => {
      const text = exponent ? value.toExponential() : JSON.stringify(value);
      const decimal = decimalOf(new NumberText(text));
      assert.ok(decimal);
      assert.equal(Number(decimalText(decimal)), value);
      assert.deepEqual(parseDecimal(decimalText(decimal)), decimal);
    }),
  );
});

test("an hour's price is divided to 30 decimals, half-even, and says whether it is exact", () => {
  const hour = (text: string) => divided(decimalOf(new NumberText(text))!, 60n);
  assert.deepEqual([decimalText(hour("0.111").value), hour("0.111").exact], ["0.00185", true]);
  assert.deepEqual([decimalText(hour("0.04").value), hour("0.04").exact], ["0.000666666666666666666666666667", false]);
});

test("a count is a whole number that a number holds", () => {
  const counts = ["0", "32000", "32000.0", "1e6", "-1", "0.5", "9007199254740992"];
  assert.deepEqual(
    counts.map((text) => countOf(new NumberText(text))),
    [0, 32_000, 32_000, 1_000_000, undefined, undefined, undefined],
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FormScan } from "./form-request.ts";

const BOUNDARY = "xYz";

function formOf(parts: readonly (readonly [name: string, value: string])[]): string {
  const lines = parts.map(
    ([name, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${lines.join("")}--${BOUNDARY}--\r\n`;
}

function scanOf(text: string, cuts: readonly number[]): FormScan {
  const scan = new FormScan(BOUNDARY);
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (let at = 1; at < places.length; at += 1) scan.feed(bytes.subarray(places[at - 1], places[at]));
  return scan;
}

const name = fc.constantFrom("file", "language", "models", "prompt");
const value = fc.oneof(
  fc.string(),
  fc.constantFrom("\r\n", "--xYz", "\r\n--xY", 'Content-Disposition: form-data; name="model"\r\n\r\nother'),
);
const part = fc.tuple(name, value);
const model = fc.stringMatching(/^[a-z0-9/.-]{1,40}$/);

test("in any form, cut anywhere, the model is found where it is", () => {
  fc.assert(
    fc.property(fc.array(part), model, fc.array(part), fc.array(fc.nat()), (before, text, after, cuts) => {
      const form = formOf([...before, ["model", text], ...after]);
      const found = scanOf(form, cuts).model!;
      assert.equal(found.text, text);
      assert.equal(Buffer.from(form).subarray(found.start, found.end).toString(), text);
    }),
    { numRuns: 300 },
  );
});

test("a second model is refused, wherever it stands; what is no form too", () => {
  assert.throws(
    () =>
      scanOf(
        formOf([
          ["model", "a"],
          ["file", "x"],
          ["model", "b"],
        ]),
        [60],
      ),
    /more than once/,
  );
  assert.throws(() => scanOf(formOf([["model", ""]]), []), /model: "" was sent/);
  assert.throws(() => scanOf(formOf([["model", "x".repeat(3000)]]), [2500]), /model is too long/);
  assert.throws(() => scanOf(`--${BOUNDARY}\r\n${"x".repeat(9000)}`, []), /headers are too long/);
  assert.equal(scanOf("no form at all", [3]).model, undefined);
});

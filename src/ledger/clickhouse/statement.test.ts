import assert from "node:assert/strict";
import { test } from "node:test";
import { raw, sql } from "./statement.ts";

test("a value is quoted, a list is joined, a piece goes in as it is", () => {
  // biome-ignore format: a table
  const cases: readonly [string, string][] = [
    [sql`x = ${"a'b"}`.text,              "x = 'a\\'b'"],
    [sql`x = ${"\\' OR 1 --"}`.text,      "x = '\\\\\\' OR 1 --'"],
    [sql`x = ${-5}`.text,                 "x = -5"],
    [sql`x = ${2n ** 64n}`.text,          "x = 18446744073709551616"],
    [sql`x IN (${["a", "'"]})`.text,      "x IN ('a', '\\'')"],
    [sql`x IN (${[1, 2]})`.text,          "x IN (1, 2)"],
    [sql`x IN (${[]})`.text,              "x IN (NULL)"],
    [sql`${raw("`user`")} = ${""}`.text,  "`user` = ''"],
    [sql`a ${sql`AND b = ${"c"}`}`.text,  "a AND b = 'c'"],
  ];
  for (const [text, expected] of cases) assert.equal(text, expected);
});

test("a number that is not whole never becomes a literal", () => {
  for (const value of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => sql`${value}`, RangeError);
  }
});

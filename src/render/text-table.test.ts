/** Tables at the widths of terminals and without one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { textTable } from "./text-table.ts";
import { dollarText, grouped } from "./usage-text.ts";

const COLUMNS = [
  { title: "MODEL NAME", shortens: true },
  { title: "KEY" },
  { title: "TOKENS", align: "right", expendable: true },
  { title: "COST", align: "right" },
] as const;
const ROWS = [
  ["accounts/fireworks/models/kimi-k2p6", "批处理", "1,842,301", "$2.69"],
  ["nomic-ai/nomic-embed-text-v1.5", "dev\u001b[2J", "17", "<$0.01"],
];

test("columns line up, numbers to the right, wide letters counted as two, nothing steers the terminal", () => {
  assert.equal(
    textTable(COLUMNS, ROWS, { total: ["TOTAL", "", "1,842,318", "$2.69"] }),
    `
MODEL NAME                           KEY         TOKENS    COST
accounts/fireworks/models/kimi-k2p6  批处理   1,842,301   $2.69
nomic-ai/nomic-embed-text-v1.5       dev\ufffd[2J         17  <$0.01
TOTAL                                         1,842,318   $2.69
`.slice(1),
  );
});

test("a terminal's width first shortens names, then takes expendable columns and says so", () => {
  assert.equal(
    textTable(COLUMNS, ROWS.slice(0, 1), { width: 46 }),
    `
MODEL NAME            KEY        TOKENS   COST
…/kimi-k2p6           批处理  1,842,301  $2.69
`.slice(1),
  );
  assert.equal(
    textTable(COLUMNS, ROWS.slice(0, 1), { width: 30 }),
    `
MODEL NAME       KEY      COST
…/kimi-k2p6      批处理  $2.69
(no room for TOKENS: widen the terminal, or use -o csv or json)
`.slice(1),
  );
});

test("dollars to the cent, dust told apart from nothing, digits in threes", () => {
  // nanodollars | text
  const cases: readonly (readonly [bigint, string])[] = [
    [0n, "$0.00"],
    [1n, "<$0.01"],
    [9_999_999n, "<$0.01"],
    [10_000_000n, "$0.01"],
    [15_000_000n, "$0.02"],
    [25_000_000n, "$0.02"],
    [1_234_567_890_000_000n, "$1,234,567.89"],
    [-1_750_000_000n, "-$1.75"],
    [9_007_199_254_740_993_000_000_000n, "$9,007,199,254,740,993.00"],
  ];
  for (const [nanos, text] of cases) assert.equal(dollarText(nanos), text);
  assert.equal(grouped("1234567.891"), "1,234,567.891");
  assert.equal(grouped("12"), "12");
});

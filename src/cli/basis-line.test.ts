import assert from "node:assert/strict";
import { test } from "node:test";
import { basisLine } from "./basis-line.ts";

function answer(book: string, contract: string, position: string): Headers {
  return new Headers({
    "x-daybook-price-book-version": book,
    "x-daybook-price-book-hash": `${book}b12cd34ef56${"0".repeat(52)}`,
    ...(contract && { "x-daybook-contract-version": contract }),
    "x-daybook-tzdb-version": "2026c",
    "x-daybook-ledger-position": position,
  });
}

test("one line of what answers were made of, and what changed between them", () => {
  const cases: [answers: Headers[], line: string | undefined][] = [
    [[], undefined],
    [[new Headers()], undefined],
    [[answer("3", "", "0")], "Price book 3 (sha256 3b12cd34ef56), tz database 2026c, ledger position 0"],
    [
      [answer("3", "4", "12345"), new Headers(), answer("3", "4", "12345")],
      "Price book 3 (sha256 3b12cd34ef56), contract 4, tz database 2026c, ledger position 12345",
    ],
    [
      [answer("3", "4", "7"), answer("3", "4", "8"), answer("3", "4", "9")],
      "Price book 3 (sha256 3b12cd34ef56), contract 4, tz database 2026c, ledger position 7 to 9; " +
        "usage changed between the calls",
    ],
    [
      [answer("3", "4", "7"), answer("5", "4", "7")],
      "Price book 3 to 5 (sha256 3b12cd34ef56 to 5b12cd34ef56), contract 4, tz database 2026c, ledger position 7; " +
        "prices changed between the calls",
    ],
    [
      [answer("3", "", "7"), answer("3", "4", "8")],
      "Price book 3 (sha256 3b12cd34ef56), contract 4, tz database 2026c, ledger position 7 to 8; " +
        "prices and usage changed between the calls",
    ],
  ];
  for (const [answers, line] of cases) assert.equal(basisLine(answers), line);
});

/** What is wrong with a price book's file, a line each: `prices.yaml:12: reason`, as editors and people read it. */

import { Fault, type Problem, sentence } from "../domain/fault.ts";
import { sayable } from "./refusal.ts";

/** A line for each mistake; undefined when the error is none of a book. */
export function bookMistakes(error: unknown): readonly string[] | undefined {
  if (!(error instanceof Fault) || error.problems[0].code !== "bad_price_book") return undefined;
  return error.problems.map(mistakeLine);
}

function mistakeLine(mistake: Problem): string {
  if (mistake.code !== "bad_price_book") return sayable(sentence(mistake));
  const { value, line, reason } = mistake.facts;
  return sayable(`${value}:${line}: ${reason}`);
}

/** Such as "3 mistakes". */
export function mistakesCounted(mistakes: readonly string[]): string {
  return mistakes.length === 1 ? "1 mistake" : `${mistakes.length} mistakes`;
}

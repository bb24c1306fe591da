/**
 * What came from outside, cut down before it is put into a sentence: writing out a value of 16 MB that is nested
 * millions deep takes JSON.stringify more than 20 seconds.
 */

const CHARACTERS_MAX = 80;

/** A name, fit to stand in a sentence. */
export function shortName(name: string): string {
  if (name.length <= CHARACTERS_MAX) return name.toWellFormed();
  return `${name.slice(0, CHARACTERS_MAX).toWellFormed()}…`;
}

/** A parsed JSON value as the `value` of a problem: containers emptied, texts shortened. */
export function shownValue(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  if (typeof value === "object" && value !== null) return {};
  // JSON has no text for the Infinity that 1e999 is read as.
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return typeof value === "string" ? shortName(value) : value;
}

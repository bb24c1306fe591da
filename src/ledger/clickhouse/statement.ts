/** SQL with its values written in: every value is quoted here, so no other file builds a literal. */

/** A piece of SQL that is safe as it stands. */
export interface Sql {
  readonly text: string;
}

type Value = Sql | string | number | bigint | readonly string[] | readonly number[] | readonly Sql[];

/**
 * A statement, or a piece of one. Text becomes a quoted literal, a number must be a whole one, a list is joined by
 * commas (brackets are the caller's; an empty list is NULL, which no IN finds), and pieces go in as they are.
 * Values travel in the statement and not beside it: a filter of a thousand values is too long for an address.
 * @throws RangeError for a number that is not a safe integer.
 */
export function sql(strings: TemplateStringsArray, ...values: readonly Value[]): Sql {
  return { text: strings.reduce((text, part, at) => text + show(values[at - 1]!) + part) };
}

/** A piece of SQL that the code itself spells: names of tables and columns. Never for values. */
export function raw(text: string): Sql {
  return { text };
}

function show(value: Value): string {
  if (typeof value === "string") return `'${value.replace(/[\\']/g, "\\$&")}'`;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no whole number`);
    return String(value);
  }
  if ("text" in value) return value.text;
  return value.length === 0 ? "NULL" : value.map(show).join(", ");
}

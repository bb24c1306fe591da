/** JSON whose numbers keep every digit they came with: an int64 or a cost may have more than a double holds. */

/** A number as it stood in the text, where a double would change it; `JSON.stringify` prints it unchanged. */
interface RawNumber {
  readonly rawJSON: string;
}

export type Json = null | boolean | number | string | RawNumber | readonly Json[] | { readonly [name: string]: Json };

/** What the language has and the compiler's library does not know yet. */
interface SourceTextJson {
  parse(
    text: string,
    revive: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): RawNumber;
}
const { parse, rawJSON } = JSON as unknown as SourceTextJson;

/** @throws SyntaxError when the text is no JSON. */
export function parseExact(text: string): Json {
  return parse(text, (_, value, { source }) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? rawJSON(source) : value,
  ) as Json;
}

/** Text that comes from outside and is kept: well-formed, without control characters, of bounded length. */

export const TEXT_CHARACTERS_MAX = 256;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * True for 1 to `max` characters (UTF-16 units) of well-formed Unicode without control characters. Lone surrogates are
 * refused because two of them would become the same UTF-8 text, and so the same identity, on disk.
 */
export function isPlainText(value: unknown, max: number = TEXT_CHARACTERS_MAX): value is string {
  return (
    typeof value === "string" && value.length > 0 && value.length <= max && !CONTROL.test(value) && value.isWellFormed()
  );
}

const BARE_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** True for the id of an account, user or deployment as it stands in a path: a-z, 0-9 and -, at most 63. */
export function isBareId(value: unknown): value is string {
  return typeof value === "string" && BARE_ID.test(value);
}

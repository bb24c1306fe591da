/** Which paths behind `/v1/` are handed on: none that leaves the base URL, and none that only looks as if it were not metered. */

import { isMeteredPath } from "./routes-table.ts";

/** Some servers decode a path more than once. */
const DECODINGS_MAX = 3;

/** The path as the most lenient server may read it; undefined for one that nobody can. */
function mostLenient(path: string): string | undefined {
  let plain = path;
  for (let decoded = 0; plain.includes("%"); decoded += 1) {
    if (decoded === DECODINGS_MAX) return undefined;
    try {
      plain = decodeURIComponent(plain);
    } catch {
      return undefined;
    }
  }
  // Behind a semicolon stand parameters, which some servers take out of a path.
  return plain.replaceAll("\\", "/").replace(/;[^/]*/g, "");
}

/**
 * True for a path that stays under the base URL, however the upstream reads it, and that is metered if the upstream may
 * read it as one that is: `chat%2Fcompletions` and `Chat/completions` are refused.
 */
export function isSafePath(path: string): boolean {
  const plain = mostLenient(path);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
  if (plain === undefined || /[\u0000-\u0020\u007f?#]/.test(plain)) return false;
  if (plain.split("/").some((part) => part === "" || part === "." || part === "..")) return false;
  return isMeteredPath(path) || !isMeteredPath(plain.toLowerCase());
}

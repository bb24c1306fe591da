/** What JSON text costs to read. A container of 2 bytes becomes 100 in memory, so 16 MB of them would become a gigabyte. */

import { Fault, problem } from "./fault.ts";

/** Objects and lists in one text: many times what 20,000 events have. */
export const CONTAINERS_MAX = 320_000;
/** A text that is shorter cannot hold enough of them to do harm. */
const HARMLESS_CHARACTERS = 1024 * 1024;

/** @throws Fault `too_many` for a text of more than {@link CONTAINERS_MAX} objects and lists, before it is parsed. */
export function refuseBloated(text: string): void {
  if (text.length <= HARMLESS_CHARACTERS) return;
  if (!exceeds(text, "{") && !exceeds(text, "[")) return;
  // Brackets may stand in texts: then each is looked at.
  if (containersOf(text) <= CONTAINERS_MAX) return;
  const count = `more than ${CONTAINERS_MAX} objects and lists`;
  throw new Fault(problem("too_many", "body", { count, max: CONTAINERS_MAX }));
}

/** Whether a character stands in the text more than half as often as containers may. */
function exceeds(text: string, character: string): boolean {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) {
    count += 1;
    if (count > CONTAINERS_MAX / 2) return true;
  }
  return false;
}

const [QUOTE, BACKSLASH, BRACKET, BRACE] = [0x22, 0x5c, 0x5b, 0x7b];

/** Objects and lists that begin outside of texts, counted to one beyond the limit. */
function containersOf(text: string): number {
  let count = 0;
  let inText = false;
  for (let at = 0; at < text.length && count <= CONTAINERS_MAX; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) inText = !inText;
    else if (inText && code === BACKSLASH) at += 1;
    else if (!inText && (code === BRACKET || code === BRACE)) count += 1;
  }
  return count;
}

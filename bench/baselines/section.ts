/** The part of docs/benchmarks.md that the baselines write: between its markers, whoever writes the rest. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";

const BEGIN = "<!-- baselines:begin -->";
const END = "<!-- baselines:end -->";

/** What stands between the markers, markers included; "" where there are none. */
function sectionIn(text: string): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  return from < 0 || to < from ? "" : text.slice(from, to + END.length);
}

function textAt(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** Writes the section in place of the one before, else at the end; the rest of the document stays. */
export function writeSection(path: string, section: string): void {
  const text = textAt(path);
  const [before, marked] = [sectionIn(text), `${BEGIN}\n\n${section}\n${END}`];
  writeFileSync(path, before === "" ? `${text.trimEnd()}\n\n${marked}\n` : text.replace(before, () => marked));
}

/** Writes the document anew; the section stays, at its end. */
export function writeAround(path: string, text: string): void {
  const section = sectionIn(textAt(path));
  writeFileSync(path, section === "" ? text : `${text.trimEnd()}\n\n${section}\n`);
}

/** Parts of the document that a benchmark of its own writes: each stands between two marks and is kept by the others. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";

const PARTS = ["baselines", "gateway", "clickhouse"] as const;
type Part = (typeof PARTS)[number];

const mark = (name: Part, at: "begin" | "end"): string => `<!-- ${name}:${at} -->`;

/** What stands between the marks, marks included; undefined where there are none. */
function partOf(document: string, name: Part): string | undefined {
  const start = document.indexOf(mark(name, "begin"));
  const end = document.indexOf(mark(name, "end"));
  return start < 0 || end < start ? undefined : document.slice(start, end + mark(name, "end").length);
}

function textAt(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** Writes a part in the place of the one before, or at the end; the rest of the document stays. */
export function writePart(path: string, name: Part, text: string): void {
  const document = textAt(path);
  const part = `${mark(name, "begin")}\n\n${text.trim()}\n\n${mark(name, "end")}`;
  const before = partOf(document, name);
  writeFileSync(
    path,
    before === undefined ? `${document.trimEnd()}\n\n${part}\n` : document.replace(before, () => part),
  );
}

/** Writes the document anew; its parts stay, at its end. */
export function writeAround(path: string, text: string): void {
  const document = textAt(path);
  const parts = PARTS.flatMap((name) => partOf(document, name) ?? []);
  writeFileSync(path, `${[text.trimEnd(), ...parts].join("\n\n")}\n`);
}

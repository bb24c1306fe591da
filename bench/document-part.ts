/** Parts of the document that a benchmark of its own writes: each stands between two marks and is kept by the others. */

const mark = (name: string, at: "begin" | "end"): string => `<!-- ${name}: ${at} -->`;

function partOf(document: string, name: string): string | undefined {
  const start = document.indexOf(mark(name, "begin"));
  const end = document.indexOf(mark(name, "end"));
  return start < 0 || end < start ? undefined : document.slice(start, end + mark(name, "end").length);
}

/** The document with this text as the part, in the place of the one before or at its end. */
export function withPart(document: string, name: string, text: string): string {
  const part = `${mark(name, "begin")}\n\n${text.trim()}\n\n${mark(name, "end")}`;
  const before = partOf(document, name);
  return before === undefined ? `${document.trimEnd()}\n\n${part}\n` : document.replace(before, () => part);
}

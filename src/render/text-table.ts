/** Tables of plain text: columns two spaces apart, numbers to the right, no borders. */

import stringWidth from "string-width";

export interface TableColumn {
  readonly title: string;
  readonly align?: "right";
  /** On a narrow terminal its values may lose their beginnings: a resource name tells most at its end. */
  readonly shortens?: boolean;
  /** Left out, and said so, on a terminal that is too narrow even for shortened names; the last one goes first. */
  readonly expendable?: boolean;
}

export interface TableOptions {
  /** Columns of the terminal; undefined where there is none, and then nothing is shortened. */
  readonly width?: number | undefined;
  /** Marks the head and the total row; leaves them as they are when left out. */
  readonly emphasize?: ((text: string) => string) | undefined;
  readonly total?: readonly string[];
}

const GAP = "  ";
const SHORTENED_WIDTH_MIN = 12;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a name from a server must not steer the terminal.
const STEERING = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The table, each line with its line break. */
export function textTable(
  all: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  { width, emphasize = (text) => text, total }: TableOptions = {},
): string {
  const allCells = [all.map(({ title }) => title), ...rows, ...(total ? [total] : [])].map((row) =>
    row.map((cell) => cell.replace(STEERING, "\ufffd")),
  );
  const allWidths = all.map((_, at) => allCells.reduce((most, row) => Math.max(most, widthOf(row[at]!)), 0));
  const kept = width === undefined ? [...all.keys()] : fitting(all, allWidths, width);
  const columns = kept.map((at) => all[at]!);
  const widths = kept.map((at) => allWidths[at]!);
  const cells = allCells.map((row) => kept.map((at) => row[at]!));
  const lines = cells.map((row, line) =>
    row
      .map((cell, at) => padded(shortened(cell, widths[at]!, line === 0), widths[at]!, columns[at]!.align))
      .join(GAP)
      .trimEnd(),
  );
  const last = lines.length - 1;
  const marked = lines.map((line, at) => (at === 0 || (total && at === last) ? emphasize(line) : line));
  const text = `${marked.join("\n")}\n`;
  if (columns.length === all.length) return text;
  const out = all.filter((column) => !columns.includes(column)).map(({ title }) => title);
  return `${text}(no room for ${out.join(", ")}: widen the terminal, or use -o csv or json)\n`;
}

const ASCII = /^[\x20-\x7e]*$/;

function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/**
 * The places of the columns that are shown. Widths are made smaller, the widest first, until a line fits; where that is
 * not enough, expendable columns go.
 */
function fitting(columns: readonly TableColumn[], widths: number[], width: number): number[] {
  const kept = [...columns.keys()];
  const least = (at: number): number =>
    columns[at]!.shortens ? Math.min(widths[at]!, SHORTENED_WIDTH_MIN) : widths[at]!;
  const lineOf = (widthAt: (at: number) => number): number =>
    kept.reduce((sum, at) => sum + widthAt(at), GAP.length * (kept.length - 1));
  while (lineOf(least) > width) {
    const last = kept.findLastIndex((at) => columns[at]!.expendable);
    if (last < 0) break;
    kept.splice(last, 1);
  }
  while (lineOf((at) => widths[at]!) > width) {
    const longest = kept.filter((at) => widths[at]! > least(at)).sort((a, b) => widths[b]! - widths[a]!)[0];
    if (longest === undefined) break;
    widths[longest]! -= 1;
  }
  return kept;
}

/**
 * The end of a text that is too wide, behind an ellipsis; the last part of a resource name when that fits. Of a title the
 * beginning.
 */
function shortened(text: string, width: number, isTitle: boolean): string {
  if (widthOf(text) <= width) return text;
  if (isTitle) return `${text.slice(0, width - 1)}…`;
  const slash = text.lastIndexOf("/");
  const name = slash < 0 ? text : `…${text.slice(slash)}`;
  if (widthOf(name) <= width) return name;
  const characters = [...text];
  while (characters.length > 0 && widthOf(characters.join("")) > width - 1) characters.shift();
  return `…${characters.join("")}`;
}

function padded(text: string, width: number, align: "right" | undefined): string {
  const fill = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "right" ? fill + text : text + fill;
}

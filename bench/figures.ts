/** Figures as text. */

import { availableParallelism, cpus, release, totalmem } from "node:os";

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Rows of cells as a Markdown table, columns aligned so that it reads on a terminal too. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(" | ")} |`;
  const rules = widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  const rule = `| ${rules.join(" | ")} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join("\n");
}

export function machine(): string {
  const { node, sqlite } = process.versions;
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory`;
  const cores = `${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "an unknown CPU"}`;
  return `${cores}, ${memory}, ${process.platform} ${release()}, Node ${node}, SQLite ${sqlite}`;
}

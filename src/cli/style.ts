/** How text looks: bold and as wide as the terminal on one, plain and of any width elsewhere. */

import { styleText } from "node:util";

export interface Style {
  /** Columns of the terminal; undefined where there is none. */
  readonly width: number | undefined;
  readonly emphasize: (text: string) => string;
  /** For what is beside the matter. */
  readonly dim: (text: string) => string;
}

/** Colour only on a terminal, and never with NO_COLOR (https://no-color.org: any value but the empty one). */
export function styleOf(stdout: NodeJS.WriteStream): Style {
  const styled = stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== "dumb";
  const as = (format: "bold" | "dim"): ((text: string) => string) =>
    styled ? (text) => styleText(format, text, { validateStream: false }) : (text) => text;
  return {
    width: stdout.isTTY ? stdout.columns : undefined,
    emphasize: as("bold"),
    dim: as("dim"),
  };
}

/** The words after the name of one of the repository's own scripts: a benchmark, the simulator, the long tests. */

import { type ParseArgsConfig, parseArgs } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>["values"];

/** Reads the words. `--help` prints the usage and ends the process; a word that the script does not know is a {@link misused}. */
export function readWords<const O extends Options>(usage: string, options: O): Values<O> {
  const help = { type: "boolean", short: "h" } as const;
  let values: Record<string, unknown>;
  try {
    ({ values } = parseArgs({ options: { ...options, help } as Options }));
  } catch (error) {
    return misused((error as Error).message, usage);
  }
  if (!values.help) return values as Values<O>;
  process.stdout.write(`${usage}\n`);
  return process.exit(0);
}

/** The command with the words that were typed after it. */
export function asTyped(command: string): string {
  const words = process.argv.slice(2);
  return [command, ...(words.length > 0 ? ["--", ...words] : [])].join(" ");
}

/** The number after `--name`, at least `min` and of ten digits at most; anything else is a {@link misused}. */
export function wholeNumber(name: string, text: string, usage: string, min = 0): number {
  if (/^\d{1,10}$/.test(text) && Number(text) >= min) return Number(text);
  return misused(`--${name}: "${text}" is no whole number from ${min} on`, usage);
}

/** Tells the mistake and how the script is used, and ends the process with 2. */
export function misused(message: string, usage: string): never {
  process.stderr.write(`${message}\n\n${usage}\n`);
  process.exit(2);
}

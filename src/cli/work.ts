/** From a command of the tree to its work. */

import type { Command } from "commander";
import type { Context, ContextOptions, GlobalFlags } from "./context.ts";
import { wrongWords } from "./refusal.ts";

/** A command's work: the context, the command's own flags, its arguments. */
type Work<Flags> = (context: Context, flags: Flags, args: readonly string[]) => Promise<void> | void;

/** An action that imports the work when it is called. */
export function work<Flags>(
  load: () => Promise<Work<Flags>>,
  options?: ContextOptions,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const [{ Context }, run] = await Promise.all([import("./context.ts"), load()]);
    const context = new Context(command.optsWithGlobals() as GlobalFlags, options);
    await run(context, command.opts() as Flags, command.args);
  };
}

/** For commands that work on a data folder: flags that speak of a request to a server are refused, not passed over. */
export function refuseRequestFlags(_: Command, command: Command): void {
  const { dryRun, output } = command.optsWithGlobals() as GlobalFlags;
  const flag = dryRun ? "--dry-run" : output !== undefined && output !== "text" ? "--output" : undefined;
  if (flag) throw wrongWords(`${flag}: ${command.name()} works on a data folder and does not know it; leave it out`);
}

/** For options that may be repeated, each with one value or several behind commas. */
export function listed(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(",").map((one) => one.trim())].filter((one) => one !== "");
}

/** For options that may be repeated. */
export function repeated(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Examples below a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join("\n")}`;
}

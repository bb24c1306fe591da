/** The prompt: `daybook`. Whatever ends a command becomes its exit code and at most one line on stderr. */

import { writeSync } from "node:fs";
import { CommanderError } from "commander";
import { Fault, sentence } from "../domain/fault.ts";
import { makeProgram } from "./program.ts";
import { EXIT, Refusal, sayable } from "./refusal.ts";

/** A reader that has seen enough, as `| head`, ends the command quietly; an output that is full is an error. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.done);
  say(
    `cannot write the output: ${error.code === "ENOSPC" ? "the disk is full; free some space" : error.message}`,
    error,
  );
  process.exit(EXIT.refused);
});
process.stderr.on("error", () => {});

try {
  await makeProgram().parseAsync();
} catch (error) {
  process.exitCode = ended(error);
}

function ended(error: unknown): number {
  // Help and version are no mistakes; commander has said its own errors already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongWords;
  if (error instanceof Refusal) {
    say(error.message, error);
    return error.exitCode;
  }
  if (error instanceof Fault) {
    say(error.problems.map(sentence).join("; and "), error);
    return EXIT.refused;
  }
  const { message } = error as Error;
  say(`an unexpected error: ${message}; run again with --debug to see where, and report it`, error);
  return EXIT.refused;
}

function say(line: string, error: unknown): void {
  const lines = [`daybook: ${sayable(line)}`];
  if (process.argv.includes("--debug")) {
    for (let one: unknown = error; one instanceof Error; one = one.cause) {
      lines.push(...(one.stack ?? "").split("\n").map(sayable));
    }
  }
  try {
    // At once: the process may end with the next statement.
    writeSync(process.stderr.fd, `${lines.join("\n")}\n`);
  } catch {
    // Nobody listens; the exit code tells.
  }
}

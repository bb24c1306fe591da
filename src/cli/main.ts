/** The prompt: `daybook`. Each command's work is imported only when it is called, so that help stays quick. */

import { Command, CommanderError, Option } from "commander";
import { Fault } from "../domain/fault.ts";
import { VERSION } from "../version.ts";

/** 0 done, 1 the server or the network said no, 2 wrong words (contract, section 8). */
const EXIT_REFUSED = 1;
const EXIT_WRONG_WORDS = 2;

function program(): Command {
  const daybook = new Command("daybook")
    .description("Who used what, and what did it cost: usage metering and billing reports for LLM inference.")
    .version(VERSION, "-v, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .showHelpAfterError("(daybook --help lists the commands)")
    .exitOverride();

  daybook
    .command("serve")
    .description("Start the server on a data folder.")
    .option("--data <dir>", "the data folder; made when there is none", ".daybook")
    .addOption(new Option("--port <n>", "the port; when left out: 8484, or the next free one").argParser(parsePort))
    .option("--host <host>", "the address to listen on", "127.0.0.1")
    .option("--demo", "fill an empty data folder with 60 days of a made-up company")
    .addHelpText(
      "after",
      `
Environment:
  DAYBOOK_BOOTSTRAP_ACCOUNT  id of the account that the first start makes (default: default)
  DAYBOOK_BOOTSTRAP_KEY      text of the OPERATOR key that the first start makes (default: a random one, printed once)

Examples:
  $ daybook serve
  $ daybook serve --data /var/lib/daybook --host 0.0.0.0 --port 8484
  $ daybook serve --demo --data demo`,
    )
    .exitOverride()
    .action(async (options) => {
      const { serve } = await import("./serve.ts");
      await serve(options);
    });
  return daybook;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new CommanderError(EXIT_WRONG_WORDS, "daybook.port", `error: --port: "${text}" is not a port; use 0 to 65535`);
}

try {
  await program().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version are no mistakes; commander has printed its own errors already, ours are printed here.
    if (error.code === "daybook.port") process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_WRONG_WORDS;
  } else if (error instanceof Fault) {
    process.stderr.write(`daybook: ${error.problems.length > 1 ? error.problems.length : ""}${error.message}\n`);
    process.exitCode = EXIT_REFUSED;
  } else {
    throw error;
  }
}

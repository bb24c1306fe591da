/** The tree of commands and what they share. A command's work is imported when it is called, so that help stays quick. */

import { Command, Option } from "commander";
import { VERSION } from "../version.ts";
import { addBackup } from "./commands/backup.ts";
import { addBilling } from "./commands/billing.ts";
import { addImport } from "./commands/import.ts";
import { addBudget, addTail } from "./commands/limits.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addPrices } from "./commands/prices.ts";
import { addRecords } from "./commands/records.ts";
import { addServe } from "./commands/serve.ts";
import { addSession } from "./commands/session.ts";
import { addVerify } from "./commands/verify.ts";
import { sayable } from "./refusal.ts";

/** The whole tree. */
export function makeProgram(): Command {
  const daybook = new Command("daybook")
    .description("Who used what, and what did it cost: usage metering and billing reports for LLM inference.")
    .version(VERSION, "-v, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  // These may stand before the command and after it.
  daybook
    .option("-a, --account-id <id>", "the account; when left out, the profile's, or the only one the key sees")
    .option("--api-key <key>", "the API key; better kept in a profile or in DAYBOOK_API_KEY")
    .option("-p, --profile <name>", "the profile of auth.ini to use (default: default)")
    .addOption(new Option("-o, --output <format>", "how to print the answer").choices(["text", "json", "csv"]))
    .option("--dry-run", "print the request and send nothing")
    .option("--base-url <url>", "the server (default: http://127.0.0.1:8484)")
    .option("--debug", "tell each request, and show where an error came from");
  addSession(daybook);
  addBilling(daybook);
  addPrices(daybook);
  addRecords(daybook);
  addBudget(daybook);
  addTail(daybook);
  addServe(daybook);
  addImport(daybook);
  addVerify(daybook);
  addBackup(daybook);
  addMigrate(daybook);
  daybook.addHelpText(
    "after",
    `
Examples:
  $ daybook login
  $ daybook billing get-usage --start-time 2026-05-01 --end-time 2026-06-01 --timezone America/Los_Angeles
  $ daybook billing get-usage --group-by annotations.team,model_name -o json

Environment:
  DAYBOOK_API_KEY, DAYBOOK_ACCOUNT_ID, DAYBOOK_BASE_URL  instead of the flags; so do FIREWORKS_API_KEY and so on
  NO_COLOR                                               no bold text on a terminal

Exit codes: 0 done, 1 the server or the network said no, 2 wrong words, 3 not signed in.`,
  );
  sayErrorsInOneLine(daybook);
  return daybook;
}

/** Each command's mistakes as one line that names its help. */
function sayErrorsInOneLine(command: Command, path: readonly string[] = []): void {
  const words = [...path, command.name()];
  command.configureOutput({
    outputError: (text, write) => {
      const line = sayable(text.replace(/^error: /, ""))
        .replace(/\s*\(Did you mean (one of )?([^?]+)\?\)/, "; did you mean $2")
        .replace(/[.?]$/, "");
      write(`daybook: ${line}; see ${words.join(" ")} --help\n`);
    },
  });
  for (const one of command.commands) sayErrorsInOneLine(one, words);
}

/** `daybook import usage`. */

import type { Command } from "commander";
import { clusterOption } from "../places.ts";
import { examples, refuseRequestFlags } from "../work.ts";

export function addImport(daybook: Command): void {
  daybook
    .command("import")
    .summary("bring usage in from files")
    .description("Bring usage in from files.")
    .command("usage")
    .argument("<file>", "usage events, one JSON object a line, or the CSV of billing export-metrics; - reads stdin")
    .summary("write the usage events of a file into a data folder")
    .description(
      "Write the usage events of a file into a data folder that no server holds. An event that is there already is a " +
        "duplicate and changes nothing, so the same file may be imported again, and one that was cut off is completed " +
        "that way. Of the CSV, equal rows are told apart by their number. Exits 1 when a line was rejected or in conflict. " +
        "With DAYBOOK_LEDGER_URL and DAYBOOK_ACCOUNTS_URL set, write to the engines there; servers may run.",
    )
    .option("--data <dir>", "the data folder", ".daybook")
    .option("--account <id>", "the account that the usage is of (default: the only one of the folder)")
    .option("--rejects <file>", "where lines go that were not taken (default: <file>.rejects.ndjson)")
    .addOption(clusterOption())
    .addHelpText(
      "after",
      examples(
        "daybook import usage events.ndjson",
        "daybook import usage billing_metrics.csv --data /var/lib/daybook --account acme",
        "gzip -dc events.ndjson.gz | daybook import usage - --rejects rejects.ndjson",
      ),
    )
    .hook("preAction", refuseRequestFlags)
    .action(async (file, _, command: Command) => {
      const { importUsage } = await import("../run/import.ts");
      await importUsage(file, command.optsWithGlobals());
    });
}

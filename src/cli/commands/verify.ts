/** `daybook verify`. */

import type { Command } from "commander";
import { clusterOption } from "../places.ts";
import { examples, refuseRequestFlags } from "../work.ts";

export function addVerify(daybook: Command): void {
  daybook
    .command("verify")
    .summary("check every sum of a ledger against its events")
    .description(
      "Recompute every sum from the raw events, hold identities against events, and check the file's structure. " +
        "Nobody else may hold the folder: stop the server first. Prints what differs and exits 1 when anything does. " +
        "With DAYBOOK_LEDGER_URL set, check the ledger of that ClickHouse, whose servers may run, unless --data names a " +
        "folder that holds a ledger.",
    )
    .option("--data <dir>", "the data folder", ".daybook")
    .addOption(clusterOption())
    .addHelpText(
      "after",
      examples(
        "daybook verify",
        "daybook verify --data /var/lib/daybook",
        "DAYBOOK_LEDGER_URL_FILE=/run/secrets/ledger daybook verify",
      ),
    )
    .hook("preAction", refuseRequestFlags)
    .action(async (options, command: Command) => {
      const { verify } = await import("../run/verify.ts");
      await verify(options, command.getOptionValueSource("data") === "cli");
    });
}

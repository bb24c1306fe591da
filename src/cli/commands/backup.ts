/** `daybook backup`. */

import type { Command } from "commander";
import { examples, refuseRequestFlags } from "../work.ts";

export function addBackup(daybook: Command): void {
  daybook
    .command("backup")
    .summary("copy a data folder while its server runs")
    .description(
      "Copy a data folder, while its server runs or not, to a new folder. All that was answered before is in it. The " +
        "copy is written under a temporary name and renamed when it is whole; serve and verify take it as it is.",
    )
    .option("--data <dir>", "the data folder", ".daybook")
    .requiredOption("--to <dir>", "the folder of the copy; empty, or not there yet")
    .addHelpText(
      "after",
      examples("daybook backup --to backup", "daybook backup --data /var/lib/daybook --to /backups/2026-11-21"),
    )
    .hook("preAction", refuseRequestFlags)
    .action(async (options, command: Command) => {
      const { backup } = await import("../run/backup.ts");
      await backup(options, command.getOptionValueSource("data") === "cli");
    });
}

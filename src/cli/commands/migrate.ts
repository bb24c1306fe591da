/** `daybook migrate`. */

import type { Command } from "commander";
import { clusterOption } from "../places.ts";
import { examples, refuseRequestFlags } from "../work.ts";

export function addMigrate(daybook: Command): void {
  daybook
    .command("migrate")
    .summary("move all usage and all records to ClickHouse and PostgreSQL, or back")
    .description(
      "Move all usage, accounts, keys and price books from a data folder to ClickHouse and PostgreSQL, or back. A server " +
        "may be running on the folder: what is written meanwhile is copied by the next run, and the last one runs when the " +
        "server is stopped. It compares every sum of both sides and says when to switch. Whatever interrupts it, the next " +
        "run goes on. Nothing is changed at --from. Exits 0 when all agrees and nobody had the folder, 1 otherwise.",
    )
    .requiredOption("--from <place>", "a data folder, or clickhouse://host:8123/database")
    .requiredOption("--to <place>", "the same; a folder must be new or empty")
    .option("--follow", "keep copying while a server has the folder, and finish once it is stopped")
    .addOption(clusterOption())
    .addHelpText(
      "after",
      `
Environment:
  DAYBOOK_LEDGER_URL         the ClickHouse once more, with user and password; they have no place in a command line
  DAYBOOK_ACCOUNTS_URL       postgres://user:password@host:5432/database, where accounts, keys and price books go
  DAYBOOK_LEDGER_URL_FILE, DAYBOOK_ACCOUNTS_URL_FILE
                             files that hold them
${examples(
  "daybook migrate --from /var/lib/daybook --to clickhouse://ch.internal:8123/daybook --follow",
  "daybook migrate --from clickhouse://ch.internal:8123/daybook --to /var/lib/daybook",
)}`,
    )
    .hook("preAction", refuseRequestFlags)
    .action(async (options) => {
      const { runMigrate } = await import("../run/migrate.ts");
      await runMigrate(options);
    });
}

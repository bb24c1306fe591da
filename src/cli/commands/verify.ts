/** `daybook verify`. */

import type { Command } from "commander";
import { examples, refuseRequestFlags } from "../work.ts";

export function addVerify(daybook: Command): void {
  daybook
    .command("verify")
    .summary("check every sum of a data folder against its events")
    .description(
      "Recompute every sum from the raw events, hold identities against events, and check the file's structure. " +
        "Nobody else may hold the folder: stop the server first. Prints what differs and exits 1 when anything does.",
    )
    .option("--data <dir>", "the data folder", ".daybook")
    .addHelpText("after", examples("daybook verify", "daybook verify --data /var/lib/daybook"))
    .hook("preAction", refuseRequestFlags)
    .action(async (options) => {
      const { verify } = await import("../run/verify.ts");
      await verify(options);
    });
}

/** `daybook serve`. */

import { type Command, Option } from "commander";
import { quoted, wrongWords } from "../refusal.ts";
import { examples, refuseRequestFlags } from "../work.ts";

export function addServe(daybook: Command): void {
  daybook
    .command("serve")
    .summary("start the server on a data folder")
    .description("Start the server on a data folder.")
    .option("--data <dir>", "the data folder; made when there is none", ".daybook")
    .addOption(new Option("--port <n>", "the port; when left out: 8484, or the next free one").argParser(readPort))
    .option("--host <host>", "the address to listen on", "127.0.0.1")
    .option("--prices <file>", "a price book; where it differs from the one in force it becomes the next version")
    .option("--gateway <file>", "the upstreams of the metering gateway; without it there is none")
    .option("--demo", "fill an empty data folder with 60 days of a made-up company")
    .addHelpText(
      "after",
      `
Environment:
  DAYBOOK_BOOTSTRAP_ACCOUNT  id of the account that the first start makes (default: default)
  DAYBOOK_BOOTSTRAP_KEY      text of the OPERATOR key that the first start makes (default: a random one, printed once)
${examples(
  "daybook serve",
  "daybook serve --data /var/lib/daybook --host 0.0.0.0 --port 8484",
  "daybook serve --data /var/lib/daybook --prices prices.yaml",
  "daybook serve --data /var/lib/daybook --gateway gateway.yaml",
  "daybook serve --demo --data demo",
)}`,
    )
    .hook("preAction", refuseRequestFlags)
    .action(async (options) => {
      const { serve } = await import("../run/serve.ts");
      await serve(options);
    });
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw wrongWords(`--port: ${quoted(text)} is not a port; use 0 to 65535`);
}

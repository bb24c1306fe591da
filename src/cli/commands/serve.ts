/** `daybook serve`. */

import { type Command, Option } from "commander";
import { KEEP_EVENTS_DAYS_MAX, KEEP_EVENTS_DAYS_MIN } from "../../retention.ts";
import { clusterOption } from "../places.ts";
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
    .addOption(
      new Option("--keep-events-days <n>", "drop raw events older than this, 32 or more; when left out: never")
        .env("DAYBOOK_KEEP_EVENTS_DAYS")
        .argParser(readDays),
    )
    .addOption(clusterOption())
    .option("--webhook-allow-private", "send notices to this machine and to private networks, too")
    .option("--demo", "fill an empty data folder with 60 days of a made-up company")
    .addHelpText(
      "after",
      `
Environment:
  DAYBOOK_BOOTSTRAP_ACCOUNT  id of the account that the first start makes (default: default)
  DAYBOOK_BOOTSTRAP_KEY      text of the OPERATOR key that the first start makes (default: a random one, printed once)
  DAYBOOK_KEEP_EVENTS_DAYS   as --keep-events-days
  DAYBOOK_LEDGER_URL         clickhouse://user:password@host:8123/database keeps the ledger; add ?secure=true for https
  DAYBOOK_ACCOUNTS_URL       postgres://user:password@host:5432/database keeps accounts, keys and price books
  DAYBOOK_LEDGER_URL_FILE, DAYBOOK_ACCOUNTS_URL_FILE
                             a file that holds the URL, in place of the URL
  DAYBOOK_CLICKHOUSE_CLUSTER as --clickhouse-cluster
${examples(
  "daybook serve",
  "daybook serve --data /var/lib/daybook --host 0.0.0.0 --port 8484",
  "daybook serve --data /var/lib/daybook --prices prices.yaml",
  "daybook serve --data /var/lib/daybook --gateway gateway.yaml",
  "daybook serve --data /var/lib/daybook --keep-events-days 400",
  "DAYBOOK_LEDGER_URL_FILE=/run/secrets/ledger daybook serve --data /var/lib/daybook",
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

function readDays(text: string): number {
  const days = Number(text);
  if (/^\d{1,5}$/.test(text) && days >= KEEP_EVENTS_DAYS_MIN && days <= KEEP_EVENTS_DAYS_MAX) return days;
  const allowed = `${KEEP_EVENTS_DAYS_MIN} to ${KEEP_EVENTS_DAYS_MAX}`;
  throw wrongWords(
    `--keep-events-days: ${quoted(text)} is not a number of days that events can be kept; use ${allowed}`,
  );
}

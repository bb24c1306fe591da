/** The billing commands: reports, exports, invoices, notification settings. */

import { type Command, Option } from "commander";
import { examples, listed, repeated, work } from "../work.ts";

const START = "the start, inclusive: YYYY-MM-DD or 'YYYY-MM-DD hh:mm:ss'";
const END = "the end, exclusive, in the same form";
const AS_OF = "by the prices that were known at this time (default: by the newest)";
const FORCE = "overwrite the file when there is one";

export function addBilling(daybook: Command): void {
  const billing = daybook
    .command("billing")
    .summary("usage, costs, exports, invoices")
    .description("Who used what, and what it cost: reports, exports, invoices and notification settings.");
  addGetUsage(billing);
  addExplain(billing);
  addExportMetrics(billing, "export-metrics");
  addExportUsageCosts(billing);
  billing
    .command("list-invoices")
    .summary("list what is owed, month by month")
    .description("List the account's invoices, one for each closed month that has usage.")
    .option("--show-pending", "also the month that runs, counted up to now")
    .addHelpText(
      "after",
      examples("daybook billing list-invoices", "daybook billing list-invoices --show-pending -o json"),
    )
    .action(work(async () => (await import("../run/billing.ts")).listInvoices));
  addNotificationSettings(billing);

  // Spellings of older versions of firectl.
  for (const name of ["export", "download"]) {
    const older = daybook.command(name, { hidden: true }).description("An older spelling of billing export-metrics.");
    addExportMetrics(older, "billing-metrics");
  }
}

/** The flags of a question about usage. */
function addQuestion(command: Command): Command {
  return command
    .option("--start-time <time>", `${START} (default: 30 days before the end)`)
    .option("--end-time <time>", `${END} (default: the end of today)`)
    .addOption(
      new Option("--usage-type <type>", "the kind of usage")
        .choices(["all", "serverless", "dedicated-deployment", "training"])
        .default("all"),
    )
    .option("--group-by <dimension>", "a column to group by, such as model_name; repeat it or use commas", listed)
    .option(
      "--filter <key=value>",
      "only usage with this value; repeat it: OR within a key, AND between keys",
      repeated,
    )
    .option("--timezone <zone>", "the IANA time zone of days and times", "UTC")
    .option("--as-of <time>", AS_OF);
}

function addGetUsage(billing: Command): void {
  const command = billing
    .command("get-usage")
    .summary("show usage and costs by day and group")
    .description(
      "Show what the account's usage cost, then one row for each day and group. Times are read, and days are counted, " +
        "in --timezone. Ranges of more than 31 days are fetched in pieces and joined.",
    );
  addQuestion(command)
    .option("--account-costs-only", "only what the account's usage cost")
    .addHelpText(
      "after",
      `
Dimensions: model_name, api_key_id, api_key_name, deployment_name, accelerator_type, job_id, job_type, usage_type,
base_model, annotations.team, annotations.project, annotations.environment.
Account costs are counted in whole UTC days with the dates of the range; the tables of usage in days of --timezone.
${examples(
  "daybook billing get-usage",
  "daybook billing get-usage --start-time 2026-05-01 --end-time 2026-06-01 --timezone Europe/Berlin",
  "daybook billing get-usage --group-by annotations.team,model_name --filter annotations.environment=prod",
  "daybook billing get-usage --usage-type serverless --group-by api_key_name -o json",
  "daybook billing get-usage --start-time 2025-01-01 --end-time 2026-01-01 -o csv > 2025.csv",
)}`,
    )
    .action(work(async () => (await import("../run/get-usage.ts")).getUsage, { formats: ["text", "json", "csv"] }));
}

function addExplain(billing: Command): void {
  const command = billing
    .command("explain")
    .summary("show why one row of get-usage is the number that it is")
    .description(
      "Show each quantity of one row with its price, the entry of the price book that makes it, and the events behind it. " +
        "The flags of get-usage ask the question; --row-start, --row-usage-type and --group name one of its rows.",
    );
  addQuestion(command)
    .option(
      "--row-start <time>",
      "the start of the row's day, in the form of the other times; its day is then the range",
    )
    .option("--row-usage-type <type>", "the row's usage type, such as TEXT_COMPLETION_INFERENCE_USAGE")
    .option("--group <key=value>", "the row's value of a dimension of the grouping; repeat it", repeated)
    .option("--events", "also every event of the row, voided ones too")
    .addHelpText(
      "after",
      `
What is left out is not asked for. Exactly one row must be left; of several, the fields that tell them apart are named.
${examples(
  "daybook billing explain --row-start 2026-05-28 --group model_name=accounts/fireworks/models/kimi-k2p6",
  "daybook billing explain --row-start 2026-05-28 --group-by annotations.team --group annotations.team=search --events",
  "daybook billing explain --row-start 2026-05-28 --usage-type training --as-of '2026-06-01 12:00:00' -o json",
)}`,
    )
    .action(work(async () => (await import("../run/explain.ts")).explain));
}

function addExportMetrics(parent: Command, name: string): void {
  parent
    .command(name)
    .summary("write every usage event to a CSV file")
    .description(
      "Write one CSV line for each usage event, times in UTC. The file appears under its name when it is whole. " +
        "--filename - writes to standard output.",
    )
    .option("--start-time <time>", `${START}, in UTC (default: 30 days before the end)`)
    .option("--end-time <time>", `${END} (default: the end of today)`)
    .option("--filename <file>", "the file to write", "billing_metrics.csv")
    .option("--force", FORCE)
    .addHelpText(
      "after",
      examples(
        "daybook billing export-metrics --start-time 2026-05-01 --end-time 2026-06-01",
        "daybook billing export-metrics --filename - | gzip > metrics.csv.gz",
      ),
    )
    .action(work(async () => (await import("../run/exports.ts")).exportMetrics, { formats: ["text"] }));
}

function addExportUsageCosts(billing: Command): void {
  billing
    .command("export-usage-costs")
    .summary("write serverless costs by day to a CSV file")
    .description(
      "Write what serverless usage cost, one CSV line for each UTC day and group that cost anything. The file appears " +
        "under its name when it is whole. --filename - writes to standard output.",
    )
    .option("--start-time <time>", `${START}, in UTC (default: 24 hours before the end)`)
    .option("--end-time <time>", `${END} (default: now)`)
    .addOption(
      new Option("--group-by <dimension>", "what to tell apart")
        .choices(["model", "model_tier", "user", "api_key"])
        .default("model"),
    )
    .option("--as-of <time>", `${AS_OF}, in UTC`)
    .option("--filename <file>", "the file to write", "usage_costs.csv")
    .option("--force", FORCE)
    .addHelpText(
      "after",
      examples(
        "daybook billing export-usage-costs",
        "daybook billing export-usage-costs --start-time 2026-05-01 --end-time 2026-06-01 --group-by api_key",
      ),
    )
    .action(work(async () => (await import("../run/exports.ts")).exportUsageCosts, { formats: ["text"] }));
}

function addNotificationSettings(billing: Command): void {
  const settings = billing
    .command("notification-settings")
    .summary("monthly spends at which to be told")
    .description("Show or change the monthly spends at which the account wants to be told.");
  settings
    .command("get")
    .summary("show the settings")
    .description("Show the settings.")
    .addHelpText("after", examples("daybook billing notification-settings get"))
    .action(work(async () => (await import("../run/billing.ts")).getNotificationSettings));
  settings
    .command("update")
    .summary("change the settings")
    .description("Change the settings; the thresholds are replaced as a whole, what is not named stays.")
    .option("--monthly-spend-usd-thresholds <dollars>", "whole dollars, several behind commas; '' for none")
    .option("--webhook-url <url>", "where a notice of each threshold is sent; '' for nowhere")
    .option("--webhook-secret-file <file>", "a file with the secret that signs the notices")
    .addHelpText(
      "after",
      examples(
        "daybook billing notification-settings update --monthly-spend-usd-thresholds=500,800",
        "daybook billing notification-settings update --webhook-url https://hooks.acme.example/daybook \\\n" +
          "      --webhook-secret-file secret.txt",
      ),
    )
    .action(work(async () => (await import("../run/billing.ts")).updateNotificationSettings));
}

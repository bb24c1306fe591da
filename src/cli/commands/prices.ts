/** The price books: what is in force, what it would be, and why a price is what it is. */

import { type Command, Option } from "commander";
import { ACCELERATOR_TYPES, SERVICE_TIERS, USAGE_TYPE_NAMES } from "../../domain/usage.ts";
import { examples, listed, work } from "../work.ts";
import { addPricesImport } from "./prices-import.ts";

const CONTRACT = "the account whose contract it is; left out: the installation's list";

export function addPrices(daybook: Command): void {
  const prices = daybook
    .command("prices")
    .summary("price books: put, compare, explain")
    .description(
      "Price books. Every version that was put is kept for ever; the newest is in force. All but explain and check take " +
        "an OPERATOR key.",
    );
  addReading(prices);
  addPutting(prices);
  addDiff(prices);
  addExplain(prices);
  addPricesImport(prices);
}

function addReading(prices: Command): void {
  prices
    .command("list")
    .summary("list the versions")
    .description("List every version that was put, newest first.")
    .option("--account <id>", "only the contracts of this account")
    .addHelpText("after", examples("daybook prices list", "daybook prices list --account acme -o json"))
    .action(work(async () => (await import("../run/prices.ts")).listPriceBooks));
  prices
    .command("get")
    .summary("print a version as it was put")
    .description("Print the YAML of a version, byte for byte as it was put.")
    .argument("<version>", "its number")
    .addHelpText("after", examples("daybook prices get 3 > book.yaml", "daybook prices get 3 -o json"))
    .action(work(async () => (await import("../run/prices.ts")).getPriceBook));
}

function addPutting(prices: Command): void {
  prices
    .command("put")
    .summary("put a new version in force")
    .description(
      "Put a price book in force, as the next version. A book with mistakes is not put: each is told with its line, and " +
        "the book in force stays. The text that is in force already changes nothing. Invoices that were issued stay as " +
        "they are.",
    )
    .argument("<file>", "the book, YAML")
    .option("--account <id>", CONTRACT)
    .addHelpText(
      "after",
      examples(
        "daybook prices get 3 > book.yaml   # then change it",
        "daybook prices diff 3 book.yaml --start-time 2026-10-01 --end-time 2026-11-01",
        "daybook prices put book.yaml",
        "daybook prices put acme.yaml --account acme",
      ),
    )
    .action(work(async () => (await import("../run/prices.ts")).putPriceBook));
  prices
    .command("check")
    .summary("read a price book and tell its mistakes and gaps")
    .description(
      "Read a price book, here, without a server: every mistake with its line, or how much it holds and where it has " +
        "gaps. Exits 1 when there is a mistake.",
    )
    .argument("<file>", "the book, YAML")
    .option("--account-contract", "read it as an account's contract, which may state discounts")
    .addHelpText(
      "after",
      examples("daybook prices check book.yaml", "daybook prices check acme.yaml --account-contract -o json"),
    )
    .action(work(async () => (await import("../run/prices-check.ts")).checkPriceBook));
}

function addDiff(prices: Command): void {
  prices
    .command("diff")
    .summary("what another book would change")
    .description(
      "Rate the usage of a range by two books, and show each account, UTC day and model that would cost something else, " +
        "exactly. A book is the number of a version, or a file. With one book: against the version in force. List books " +
        "are compared over all accounts, each with its contract; contracts over their account. Ranges of more than 31 " +
        "days are fetched in pieces and joined.",
    )
    .argument("<a>", "the book before; the only one is the book after")
    .argument("[b]", "the book after")
    .option("--start-time <time>", "the start, inclusive, in UTC: YYYY-MM-DD (default: 30 days before the end)")
    .option("--end-time <time>", "the end, exclusive, in the same form (default: the end of today)")
    .option("--account <id>", "the account whose contract both books are; left out: list books, or as the versions say")
    .option("--only <account>", "only this account's usage; repeat it or use commas", listed)
    .addHelpText(
      "after",
      examples(
        "daybook prices diff book.yaml --start-time 2026-10-01 --end-time 2026-11-01",
        "daybook prices diff 3 4 --start-time 2026-10-01 --end-time 2026-11-01 -o json",
        "daybook prices diff acme.yaml --account acme",
      ),
    )
    .action(work(async () => (await import("../run/prices-diff.ts")).diffPriceBooks));
}

function addExplain(prices: Command): void {
  prices
    .command("explain")
    .summary("which entry prices a model, and why")
    .description(
      "Show what a unit of usage costs the account at a time, which entry of which price book says so, and which entries " +
        "lost to it. Where nothing prices it, the entries that come nearest.",
    )
    .argument("[model]", "such as accounts/fireworks/models/kimi-k2p6; may be left out with --accelerator-type")
    .option("--at <time>", "when, in UTC: YYYY-MM-DD or 'YYYY-MM-DD hh:mm:ss' (default: now)")
    .addOption(new Option("--usage-type <type>", "default: the first that has a price").choices(USAGE_TYPE_NAMES))
    .addOption(new Option("--service-tier <tier>", "default: STANDARD").choices(SERVICE_TIERS))
    .option("--batch", "a batch call")
    .option("--prompt-tokens <n>", "the length of the prompt, for prices that depend on it")
    .addOption(new Option("--accelerator-type <type>", "such as NVIDIA_H100_80GB").choices(ACCELERATOR_TYPES))
    .option("--placement <placement>", "where it runs, such as US")
    .option("--job-type <type>", "of a training job, such as SFT_LORA")
    .option("--base-model <model>", "the model underneath (default: the model, for accelerators and training)")
    .option("--as-of <time>", "by the prices that were known then, in the form of --at (default: the newest)")
    .addHelpText(
      "after",
      examples(
        "daybook prices explain accounts/fireworks/models/kimi-k2p6 --at 2026-10-20",
        "daybook prices explain accounts/fireworks/models/kimi-k2p6 --batch --service-tier FAST -o json",
        "daybook prices explain --accelerator-type NVIDIA_H100_80GB --placement US --at 2026-09-01",
      ),
    )
    .action(work(async () => (await import("../run/prices.ts")).explainPrices));
}

/** `daybook prices import`. */

import { type Command, Option } from "commander";
import { examples, work } from "../work.ts";

export function addPricesImport(prices: Command): void {
  prices
    .command("import")
    .argument("<file>", "the list as it is published, JSON; - reads stdin")
    .summary("make a price book of a published price list")
    .description(
      "Make a price book of a price list that others publish. No server is asked. The book goes to standard output, and " +
        "a report to standard error: what of the list is not understood, cannot be said in a book, or was decided. " +
        "Read the report before you put the book in force.",
    )
    .addOption(
      new Option("--from <kind>", "litellm: model_prices_and_context_window.json; genai-prices: its data.json")
        .choices(["litellm", "genai-prices"])
        .makeOptionMandatory(),
    )
    .option("--filename <file>", "where the book goes; - is standard output", "-")
    .option("--force", "overwrite the file when it is there already")
    .option("--provider <name>", "only the models of this provider, as the list names it")
    .option(
      "--model-prefix <text>",
      "put before each model's name; {provider} in it stands for the provider's name",
      "",
    )
    .option(
      "--effective-from <time>",
      "from when prices hold that the list gives no date: a UTC time on a 15-minute edge",
      "2020-01-01T00:00:00Z",
    )
    .addHelpText(
      "after",
      examples(
        "daybook prices import --from litellm model_prices_and_context_window.json --provider openai > openai.yaml",
        "daybook prices import --from genai-prices data.json --filename prices.yaml",
        "daybook prices import --from genai-prices data.json --model-prefix '{provider}/' --effective-from 2026-01-01",
      ),
    )
    .action(
      work(async () => (await import("../run/prices-import.ts")).importPrices, {
        formats: ["text"],
      }),
    );
}

/** Budgets of keys and tags, and usage as it comes. */

import type { Command } from "commander";
import { examples, work } from "../work.ts";

export function addBudget(daybook: Command): void {
  const budget = daybook
    .command("budget")
    .summary("monthly budgets of keys and tags")
    .description("Hold a key, or what has a tag, to a spend a month. The account's own limit is a quota.");
  budget
    .command("create")
    .summary("make a budget")
    .description("Make a budget. The gateway refuses calls that it has no money for.")
    .argument("<budget-id>", "the new id: a-z, 0-9 and -")
    .requiredOption("--monthly-usd <n>", "whole dollars a month")
    .option("--key-id <id>", "the key whose calls it holds")
    .option("--annotation <tag=value>", "or the tag whose calls it holds: team, project or environment")
    .addHelpText(
      "after",
      examples(
        "daybook budget create search --annotation team=search --monthly-usd 500",
        "daybook budget create nightly --key-id key_4nMFyHCSZP4CRKqa --monthly-usd 50",
      ),
    )
    .action(work(async () => (await import("../run/limits.ts")).createBudget));
  budget
    .command("list")
    .summary("list the budgets")
    .description("List the account's budgets.")
    .addHelpText("after", examples("daybook budget list"))
    .action(work(async () => (await import("../run/limits.ts")).listBudgets));
  budget
    .command("update")
    .summary("change a budget")
    .description("Change a budget's dollars, from the next call on.")
    .argument("<budget-id>", "the budget's id")
    .requiredOption("--monthly-usd <n>", "whole dollars a month")
    .addHelpText("after", examples("daybook budget update search --monthly-usd 800"))
    .action(work(async () => (await import("../run/limits.ts")).updateBudget));
  budget
    .command("delete")
    .summary("take a budget away")
    .description("Take a budget away. What was spent stays spent.")
    .argument("<budget-id>", "the budget's id")
    .addHelpText("after", examples("daybook budget delete search"))
    .action(work(async () => (await import("../run/limits.ts")).deleteBudget));
}

export function addTail(daybook: Command): void {
  daybook
    .command("tail")
    .summary("show usage as it is written")
    .description("Show usage events as they come, with what they cost, until Ctrl-C.")
    .option("--key <id>", "only usage of this key")
    .option("--model <name>", "only usage of this model")
    .addHelpText("after", examples("daybook tail", "daybook tail --key key_4nMFyHCSZP4CRKqa -o json | jq .costNanoUsd"))
    .action(work(async () => (await import("../run/tail.ts")).tail));
}

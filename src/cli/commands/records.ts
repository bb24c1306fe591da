/** The records of an account: keys, accounts, quotas, deployments. */

import type { Command } from "commander";
import { examples, listed, work } from "../work.ts";

export function addRecords(daybook: Command): void {
  addApiKey(daybook);
  addAccount(daybook);
  addQuota(daybook);
  addDeployment(daybook);
}

function addApiKey(daybook: Command): void {
  const apiKey = daybook.command("api-key").summary("API keys").description("Make, list and revoke API keys.");
  apiKey
    .command("create")
    .summary("make a key and show it, this once")
    .description("Make an API key. It is shown this once: only its hash is kept.")
    .option("--key-name <name>", "what the key is called")
    .option("--name <name>", "the same as --key-name")
    .option("--service-account <id>", "the user that the key is for (default: yours)")
    .option("--expire-time <time>", "when the key stops working, in UTC: YYYY-MM-DD or 'YYYY-MM-DD hh:mm:ss'")
    .option(
      "--annotations <tag=value>",
      "tags of the key's usage: team, project, environment; repeat or commas",
      listed,
    )
    .option("--role <role>", "what the key may do: OPERATOR, ADMIN, USER or METER (default: as the user)")
    .addHelpText(
      "after",
      examples(
        "daybook api-key create --key-name prod-eng --annotations team=search,environment=prod",
        "daybook api-key create --name gateway --service-account gateway --role METER --expire-time 2027-01-01",
      ),
    )
    .action(work(async () => (await import("../run/records.ts")).createApiKey));
  apiKey
    .command("list")
    .summary("list the keys")
    .description("List the account's keys that are not revoked; keys themselves are never shown again.")
    .addHelpText("after", examples("daybook api-key list", "daybook api-key list -o json"))
    .action(work(async () => (await import("../run/records.ts")).listApiKeys));
  apiKey
    .command("delete")
    .summary("revoke a key for ever")
    .description("Revoke a key, from now on and for ever. Its usage stays.")
    .argument("<key-id>", "the key's id, such as key_4nMFyHCSZP4CRKqa")
    .addHelpText("after", examples("daybook api-key delete key_4nMFyHCSZP4CRKqa"))
    .action(work(async () => (await import("../run/records.ts")).deleteApiKey));
}

function addAccount(daybook: Command): void {
  const account = daybook.command("account").summary("accounts").description("Show the accounts that the key sees.");
  account
    .command("list")
    .summary("list the accounts")
    .description("List the accounts that the key sees.")
    .addHelpText("after", examples("daybook account list"))
    .action(work(async () => (await import("../run/records.ts")).listAccounts));
  account
    .command("get")
    .summary("show one account")
    .description("Show one account; the one in use when none is named.")
    .argument("[account-id]", "the account's id")
    .addHelpText("after", examples("daybook account get", "daybook account get acme -o json"))
    .action(work(async () => (await import("../run/records.ts")).getAccount));
  account
    .command("update")
    .summary("change the account")
    .description("Change the zone whose months the account's limits and budgets count. Invoices stay UTC months.")
    .requiredOption("--timezone <zone>", "an IANA time zone")
    .addHelpText("after", examples("daybook account update --timezone America/Los_Angeles"))
    .action(work(async () => (await import("../run/records.ts")).updateAccount));
}

function addQuota(daybook: Command): void {
  const quota = daybook.command("quota").summary("spend and rate limits").description("Show and change limits.");
  quota
    .command("list")
    .summary("list the quotas")
    .description("List the account's quotas with what is used of them.")
    .addHelpText("after", examples("daybook quota list"))
    .action(work(async () => (await import("../run/records.ts")).listQuotas));
  quota
    .command("get")
    .summary("show one quota")
    .description("Show one quota.")
    .argument("<quota-id>", "the quota's id, such as monthly-spend-usd")
    .addHelpText("after", examples("daybook quota get monthly-spend-usd"))
    .action(work(async () => (await import("../run/records.ts")).getQuota));
  quota
    .command("update")
    .summary("change a quota")
    .description("Change a quota's value.")
    .argument("<quota-id>", "the quota's id, such as monthly-spend-usd")
    .requiredOption("--value <n>", "the new value, a whole number")
    .option("--max-value <n>", "the most that the value may be set to")
    .addHelpText("after", examples("daybook quota update monthly-spend-usd --value 500"))
    .action(work(async () => (await import("../run/records.ts")).updateQuota));
}

function addDeployment(daybook: Command): void {
  const deployment = daybook
    .command("deployment")
    .summary("dedicated deployments")
    .description("Make, show, scale and end dedicated deployments.");
  deployment
    .command("create")
    .summary("make a deployment")
    .description("Make a deployment of a model. Its usage counts from its first replica on.")
    .argument("[base-model]", "the model, such as accounts/fireworks/models/kimi-k2p6")
    .requiredOption("--deployment-id <id>", "the new id: a-z, 0-9 and -")
    .requiredOption("--accelerator-type <type>", "such as NVIDIA_H100_80GB")
    .option("--accelerator-count <n>", "accelerators of one replica (default: 1)")
    .option("--replica-count <n>", "replicas from now on (default: 0)")
    .option("--region <region>", "such as US, EUROPE or GLOBAL")
    .option("--display-name <name>", "what people call it")
    .option("--annotations <tag=value>", "tags of its usage: team, project, environment; repeat or commas", listed)
    .addHelpText(
      "after",
      examples(
        "daybook deployment create accounts/fireworks/models/kimi-k2p6 --deployment-id chat \\\n" +
          "      --accelerator-type NVIDIA_H200_141GB --accelerator-count 8 --replica-count 2 --annotations team=search",
      ),
    )
    .action(work(async () => (await import("../run/records.ts")).createDeployment));
  deployment
    .command("list")
    .summary("list the deployments")
    .description("List the account's deployments.")
    .addHelpText("after", examples("daybook deployment list"))
    .action(work(async () => (await import("../run/records.ts")).listDeployments));
  deployment
    .command("get")
    .summary("show one deployment")
    .description("Show one deployment.")
    .argument("<deployment-id>", "the id, or the full name")
    .addHelpText("after", examples("daybook deployment get chat -o json"))
    .action(work(async () => (await import("../run/records.ts")).getDeployment));
  deployment
    .command("scale")
    .summary("set the number of replicas")
    .description("Set the number of replicas from now on, or from another time.")
    .argument("<deployment-id>", "the id, or the full name")
    .requiredOption("--replica-count <n>", "how many replicas run")
    .option("--time <time>", "since when, in UTC: YYYY-MM-DD or 'YYYY-MM-DD hh:mm:ss' (default: now)")
    .addHelpText("after", examples("daybook deployment scale chat --replica-count 3"))
    .action(work(async () => (await import("../run/records.ts")).scaleDeployment));
  deployment
    .command("delete")
    .summary("end a deployment")
    .description("End a deployment and its usage now. Past usage stays.")
    .argument("<deployment-id>", "the id, or the full name")
    .addHelpText("after", examples("daybook deployment delete chat"))
    .action(work(async () => (await import("../run/records.ts")).deleteDeployment));
}

/** Signing in, and what the prompt says of itself. */

import { Argument, type Command } from "commander";
import { examples, work } from "../work.ts";

export function addSession(daybook: Command): void {
  daybook
    .command("login")
    .summary("keep an API key in ~/.daybook/auth.ini")
    .description(
      "Ask for an API key without showing it, check it with the server, find its account, and keep all three in " +
        "~/.daybook/auth.ini, which only you can read. --api-key - reads the key from standard input.",
    )
    .addHelpText(
      "after",
      examples(
        "daybook login",
        "daybook login --base-url https://daybook.example.com --profile work",
        "printenv MY_KEY | daybook login --api-key - --account-id acme",
      ),
    )
    .action(work(async () => (await import("../run/session.ts")).login, { newProfile: true }));
  daybook
    .command("whoami")
    .summary("show the account and server in use")
    .description("Show the account, the server, and where the key was found. The key itself is never shown.")
    .addHelpText("after", examples("daybook whoami", "daybook whoami --profile work -o json"))
    .action(work(async () => (await import("../run/session.ts")).whoami));
  daybook
    .command("version")
    .summary("print the version")
    .description("Print the version of daybook, of its runtime and of its time zone database.")
    .addHelpText("after", examples("daybook version", "daybook version -o json"))
    .action(work(async () => (await import("../run/session.ts")).version));
  daybook
    .command("upgrade")
    .summary("tell how to upgrade")
    .description("Tell how to upgrade. Nothing is downloaded or changed.")
    .addHelpText("after", examples("daybook upgrade"))
    .action(work(async () => (await import("../run/session.ts")).upgrade));
  daybook
    .command("completion")
    .summary("print a script that completes commands and flags")
    .description("Print a script that lets the shell complete commands and flags.")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      examples(
        "source <(daybook completion bash)                       # in ~/.bashrc",
        "source <(daybook completion zsh)                        # in ~/.zshrc",
        "daybook completion fish > ~/.config/fish/completions/daybook.fish",
      ),
    )
    .action(async (shell: "bash" | "zsh" | "fish") => {
      const { completionScript } = await import("../completion.ts");
      process.stdout.write(completionScript(daybook, shell));
    });
}

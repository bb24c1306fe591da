#!/usr/bin/env node
// Plain JavaScript, so that any Node can start it: hands over to the Node 26 among the dependencies where this one is older.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = new URL("../src/cli/main.ts", import.meta.url);

if (Number(process.versions.node.split(".")[0]) >= 26) {
  await import(main.href);
} else {
  const node = new URL("../node_modules/node/bin/node", import.meta.url);
  const child = spawn(fileURLToPath(node), [fileURLToPath(main), ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both; a supervisor signals only this process, so it is passed on.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", () => {
    process.stderr.write("daybook needs Node 26; run `npm ci` to install it beside the project.\n");
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
}

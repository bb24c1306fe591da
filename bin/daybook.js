#!/usr/bin/env node
// Plain JavaScript, so that any Node can start it: hands over to the Node 26 among the dependencies where this one is older.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = new URL("../src/cli/main.ts", import.meta.url);
const args = [fileURLToPath(main), ...process.argv.slice(2)];
const isNew = Number(process.versions.node.split(".")[0]) >= 26;
const serves = args.includes("serve");

// A server lives long, in many threads, and what follows halves its memory. It must be known when a process begins.
const options = serves ? ["--max-semi-space-size=8"] : [];
const env = serves
  ? {
      // glibc else keeps freed memory for each thread.
      MALLOC_ARENA_MAX: "2",
      // Else each thread takes the types out of the code by itself. A folder that cannot be written is no error.
      NODE_COMPILE_CACHE: fileURLToPath(new URL("../node_modules/.cache/daybook", import.meta.url)),
      ...process.env,
    }
  : process.env;

if (isNew && serves && process.execve) {
  // No child: the process goes on as the server, so its id, signals, streams and exit code are the server's own.
  process.execve(process.execPath, [process.execPath, ...options, ...process.execArgv, ...args], env);
} else if (isNew) {
  await import(main.href);
} else {
  const node = new URL("../node_modules/node/bin/node", import.meta.url);
  const child = spawn(fileURLToPath(node), [...options, ...args], { stdio: "inherit", env });
  // A terminal sends Ctrl-C to both; a supervisor signals only this process, so it is passed on.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", () => {
    process.stderr.write("daybook needs Node 26; run `npm ci` to install it beside the project.\n");
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
}

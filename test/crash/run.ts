/**
 * The crash tests for long: `npm run crash -- --rounds 200 --damages 1000 --seed S`. Rounds of kill -9 under load, and
 * damaged files; a failure names the seed that repeats it.
 */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

const USAGE = "npm run crash -- [--rounds N] [--damages N] [--seed S]";
const options = { rounds: { type: "string" }, damages: { type: "string" }, seed: { type: "string" } } as const;
const { values } = parseArgs({ options });
for (const [name, value] of Object.entries(values)) {
  if (!/^\d+$/.test(value)) throw new Error(`--${name}: ${value} is not a whole number; ${USAGE}`);
}

const env = {
  ...process.env,
  DAYBOOK_CRASH_ROUNDS: values.rounds ?? "200",
  DAYBOOK_DAMAGES: values.damages ?? "500",
  ...(values.seed && { DAYBOOK_CRASH_SEED: values.seed }),
};
const files = ["kill.test.ts", "seal.test.ts", "threads.test.ts", "damage.test.ts", "disk.test.ts", "clock.test.ts"];
const child = spawn(process.execPath, ["--test", ...files.map((name) => join(import.meta.dirname, name))], {
  env,
  stdio: "inherit",
});
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});

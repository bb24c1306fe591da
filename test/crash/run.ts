/** `npm run crash`: the crash tests for long. Rounds of kill -9 under load, and damaged files. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { readWords, wholeNumber } from "../../tools/script-words.ts";

const USAGE = `npm run crash -- [--rounds N] [--damages N] [--seed S]

  --rounds N   rounds of kill -9 under load (200)
  --damages N  damaged files (500)
  --seed S     the one that a failure names, to repeat it`;
const values = readWords(USAGE, {
  rounds: { type: "string", default: "200" },
  damages: { type: "string", default: "500" },
  seed: { type: "string" },
});
for (const [name, value] of Object.entries(values)) wholeNumber(name, value, USAGE);

const env = {
  ...process.env,
  DAYBOOK_CRASH_ROUNDS: values.rounds,
  DAYBOOK_DAMAGES: values.damages,
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

/** `npm run simulate`: seeds for some minutes, or one seed again. */

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { misused, readWords, wholeNumber } from "../../tools/script-words.ts";
import { type Campaign, failedSeed, failureText } from "./campaign.ts";
import { runCampaigns } from "./campaign-process.ts";
import { figuresTable, writeFigures } from "./figures.ts";
import { runSeed, stepsOf } from "./run-seed.ts";
import { FIRST_WORLD, WORLD_NAMES, WORLDS, type WorldName } from "./worlds.ts";

const USAGE = `npm run simulate -- [--minutes N] [--engine ${WORLD_NAMES.join("|")}] [--write]
npm run simulate -- --seed S [--engine E] [--steps A,B,C]

  --minutes N  how long new seeds are run, on all cores (default 1)
  --engine E   all seeds in one world (default: in all but clickhouse, most of the time in sqlite); of one seed: sqlite
  --seed S     one seed, once
  --steps ...  only these steps of the seed, as a failure names them
  --write      writes the figures into docs/reliability.md`;
const PAGE = join(import.meta.dirname, "../../docs/reliability.md");

const options = readWords(USAGE, {
  minutes: { type: "string", default: "1" },
  engine: { type: "string" },
  seed: { type: "string" },
  steps: { type: "string" },
  write: { type: "boolean", default: false },
});
const minutes = Number(options.minutes);
if (!(minutes > 0 && minutes <= 10_000)) misused(`--minutes: "${options.minutes}" is no number above 0`, USAGE);
const world = WORLD_NAMES.find((name) => name === options.engine);
if (options.engine !== undefined && !world) {
  misused(`--engine: "${options.engine}" is none of ${WORLD_NAMES.join(", ")}`, USAGE);
}

if (options.seed !== undefined) await runOne(wholeNumber("seed", options.seed, USAGE), world);
else await runMany();

async function runOne(seed: number, asked: WorldName | undefined): Promise<void> {
  const name = asked ?? FIRST_WORLD;
  const all = stepsOf(seed, WORLDS[name]);
  const steps = options.steps?.split(",").map((step) => wholeNumber("steps", step, USAGE)) ?? all;
  const { failure, counts } = await runSeed(seed, WORLDS[name], steps);
  if (!failure) {
    process.stdout.write(`seed ${seed} of ${name}: ${counts.steps} steps, all is well\n`);
    return;
  }
  const failed = options.steps ? { seed, world: name, failure, steps } : await failedSeed(seed, name, steps, failure);
  process.stdout.write(`${failureText(failed)}\n`);
  process.exitCode = 1;
}

async function runMany(): Promise<void> {
  const firstSeed = Date.now() % 1_000_000_000;
  const began = Date.now();
  const asked = { ms: minutes * 60_000, firstSeed, world, past: true, onSeed: showProgress(began) };
  const { totals, failed } = await runCampaigns(asked, availableParallelism());
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[2K");
  process.stdout.write(`seeds from ${firstSeed} on\n\n${figuresTable(totals)}\n`);
  if (failed) {
    process.stdout.write(`\n${failureText(failed)}\n`);
    process.exitCode = 1;
  } else if (options.write) {
    writeFigures(PAGE, totals, (Date.now() - began) / 1_000);
    process.stdout.write("\nwrote docs/reliability.md\n");
  }
}

/** One line that is written over, on a terminal; nothing elsewhere. */
function showProgress(began: number): (totals: Campaign["totals"]) => void {
  if (!process.stderr.isTTY) return () => undefined;
  return (totals) => {
    const all = [...totals.values()];
    const count = (name: "seeds" | "steps" | "questions"): number => all.reduce((sum, own) => sum + own[name], 0);
    const seconds = Math.round((Date.now() - began) / 1_000);
    const line = `${seconds} s of ${minutes * 60} s: ${count("seeds")} seeds, ${count("steps")} steps, ${count("questions")} questions`;
    process.stderr.write(`\r\u001b[2K${line}`);
  };
}

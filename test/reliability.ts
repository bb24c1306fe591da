/**
 * Runs the tests of zones, hostile input and crashes for long, and writes what they counted into docs/reliability.md:
 * `npm run reliability -- --minutes 10 --rounds 200 --damages 500 --write`.
 */

import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { readWords, wholeNumber } from "../tools/script-words.ts";

const PAGE = join(import.meta.dirname, "../docs/reliability.md");
const BEGIN = "<!-- figures: written by `npm run reliability -- --write` -->";
const END = "<!-- end of figures -->";
const USAGE = `npm run reliability -- [--minutes N] [--rounds N] [--damages N] [--write]

  --minutes N   fuzz every route for so long, and the decoders for a third of it (10)
  --rounds N    rounds of kill -9 under load (200)
  --damages N   damaged files, and a quarter as many damaged names (500)
  --write       write the figures into docs/reliability.md`;

/** Runs the test files; returns their figures, `[name, text]` each. @throws Error when a test fails. */
async function figuresOf(files: readonly string[], env: Readonly<Record<string, string>>): Promise<[string, string][]> {
  const paths = files.map((file) => join(import.meta.dirname, file));
  const child = spawn(process.execPath, ["--test", "--test-reporter=tap", ...paths], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const figures: [string, string][] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (/^\s*(not )?ok /.test(line)) console.log(line.trim());
    const found = /^\s*# figure ([^:]+): (.*)$/.exec(line);
    if (found) figures.push([found[1]!, found[2]!]);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`the tests ended with ${code}: run the file of the one that failed by itself`);
  return figures;
}

function writePage(figures: readonly (readonly [string, string])[]): void {
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE} has no place for figures: ${BEGIN}`);
  const date = new Date().toISOString().slice(0, "2026-01-01".length);
  const rows = figures.map(([name, text]) => `| ${name} | ${text.replaceAll("|", "\\|")} |`);
  const line = `${date}, Node ${process.versions.node}; nothing lost, nothing doubled, nothing wrong in silence.`;
  const table = [line, "", "| test | figures |", "|---|---|", ...rows].join("\n");
  writeFileSync(PAGE, `${page.slice(0, begin)}${BEGIN}\n\n${table}\n\n${page.slice(end)}`);
}

const FILES = [
  "zones/zones.test.ts",
  "fuzz/routes.test.ts",
  "fuzz/decoders.test.ts",
  "fuzz/hostile.test.ts",
  "crash/kill.test.ts",
  "crash/seal.test.ts",
  "crash/threads.test.ts",
  "crash/damage.test.ts",
  "crash/disk.test.ts",
  "crash/clock.test.ts",
];

async function main(): Promise<void> {
  const words = readWords(USAGE, {
    minutes: { type: "string", default: "10" },
    rounds: { type: "string", default: "200" },
    damages: { type: "string", default: "500" },
    write: { type: "boolean", default: false },
  });
  const number = (name: "minutes" | "rounds" | "damages"): number => wholeNumber(name, words[name], USAGE);
  const figures = await figuresOf(FILES, {
    DAYBOOK_FUZZ_SECONDS: `${number("minutes") * 60}`,
    DAYBOOK_CRASH_ROUNDS: `${number("rounds")}`,
    DAYBOOK_DAMAGES: `${number("damages")}`,
  });
  for (const [name, text] of figures) console.log(`${name}: ${text}`);
  if (words.write) writePage(figures);
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

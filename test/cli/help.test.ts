/** Help, completion, and how quick they are. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { Command } from "commander";
import { makeProgram } from "../../src/cli/program.ts";
import { MAIN, shell } from "./prompt.ts";

/** CPU of a run in milliseconds, as the process itself counts it at its end. */
function cpuMs(args: readonly string[]): number {
  const told = 'process.on("exit",()=>{const u=process.cpuUsage();fs.writeSync(2,"cpu="+(u.user+u.system))})';
  const hook = `data:text/javascript,import fs from"node:fs";${told}`;
  const { stderr } = spawnSync(process.execPath, ["--import", hook, ...args], { encoding: "utf8" });
  return Number(/cpu=(\d+)/.exec(stderr)?.[1]) / 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

test("help costs less than 150 ms of CPU more than an empty program", (t) => {
  const empty: number[] = [];
  const help: number[] = [];
  // In turns, so that what else the machine does falls on both.
  for (let run = 0; run < 7; run += 1) {
    empty.push(cpuMs(["-e", "0"]));
    help.push(cpuMs([MAIN, "--help"]));
  }
  const [base, mine] = [median(empty), median(help)];
  t.diagnostic(`empty ${base.toFixed(0)} ms, help ${mine.toFixed(0)} ms`);
  // A machine on which an empty program takes 150 ms counts by the ratio.
  assert.ok(mine - base < 150 || mine < base * 4, `help took ${mine} ms, an empty program ${base} ms`);
});

function everyCommand(command: Command, path = "daybook"): { path: string; command: Command }[] {
  return [{ path, command }, ...command.commands.flatMap((one) => everyCommand(one, `${path} ${one.name()}`))];
}

test("every command that does something has a description, examples of itself, and described flags", () => {
  const all = everyCommand(makeProgram());
  assert.ok(all.length > 35, `${all.length} commands`);
  for (const { path, command } of all) {
    assert.notEqual(command.description(), "", path);
    for (const { flags, description } of command.options) assert.notEqual(description, "", `${path} ${flags}`);
    if (command.commands.length > 0) continue;
    let help = "";
    const writeOut = (text: string): void => {
      help += text;
    };
    command.configureOutput({ writeOut }).outputHelp();
    const own = path.replace(/^daybook (export|download) billing-metrics$/, "daybook billing export-metrics");
    assert.match(help, new RegExp(`Examples:\n(.*\n)*? *\\$ .*${own}`), path);
    assert.match(help, /Global Options:\n(.*\n)* +-a, --account-id/, path);
  }
});

test("completion offers commands, flags and their values", async () => {
  const tries: readonly (readonly [words: string, offered: string])[] = [
    ["daybook bi", "billing"],
    ["daybook billing notification-settings u", "update"],
    ["daybook -o json billing exp", "explain export-metrics export-usage-costs"],
    ["daybook billing get-usage --usage-type ''", "all serverless dedicated-deployment training"],
    ["daybook billing get-usage --gro", "--group-by"],
    ["daybook billing get-usage -o ''", "text json csv"],
    ["daybook completion z", "zsh"],
    ["daybook version --deb", "--debug"],
  ];
  const script = `source <(daybook completion bash)
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _daybook; echo "\${COMPREPLY[*]}"; }
${tries.map(([words]) => `try ${words}`).join("\n")}`;
  const said = await shell(script);
  assert.equal(said.stderr, "");
  assert.deepEqual(
    said.stdout.trimEnd().split("\n"),
    tries.map(([, offered]) => offered),
  );
  // zsh and fish read theirs where they are there; elsewhere the scripts are at least made.
  for (const [name, flag] of [
    ["zsh", "-n"],
    ["fish", "-n"],
  ] as const) {
    const made = await shell(`daybook completion ${name}`);
    assert.match(made.stdout, /get-usage/);
    const read = spawnSync(name, [flag], { input: made.stdout, encoding: "utf8" });
    if (!read.error) assert.equal(read.status, 0, read.stderr);
  }
});

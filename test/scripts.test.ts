/** The repository's own commands say how they are used, and start nothing on a word that they do not know. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  scripts: Readonly<Record<string, string>>;
};

for (const name of ["bench", "bench:gateway", "bench:baselines", "simulate", "fuzz", "crash", "reliability"]) {
  test(`npm run ${name}`, () => {
    const [, file] = scripts[name]!.split(" ");
    const run = (...words: readonly string[]) =>
      spawnSync(process.execPath, [join(root, file!), ...words], { encoding: "utf8", timeout: 60_000 });
    const help = run("--help");
    assert.equal(help.status, 0, help.stderr);
    assert.ok(help.stdout.startsWith(`npm run ${name} -- [--`), help.stdout);
    const unknown = run("--no-such-word");
    assert.equal(unknown.status, 2, unknown.stdout);
    assert.equal(unknown.stdout, "");
    assert.ok(unknown.stderr.startsWith("Unknown option '--no-such-word'"), unknown.stderr);
    assert.ok(unknown.stderr.endsWith(help.stdout), unknown.stderr);
  });
}

test("a number that is none is told with the option's name", () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "bench/run.ts"), "--runs", "0"], {
    encoding: "utf8",
  });
  assert.equal(status, 2);
  assert.match(stderr, /^--runs: "0" is no whole number from 1 on\n/);
});

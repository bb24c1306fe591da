/** docs/cookbook.md: every block runs as it stands, with the real jq, and prints what it should. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { folderFor, golden, serve, shell } from "./prompt.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/cookbook.md"), "utf8");

const APT = "apt-get";

function has(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

/** jq as Debian packs it: installed where that may be done, else the tests are skipped and say so. */
function jqIsThere(t: TestContext): boolean {
  if (has("jq")) return true;
  if (process.getuid?.() === 0) {
    // A new machine has no lists of packages yet.
    spawnSync(APT, ["update"], { timeout: 120_000 });
    spawnSync(APT, ["install", "-y", "jq"], { timeout: 120_000 });
  }
  if (has("jq")) return true;
  t.skip("SKIPPED: no jq here and it cannot be installed; install the package jq to run the cookbook");
  return false;
}

const blocks = [...PAGE.matchAll(/^## (.+?)$|```sh\n([\s\S]*?)```/gm)];

test("every block of the cookbook runs, and the API's gives what the prompt's gives", async (t) => {
  if (!jqIsThere(t)) return;
  const { env } = await serve(t);
  const cwd = folderFor(t);
  let title = "";
  let before = "";
  let count = 0;
  for (const [, heading, script] of blocks) {
    if (heading !== undefined) {
      title = heading;
      before = "";
      continue;
    }
    if (script!.includes("curl") && !has("curl")) {
      t.diagnostic(`SKIPPED: no curl here for "${title}"`);
      count += 1;
      continue;
    }
    const said = await shell(`set -eo pipefail\n${script}`, { env, cwd });
    assert.equal(said.code, 0, `${title}: ${said.stderr}`);
    assert.notEqual(said.stdout, "", title);
    count += 1;
    const isBackfill = title.startsWith("A backfill");
    if (before !== "" && !isBackfill) assert.equal(said.stdout, before, `${title}: the API says something else`);
    else
      golden(`cookbook/${title.toLowerCase().replace(/[^a-z]+/g, "-")}${before === "" ? "" : "-api"}.txt`, said.stdout);
    before = said.stdout;
  }
  assert.equal(count, 8);
});
